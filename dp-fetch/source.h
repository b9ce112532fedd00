/*
 * dp-fetch/source.h - where a repository comes from, by the configuration.
 *
 * Ownership: source_read gives what source_free takes.
 * Errors:  source_read has said which key is wrong, and why.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_FETCH_SOURCE_H
#define DP_FETCH_SOURCE_H

#include "common/download.h"
#include "common/settings.h"

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_ROOT_MAX (512U << 10)

struct fetch;

struct source {
	struct download_tls tls;
	char		   *root; /* the first trusted root.json */
	size_t		    root_len;
	char		    urls[DOWNLOAD_URLS_MAX][2048];
	size_t		    nurls; /* 0: this repository is not wanted */
};

int  source_read(struct fetch *f, const char *section,
     const struct repo_conf *conf, struct source **out);
void source_free(struct source **s);
/* ca (or the system's), client-cert and client-key of a section. */
int  source_read_tls(struct fetch *f, const char *section,
     struct download_tls *out);
void source_free_tls(struct download_tls *t);
bool source_same(const struct source *a, const struct source *b);
bool source_same_root(const struct source *a, const struct source *b);

#endif
