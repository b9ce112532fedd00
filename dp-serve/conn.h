/*
 * dp-serve/conn.h - the connections of clients, from accept to close.
 *
 * Shape:   a struct engine owns all connections. Listeners and rules are handed
 *          to it and may be replaced while connections live; those keep the
 *          certificates they began with, unless engine_revoke ends them.
 * Bounds:  connections in total and per address (IPv6: per /64); an idle one
 *          holds a struct conn and, with TLS, OpenSSL's state, but no buffer; a
 *          partial request head costs 8 KiB; what a TLS client does not take
 *          costs at most one batch of records. When full, the connection that
 *          has been idle longest makes room; with none idle, the new one gets
 *          503 in clear, a close in TLS.
 * Time:    a head must be whole within header_ms of its first byte (of accept,
 *          for the first), an idle connection is closed after idle_ms, a
 *          client must take 16 KiB of its answer in each send_ms, a report
 *          must come at 1 KiB/s at least, looked at each 10 s, and content fetched on demand must
 *          bring something, a report be kept, in each want_ms.
 * Errors:  engine_listen takes the socket, also when it fails.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_CONN_H
#define DP_SERVE_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent_sight.h"
#include "common/loop.h"
#include "common/scope.h"
#include "common/tls.h"
#include "dp-serve/api.h"
#include "dp-serve/content.h"
#include "dp-serve/inbox.h"

struct engine_conf {
	unsigned     max_connections, max_per_address;
	uint64_t     header_ms, idle_ms, send_ms, want_ms;
	struct scope scope;
};

struct engine_counts {
	uint64_t accepted, refused, current, idle, requests, waiting;
	uint64_t bytes;	     /* of answers, before TLS */
	uint64_t by_class[6]; /* answers 2xx in [2] and so on */
	uint64_t timed_out, reset, revoked;
};

struct engine;

int  engine_new(struct loop *l, struct content *c, struct api *a,
     struct inbox *in, const struct engine_conf *conf, struct engine **out);
void engine_free(struct engine **e);
/* Told of each device that has shown its certificate; lives as long as e. */
void engine_tell(struct engine *e, struct agent_sight *agents);
void engine_set_conf(struct engine *e, const struct engine_conf *conf);
/* tls NULL: in clear. It is kept with a reference of its own. */
int  engine_listen(struct engine *e, int take_fd, struct tls *tls);
void engine_unlisten(struct engine *e); /* all of them */
/* From now on the revocation lists of this one count (NULL: none), whatever listens.
 * Ends who has shown a certificate that is on them, whatever is under way: not a
 * byte more goes out. It is kept with a reference of its own. */
void engine_revoke(struct engine *e, struct tls *lists);
/* A connection that exists already; takes fd. */
int  engine_adopt(struct engine *e, int take_fd, struct tls *tls);
/* No new requests; done is called once when the last answer has gone out. */
void engine_drain(struct engine *e, void (*done)(void *ctx), void *ctx);
const struct engine_counts *engine_counts(const struct engine *e);

#endif
