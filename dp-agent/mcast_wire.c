/*
 * dp-agent/mcast_wire.c - packets from the socket; see mcast_wire.h.
 *
 * Runs in the network child. Believes a header for nothing but finding a key
 * and a place, and a packet only when it opened.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX 2048	 /* a longer one is refused */
#define TRAIN_MAX  65536 /* bytes of packets that the kernel joined */
#define FEW	   8	 /* trains of one system call: they stay in the cache */

/* One socket is read at a time. Of a place where only single packets come no
 * more than its first page is ever there. */
static uint8_t trains[MCAST_BATCH][TRAIN_MAX];

/* The payload of an authentic packet, at `to`; its bytes, or -1. */
static ssize_t
open_payload(struct mcast_session *s, const struct alc_head *h,
    const uint8_t *p, size_t head, size_t n, uint8_t *to)
{
	size_t len = n - head;

	if (s->opener == NULL) {
		memcpy(to, p + head, len);
		return (ssize_t)len;
	}
	return mcast_unseal(s->opener, h->counter, p, head, p + head, len,
		   to) == 0
	    ? (ssize_t)(len - MCAST_TAG_LEN)
	    : -1;
}

void
mcast_wire_packet(const struct mcast_wire_ops *ops, void *ctx,
    struct mcast_wire_counts *counts, const uint8_t *p, size_t n)
{
	static uint8_t	      fdt[PACKET_MAX];
	struct mcast_session *s;
	struct alc_head	      h;
	uint8_t		     *to;
	size_t		      head, len;

	counts->packets++;
	counts->bytes += n;
	if (n >= PACKET_MAX || alc_parse(&h, p, n, &head) < 0) {
		counts->malformed++;
		return;
	}
	s = ops->session(ctx, &h);
	/* a secure session takes nothing in clear, and the other way round */
	if (s == NULL || (s->opener != NULL) != ((h.flags & ALC_SECURE) != 0)) {
		counts->strange++;
		return;
	}
	if (!mcast_window_fresh(&s->window, h.counter)) {
		counts->replayed++;
		return;
	}
	len = n - head - (s->opener != NULL ? MCAST_TAG_LEN : 0);
	to = h.toi == ALC_TOI_FDT ? fdt : ops->place(ctx, s, &h, len);
	if (to == NULL) {
		/* not marked: what did not open has no say in the window */
		counts->unwanted++;
		ops->unwanted(ctx, s, &h);
		return;
	}
	if (open_payload(s, &h, p, head, n, to) < 0) {
		counts->forged++;
		return;
	}
	mcast_window_mark(&s->window, h.counter);
	if (h.toi == ALC_TOI_FDT)
		ops->fdt(ctx, s, &h, fdt, len);
	else
		ops->placed(ctx, s, &h, len);
}

/* Bytes of each packet of a train; 0: it is a packet by itself. */
static size_t
train_step(struct msghdr *m)
{
	int step = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&step, CMSG_DATA(c), sizeof(step));
	return step > 0 ? (size_t)step : 0;
}

/* The packets of a message one by one; how many. */
static unsigned
take_message(const struct mcast_wire_ops *ops, void *ctx,
    struct mcast_wire_counts *counts, const uint8_t *p, size_t n, size_t step)
{
	unsigned taken = 0;

	do {
		size_t len = step > 0 && step < n ? step : n;

		mcast_wire_packet(ops, ctx, counts, p, len);
		p += len;
		n -= len;
		taken++;
	} while (n > 0);
	return taken;
}

/* One system call: *packets, and whether there may be more. */
static int
read_batch(int fd, unsigned max, const struct mcast_wire_ops *ops, void *ctx,
    struct mcast_wire_counts *counts, unsigned *packets)
{
	static unsigned messages = MCAST_BATCH;
	union {
		char	       bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control[MCAST_BATCH];
	struct mmsghdr m[MCAST_BATCH] = { 0 };
	struct iovec   iov[MCAST_BATCH];
	int	       n;

	if (max > messages)
		max = messages;
	for (unsigned i = 0; i < max; i++) {
		iov[i] = (struct iovec){ trains[i], TRAIN_MAX };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_control = &control[i];
		m[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	*packets = 0;
	n = recvmmsg(fd, m, max, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n > 0 && ops->batch != NULL)
		ops->batch(ctx);
	for (int i = 0; i < n; i++)
		*packets += take_message(ops, ctx, counts, trains[i],
		    m[i].msg_len, train_step(&m[i].msg_hdr));
	messages = *packets > FEW * (unsigned)n ? FEW : MCAST_BATCH;
	return n == (int)max;
}

int
mcast_wire_read(int fd, unsigned max, const struct mcast_wire_ops *ops,
    void *ctx, struct mcast_wire_counts *counts)
{
	unsigned done = 0, n;
	int	 r = 1;

	while (r > 0 && done < max) {
		r = read_batch(fd, max - done, ops, ctx, counts, &n);
		done += n;
	}
	return r < 0 ? r : (int)done;
}
