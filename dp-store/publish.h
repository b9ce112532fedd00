/*
 * dp-store/publish.h - how a file becomes an object: file before index, always.
 *
 * publish_partial: under a read lease, hash, sync, link, sync the directory,
 * commit the row, forget the partial file. Cut short anywhere, it leaves
 * either the partial file or the object, both whole; content_reconcile()
 * removes the traces.
 * Errors: -EBADMSG the bytes are not what the hash says, -EAGAIN somebody may
 *         still write (publish_lease only); -EIO and others of the disk. After
 *         -EBADMSG or a failed sync the partial file is gone, since nobody
 *         knows what it holds; after others it is still there.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_PUBLISH_H
#define DP_STORE_PUBLISH_H

#include "dp-store/content.h"
#include "dp-store/index.h"

/* Opens the partial file and takes the lease: *fd is then the caller's. */
int publish_lease(struct content *c, const struct hash *h, int *fd);

/* leased_fd stays the caller's, to be closed afterwards. size is the object's,
 * given when it was published. */
int publish_partial(struct content *c, struct index *ix, const struct hash *h,
    int leased_fd, uint64_t *size);

/* A small object at once. -EEXIST: it was there. */
int publish_bytes(struct content *c, struct index *ix, const struct hash *h,
    const void *bytes, size_t len);

/* Row, then file. -ENOENT: there was no row; a file is removed all the same. */
int unpublish(struct content *c, struct index *ix, const struct hash *h);
int drop_partial(struct content *c, struct index *ix, const struct hash *h);

#endif
