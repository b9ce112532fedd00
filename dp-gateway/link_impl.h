/*
 * dp-gateway/link_impl.h - what the parts of uplinks share, and nobody else sees.
 *
 * uplink.c has who comes to us, which link a device takes, and time; link.c one
 * link, dialler.c whom we dial, uplink_admin.c what an administrator is told.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_LINK_IMPL_H
#define DP_GATEWAY_LINK_IMPL_H

#include "dp-gateway/peer_lines.h"
#include "dp-gateway/redial.h"
#include "dp-gateway/uplink.h"

#include <time.h>

/* Why a link ends: what mux.h knows, and these. */
enum end {
	END_TLS = MUX_WHYS, /* hands were not shaken */
	END_NAME,	    /* not in gateway.uplink-peers */
	END_NO_H2,
	END_LATE,	    /* no handshake in time */
	END_CROWD,	    /* it gave way to a newer one */
	END_MANY,	    /* PEER_MAX of that name are there */
	END_REVOKED,
	END_EXPIRED,
	END_QUEUE,	    /* of all, most waits in it, and that is too much */
	END_TWICE,	    /* that process of the gateway has a link of ours */
	END_GONE,	    /* its connection ended */
	END_OURS,	    /* we end */
	ENDS
};
/* A gateway of several processes has one for each: siblings, the first of which
 * is the head of their list. */
struct dialler {
	struct uplinks *u;
	struct dialler *head, *sibling;
	struct redial	redial;
	struct link    *link; /* that it keeps; NULL: none */
	bool		near, asked, said_down;
};

struct link {
	struct link	*next;
	struct uplinks	*u;
	struct dialler	*by; /* NULL: it came to us, or is let go */
	struct loop_io	*io;
	struct tls_conn *tls;
	struct mux	*mux;
	int		 fd;
	bool		 near, accepted, shaking, blocked, ended;
	bool		 deaf; /* until it has read what we said */
	bool		 up; /* the peer's SETTINGS came: it took us, too */
	uint16_t	 port;
	uint8_t		 addr[16], key[PEER_KEY]; /* key: of its peer, for counting */
	uint32_t	 id;
	struct upstream *servers; /* by way of it: passed through, terminated; or
				   * NULL: nobody goes by it */
	enum why	 failure; /* of the last address, or WHY_CLOSED: none */
	enum why	 refused; /* the last one, by itself */
	uint64_t	 refused_ms; /* 0: it has not */
	enum why	 unopened_why; /* of the last one */
	unsigned	 unopened; /* in a row; the first of them: */
	uint64_t	 unopened_ms;
	unsigned	 process; /* which of the gateway's it leads to */
	uint64_t	 since_ms;
	char		 at[URL_HOST_LEN + 8], peer[TLS_NAME_MAX];
};

struct uplinks {
	struct gateway *g;
	struct tls     *client; /* what we show where we dial */
	struct dialler	up;	/* gateway.uplink */
	struct dialler	dial[GATEWAY_SERVERS];
	struct link    *first;
	unsigned	naccepted, nasked;
	uint32_t	last_id;
	uint64_t	ups, ends[ENDS];
	struct {
		uint64_t said_ms;
		unsigned unsaid;
	} said[ENDS]; /* of those that never were up */
	struct peer_lines lines; /* of the others */
	uint64_t	in, out; /* of links that ended */
	uint64_t	checked_ms;
};

static inline uint64_t
uplinks_now(const struct uplinks *u)
{
	return loop_now_ms(u->g->loop);
}

/* uplink.c */
void uplinks_sweep(struct uplinks *u); /* frees the links that have ended */

/* link.c */
const char *link_end_word(unsigned e); /* of enum end */
/* In its handshake, whose TLS is the caller's to begin. */
int  link_new(struct uplinks *u, int take_fd, const char *at, bool near,
     struct link **out);
void link_shake(struct link *k);
void link_watch(struct link *k);
bool link_is_up(const struct link *k);
bool link_has_refused(const struct link *k); /* lately */
/* What its certificate is worth now; -EACCES: it has ended. */
int  link_check(struct link *k, time_t now);
void link_end(struct link *k, unsigned e, const char *text);
void link_follow(struct link *k); /* its servers are g's, as they are now */

/* dialler.c */
/* All of them: of gateway.uplink, then of gateway.dial with their siblings. */
struct dialler *dialler_next(const struct dialler *d);
bool dialler_set(struct dialler *d, const char *list);
void dialler_dial(struct dialler *d); /* if it is time */
void dialler_let_go(struct link *k, unsigned e, const char *why);
/* Of two far ends the other one is dialled where this link only refuses. */
void dialler_leave(struct link *k, uint64_t now);
/* As many siblings of its head as dial the gateway's other processes. */
void dialler_want(struct dialler *d, unsigned processes);
/* Whether it is the first link to that process of the gateway we dialled. */
bool dialler_is_first(struct link *k);

#endif
