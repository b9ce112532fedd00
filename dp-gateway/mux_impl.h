/*
 * dp-gateway/mux_impl.h - what the parts of the mux share, and nobody else sees.
 *
 * mux.c has the connection, mux_stream.c its streams, mux_peer.c what the peer
 * says and is sent, as nghttp2 calls for it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_MUX_IMPL_H
#define DP_GATEWAY_MUX_IMPL_H

#include "dp-gateway/mux.h"
#include "dp-gateway/mux_budget.h"

#include <nghttp2/nghttp2.h>

#define HEADERS_MAX	  8192	     /* names and values of one block */
#define SETTING_PROCESS	  0xfd01 /* see mux_process() */

struct mux_stream {
	struct mux	  *m;
	struct mux_stream *prev, *next;
	void		  *owner;
	uint8_t		  *queue; /* not taken: len bytes from off */
	uint32_t	   off, len, size;
	uint32_t	   window, flowed; /* flowed: taken while none waited */
	int32_t		   id;
	bool		   answered; /* with 2xx: bytes flow */
	bool		   deferred; /* nghttp2 waits for mux_give */
	bool		   eof, told;  /* the peer sends no more; owner knows */
	bool		   gone;	    /* nghttp2 knows it no more */
	bool		   forgotten; /* by its owner: nothing is called */
	bool		   refused;   /* its answer is all there is */
	bool		   owed;      /* as mux_stats has it */
	bool		   busy;	    /* an op runs: not freed under it */
};

struct mux {
	nghttp2_session	     *session;
	struct mux_conf	      conf;
	const struct mux_ops *ops;
	void		     *ctx;
	struct mux_stream    *first;
	struct mux_stats      stats;
	enum mux_why	      why;
	char		      text[MUX_TEXT_MAX];
	bool		      told; /* GOAWAY with why is on its way */
	bool		      greeted, draining, peer_draining;
	uint64_t	      now, since, notice_ms; /* 0: no notice */
	uint64_t	      ping_at, asked_at; /* asked_at 0: no PING is out */
	uint8_t		      ping[8]; /* what is in it */
	struct mux_budget     budget[MUX_WHYS];
	uint8_t		      last_type;
	/* of the block of headers that comes in */
	int32_t		      last_id; /* newest stream of the peer */
	unsigned	      continuations, status;
	size_t		      headers;
	bool		      is_connect;
	struct mux_request    rq;
	char		      proxy_status[MUX_TEXT_MAX];
	unsigned	    process, processes; /* the peer's */
};

/* mux.c */
/* The first reason counts. The GOAWAY is made outside of nghttp2's callbacks. */
void mux_fail(struct mux *m, enum mux_why why, const char *text);
bool mux_pays(struct mux *m, enum mux_why k); /* the peer, or that is the end */
void mux_earned(struct mux *m, unsigned updates); /* what we did explains so many */
void mux_check_done(struct mux *m);

/* mux_stream.c */
bool mux_is_used_up(const struct mux *m); /* near end: no stream has a number left */
struct mux_stream *mux_stream_new(struct mux *m, int32_t id, void *owner);
void mux_stream_free(struct mux_stream *s);
/* The last word about it. nghttp2 does not know it any more. */
void mux_stream_close(struct mux_stream *s, enum mux_end why);
/* Lets its owner go and tells the peer. */
void mux_stream_abort(struct mux_stream *s, uint32_t code);
size_t mux_stream_offer(struct mux_stream *s, const uint8_t *p, size_t n);
int  mux_stream_keep(struct mux_stream *s, const uint8_t *p, size_t n);
void mux_stream_consumed(struct mux_stream *s, size_t n); /* of n taken: window */
void mux_stream_check(struct mux_stream *s); /* all is taken? May free s. */

/* mux_peer.c */
nghttp2_session_callbacks *mux_callbacks(void); /* NULL: no memory */
ssize_t mux_on_read(nghttp2_session *session, int32_t id, uint8_t *buf,
    size_t max, uint32_t *flags, nghttp2_data_source *source, void *mux);

#endif
