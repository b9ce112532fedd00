/*
 * dp-store/publish.c - see publish.h.
 *
 * Runs in dp-store's I/O threads. Believes nobody about bytes: hashes them.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/publish.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int
publish_lease(struct content *c, const struct hash *h, int *fd)
{
	int r = content_partial_read(c, h, fd);

	if (r == 0 && (r = content_lease(*fd)) < 0) {
		close(*fd);
		*fd = -1;
	}
	return r;
}

static int
commit_object(struct content *c, struct index *ix, const struct hash *h,
    uint64_t size)
{
	uint64_t       now = (uint64_t)time(NULL);
	struct object  o = { size, now, now }, old;
	struct MDB_txn *t;
	int	       r = index_write(ix, &t);

	if (r < 0)
		return r;
	r = index_object_get(ix, t, h, &old);
	if (r == 0 || r == -ENOENT) {
		bool had = r == 0;

		r = index_partial_del(ix, t, h);
		if (r == 0 || r == -ENOENT)
			r = index_object_put(ix, t, h, &o);
		if (r == 0)
			r = index_commit(ix, &t);
		if (r == 0)
			content_count(c, had ? 0 : 1,
			    (int64_t)size - (had ? (int64_t)old.size : 0));
	}
	index_end(ix, &t);
	if (r == -ENOSPC) /* surely no row: then no file either */
		(void)content_object_unlink(c, h);
	return r;
}

static int
prove(int fd, const struct hash *h, uint64_t size)
{
	struct hash got;
	int	    r;

	/* the disk may begin while we hash; the fsync after it waits less */
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	r = content_hash(fd, size, &got);
	if (r == 0 && !hash_eq(&got, h))
		r = -EBADMSG;
	return r;
}

int
publish_partial(struct content *c, struct index *ix, const struct hash *h,
    int leased_fd, uint64_t *size)
{
	struct partial	p = { 0 };
	struct MDB_txn *t = NULL;
	int		r = index_begin(ix, &t);

	if (r == 0)
		r = index_partial_get(ix, t, h, &p);
	index_end(ix, &t);
	if (r < 0)
		return r;
	*size = p.size;
	r = prove(leased_fd, h, p.size);
	/* pages a failed fsync left behind look clean and may not be on disk */
	if (r == 0 && fsync(leased_fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)drop_partial(c, ix, h);
		return r;
	}
	if ((r = content_link(c, h)) < 0 ||
	    (r = commit_object(c, ix, h, p.size)) < 0)
		return r;
	return content_partial_unlink(c, h);
}

int
publish_bytes(struct content *c, struct index *ix, const struct hash *h,
    const void *bytes, size_t len)
{
	struct MDB_txn *t = NULL;
	struct object	o;
	struct hash	got;
	int		r = hash_of(&got, bytes, len);

	if (r == 0 && !hash_eq(&got, h))
		r = -EBADMSG;
	if (r == 0 && (r = index_begin(ix, &t)) == 0) {
		r = index_object_get(ix, t, h, &o);
		index_end(ix, &t);
		r = r == 0 ? -EEXIST : r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		return r;
	if ((r = content_put(c, h, bytes, len)) < 0)
		return r;
	return commit_object(c, ix, h, len);
}

int
unpublish(struct content *c, struct index *ix, const struct hash *h)
{
	struct MDB_txn *t;
	struct object	o;
	int		r = index_write(ix, &t), r2;

	if (r < 0)
		return r;
	r = index_object_get(ix, t, h, &o);
	if (r == 0 || r == -EUCLEAN)
		r = index_object_del(ix, t, h);
	if (r == 0 && (r = index_commit(ix, &t)) == 0)
		content_count(c, -1, -(int64_t)o.size);
	index_end(ix, &t);
	if (r < 0 && r != -ENOENT)
		return r;
	r2 = content_object_unlink(c, h);
	return r2 < 0 ? r2 : r;
}

int
drop_partial(struct content *c, struct index *ix, const struct hash *h)
{
	struct MDB_txn *t;
	int		r = index_write(ix, &t), r2;

	if (r < 0)
		return r;
	r = index_partial_del(ix, t, h);
	if (r == 0)
		r = index_commit(ix, &t);
	index_end(ix, &t);
	if (r < 0 && r != -ENOENT)
		return r;
	r2 = content_partial_unlink(c, h);
	return r2 < 0 ? r2 : r;
}
