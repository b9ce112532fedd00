/*
 * dp-gateway/ends.h - carries bytes between two sides of which at least one is
 * TLS that ends here: what relay.h does where splice(2) cannot.
 *
 * Shape:   goes with a struct relay, which it keeps as relay_run() does, but
 *          for the pipes: relay_wants() and relay_over() say the same. An idle
 *          pair holds no buffer.
 * Bounds:  what one side does not take: a batch of ENDS_BATCH bytes, of one
 *          record where all such bytes together pass ENDS_WAITING; and what of
 *          the other side was received with it, two records at most.
 * Ends:    an end is told the other after the last byte: by close_notify if it
 *          was announced (in clear every end is), and by the end of the stream.
 * Ownership: the descriptors are the caller's, struct tls_conn is ours from
 *          ends_init or ends_set on; ends_fini frees both.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_ENDS_H
#define DP_GATEWAY_ENDS_H

#include "common/tls.h"
#include "dp-gateway/relay.h"

#define ENDS_BATCH   (64 << 10)
#define ENDS_WAITING (32 << 20)

struct end {
	struct tls_conn *tls; /* NULL: in clear */
	uint8_t		*rest; /* in clear: what the socket did not take */
	uint32_t	 rest_off, rest_len;
	int		 fd;
};

struct ends {
	struct end of[2];
	uint64_t   moved_ms[2]; /* by direction: a byte was last taken */
	bool	   said[2];	/* an end was announced to the other side */
};

void ends_init(struct ends *e);
void ends_set(struct ends *e, int side, int fd, struct tls_conn *take_tls);
void ends_drop(struct ends *e, int side); /* as if it had never been set */
void ends_fini(struct ends *e);

/* What the events of this side allow; r->fd are not used. As relay_run(). */
int  ends_run(struct ends *e, struct relay *r, int side, uint32_t events,
     uint64_t now_ms, int *bad);
/* Bytes that sides did not take, of all (and of other TLS of the process). */
size_t ends_waiting(void);
/* Bytes wait, and none was taken since `before`. */
bool ends_stuck(const struct ends *e, const struct relay *r, uint64_t before);

/* One end alone, for whoever carries its bytes another way. Bytes, 0 at the
 * end, -EAGAIN, or what tls.h says. */
ssize_t end_read(struct end *e, void *buf, size_t n);
bool	end_has_more(const struct end *e); /* without an event */
/* All of it, which may wait: flush before the turn is over, and write no more
 * until flush gives 0. */
int	end_write(struct end *e, const void *p, size_t n);
int	end_flush(struct end *e);

#endif
