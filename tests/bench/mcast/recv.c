/*
 * tests/bench/mcast/recv.c - the agent's multicast half by itself: one object.
 *
 * usage: mcast-recv KEYS FILE SIZE SHA256
 *
 * dp-agent/mcast.c, mcast_get.c and all below them as they are in the network
 * child: its sockets, loop, sandbox, file and hash. What the distribution point
 * would answer is answered here: KEYS has the answer to GET /v1/multicast, and
 * the object comes by multicast. Prints "SECONDS whole|not" (since 1970) when
 * the whole file is there and has the hash, or will not be; ends when the
 * sender has been told.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-agent/mcast.h"
#include "dp-agent/mcast_socket.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP "239.255.77.1@eth0"

static struct net    net;
static struct target target;
static char	    *keys;
static struct loop_timer *answer, *leave;
static struct download_want asked;
static const char	   *answers;

/* -- what the distribution point, the parent and the targets would do -- */

int
worker_socket(
    struct worker *w, const char *key, unsigned i, char *address, size_t size)
{
	struct mcast_group g;
	char		   why[MCAST_ERR];
	int		   fd, r;

	(void)w;
	if (i > 0)
		return -ENOENT;
	if (mcast_group_parse(GROUP, &g, why) < 0)
		errx(1, "%s", why);
	snprintf(address, size, "%s", GROUP);
	r = strcmp(key, "multicast.reports") == 0
	    ? mcast_socket_report(&g, 1, &fd)
	    : mcast_socket_hear(&g, "",
		  strcmp(key, "multicast.data") == 0 ? MCAST_PORT
						     : MCAST_NOTICE_PORT,
		  &fd);
	if (r < 0)
		errx(1, "%s: %s", key, strerror(-r));
	return fd;
}

static void
on_answer(void *ctx)
{
	struct download_result r = { .text = "", .bytes = answers,
		.len = strlen(answers) };

	(void)ctx;
	asked.done(asked.ctx, &r);
}

int
download_start(struct downloads *ds, const struct download_want *want,
    struct download **out)
{
	(void)ds;
	if (want->fd >= 0)
		return -ENOENT; /* no ranges by HTTPS here */
	asked = *want;
	answers = strstr(want->urls[0], "/v1/multicast/") != NULL
	    ? "{\"how\":\"multicast\",\"in_ms\":0}"
	    : keys;
	*out = (struct download *)&asked;
	return loop_timer_set(answer, 0);
}

void
download_cancel(struct download **d)
{
	loop_timer_stop(answer);
	*d = NULL;
}

uint64_t
download_backoff_ms(unsigned failures, uint64_t base_ms, uint64_t max_ms)
{
	(void)failures, (void)max_ms;
	return base_ms;
}

void
refresh_start(struct net *n)
{
	(void)n;
}

int
refresh_by_news(struct net *n, const struct hash *timestamp,
    bool *is_proven, struct tuf_want *lacks, char *why, size_t size)
{
	(void)n, (void)timestamp, (void)is_proven, (void)lacks;
	(void)why, (void)size;
	return -ENOENT;
}

void
targets_cast_over(struct target *t, bool whole)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	printf("%lld.%06ld %s %s\n", (long long)ts.tv_sec, ts.tv_nsec / 1000,
	    whole ? "whole" : "not", t->cast.why);
	fflush(stdout);
	(void)loop_timer_set(leave, 1);
}

/* Not before the sender has heard that all is here. */
static void
on_leave(void *ctx)
{
	(void)ctx;
	if (net.mcast->casts != NULL)
		(void)loop_timer_set(leave, 5);
	else
		loop_stop(net.loop, 0);
}

/* -- the program -- */

static char *
read_all(const char *path)
{
	char  *p = calloc(1, 65536);
	FILE  *f = fopen(path, "r");

	if (p == NULL || f == NULL || fread(p, 1, 65535, f) == 0)
		err(1, "%s", path);
	fclose(f);
	return p;
}

int
main(int argc, char *argv[])
{
	char path[] = "file";

	if (argc != 5)
		errx(2, "usage: mcast-recv KEYS FILE SIZE SHA256");
	log_init("mcast-recv");
	keys = read_all(argv[1]);
	target = (struct target){ .n = &net, .path = path, .url_path = path,
		.size = strtoull(argv[3], NULL, 10) };
	target.fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	target.read_fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (target.fd < 0 || target.read_fd < 0)
		err(1, "%s", argv[2]);
	if (hash_from_hex(&target.hash, argv[4], strlen(argv[4])) < 0)
		errx(2, "%s is no hash", argv[4]);
	net.nsources = 1;
	net.sources[0].is_point = true;
	snprintf(net.sources[0].url, sizeof(net.sources[0].url), "https://dp/");
	net.conf.mcast_silence = 10;
	net.conf.max_object = UINT64_MAX;
	snprintf(net.conf.mcast_group, sizeof(net.conf.mcast_group), GROUP);
	if (loop_new(&net.loop) < 0 || hash_setup() < 0 ||
	    loop_timer_new(net.loop, on_answer, NULL, &answer) < 0 ||
	    loop_timer_new(net.loop, on_leave, NULL, &leave) < 0)
		errx(1, "cannot start");
	if (mcast_open(&net) < 0 && net.mcast == NULL)
		errx(1, "no group");
	sandbox_enter(&net_sandbox);
	if (!mcast_get(&target))
		errx(1, "not by multicast");
	return loop_run(net.loop) < 0;
}
