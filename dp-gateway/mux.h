/*
 * dp-gateway/mux.h - one HTTP/2 connection that carries many byte streams, each
 * a CONNECT (RFC 9113, 8.5); on nghttp2.
 *
 * Shape:   pure: bytes of the transport go in and come out, callers pass the
 *          time. The near end opens streams, the far end accepts or refuses.
 *          What a stream carries is asked of its owner when there is window
 *          for it (ops->give) and handed to its owner as it comes (ops->take):
 *          on the way out nothing is kept.
 * Bounds:  what an owner does not take waits with its stream, whose window is
 *          opened again only as the owner takes: at most mux_conf.window_max
 *          bytes, and queue_max for all streams together; beyond that the
 *          fullest streams are reset. A stream that stalls keeps nothing from the
 *          others. Streams with bytes to send take turns by the frame.
 * Owners:  a stream exists from mux_open or ops->request until ops->closed, or
 *          until its owner lets it go with mux_reset or mux_refuse, after which
 *          nothing is called for it. Any function may be called from any op but
 *          mux_in, mux_out, mux_tick and mux_free.
 * Answers: what a stream was refused with, and its reset, waits until mux_out has
 *          given it, however many there are: who does not send stops mux_in when
 *          mux_stats.owed is too much.
 * Peer:    believed in nothing. Floods, too long headers, windows overrun and so
 *          on end the connection with one reason and a GOAWAY: mux_why() is
 *          then not MUX_NONE; send what mux_out still gives, close, mux_free.
 * Units:   bytes; milliseconds of one monotonic clock.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_MUX_H
#define DP_GATEWAY_MUX_H

#include "common/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mux;
struct mux_stream;

enum mux_why { /* why the connection ends */
	MUX_NONE,	   /* it does not */
	MUX_DONE,	   /* drained by either end, and no stream is left */
	MUX_PEER,	   /* the peer gave it up, and says why */
	MUX_SETTINGS_LATE, /* no SETTINGS from the peer in time */
	MUX_PING_LATE,	   /* a PING was not answered in time */
	MUX_PROTOCOL,	   /* what nghttp2 found wrong */
	MUX_WINDOW,	   /* flow control violated */
	MUX_HEADERS,	   /* headers too long, or too many CONTINUATIONs */
	MUX_STREAMS,	   /* streams without end */
	MUX_RESETS,	   /* rapid reset */
	MUX_SETTINGS,	   /* floods: */
	MUX_PINGS,
	MUX_UPDATES,	   /* WINDOW_UPDATEs that no bytes of ours explain */
	MUX_EMPTY,	   /* frames that carry nothing, or nothing we know */
	MUX_MEMORY,
	MUX_WHYS
};
const char *mux_why_word(enum mux_why w); /* "rapid-reset": metrics, GOAWAY */

enum mux_end { /* why a stream ended */
	MUX_CLOSED,	/* by both ends, and all bytes were taken */
	MUX_RESET,	/* by the peer */
	MUX_REFUSED,	/* the peer did not look at it: open it elsewhere */
	MUX_OVERFLOW,	/* queue_max is passed, and this one waits with most */
	MUX_LOST	/* with the connection */
};

struct mux_conf {
	bool	 far;		/* accepts streams; false: opens them */
	uint32_t max_streams;	/* at once, of the peer's */
	uint32_t window, window_max; /* a stream's: at first, if its owner is quick */
	size_t	 queue_max;
	uint64_t ping_ms, ping_timeout_ms; /* a PING each; unanswered so long */
	unsigned process, processes; /* we are one of several at our address,
				      * 1 to processes; or 0 */
};

#define MUX_PROCESSES  8 /* at one address, at most */
#define MUX_VIA_MAX    512
#define MUX_DEVICE_MAX 80
#define MUX_TEXT_MAX   160

struct mux_request {
	char authority[URL_HOST_LEN + 8]; /* "server.example:443" */
	char via[MUX_VIA_MAX];		  /* RFC 9110, 7.6.3; "": none */
	char device[MUX_DEVICE_MAX];	  /* dpoint-device; "": none */
};

struct mux_ops {
	/* A peer opens a stream: mux_accept or mux_refuse, now or later. */
	void (*request)(void *ctx, struct mux_stream *s,
	    const struct mux_request *rq);
	/* The answer to mux_open; status 200: it carries bytes from now on. Else
	 * text says why, or is "", and the stream is gone. */
	void (*response)(void *ctx, struct mux_stream *s, unsigned status,
	    const char *text);
	/* How many of these it takes now. Fewer than n: call mux_take() when
	 * more can be taken. */
	size_t (*take)(void *ctx, struct mux_stream *s, const uint8_t *p,
	    size_t n);
	/* It has bytes that wait now, for mux_read(); may be NULL. */
	void (*waits)(void *ctx, struct mux_stream *s);
	/* The peer sends no more; all it sent was taken. */
	void (*ended)(void *ctx, struct mux_stream *s);
	/* Up to max bytes to send; 0: no more will come; -EAGAIN: none now, call
	 * mux_give() when there are. */
	ssize_t (*give)(void *ctx, struct mux_stream *s, uint8_t *buf,
	    size_t max);
	void (*closed)(void *ctx, struct mux_stream *s, enum mux_end why);
};

int  mux_new(const struct mux_conf *conf, const struct mux_ops *ops, void *ctx,
     uint64_t now, struct mux **out);
void mux_free(struct mux **m); /* ops->closed for each stream */

void	mux_in(struct mux *m, const uint8_t *p, size_t n, uint64_t now);
/* The next bytes, or 0; *p is good until the next call of this module. */
ssize_t mux_out(struct mux *m, const uint8_t **p, uint64_t now);
bool	mux_has_out(const struct mux *m);
void	mux_tick(struct mux *m, uint64_t now);
void	mux_drain(struct mux *m); /* no new streams; MUX_DONE after the last */
bool	mux_is_greeted(const struct mux *m); /* the peer's SETTINGS came */
bool	mux_is_draining(const struct mux *m); /* by either end */

/*
 * Which of several at its address the peer says it is (a setting of ours, 0xfd01
 * of those for experiments; RFC 9113, 6.5.2: others leave it out). Else 1 of 1.
 */
void mux_process(const struct mux *m, unsigned *process, unsigned *processes);

/* text: more about it, for the log; good until mux_free. */
enum mux_why mux_why(const struct mux *m, const char **text);

/* Near end. -EAGAIN: not now (the peer's SETTINGS, its limit of streams);
 * -ESHUTDOWN: never again. mux_may_open gives the same. */
int mux_may_open(const struct mux *m);
int mux_open(struct mux *m, const struct mux_request *rq, void *owner,
    struct mux_stream **out);
/* Far end; who owns it before it is accepted, for ops->closed. text goes into the header proxy-status (RFC 9209), or NULL. */
void mux_own(struct mux_stream *s, void *owner);
void mux_accept(struct mux_stream *s, void *owner);
void mux_refuse(struct mux_stream *s, unsigned status, const char *text);

void  mux_take(struct mux_stream *s); /* ops->take, for what waits */
/* What waits, in place of mux_take: how much. s may be gone after it. */
size_t mux_read(struct mux_stream *s, uint8_t *buf, size_t max);
void  mux_give(struct mux_stream *s); /* ops->give has bytes again */
void  mux_reset(struct mux_stream *s);
void *mux_owner(const struct mux_stream *s); /* NULL: nobody said so yet */
size_t	 mux_waiting(const struct mux_stream *s); /* bytes not taken */
uint32_t mux_id(const struct mux_stream *s);

struct mux_stats {
	size_t	 streams, queued; /* now: streams, bytes that wait in them */
	size_t	 owed; /* of these, ended by us and the peer not told yet */
	uint64_t in, out;	  /* bytes of streams */
	uint64_t rtt_ms;	  /* of the last PING */
};
void mux_stats(const struct mux *m, struct mux_stats *out);

#endif
