/*
 * dp-mcast/wire.c - see wire.h.
 *
 * Runs in dp-mcast. Sends only; believes its callers.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 1472
#define FDT_TRAIN  16 /* packets of an FDT at once: it is repeated anyway */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

struct wire {
	struct wire_conf	conf;
	struct sockaddr_storage data, notices;
	struct mcast_sealer    *seal;
	uint64_t		counter;
	unsigned		frame; /* bytes before the UDP payload */
	bool			secure, no_offload;
	struct wire_counts	n;
	/* the train under way: n packets, all of `each` bytes but the last */
	unsigned packets, sent;
	size_t	 each, len;
	uint8_t	 buf[WIRE_TRAIN * PACKET_MAX];
};

static uint8_t
flags_of(const struct wire *w)
{
	return w->secure ? ALC_SECURE : 0;
}

/* -- out -- */

static int
send_offloaded(struct wire *w)
{
	union {
		struct cmsghdr align;
		char	       buf[CMSG_SPACE(sizeof(uint16_t))];
	} ctl;
	struct iovec	iov = { w->buf, w->len };
	struct msghdr	mh = { .msg_name = &w->data,
		   .msg_namelen = w->conf.addr_len, .msg_iov = &iov,
		   .msg_iovlen = 1, .msg_control = ctl.buf,
		   .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	uint16_t	each = (uint16_t)w->each;

	memset(&ctl, 0, sizeof(ctl));
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(each));
	memcpy(CMSG_DATA(c), &each, sizeof(each));
	if (sendmsg(w->conf.fd, &mh, MSG_NOSIGNAL) < 0)
		return -errno;
	w->sent = w->packets;
	return 0;
}

static int
send_singly(struct wire *w)
{
	struct mmsghdr mm[WIRE_TRAIN];
	struct iovec   iov[WIRE_TRAIN];
	unsigned       n = w->packets - w->sent;
	size_t	       at = w->sent * w->each;
	int	       r;

	memset(mm, 0, n * sizeof(mm[0]));
	for (unsigned i = 0; i < n; i++, at += w->each) {
		iov[i].iov_base = w->buf + at;
		iov[i].iov_len = w->len - at < w->each ? w->len - at : w->each;
		mm[i].msg_hdr = (struct msghdr){ .msg_name = &w->data,
			.msg_namelen = w->conf.addr_len, .msg_iov = &iov[i],
			.msg_iovlen = 1 };
	}
	if ((r = sendmmsg(w->conf.fd, mm, n, MSG_NOSIGNAL)) < 0)
		return -errno;
	w->sent += (unsigned)r;
	return 0;
}

/* What is refused for good is lost. */
static void
lose(struct wire *w, unsigned packets, int r)
{
	w->n.refused += packets;
	w->n.error = r;
	w->sent += packets;
}

int
wire_flush(struct wire *w)
{
	int r;

	while (w->sent < w->packets) {
		r = w->no_offload || w->packets == 1 ? send_singly(w)
						     : send_offloaded(w);
		if (r == -EINTR)
			continue;
		if (r == -EAGAIN || r == -ENOBUFS)
			return -EAGAIN;
		if (r < 0 && !w->no_offload && w->packets > 1 &&
		    (r == -EINVAL || r == -EIO || r == -EMSGSIZE ||
			r == -EOPNOTSUPP))
			w->no_offload = true; /* this device has none */
		else if (r < 0)
			lose(w, w->no_offload ? 1 : w->packets - w->sent, r);
	}
	w->packets = w->sent = 0;
	w->len = 0;
	return 0;
}

/* In the midst of something: what does not go now is lost. */
static void
push(struct wire *w)
{
	if (wire_flush(w) == 0)
		return;
	lose(w, w->packets - w->sent, -EAGAIN);
	(void)wire_flush(w);
}

/* -- packets -- */

/*
 * Adds one packet to the train, which has room; h->counter is set here. A
 * packet shorter than those before it ends the train.
 */
static int
add(struct wire *w, struct alc_head *h, const uint8_t *p, size_t n)
{
	uint8_t *to = w->buf + w->len;
	size_t	 head, room = sizeof(w->buf) - w->len;
	uint64_t max = w->secure ? ALC_COUNTER_MAX
					   : ALC_COUNTER_OPEN_MAX;
	int	 r;

	if (w->counter > max)
		return -EOVERFLOW;
	h->counter = w->counter;
	h->tsi = w->conf.tsi;
	if ((r = alc_build(h, to, room, &head)) < 0)
		return r;
	if (head + n + MCAST_TAG_LEN > room)
		return -EMSGSIZE;
	if (w->secure) {
		if ((r = mcast_seal(w->seal, w->counter, to, head, p, n,
			 to + head)) < 0)
			return r;
		n += MCAST_TAG_LEN;
	} else
		memcpy(to + head, p, n);
	w->counter++;
	if (w->packets == 0)
		w->each = head + n;
	w->len += head + n;
	w->packets++;
	w->n.packets++;
	w->n.bytes += w->frame + head + n;
	return 0;
}

int
wire_symbols(struct wire *w, uint16_t toi, const struct sender_symbol s[],
    unsigned n)
{
	struct alc_head h = { .toi = toi, .flags = flags_of(w) };
	int		r;

	for (unsigned i = 0; i < n; i++) {
		h.sbn = s[i].sbn;
		h.sbl = s[i].sbl;
		h.esi = s[i].esi;
		if ((r = add(w, &h, s[i].p, s[i].len)) < 0)
			return r;
		/* only the last of a train may be shorter */
		if (s[i].len < w->conf.symbol && i + 1 < n)
			push(w);
	}
	return wire_flush(w);
}

int
wire_fdt(struct wire *w, uint32_t instance, const void *xml, size_t len,
    uint8_t flags)
{
	struct alc_head h = { .toi = ALC_TOI_FDT,
		.flags = flags_of(w) | flags, .fdt = instance,
		.fti = { .length = len, .symbol = ALC_SYMBOL_FDT },
		.generation = w->conf.generation };
	const uint8_t  *p = xml;
	size_t		at, n;
	int		r;

	if (w->secure) {
		h.flags |= ALC_SALT;
		memcpy(h.salt, w->conf.salt, sizeof(h.salt));
	}
	h.fti.block = (uint32_t)((len + ALC_SYMBOL_FDT - 1) / ALC_SYMBOL_FDT);
	for (at = 0; at < len; at += n, h.esi++) {
		n = len - at < ALC_SYMBOL_FDT ? len - at : ALC_SYMBOL_FDT;
		if ((r = add(w, &h, p + at, n)) < 0)
			return r;
		if (w->packets == FDT_TRAIN)
			push(w);
	}
	return wire_flush(w);
}

int
wire_notice(struct wire *w, struct mcast_notice *n)
{
	uint8_t buf[MCAST_NOTICE_SIZE];
	size_t	len;
	int	r;

	n->tsi = w->conf.tsi;
	n->generation = w->conf.generation;
	n->counter = w->counter;
	if ((r = mcast_notice_write(n, w->seal, buf, sizeof(buf), &len)) < 0)
		return r;
	w->counter++;
	w->n.packets++;
	w->n.bytes += w->frame + len;
	if (sendto(w->conf.fd, buf, len, MSG_NOSIGNAL,
		(struct sockaddr *)&w->notices, w->conf.addr_len) < 0) {
		w->n.refused++; /* the next one says as much */
		w->n.error = -errno;
	}
	return 0;
}

/* -- life -- */

uint64_t
wire_counter(const struct wire *w)
{
	return w->counter;
}

unsigned
wire_overhead(const struct wire *w)
{
	return w->frame +
	    (w->secure ? ALC_DATA_HEAD + MCAST_TAG_LEN
				 : ALC_DATA_HEAD - 4);
}

const struct wire_counts *
wire_counts(const struct wire *w)
{
	return &w->n;
}

int
wire_new(const struct wire_conf *c, struct wire **out)
{
	struct wire *w = calloc(1, sizeof(*w));
	int	     r = -ENOMEM;

	*out = w;
	if (w == NULL)
		return r;
	w->conf = *c;
	w->secure = c->key != NULL;
	w->conf.key = NULL; /* not ours */
	w->data = *c->data;
	w->notices = *c->notices;
	w->counter = 1;
	w->frame = c->data->ss_family == AF_INET ? WIRE_IPV4 : WIRE_IPV6;
	r = 0;
	if (c->key != NULL && (r = mcast_sealer_new(&w->seal, MCAST_SEALS)) == 0)
		r = mcast_sealer_key(w->seal, c->key);
	if (r < 0)
		wire_free(out);
	return r;
}

void
wire_free(struct wire **wp)
{
	struct wire *w = *wp;

	if (w == NULL)
		return;
	mcast_sealer_free(&w->seal);
	free(w);
	*wp = NULL;
}
