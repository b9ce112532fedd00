/*
 * tests/harness/agent-mcast.h - the agent's multicast half with a group, a file
 * and a distribution point of the test's own: real sockets on 127.0.0.1, real
 * downloads, no key (open mode) and no sandbox.
 *
 * Shape:   lab_open(); lab_target(); packets go in by lab_data() and
 *          lab_notice(), questions to the distribution point come out of
 *          lab_asked() and are answered by lab_answer(). lab_run() lets the
 *          loop turn for so long. What targets_cast_over() said is in lab.
 *          A test includes this once: it defines what the rest of the child
 *          would give, worker_socket(), targets_cast_over(), connect() and
 *          the refreshes, which want lab.wants[] of a carousel. What not every
 *          test calls is inline.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-agent/mcast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LAB_TSI 7

static struct lab {
	struct net	   net;
	struct target	   target;
	struct loop_timer *stop;
	int		   group[3]; /* the agent's: data, notices, reports */
	int		   out; /* ours, whose packets the agent hears */
	struct sockaddr_in to[2];
	int		   http[16]; /* ends of connections to us */
	unsigned	   nhttp, overs;
	bool		   whole;
	uint64_t	   counter;
	uint32_t	   instance;
	const char	  *wants[4]; /* paths below metadata/, up to NULL */
	int		   refusal;  /* of a refresh by carousel, or 0 */
	unsigned	   refreshes, unicasts;
} lab;

static void
lab_must(bool ok)
{
	if (!ok)
		abort();
}

int
worker_socket(struct worker *w, const char *key, unsigned i, char *address,
    size_t size)
{
	(void)w;
	if (i > 0)
		return -ENOENT;
	snprintf(address, size, "239.255.77.1");
	return lab.group[strcmp(key, "multicast.data") == 0 ? 0
		: strcmp(key, "multicast.notices") == 0	    ? 1
							    : 2];
}

void
targets_cast_over(struct target *t, bool whole)
{
	(void)t;
	lab.overs++;
	lab.whole = whole;
}

int
refresh_by_news(struct net *n, const struct hash *timestamp, bool *is_proven,
    struct tuf_want *lacks, char *why, size_t size)
{
	const void *p;
	size_t	    len;

	lab.refreshes++;
	snprintf(why, size, "refused");
	*is_proven = lab.refusal == 0;
	for (unsigned i = 0; lab.refusal == 0 && lab.wants[i] != NULL; i++)
		if (news_file(n->mcast->news, lab.wants[i], &p, &len) < 0) {
			snprintf(lacks->path, sizeof(lacks->path), "%s",
			    lab.wants[i]);
			return -EAGAIN;
		}
	if (lab.refusal == 0)
		n->timestamp = *timestamp;
	return lab.refusal;
}

void
refresh_start(struct net *n)
{
	(void)n;
	lab.unicasts++;
}

/* As the sandbox answers it: the socket is connected already. */
int
connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	errno = EINPROGRESS;
	return -1;
}

static int
lab_connect(void *ctx, uint32_t ticket, const char *host, uint16_t port)
{
	int fd[2];

	(void)ctx;
	(void)host;
	(void)port;
	if (lab.nhttp == 16 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fd) < 0)
		return -EMFILE;
	lab.http[lab.nhttp++] = fd[0];
	downloads_socket(lab.net.downloads, ticket, fd[1], NULL);
	return 0;
}

static bool
lab_may_follow(void *ctx, const struct url *to)
{
	(void)ctx;
	(void)to;
	return false;
}

static void
lab_on_stop(void *ctx)
{
	loop_stop(ctx, 0);
}

static void
lab_run(uint64_t ms)
{
	lab_must(loop_timer_set(lab.stop, ms) == 0);
	(void)loop_run(lab.net.loop);
}

static int
lab_socket(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int	  fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	lab_must(fd >= 0 && bind(fd, (struct sockaddr *)at, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)at, &len) == 0);
	return fd;
}

static void
lab_open(void)
{
	static const struct downloads_ops ops = { .connect = lab_connect,
		.may_follow = lab_may_follow };
	const struct downloads_conf conf = { .connect_ms = 5000,
		.stall_ms = 5000 };
	struct sockaddr_in here;
	struct net *n = &lab.net;

	memset(&lab, 0, sizeof(lab));
	lab.group[0] = lab_socket(&lab.to[0]);
	lab.group[1] = lab_socket(&lab.to[1]);
	lab.group[2] = lab_socket(&here);
	lab.out = lab_socket(&here);
	lab.counter = lab.instance = 1;
	lab_must(downloads_setup() == 0 && hash_setup() == 0 &&
	    loop_new(&n->loop) == 0 &&
	    downloads_new(n->loop, &conf, &ops, n, &n->downloads) == 0 &&
	    loop_timer_new(n->loop, lab_on_stop, n->loop, &lab.stop) == 0);
	snprintf(n->conf.mcast_group, sizeof(n->conf.mcast_group), "here");
	n->conf.mcast_silence = 60;
	n->conf.max_object = UINT64_C(1) << 40;
	n->nsources = 1;
	n->sources[0].is_point = n->sources[0].direct = true;
	snprintf(n->sources[0].url, sizeof(n->sources[0].url),
	    "http://point/repo/");
	lab_must(mcast_open(n) == 0);
	n->mcast->has_keys = n->mcast->keys.open = true;
	n->mcast->keys.interval_s = 60;
	n->mcast->keys_ms = loop_now_ms(n->loop);
}

static void
lab_http_close(void)
{
	while (lab.nhttp > 0)
		close(lab.http[--lab.nhttp]);
}

/* The process ends next, as the child does: sessions are not given back. */
static void
lab_close_target(void)
{
	mcast_cancel(&lab.target);
	if (lab.target.fd > 0)
		close(lab.target.fd);
	if (lab.target.read_fd > 0)
		close(lab.target.read_fd);
	lab.target = (struct target){ 0 };
	lab_http_close();
}

/* An object to get, of which the first `there` bytes lie in the file. */
static void
lab_target(const uint8_t *bytes, size_t size, size_t there)
{
	static char path[] = "a.bin", url[] = "a.bin";
	char	    name[] = "/tmp/dpoint-lab.XXXXXX";
	struct target *t = &lab.target;

	lab_close_target();
	t->n = &lab.net;
	t->path = path;
	t->url_path = url;
	t->size = size;
	lab_must(hash_of(&t->hash, bytes, size) == 0);
	lab_must((t->fd = mkstemp(name)) >= 0 &&
	    (t->read_fd = open(name, O_RDONLY | O_CLOEXEC)) >= 0 &&
	    unlink(name) == 0 &&
	    pwrite(t->fd, bytes, there, 0) == (ssize_t)there);
	lab.overs = 0;
	lab.whole = false;
}

static void
lab_send(unsigned which, const void *p, size_t n)
{
	lab_must(sendto(lab.out, p, n, 0, (struct sockaddr *)&lab.to[which],
		     sizeof(lab.to[which])) == (ssize_t)n);
}

/* complete: no carousel. */
static void
lab_describe_file(uint16_t tsi, struct fdt_file *file, bool complete)
{
	struct fdt  f = { .expires = fdt_expires(time(NULL) + 600),
		.is_complete = complete, .n = 1, .file = file };
	struct alc_head h = { .tsi = tsi, .counter = lab.counter++,
		.fdt = lab.instance++ };
	uint8_t buf[2048];
	char   *xml;
	size_t	len, head;

	lab_must(fdt_build(&f, &xml, &len) == 0 && len <= ALC_SYMBOL_FDT);
	h.fti = (struct alc_fti){ .length = len, .symbol = ALC_SYMBOL_FDT,
		.block = 1 };
	lab_must(alc_build(&h, buf, sizeof(buf), &head) == 0);
	memcpy(buf + head, xml, len);
	free(xml);
	lab_send(0, buf, head + len);
}

/* The target as TOI 1, cut like this. */
static void
lab_describe(uint16_t tsi, uint16_t symbol, uint16_t block, uint16_t symbols,
    bool complete)
{
	char		name[] = "repo/targets/a.bin";
	struct fdt_file file = { .name = name, .toi = 1,
		.hash = lab.target.hash,
		.fti = { .length = lab.target.size, .symbol = symbol,
		    .block = block, .symbols = symbols } };

	lab_describe_file(tsi, &file, complete);
}

/* Symbol esi of a block of object toi, its bytes n at p. */
static void
lab_symbol(uint16_t tsi, uint16_t toi, uint32_t sbn, uint16_t sbl,
    uint16_t esi, const uint8_t *p, size_t n)
{
	struct alc_head h = { .tsi = tsi, .toi = toi, .counter = lab.counter++,
		.sbn = sbn, .sbl = sbl, .esi = esi };
	uint8_t buf[2048];
	size_t	head;

	lab_must(alc_build(&h, buf, sizeof(buf), &head) == 0);
	memcpy(buf + head, p, n);
	lab_send(0, buf, head + n);
}

static void
lab_data(uint16_t tsi, uint32_t sbn, uint16_t sbl, uint16_t esi,
    const uint8_t *p, size_t n)
{
	lab_symbol(tsi, 1, sbn, sbl, esi, p, n);
}

static inline void
lab_notice(uint16_t tsi, uint8_t flags, uint32_t frontier)
{
	static struct mcast_notice n;
	uint8_t buf[MCAST_NOTICE_SIZE];
	size_t	len;

	n.tsi = tsi;
	n.counter = lab.counter++;
	n.flags = flags;
	n.frontier = frontier;
	n.receivers = 1;
	lab_must(mcast_notice_write(&n, NULL, buf, sizeof(buf), &len) == 0);
	lab_send(1, buf, len);
}

/* The next question whose path holds this: the connection it came on, or -1. */
static inline int
lab_asked(const char *what)
{
	char	req[4096];
	ssize_t n;

	for (int i = 0; i < 100; i++) {
		for (unsigned k = 0; k < lab.nhttp; k++) {
			n = recv(lab.http[k], req, sizeof(req) - 1,
			    MSG_PEEK | MSG_DONTWAIT);
			if (n <= 0)
				continue;
			req[n] = '\0';
			if (strstr(req, "\r\n\r\n") == NULL)
				continue;
			lab_must(recv(lab.http[k], req, sizeof(req), 0) == n);
			if (strstr(req, what) != NULL)
				return lab.http[k];
		}
		lab_run(10);
	}
	return -1;
}

static inline void
lab_answer(int fd, const char *head, const void *body, size_t len)
{
	char text[512];
	int  n = snprintf(text, sizeof(text),
	     "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len);

	lab_must(send(fd, text, (size_t)n, MSG_NOSIGNAL) == n);
	for (size_t at = 0; at < len;) {
		ssize_t got = send(fd, (const uint8_t *)body + at, len - at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (got > 0)
			at += (size_t)got;
		lab_run(1);
	}
	lab_run(20);
}

/* mcast_get, and "it comes at once". */
static inline void
lab_begin(void)
{
	static const char comes[] = "{\"how\":\"multicast\",\"in_ms\":0}";
	int fd;

	lab_must(mcast_get(&lab.target));
	lab_must((fd = lab_asked("/v1/multicast/")) >= 0);
	lab_answer(fd, "200 OK", comes, sizeof(comes) - 1);
}
