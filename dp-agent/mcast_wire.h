/*
 * dp-agent/mcast_wire.h - packets of a group, from the socket to their places.
 *
 * Shape:   mcast_wire_read() empties a data socket in batches, of packets one by
 *          one or of trains that the kernel joined (UDP_GRO). Of each packet
 *          it reads the header, finds the session, looks whether the counter is
 *          fresh, asks where the symbol is wanted, and opens it right into that
 *          place: no copy, and a packet that nobody wants or that came before
 *          costs no decryption. What does not open has cost one decryption and
 *          has at most scribbled on a place that counts for nothing yet.
 * Ownership: sessions and places are the callee's; header and payload of fdt()
 *          are borrowed for that call. Callbacks may not read the same socket.
 * Errors:  mcast_wire_read gives the packets taken, 0 when there is none, or a
 *          negative errno of the socket. Bad packets are counted, never errors.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_MCAST_WIRE_H
#define DP_AGENT_MCAST_WIRE_H

#include "common/alc.h"
#include "common/mcast_seal.h"

#define MCAST_BATCH	  64 /* messages of one system call */
#define MCAST_PAYLOAD_MAX 2000 /* bytes of a symbol; longer packets are cut */

struct mcast_session {
	uint16_t	     tsi;
	struct mcast_sealer *opener; /* NULL: an open session */
	struct mcast_window  window;
};

struct mcast_wire_counts {
	uint64_t packets, bytes; /* UDP payload */
	uint64_t malformed;	 /* no header of ours */
	uint64_t strange;	 /* of no session we take part in */
	uint64_t replayed;	 /* or later than the window holds */
	uint64_t unwanted;	 /* their place has its symbol */
	uint64_t forged;	 /* did not open */
};

struct mcast_wire_ops {
	/* The session of a packet, by h->tsi (and, to begin one, by the salt of
	 * an FDT packet); NULL: none. Believe nothing of h beyond that. */
	struct mcast_session *(*session)(void *ctx, const struct alc_head *h);
	/* Room for n bytes where the symbol belongs, or NULL: not wanted. */
	uint8_t *(*place)(void *ctx, struct mcast_session *s,
	    const struct alc_head *h, size_t n);
	/* place() gave NULL. It was not opened: all it may count for is the
	 * rate of loss. */
	void (*unwanted)(void *ctx, struct mcast_session *s,
	    const struct alc_head *h);
	/* It is there, whole and authentic. */
	void (*placed)(void *ctx, struct mcast_session *s,
	    const struct alc_head *h, size_t n);
	/* An authentic packet of TOI 0. */
	void (*fdt)(void *ctx, struct mcast_session *s,
	    const struct alc_head *h, const uint8_t *payload, size_t n);
	/* Packets have come and are dealt with next: to look at the clock
	 * once for them all. May be NULL. */
	void (*batch)(void *ctx);
};

/* Until there are no more, or there were max packets or some more. */
int mcast_wire_read(int fd, unsigned max, const struct mcast_wire_ops *ops,
    void *ctx, struct mcast_wire_counts *counts);

/* One packet, as if it had been read: for tests and the fuzzer. */
void mcast_wire_packet(const struct mcast_wire_ops *ops, void *ctx,
    struct mcast_wire_counts *counts, const uint8_t *p, size_t n);

#endif
