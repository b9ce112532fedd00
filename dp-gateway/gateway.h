/*
 * dp-gateway/gateway.h - the parts of dp-gateway and what they share.
 *
 * Shape:   one struct gateway; kinds.c has the kinds of listeners. A struct conn
 *          for each connection of a device, in one phase at a time: accept.c
 *          takes it from a listener to the end of its ClientHello (hello.h,
 *          admit.h), dial.c to a server (upstream.h) by way of dp-connect,
 *          conn.c carries its bytes (relay.h) and ends it. admin.c answers the
 *          administrator. What ends a connection, wherever, is conn_end() with
 *          its reason. A connection's side may be a stream of an uplink in
 *          place of a socket (uplink.h).
 * TLS:     g->tls is what all listeners that end TLS show and trust: the
 *          gateway's certificate and its client CA, which every client needs
 *          a certificate of. A reload makes a new one, tls_accept keeps the
 *          one it was given. NULL: gateway.cert is not given.
 * Memory:  an idle connection is its two descriptors, a struct conn and its
 *          name. All are watched by one epoll set of our own, which the loop
 *          watches as one descriptor: events of libevent's cost more than that.
 *          Those of the push channel (push.h) have a struct and a set of theirs.
 * Time:    each phase is a list in order of time, so that a tick looks at the
 *          heads only. Times are right to a tick, idle ones to a second more.
 * Ownership: gateway.c makes and ends everything here; a conn that has ended
 *          stays as memory until the events at hand are through.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_GATEWAY_H
#define DP_GATEWAY_GATEWAY_H

#include "common/addr_count.h"
#include "common/agent_sight.h"
#include "common/connect_client.h"
#include "common/sandbox.h"
#include "common/scope.h"
#include "common/tls.h"
#include "common/worker.h"
#include "dp-gateway/admit.h"
#include "dp-gateway/relay.h"
#include "dp-gateway/shakes.h"
#include "dp-gateway/upstream.h"

#define CLIENT 0 /* sides of a relay */
#define SERVER 1

#define ASKS_MAX    48	/* of dp-connect, which takes 64 of one asker */
#define ASKS_EACH   (ASKS_MAX / 4) /* of them, for one far target, */
#define ASKS_FAR    (ASKS_MAX / 2) /* and for all of these */
#define LINKS_ASKED (1 + GATEWAY_SERVERS) /* beside them, for links */
#define PIPES_MAX   256 /* then bytes go without one */
#define KEPT_FDS    192 /* channels, listeners, the loop, links, standard streams */
#define TICK_MS	    250
#define TRIED_MAX   4 /* uplinks that a connection is tried by, but one */
#define CONN_ADDR   64 /* "[2001:db8::1]:50000" */

enum phase {
	P_HELLO,  /* it has said nothing, or its ClientHello is not whole */
	P_SHAKE,  /* TLS ends here, and it has begun to shake hands */
	P_LINK,	  /* waits for an uplink to take it */
	P_QUEUE,  /* waits for its turn to be connected by dp-connect */
	P_CROWD,  /* the same, behind ASKS_EACH to where it goes, or ASKS_FAR */
	P_ASKED,  /* dp-connect is at it */
	P_BEGUN,  /* it gave us a socket that is still connecting */
	P_ANSWER, /* the server has said nothing yet */
	P_OPEN,
	P_ENDED,
	P_COUNT = P_ENDED,
};

struct mux_stream;
struct origin { /* of a connection that a gateway asked for */
	char   *via, *device; /* via: NULL once it is connected */
	uint8_t peer[16]; /* of whose connections it is counted */
	bool	counted;
};

struct listener_kind;
struct term;
struct conn {
	struct gateway *g;
	const struct listener_kind *kind;
	struct conn    *prev, *next;   /* in the list of its phase */
	struct conn    *older, *newer; /* of all */
	struct relay	relay;
	struct term    *term; /* its TLS ends here; else NULL (terminate.h) */
	struct mux_stream *stream[2]; /* by side; NULL: a socket, or over */
	struct origin  *origin; /* NULL: our own device's */
	char	       *sni; /* or device, or where it goes; NULL: not known */
	uint64_t	id, start_ms;
	uint64_t	since_ms; /* of its phase; in P_OPEN it last moved */
	uint64_t	blocked_ms; /* one takes nothing of a stream since */
	uint32_t	watch[2]; /* by side: epoll's events; 0: not there */
	uint16_t	port, server; /* number of the last server tried */
	uint8_t		addr[16], phase;
	bool		drained[2], closing[2]; /* sockets beside a stream */
	bool		again; /* asked for once more, after a lost uplink */
	bool		introduce; /* a PROXY header goes first, by an uplink: */
	uint16_t	introduced; /* so much of it has gone */
	uint8_t		refusal; /* a far end's last, or WHY_CLOSED: none */
	uint32_t	link; /* its uplink's number */
	uint32_t	tried[TRIED_MAX]; /* those it is to take no more; 0: none */
};

struct dialler;
struct ask { /* one question to dp-connect */
	uint32_t     ticket; /* 0: free */
	struct upstream *of; /* whose server it is */
	uint16_t     server;
	bool	     probe;
	struct conn *conn; /* NULL: a probe, or it has left meanwhile */
	struct dialler *dialler; /* of an uplink; NULL: not for one */
	char	     host[URL_HOST_LEN]; /* far target; "": not for one */
	uint16_t     port;
};

/*
 * What a listener is for. Whom it accepts is in gateway.allow, and there is room
 * for one more; take gets the descriptor, for good. The others are for kinds
 * whose connections are a struct conn.
 */
struct listener;
struct listener_kind {
	const char *name; /* "pass-through", of rows */
	const char *key; /* "gateway.listen": addresses, of type CONF_LISTEN */
	bool	    anywhere; /* no devices': gateway.allow does not count */
	void	  (*take)(struct listener *l, int take_fd, const uint8_t addr[16],
		 uint16_t port);
	void	  (*hello)(struct conn *c, uint32_t events); /* in these two */
	/* There is the server's socket: what goes first, then what they say. */
	void	  (*open)(struct conn *c);
	/* Tells the client why, before the close; before its hello, too. NULL:
	 * TLS ends here, by g->tls, which is there for whom take gets, but which
	 * a reload may take away before such a one has said anything. */
	void	  (*refuse)(int fd, enum why why);
	bool	    is_forward; /* to where its sni says, HOST:PORT, not the server */
};
extern const struct listener_kind listener_kinds[]; /* key NULL ends */

struct listener {
	struct listener		   *next;
	struct gateway		   *g;
	const struct listener_kind *kind;
	struct loop_io		   *io;
	char			    address[128];
	uint64_t		    leave_ms; /* of one that is no more */
	int			    fd;
};

struct terminate { /* what all connections that end here share */
	struct upstream	   servers;
	struct tls	  *tls, *next; /* as a client of the servers; NULL: of none */
	struct addr_count *devices;
	int64_t		   next_expiry; /* of a certificate, at the earliest; or 0 */
	uint64_t	   looked_ms;
};

/* Whom hands were shaken with. */
enum shaken { SHAKEN_DEVICE, SHAKEN_SERVER, SHAKEN_UPLINK, SHAKEN_KINDS };

struct handshakes {
	uint64_t n, resumed, ms;
};

struct push;
struct uplinks;
struct gateway {
	struct worker	      *w;
	struct loop	      *loop;
	struct gateway_conf    conf;
	struct scope	       scope, proxy_from;
	struct tls	      *tls;
	struct tls	      *lists; /* of who is revoked; NULL: nobody */
	struct upstream	       upstream;
	struct terminate       terminate;
	struct shakes	       shakes; /* handshakes under way, with devices */
	uint64_t	       dealt_ms; /* since when by this secret */
	struct handshakes      shaken[SHAKEN_KINDS];
	struct connect_client *connector;
	struct agent_sight    *agents; /* whom network polling is told of */
	struct ask	       asks[ASKS_MAX + LINKS_ASKED];
	unsigned	       nasks;
	uint32_t	       last_ticket;
	struct listener	      *listeners, *leaving;
	struct pipes	      *pipes;
	uint64_t	       looked_ms; /* for who is stuck without one */
	struct addr_count     *addresses, *peers;
	struct {
		struct conn *first, *last;
		unsigned     n;
	} list[P_COUNT];
	struct conn	  *oldest, *newest, *ended;
	struct push	  *push;
	struct uplinks	  *uplinks;
	char		   id[64]; /* ours, in Via */
	unsigned	   n, max; /* connections */
	uint64_t	   max_per_peer; /* 0: no such limit */
	unsigned	   fds, max_fds; /* descriptors of these */
	uint64_t	   last_id;
	int		   epoll, spare; /* spare: a descriptor for want of one */
	struct loop_io	  *io;
	struct loop_timer *tick;
	bool		   ticking, refusing; /* dpctl gateway drain */
	bool		   draining, paused;
	uint64_t	   drain_end_ms;
	uint64_t	   accepted, carried, bytes[2]; /* of those that ended */
	uint64_t	   why[WHY_KINDS];
	struct {
		uint64_t said_ms;
		unsigned unsaid;
	} said[WHY_KINDS];
};

extern const struct sandbox gateway_sandbox;

/* gateway.c: ends the process (100, 111) when this cannot be served */
struct gateway *gateway_open(struct worker *w);
int		gateway_run(struct gateway *g);
void		gateway_close(struct gateway **g);

/* accept.c */
int  accept_listen(struct gateway *g, const struct listener_kind *kind,
     int take_fd, const char *address);
void accept_unlisten(struct listener **list); /* all of it */
/* Takes the list: those whose address is no more in g->listeners take who has
 * begun to connect, for a moment. */
void accept_leave(struct gateway *g, struct listener *list);
void accept_tick(struct gateway *g); /* ends these */
void accept_resume(struct gateway *g); /* where descriptors had run out */
void accept_device(struct listener *l, int take_fd, const uint8_t addr[16],
     uint16_t port); /* a struct conn, which begins with its kind's hello */
void accept_hello(struct conn *c, uint32_t events); /* of pass-through */
void accept_refuse(int fd, enum why why);	    /* likewise */

/* dial.c */
extern const struct connect_client_ops dial_ops;
void dial_queue(struct conn *c); /* to a server past c->server, some way */
void dial_pump(struct gateway *g);
void dial_probe(struct gateway *g);
void dial_left(struct conn *c); /* it ends in P_ASKED */
void dial_begun(struct conn *c); /* in P_BEGUN: whether it is connected now */
void dial_tick(struct gateway *g); /* those that have not been for too long */
int  dial_link(struct gateway *g, struct dialler *d, const char *host,
     uint16_t port); /* uplink_dialled() then */
void dial_say(struct gateway *g); /* what has changed of the servers */
/* Of those of an uplink; at: its name. "": of our own connections. */
void dial_say_of(struct gateway *g, struct upstream *u, const char *at);

/* conn.c */
uint64_t conn_number(struct gateway *g); /* of a new connection */
/* In P_HELLO; -EUSERS for one too many of an address, and fd is the caller's. */
int  conn_new(struct gateway *g, const struct listener_kind *kind, int fd,
     const uint8_t addr[16], uint16_t port, struct conn **out);
void conn_phase(struct conn *c, enum phase p);
void conn_moved(struct conn *c);
void conn_watch(struct conn *c, int side, uint32_t events);
void conn_open(struct conn *c); /* the server's socket is connected */
void conn_pass(struct conn *c);		     /* opens a passed-through one */
bool conn_announce(struct conn *c); /* by PROXY protocol, if it is wanted */
void conn_drop_server(struct conn *c); /* it is to have another */
void conn_carry(struct conn *c, int side, uint32_t events);
/* Where its server is; NULL: its uplink has ended. */
struct upstream *conn_upstream(struct conn *c);
/* Of the PROXY protocol, room for PROXY_MAX; 0: it cannot be told. */
size_t conn_introduction(const struct conn *c, uint8_t *out);
void conn_end(struct conn *c, enum why why);
void conn_bury(struct gateway *g); /* those that have ended */
void conn_events(void *gateway, int events);
void conn_settle(struct gateway *g); /* after events: whose turn it is now */
void conn_tick(void *gateway);
void conn_tick_soon(struct gateway *g);
/* No delay, and keep-alives as configured: of a listener or a connection. */
void conn_socket(const struct gateway *g, int fd);
void conn_option(int fd, int level, int name, uint64_t v); /* an int; at best */
void conn_address(const uint8_t addr[16], uint16_t port, char out[CONN_ADDR]);
/* Counts, and tells the operator of a refusal, but not of each of many. */
void conn_count(struct gateway *g, const uint8_t addr[16], uint16_t port,
    const char *name, enum why why);
/* Of a handshake with a device that came to r. */
enum why conn_why_tls(const struct tls_conn *t, int r);
/* One that is through is counted. */
void conn_shaken(struct gateway *g, enum shaken with, const struct tls_conn *t,
    uint64_t since_ms);
void conn_check_drained(struct gateway *g); /* one has ended */
void conn_drain(struct gateway *g);

/* admin.c */
extern const struct admin_command gateway_commands[];
void gateway_metrics(void *gateway, struct worker *w, struct admin_reply *reply);
void gateway_warnings(void *gateway, struct admin_reply *reply);

#endif
