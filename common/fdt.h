/*
 * common/fdt.h - FLUTE's file description (RFC 6726, section 3.4.2): which
 * objects a session carries.
 *
 * Shape:   XML in UTF-8, a File for each object:
 *            <FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt"
 *             xmlns:dp="urn:dpoint:fdt:1" Expires="3983..." Complete="true"
 *             FEC-OTI-FEC-Encoding-ID="129" FEC-OTI-FEC-Instance-ID="0"
 *             FEC-OTI-Maximum-Source-Block-Length="200"
 *             FEC-OTI-Encoding-Symbol-Length="1432"
 *             FEC-OTI-Max-Number-of-Encoding-Symbols="255">
 *            <File TOI="1" Content-Location="repo/targets/a.deb"
 *             Content-Length="7" Transfer-Length="7"
 *             dp:sha256="..." dp:kind="package"/>
 *          Content-Location is the name percent-encoded. FEC-OTI attributes may
 *          be a File's own. All of these are asked for but Complete and dp:kind;
 *          what else there is, attributes, elements and text, is skipped, as
 *          section 3.4.2 asks. No DTD, so no entity.
 *          Files of one session may be spread over instances with IDs of their
 *          own; a receiver adds up what they say.
 * Ownership: a struct fdt owns its files and their names: fdt_fini.
 * Units:   Expires is NTP seconds, which begin anew in 2036: compare by the
 *          difference, as fdt_expired does.
 * Errors:  -EBADMSG: not such XML, or an attribute that lacks, is twice or out
 *          of range, a name that is not plain (tuf_path_is_plain), a TOI twice;
 *          -EFBIG: beyond the limits; -ENOMEM. *why is then a clause of static
 *          text, for a log line.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_FDT_H
#define COMMON_FDT_H

#include "common/alc.h"
#include "common/hash.h"

#define FDT_SIZE_MAX  (256 * 1024) /* bytes of the XML */
#define FDT_FILES_MAX 512
#define FDT_NAME_MAX  1024 /* with the NUL */
#define FDT_KIND_MAX  32   /* likewise; letters, digits, "-" */

struct fdt_file {
	char	      *name; /* plain: "repo/targets/a.deb", "sha256/<hex>" */
	char	       kind[FDT_KIND_MAX]; /* of the target, or "" */
	struct hash    hash;
	struct alc_fti fti;
	uint16_t       toi; /* not 0 */
};

struct fdt {
	uint32_t	 expires;
	bool		 is_complete; /* no other File will come */
	size_t		 n;	      /* 1 to FDT_FILES_MAX */
	struct fdt_file *file;
};

/* XML of f, NUL behind it, which the caller frees. -EINVAL: f breaks a rule. */
int fdt_build(const struct fdt *f, char **xml, size_t *len);

/*
 * An instance with f->file[*next] and what else fits into max bytes; *next
 * moves behind it. With ALC_SYMBOL_FDT each instance is one packet, which is
 * what tools (tshark) can read that do not put several together, and what no
 * other packet's loss can spoil. Complete is said with the last file. -EFBIG:
 * not even one fits.
 */
int fdt_build_some(
    const struct fdt *f, size_t *next, size_t max, char **xml, size_t *len);

/* max_length: the longest object one of the files may be. */
int  fdt_parse(struct fdt *f, const void *xml, size_t len, uint64_t max_length,
     const char **why);
void fdt_fini(struct fdt *f);

uint32_t fdt_expires(int64_t unix_seconds);
bool	 fdt_expired(const struct fdt *f, int64_t unix_seconds);

/*
 * An FDT put together from its packets, which come in any order and again and
 * again. All zero is empty. Another instance ID begins anew; the same with
 * another length or symbol is refused (-EBADMSG), as are numbers beyond them.
 * 1: it is whole now, bytes and len are good until the next call; 0: not yet,
 * or had already.
 */
struct fdt_gather {
	uint8_t *bytes;
	uint64_t had[4]; /* symbols, by number */
	uint32_t instance, len;
	uint16_t symbol, left; /* left: symbols */
	bool	 is_begun;
};
int fdt_gather(
    struct fdt_gather *g, const struct alc_head *h, const void *p, size_t n);
void fdt_gather_fini(struct fdt_gather *g);

#endif
