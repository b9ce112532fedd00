/*
 * dp-mcast/wire.h - the packets of one session: numbered, sealed, sent in trains.
 *
 * Shape:   a struct wire is one session on one group. It owns the session's
 *          counter, so that no number is ever used twice; the socket is
 *          borrowed. Packets of one length that follow each other go out as one
 *          train by UDP segmentation offload where the kernel and the device
 *          have it, else by sendmmsg(2).
 * Full:    what the socket does not take waits here: -EAGAIN, and until
 *          wire_flush() gives 0 nothing more may be sent.
 * Errors:  0, -EAGAIN; -EOVERFLOW: the numbers are used up, the session must
 *          end; -EIO and such of the sealing. Packets that the kernel refuses
 *          for good (no route, a firewall) are lost, as they might be further
 *          on, and counted.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_WIRE_H
#define DP_MCAST_WIRE_H

#include "common/alc.h"
#include "common/mcast_msg.h"
#include "dp-mcast/sender.h"

#include <sys/socket.h>

#define WIRE_TRAIN 44 /* packets of one segmentation offload, at most */
#define WIRE_IPV4 (14 + 20 + 8) /* bytes of a frame before the UDP payload */
#define WIRE_IPV6 (14 + 40 + 8)

struct wire_conf {
	int			       fd;
	const struct sockaddr_storage *data, *notices; /* copied */
	socklen_t		       addr_len;
	uint16_t		       tsi, symbol;
	uint16_t		       generation; /* 0: open mode */
	uint8_t			       salt[MCAST_SALT_LEN];
	const struct mcast_key	      *key; /* NULL: open mode; copied */
};

struct wire_counts {
	uint64_t packets, bytes; /* of frames */
	uint64_t refused;	 /* packets the kernel did not take */
	int	 error;		 /* why, the last time; negative errno */
};

struct wire;

int  wire_new(const struct wire_conf *c, struct wire **out);
void wire_free(struct wire **w);

uint64_t wire_counter(const struct wire *w); /* of the next packet */
/* Bytes of a frame beside the symbol in it. */
unsigned wire_overhead(const struct wire *w);

/* At most WIRE_TRAIN symbols of the object toi. */
int wire_symbols(struct wire *w, uint16_t toi, const struct sender_symbol s[],
    unsigned n);
/* All packets of a file description; flags: ALC_CLOSE_SESSION or 0. */
int wire_fdt(struct wire *w, uint32_t instance, const void *xml, size_t len,
    uint8_t flags);
/* Fills in tsi, generation and counter. */
int wire_notice(struct wire *w, struct mcast_notice *n);
int wire_flush(struct wire *w);

const struct wire_counts *wire_counts(const struct wire *w);

#endif
