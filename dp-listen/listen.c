/*
 * dp-listen/listen.c - the listener as a worker: from the ring and from the prober
 * to the keeper; see listen.h.
 *
 * Runs in dp-listen. Believes the master; believes nothing that is heard, and
 * of the prober only which datagram came from where.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/listen.h"

#include "common/log.h"
#include "common/size.h"
#include "dp-listen/ether.h"
#include "dp-listen/heard.h"
#include "dp-listen/recent.h"
#include "dp-listen/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_QUEUE 256 /* of 16 KiB at most */
#define LINKS_MAX  (MSG_MAX_PAYLOAD / 10) /* all that a message holds */
#define BATCH_MAX  16384 /* bytes of one MSG_SIGHT */
#define NEWS_MS	   1000

struct listen {
	struct worker  *w;
	struct loop    *loop;
	struct ipc     *scan, *probe;
	struct ring	ring;
	struct loop_io *readable;
	struct recent  *recent;
	unsigned	nlinks;
	uint32_t	links[LINKS_MAX]; /* that the keeper wants, ascending */
	struct loop_timer *news; /* of malformed ones; set: it will be told */
	bool		newer;
	struct wr	batch;
	uint8_t		batch_buf[BATCH_MAX];
	/* what came, what of it was wrong; what was said of it, or not, and why */
	uint64_t frames, lost, answers, malformed[PROTOCOLS];
	uint64_t sights, repeated, too_many, untold;
};

/* -- to the keeper -- */

/* A keeper that does not keep up loses what it does not take: counted. */
static void
flush(struct listen *l)
{
	if (l->batch.len > 0 && (l->scan == NULL ||
		ipc_send(l->scan, MSG_SIGHT, 0, l->batch_buf, l->batch.len) < 0))
		l->untold++;
	l->batch = wr_to(l->batch_buf, sizeof(l->batch_buf));
}

static void
on_sight(void *ctx, const struct sight *s)
{
	struct listen *l = ctx;

	switch (recent_look(l->recent, s, loop_now_ms(l->loop))) {
	case RECENT_REPEATED:
		l->repeated++;
		return;
	case RECENT_TOO_MANY:
		l->too_many++;
		return;
	case RECENT_SAY:
		break;
	}
	if (l->batch.size - l->batch.len < SIGHT_WIRE_MAX)
		flush(l);
	sight_write(s, &l->batch);
	l->sights++;
}

/* The keeper shows how many are malformed, which it is told once a second. */
static void
on_news(void *ctx)
{
	struct listen *l = ctx;
	uint8_t	       buf[8 * (PROTOCOLS - 1)];
	struct wr      w = wr_to(buf, sizeof(buf));

	for (int p = PROTOCOL_NONE + 1; p < PROTOCOLS; p++)
		wr_u64(&w, l->malformed[p]);
	l->newer = l->scan != NULL && /* a new one is told all */
	    ipc_send(l->scan, MSG_MALFORMED, 0, buf, w.len) < 0;
	if (l->newer)
		loop_timer_set(l->news, NEWS_MS);
}

static void
is_malformed(struct listen *l, enum protocol of)
{
	l->malformed[of]++;
	if (!l->newer)
		loop_timer_set(l->news, NEWS_MS);
	l->newer = true;
}

/* -- from the ring -- */

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
is_wanted(const struct listen *l, uint32_t ifindex)
{
	return bsearch(&ifindex, l->links, l->nlinks, sizeof(l->links[0]),
		   by_number) != NULL;
}

static void
on_frame(void *ctx, const struct ring_frame *f)
{
	struct listen	 *l = ctx;
	const struct told to = { on_sight, l };
	struct packet	  p = { .ifindex = f->ifindex,
		    .to_us = f->kind == PACKET_HOST };

	if (f->hatype != ARPHRD_ETHER || f->kind == PACKET_OUTGOING ||
	    !is_wanted(l, f->ifindex))
		return;
	if (ether_read(&p, rd_from(f->bytes, f->len), &to) < 0)
		is_malformed(l, p.protocol);
}

static void
on_readable(void *ctx, int events)
{
	struct listen *l = ctx;

	(void)events;
	ring_read(&l->ring, on_frame, l);
	flush(l);
}

/* -- peers -- */

/* { u32 ifindex, u8[6] mac } repeated: all that we listen on */
static int
on_links(void *ctx, struct ipc_msg *m)
{
	struct listen *l = ctx;
	unsigned       n = 0;
	int	       r;

	while (m->rd.left >= 10 && n < LINKS_MAX) {
		l->links[n++] = rd_u32(&m->rd);
		(void)rd_bytes(&m->rd, 6); /* the kernel knows what is to us */
	}
	l->nlinks = rd_done(&m->rd) == 0 ? n : 0;
	for (n = 0; n < l->nlinks; n++)
		if ((r = ring_join(&l->ring, l->links[n])) < 0 && r != -ENODEV)
			log_warn_err(r, "interface %u: groups", l->links[n]);
	qsort(l->links, l->nlinks, sizeof(l->links[0]), by_number);
	return rd_done(&m->rd);
}

static int
on_heard(void *ctx, struct ipc_msg *m)
{
	struct listen	 *l = ctx;
	const struct told to = { on_sight, l };
	enum protocol	  of;

	if (heard_read(m->rd, &to, &of) < 0 && of != PROTOCOL_NONE)
		is_malformed(l, of);
	l->answers += of != PROTOCOL_NONE;
	flush(l);
	return of != PROTOCOL_NONE ? 0 : -EBADMSG;
}

static const struct ipc_handler from_scan[] = {
	/* type		nfds min max		    fn */
	{ MSG_LISTEN_ON, 0,  0,	 LINKS_MAX * 10, on_links },
};
static const struct ipc_handler from_probe[] = {
	{ MSG_HEARD,	 0,  23, MSG_MAX_PAYLOAD, on_heard },
};

static void
scan_broken(void *ctx, struct ipc *c, int r)
{
	struct listen *l = ctx;

	ipc_free(&c);
	l->scan = NULL;
	worker_accuse(PEER_SCAN, r);
}

static void
probe_broken(void *ctx, struct ipc *c, int r)
{
	struct listen *l = ctx;

	ipc_free(&c);
	l->probe = NULL;
	worker_accuse(PEER_PROBE, r);
}

/* A keeper that is new knows nothing of what its predecessor was told. */
static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	static const struct ipc_table scan = { from_scan, COUNT(from_scan) };
	static const struct ipc_table probe = { from_probe, COUNT(from_probe) };
	struct listen		     *l = ctx;
	bool			      is_scan = role == PEER_SCAN;
	struct ipc		    **ch = is_scan ? &l->scan : &l->probe;
	int			      r;

	ipc_free(ch);
	if (is_scan && l->sights > 0)
		recent_forget(l->recent);
	if (is_scan)
		l->nlinks = 0;
	r = ipc_new(l->loop, take_fd, is_scan ? scan : probe, l,
	    is_scan ? scan_broken : probe_broken, PEER_QUEUE, ch);
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
	else if (is_scan)
		on_news(l);
}

/* -- life -- */

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct listen *l = ctx;
	char	       label[32];
	const struct {
		const char    *name, *help;
		const uint64_t *value;
	} of[] = {
		{ "dpoint_listen_frames_total", "Frames heard that passed the filter.", &l->frames },
		{ "dpoint_listen_lost_total", "Frames lost since the ring was full.", &l->lost },
		{ "dpoint_listen_answers_total", "Answers to what was asked.", &l->answers },
		{ "dpoint_listen_sights_total", "Sights told.", &l->sights },
		{ "dpoint_listen_repeated_total", "Sights held back: told a moment ago.", &l->repeated },
		{ "dpoint_listen_held_back_total", "Sights held back: too many at once.", &l->too_many },
		{ "dpoint_listen_untold_total", "Batches of sights that the keeper did not take.", &l->untold },
	};

	(void)w;
	(void)ring_count(&l->ring, &l->frames, &l->lost);
	for (int p = PROTOCOL_NONE + 1; p < PROTOCOLS; p++) {
		snprintf(label, sizeof(label), "protocol=\"%s\"",
		    protocol_name((enum protocol)p));
		worker_metric(reply, "dpoint_listen_malformed_total", "counter",
		    "Packets against their protocol.", label,
		    (double)l->malformed[p]);
	}
	for (size_t i = 0; i < COUNT(of); i++)
		worker_metric(reply, of[i].name, "counter", of[i].help, NULL,
		    (double)*of[i].value);
}

/* The capture socket under its number, and under no other: see sandbox.c. */
static void
take_capture(struct worker *w)
{
	char name[16];
	int  fd = worker_socket(w, "scan.enable", 0, name, sizeof(name));

	if (fd < 0 || strcmp(name, "capture") != 0)
		log_fatal(EXIT_OPERATOR, "no capture socket");
	if (dup3(fd, LISTEN_CAPTURE_FD, O_CLOEXEC) < 0)
		log_fatal(EXIT_TEMPORARY, "capture socket: %s", strerror(errno));
	close(fd);
	for (fd = 0; fd < LISTEN_CAPTURE_FD; fd++) {
		int	  domain = 0;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_PACKET)
			log_fatal(EXIT_OPERATOR, "a packet socket at descriptor "
				  "%d could send", fd);
	}
}

struct listen *
listen_open(struct worker *w)
{
	static const enum peer_role peers[] = { PEER_SCAN, PEER_PROBE };
	struct listen		   *l = calloc(1, sizeof(*l));
	int			    fd, r;

	if (l == NULL || recent_new(&l->recent) < 0 ||
	    loop_timer_new(worker_loop(w), on_news, l, &l->news) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	l->w = w;
	l->loop = worker_loop(w);
	l->batch = wr_to(l->batch_buf, sizeof(l->batch_buf));
	take_capture(w);
	if ((r = ring_open(&l->ring, LISTEN_CAPTURE_FD)) < 0 ||
	    (r = loop_io_new(l->loop, LISTEN_CAPTURE_FD, LOOP_READ, on_readable, l,
		 &l->readable)) < 0)
		log_fatal(EXIT_TEMPORARY, "capture ring: %s", strerror(-r));
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(l, peers[i], fd);
	return l;
}

int
listen_run(struct listen *l)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.metrics = on_metrics,
	};

	return worker_run(l->w, &ops, l);
}

void
listen_close(struct listen **lp)
{
	struct listen *l = *lp;

	if (l == NULL)
		return;
	ipc_free(&l->scan);
	ipc_free(&l->probe);
	loop_io_free(&l->readable);
	ring_close(&l->ring);
	close(LISTEN_CAPTURE_FD);
	recent_free(&l->recent);
	loop_timer_free(&l->news);
	free(l);
	*lp = NULL;
}
