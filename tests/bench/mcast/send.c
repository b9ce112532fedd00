/*
 * tests/bench/mcast/send.c - dp-mcast's sending half by itself: one object.
 *
 * usage: mcast-send FILE SHA256 RECEIVERS DIR [RATE]
 *
 * dp-mcast/session.c and all below it as they are in the worker: its socket,
 * loop, keys, sandbox. What the rest of dp-mcast would say is said here: who
 * registered (DIR/keys.1.. are what dp-serve would answer to each device) and
 * what to send. Starts when a line comes on its input, ends with the session,
 * and prints what the session's event would have said.
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/listen.h"
#include "common/log.h"
#include "dp-mcast/carousel.h"
#include "dp-mcast/session.h"
#include "dp-mcast/want.h"

#include <err.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GROUP "239.255.77.1@eth0"

/* -- what other parts of dp-mcast would do -- */

bool
carousel_has_tsi(const struct carousel *c, uint16_t tsi)
{
	(void)c, (void)tsi;
	return false;
}

const char *
carousel_name(const struct carousel *c, const struct hash *h)
{
	(void)c, (void)h;
	return "";
}

void
wants_session_heard(struct wants *w, const struct hash *h, unsigned percent)
{
	(void)w, (void)h, (void)percent;
}

void
wants_session_over(struct wants *w, const struct hash *h, bool unheard)
{
	(void)w, (void)h, (void)unheard;
}

void
wants_session_anew(struct wants *w, const struct hash *h)
{
	(void)w, (void)h;
}

void
wants_stop(struct wants *w, const struct hash *h)
{
	(void)w, (void)h;
}

void
mcast_idle(struct mcast *m)
{
	loop_stop(m->loop, 0);
}

void
worker_event(struct worker *w, const char *event, json_t *take_fields)
{
	(void)w;
	if (strcmp(event, "multicast-started") != 0) {
		json_dumpf(take_fields, stdout, JSON_COMPACT);
		fflush(stdout);
	}
	json_decref(take_fields);
}

void
admin_row(struct admin_reply *r, json_t *take_row)
{
	(void)r;
	json_decref(take_row);
}

/* -- the program -- */

struct bench {
	struct mcast	m;
	struct loop_io *in;
	struct hash	hash;
	uint64_t	size;
	int		fd;
};

static void
open_group(struct mcast *m)
{
	struct group *g = &m->groups[0];
	char	      why[MCAST_ERR];

	if (mcast_group_parse(GROUP, &g->at, why) < 0)
		errx(1, "%s", why);
	if (listen_group(GROUP " 1 0", &g->fd) < 0)
		errx(1, "%s: no socket", GROUP);
	mcast_group_addr(&g->at, MCAST_NOTICE_PORT, 0, &g->notices);
	g->addr_len = mcast_group_addr(&g->at, MCAST_PORT, 0, &g->data);
	m->ngroups = 1;
}

/* What GET /v1/multicast answers. */
static void
register_one(struct mcast *m, const char *dir, unsigned i)
{
	const struct generation *gen;
	struct agent		*a;
	char path[4096], device[32], key[64], secret[64];
	FILE *f;

	snprintf(device, sizeof(device), "urn:uuid:%u", i);
	if (keys_register(m->keys, device, loop_now_ms(m->loop), &a) < 0 ||
	    keys_generations(m->keys, &gen) == 0)
		errx(1, "no keys");
	EVP_EncodeBlock((uint8_t *)key, a->key, sizeof(a->key));
	EVP_EncodeBlock((uint8_t *)secret, gen->secret, sizeof(gen->secret));
	snprintf(path, sizeof(path), "%s/keys.%u", dir, i);
	if ((f = fopen(path, "w")) == NULL)
		err(1, "%s", path);
	fprintf(f,
	    "{\"version\":1,\"mode\":\"secure\",\"interval\":3600,"
	    "\"agent\":{\"id\":%u,\"key\":\"%s\"},"
	    "\"generations\":[{\"id\":%u,\"secret\":\"%s\"}],\"groups\":[]}",
	    a->id, key, gen->id, secret);
	fclose(f);
}

static void
on_report(void *ctx, int events)
{
	(void)events;
	sessions_hear(ctx, 0);
}

static void
on_go(void *ctx, int events)
{
	struct bench *b = ctx;
	char	      line[16];

	(void)events;
	if (read(0, line, sizeof(line)) <= 0)
		errx(1, "nobody says when");
	(void)loop_io_set(b->in, 0);
	if (session_start(&b->m, &b->hash, "file", b->size, b->fd) < 0)
		errx(1, "no session");
}

int
main(int argc, char *argv[])
{
	static struct bench b = { .m.conf = { .min_agents = 2, .max_loss = 20 } };
	struct mcast	   *m = &b.m;
	struct stat	    st;

	if (argc < 5 || argc > 6 ||
	    hash_from_hex(&b.hash, argv[2], strlen(argv[2])) < 0)
		errx(2, "usage: mcast-send FILE SHA256 RECEIVERS DIR [RATE]");
	m->rate = argc == 6 ? strtoull(argv[5], NULL, 10) : 0; /* bytes/s */
	log_init("mcast-send");
	if ((b.fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 ||
	    fstat(b.fd, &st) < 0)
		err(1, "%s", argv[1]);
	b.size = (uint64_t)st.st_size;
	if (loop_new_precise(&m->loop) < 0 || hash_setup() < 0 ||
	    mcast_seal_setup() < 0 || keys_new(&m->keys) < 0 ||
	    keys_rotate(m->keys, time(NULL)) < 0 ||
	    sessions_new(m, &m->sessions) < 0)
		errx(1, "cannot start");
	open_group(m);
	for (unsigned i = 1; i <= (unsigned)atoi(argv[3]); i++)
		register_one(m, argv[4], i);
	if (loop_io_new(m->loop, m->groups[0].fd, LOOP_READ, on_report, m,
		&m->groups[0].io) < 0 ||
	    loop_io_new(m->loop, 0, LOOP_READ, on_go, &b, &b.in) < 0)
		errx(1, "no loop");
	sandbox_enter(&mcast_sandbox);
	return loop_run(m->loop) < 0;
}
