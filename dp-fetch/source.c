/*
 * dp-fetch/source.c - where a repository comes from; see source.h.
 *
 * Runs in dp-fetch. Believes the master that these are the administrator's
 * files, and not that they hold what they should: what cannot work is refused
 * here, at a start or a reload, and not at three in the morning.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/tls.h"
#include "common/value.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PEM_MAX (1U << 20)

/* A file of the section; one that is not given is no failure. */
static int
read_file(struct fetch *f, const char *section, const char *name, size_t max,
    char **out, size_t *len)
{
	char key[64];
	int  r;

	snprintf(key, sizeof(key), "%s.%s", section, name);
	r = worker_file_text(f->worker, key, max, out, len);
	if (r < 0 && r != -ENOENT)
		log_err_err(r, "%s", key);
	return r == -ENOENT ? 0 : r;
}

int
source_read_tls(struct fetch *f, const char *section, struct download_tls *t)
{
	struct tls_conf c = { 0 };
	char		err[TLS_ERR_MAX];
	int		r;

	if ((r = read_file(f, section, "ca", PEM_MAX, &t->ca, &t->ca_len)) < 0 ||
	    (r = read_file(f, section, "client-cert", PEM_MAX, &t->cert,
		 &t->cert_len)) < 0 ||
	    (r = read_file(f, section, "client-key", PEM_MAX, &t->key,
		 &t->key_len)) < 0)
		return r;
	c = (struct tls_conf) { .cert = t->cert, .cert_len = t->cert_len,
		.key = t->key, .key_len = t->key_len, .client_ca = t->ca,
		.ca_len = t->ca_len };
	if ((r = tls_check_client(&c, err)) < 0) {
		log_err("%s: %s", section, err);
		return r;
	}
	if (t->ca != NULL || f->system_ca_len == 0)
		return 0;
	if ((t->ca = malloc(f->system_ca_len + 1)) == NULL)
		return -ENOMEM;
	memcpy(t->ca, f->system_ca, f->system_ca_len + 1);
	t->ca_len = f->system_ca_len;
	return 0;
}

static int
read_root(struct fetch *f, const char *section, struct source *s)
{
	struct tuf_conf conf = { .now = time(NULL) };
	struct tuf_want want;
	struct tuf     *t = NULL;
	int		r;

	if ((r = read_file(f, section, "root", SOURCE_ROOT_MAX, &s->root,
		 &s->root_len)) < 0)
		return r;
	if (s->root == NULL) {
		log_err("%s.root: an upstream needs the first trusted root.json",
		    section);
		return -EINVAL;
	}
	if ((r = tuf_new(&t, &conf)) == 0 &&
	    (r = tuf_local(t, "root", s->root, s->root_len)) == 0 &&
	    (r = tuf_next(t, &want)) < 0)
		log_err("%s.root: %s", section, tuf_error(t));
	tuf_free(&t);
	return r < 0 ? r : 0;
}

int
source_read(struct fetch *f, const char *section, const struct repo_conf *conf,
    struct source **out)
{
	struct source *s;
	size_t	       pos = 0;
	int	       r;

	if ((*out = s = calloc(1, sizeof(*s))) == NULL)
		return -ENOMEM;
	if (conf->upstream[0] == '\0')
		return 0;
	while (s->nurls < DOWNLOAD_URLS_MAX &&
	    value_word(conf->upstream, &pos, s->urls[s->nurls],
		sizeof(s->urls[0])))
		s->nurls++;
	if ((r = read_root(f, section, s)) == 0)
		r = source_read_tls(f, section, &s->tls);
	if (r == 0 && s->tls.ca == NULL &&
	    strstr(conf->upstream, "https://") != NULL) {
		log_err("%s.ca: is needed for https: no CA of the system's is in %s",
		    section, DOWNLOAD_SYSTEM_CA);
		r = -EINVAL;
	}
	if (r < 0)
		source_free(out);
	return r;
}

void
source_free_tls(struct download_tls *t)
{
	free(t->ca);
	free(t->cert);
	free(t->key);
}

void
source_free(struct source **sp)
{
	struct source *s = *sp;

	if (s == NULL)
		return;
	source_free_tls(&s->tls);
	free(s->root);
	free(s);
	*sp = NULL;
}

static bool
same_bytes(const char *a, size_t na, const char *b, size_t nb)
{
	return na == nb && (na == 0 || memcmp(a, b, na) == 0);
}

bool
source_same_root(const struct source *a, const struct source *b)
{
	return same_bytes(a->root, a->root_len, b->root, b->root_len);
}

bool
source_same(const struct source *a, const struct source *b)
{
	const struct download_tls *t = &a->tls, *u = &b->tls;

	if (a->nurls != b->nurls || !source_same_root(a, b) ||
	    !same_bytes(t->ca, t->ca_len, u->ca, u->ca_len) ||
	    !same_bytes(t->cert, t->cert_len, u->cert, u->cert_len) ||
	    !same_bytes(t->key, t->key_len, u->key, u->key_len))
		return false;
	for (size_t i = 0; i < a->nurls; i++)
		if (strcmp(a->urls[i], b->urls[i]) != 0)
			return false;
	return true;
}
