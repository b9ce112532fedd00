/*
 * dp-agent/mcast_wire.c - packets from the socket; see mcast_wire.h.
 *
 * Runs in the network child. Believes a header for nothing but finding a key
 * and a place, and a packet only when it opened.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX 2048 /* a longer one is cut, and then refused */

/* One socket is read at a time. */
static uint8_t packets[MCAST_BATCH][PACKET_MAX];

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

static int
read_batch(int fd, unsigned max, const struct mcast_wire_ops *ops, void *ctx,
    struct mcast_wire_counts *counts)
{
	struct mmsghdr m[MCAST_BATCH] = { 0 };
	struct iovec   iov[MCAST_BATCH];
	int	       n;

	if (max > MCAST_BATCH)
		max = MCAST_BATCH;
	for (unsigned i = 0; i < max; i++) {
		iov[i] = (struct iovec){ packets[i], PACKET_MAX };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, m, max, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n > 0 && ops->batch != NULL)
		ops->batch(ctx);
	for (int i = 0; i < n; i++)
		mcast_wire_packet(ops, ctx, counts, packets[i], m[i].msg_len);
	return n;
}

int
mcast_wire_read(int fd, unsigned max, const struct mcast_wire_ops *ops,
    void *ctx, struct mcast_wire_counts *counts)
{
	unsigned done = 0;
	int	 n;

	while (done < max) {
		n = read_batch(fd, max - done, ops, ctx, counts);
		if (n < 0)
			return n;
		done += (unsigned)n;
		if (n < MCAST_BATCH)
			break;
	}
	return (int)done;
}
