/*
 * dp-store/names.c - see names.h.
 *
 * Runs in dp-store's loop. Believes nothing a peer sent. Does no I/O.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/names.h"

#include "common/rd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
name_ok(const char *name)
{
	const char *p = name;
	size_t	    n;

	for (;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || (n <= 2 && strncmp(p, "..", n) == 0))
			return false;
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)p[i] < ' ' || p[i] == 127)
				return false;
		if (p[n] == '\0')
			return (size_t)(p + n - name) <= INDEX_NAME_MAX;
	}
}

static int
grow(struct draft *d)
{
	struct draft_name *p;
	size_t		   size = d->size == 0 ? 64 : d->size * 2;

	if (d->n < d->size)
		return 0;
	if (d->n >= NAMES_MAX)
		return -E2BIG;
	if ((p = reallocarray(d->of, size, sizeof(*p))) == NULL)
		return -ENOMEM;
	d->of = p;
	d->size = size;
	return 0;
}

int
names_parse(struct draft *d, const void *payload, size_t len)
{
	struct rd	  r = rd_from(payload, len);
	char		  name[INDEX_NAME_MAX + 1];
	struct draft_name e;
	const uint8_t	 *h;
	uint8_t		  flags;
	int		  rc;

	do {
		h = rd_bytes(&r, HASH_LEN);
		e.to.size = rd_u64(&r);
		flags = rd_u8(&r);
		e.to.pinned = (flags & NAME_PINNED) != 0;
		e.to.urgent = (flags & NAME_URGENT) != 0;
		rd_str(&r, name, sizeof(name));
		if (r.err < 0 || h == NULL || !name_ok(name))
			return -EBADMSG;
		memcpy(e.to.hash.b, h, HASH_LEN);
		if ((rc = grow(d)) < 0)
			return rc;
		if ((e.name = strdup(name)) == NULL)
			return -ENOMEM;
		d->of[d->n++] = e;
	} while (r.left > 0);
	return rd_done(&r);
}

void
names_fini(struct draft *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->of[i].name);
	free(d->of);
	*d = (struct draft){ 0 };
}
