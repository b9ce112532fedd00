/*
 * tests/fuzz/fuzz_tuf.c - any bytes as the metadata of each role.
 *
 * The input is files, each with a big-endian u32 length before it: first the
 * trusted root, then whatever the updater wants, in that order. Each file is
 * also parsed as every type. Properties: what is accepted has a version and
 * prints its date; an error says its reason; targets that are listed are found
 * again; and the updater ends.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/rd.h"
#include "common/tuf.h"
#include "common/tuf_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
parse_all(const void *p, size_t len)
{
	char		 why[160], date[TUF_TIME_LEN];
	struct tuf_meta *m;
	struct hash	 h;

	for (int t = 0; t < TUF_TYPES; t++) {
		int r = tuf_meta_parse(&m, (enum tuf_type)t, p, len, why,
		    sizeof(why));

		if (r < 0) {
			if (m != NULL || why[0] == '\0')
				abort();
			continue;
		}
		tuf_time_print(m->expires, date);
		if (m->version < 1 || date[0] == '\0')
			abort();
		if (t == TUF_ROOT)
			tuf_meta_verify(m, &m->roles[t], why, sizeof(why));
		if (hash_of(&h, p, len) == 0)
			for (size_t i = 0; i < m->ndelegations; i++)
				tuf_delegation_covers(&m->delegations[i], "a/b.c",
				    &h);
		tuf_meta_free(&m);
	}
}

static int
found_again(void *arg, const struct tuf_target *t)
{
	struct tuf_target again;
	char		  path[TUF_PATH_LEN];

	if (tuf_find(arg, t->path, &again) != 0 || again.custom != t->custom ||
	    strcmp(again.path, t->path) != 0)
		abort();
	(void)tuf_target_path(arg, t, path);
	(void)tuf_target_kind(t);
	(void)tuf_target_for(t, "/a/b");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tuf_conf	  c = { .now = 1780272000, .max_roles = 64 };
	struct rd	  r = rd_from(data, size);
	struct tuf_target target;
	struct tuf_want	  want;
	const uint8_t	 *p;
	struct tuf	 *t;
	size_t		  len;
	int		  e;

	if (tuf_new(&t, &c) < 0)
		return 0;
	len = rd_u32(&r);
	p = rd_bytes(&r, len);
	if (p != NULL) {
		parse_all(p, len);
		tuf_local(t, "root", p, len);
	}
	for (unsigned n = 0; (e = tuf_next(t, &want)) == 1 && n < 100; n++) {
		if (want.path[0] == '\0' || want.max == 0)
			abort();
		len = rd_u32(&r);
		if ((p = rd_bytes(&r, len)) == NULL || len == 0) {
			tuf_missing(t);
			continue;
		}
		parse_all(p, len);
		tuf_give(t, p, len);
		if (tuf_find(t, "a/b.c", &target) == 0)
			tuf_load_all(t);
	}
	if (e < 0 && *tuf_error(t) == '\0')
		abort();
	if (e == 0)
		tuf_each(t, found_again, t);
	tuf_free(&t);
	return 0;
}
