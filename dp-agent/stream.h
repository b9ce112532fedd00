/*
 * dp-agent/stream.h - one HTTP request whose answer is looked at as it comes.
 *
 * Runs in the network child. What is fetched, verified and placed goes by
 * common/download.h; this is for what is said to the other end of the kept
 * connection and to a distribution point.
 *
 * Shape:   on a socket that is connected already: GET for a stream of one
 *          content type, whose body has no end, or PUT of a few bytes. Redirects
 *          are not followed.
 * Calls:   opened() when the answer's head is one that was wished for; bytes()
 *          from inside libcurl, so it only takes notes: a negative result ends
 *          the stream with that; ended() once, from the loop. It has freed
 *          itself by then, and stream_end(), not to be called from the others,
 *          calls nobody.
 * Bounds:  the head STREAM_HEAD_MAX. No time: the caller has a clock.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_STREAM_H
#define DP_AGENT_STREAM_H

#include "common/download.h"

#define STREAM_HEAD_MAX 16384

struct stream;

struct stream_want {
	const char *url; /* copied */
	const char *host; /* of the socket: the url's, or the proxy's */
	uint16_t    port;
	const struct download_tls *tls;
	const char *proxy, *proxy_auth; /* "" none; copied */
	const char *type;		/* of GET, such as "text/event-stream" */
	const char *last_id;		/* of GET, or "": Last-Event-ID */
	const void *body;		/* of PUT, borrowed; else NULL */
	size_t	    len;
	void (*opened)(void *ctx);
	int  (*bytes)(void *ctx, const uint8_t *p, size_t n);
	/* r: 0, the answer ended in order; what bytes() said; -EACCES another
	 * answer, its status in *status; -EPROTO. Why says so. */
	void (*ended)(void *ctx, int r, long status, const char *why);
	void *ctx;
};

int  stream_start(struct loop *l, int take_fd, const struct stream_want *w,
     struct stream **out);
/* Once it is open: the other end knows what came after last_id, and gives that
 * again. */
bool stream_resumed(const struct stream *s);
void stream_end(struct stream **s); /* takes NULL */

#endif
