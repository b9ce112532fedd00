/*
 * dp-gateway/uplink.c - links: TLS connections with HTTP/2 in them; see uplink.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of the other end what its
 * verified certificate says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/uplink.h"

#include "common/conf.h"
#include "common/identity.h"
#include "common/log.h"
#include "dp-gateway/redial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX    1024 /* that others make */
#define PEER_MAX     32	  /* of those, of one name: of 8 processes, old ones too */
#define COMING_MAX   64	  /* of one address, that are not up */
#define SHAKE_MS     10000
#define SAY_MS	     10000 /* between two lines about who is refused */
#define TURN_READ    (512 << 10)
#define TURN_WRITE   (1 << 20)
#define FRAME_MAX    (16384 + 9)
#define WINDOW	     (64 << 10) /* a stream's at first, and at most */
#define WINDOW_MAX   (1 << 20)
#define QUEUE_MAX    (64 << 20) /* bytes that wait in all streams of a link */
#define STREAMS_MORE 1000 /* than connections: they are told that it is full */
/* What the kernel may hold unsent: more would stand before every new byte. */
#define UNSENT_MAX   (64 << 10)

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
	END_TWICE,	    /* that process of the gateway has a link of ours */
	END_GONE,	    /* its connection ended */
	END_OURS,	    /* we end */
	ENDS
};
static const char *const end_words[ENDS - MUX_WHYS] = { "tls", "name", "no-h2",
	"handshake-timeout", "crowd", "too-many", "revoked", "expired", "twice",
	"gone", "ours" };

_Static_assert(GATEWAYS_MAX <= MUX_PROCESSES, "each can say which it is");

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
	bool		 up; /* the peer's SETTINGS came: it took us, too */
	uint16_t	 port;
	uint8_t		 addr[16];
	uint32_t	 id;
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
	uint64_t	in, out; /* of links that ended */
	uint64_t	checked_ms;
};

static const char *
end_word(unsigned e)
{
	return e < MUX_WHYS ? mux_why_word((enum mux_why)e)
			    : end_words[e - MUX_WHYS];
}

static uint64_t
chance(void)
{
	uint64_t n = 0;

	(void)RAND_bytes((unsigned char *)&n, sizeof(n));
	return n;
}

static uint64_t
now_of(const struct uplinks *u)
{
	return loop_now_ms(u->g->loop);
}

static bool
is_up(const struct link *k)
{
	return !k->ended && k->up && mux_why(k->mux, NULL) == MUX_NONE;
}

struct gateway *
link_gateway(const struct link *k)
{
	return k->u->g;
}

const char *
link_at(const struct link *k)
{
	return k->at;
}

const char *
link_peer(const struct link *k)
{
	return k->peer;
}

const uint8_t *
link_addr(const struct link *k, uint16_t *port)
{
	*port = k->port;
	return k->addr;
}

const char *
uplink_at(const struct uplinks *u, uint32_t id)
{
	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->id == id && !k->ended)
			return k->at;
	return id == 0 ? "direct" : "";
}

/* All of them: of gateway.uplink, then of gateway.dial with their siblings. */
static struct dialler *
next_dialler(const struct dialler *d)
{
	struct uplinks *u = d->u;
	size_t		i = d->head == &u->up ? 0
					      : (size_t)(d->head - u->dial) + 1;

	return d->sibling != NULL ? d->sibling
	    : i < GATEWAY_SERVERS ? &u->dial[i]
				  : NULL;
}

/* -- the end of a link: taken off the list by sweep() -- */

/* Anybody may come and be refused: not a line for each of many. */
static void
say_refused(struct link *k, unsigned e, const char *text)
{
	struct uplinks *u = k->u;
	char		more[64] = "";

	if (u->said[e].said_ms != 0 &&
	    now_of(u) - u->said[e].said_ms < SAY_MS) {
		u->said[e].unsaid++;
		return;
	}
	if (u->said[e].unsaid > 0)
		snprintf(more, sizeof(more),
		    "; %u others, too, since the last line", u->said[e].unsaid);
	log_info("uplink from %s refused: %s%s%s%s", k->at, end_word(e),
	    text[0] != '\0' ? ": " : "", text, more);
	u->said[e].said_ms = now_of(u);
	u->said[e].unsaid = 0;
}

static void
say_down(struct link *k, unsigned e, const char *text)
{
	struct uplinks *u = k->u;

	u->ends[e]++;
	if (e == END_TWICE)
		return;
	if (e == END_OURS || e == MUX_DONE)
		log_info("uplink %s ended: %s", k->at, end_word(e));
	else if (k->accepted && !k->up)
		say_refused(k, e, text);
	else
		log_warn("uplink %s %s: %s%s%s", k->at,
		    k->up ? "lost" : "did not come up", end_word(e),
		    text[0] != '\0' ? ": " : "", text);
	if (k->up)
		worker_event(u->g->w, "gateway-uplink-down",
		    json_pack("{s:s,s:s,s:s}", "at", k->at, "reason",
			end_word(e), "why", text));
}

static void
say_dialler(struct dialler *d)
{
	if (!d->redial.down || d->said_down)
		return;
	d->said_down = true;
	log_warn("uplink: none of %s connects: %s",
	    d->near ? "gateway.uplink" : "gateway.dial", d->redial.why);
}

/* Its dialler looks for another one. */
static void
let_go(struct link *k, unsigned e, const char *why)
{
	struct dialler *d = k->by;

	d->link = NULL;
	k->by = NULL;
	if (e == END_TWICE) {
		redial_twice(&d->redial, now_of(k->u), chance());
		return;
	}
	if (k->up)
		redial_lost(&d->redial, now_of(k->u), chance(), why);
	else
		redial_failed(&d->redial, now_of(k->u), chance(), why);
	say_dialler(d);
}

static void
link_end(struct link *k, unsigned e, const char *text)
{
	struct uplinks	*u = k->u;
	struct mux_stats st;
	char		 why[160];

	if (k->ended)
		return;
	k->ended = true;
	say_down(k, e, text);
	snprintf(why, sizeof(why), "%s%s%s", end_word(e),
	    text[0] != '\0' ? ": " : "", text);
	if (k->by != NULL)
		let_go(k, e, why);
	if (k->mux != NULL) {
		mux_stats(k->mux, &st);
		u->in += st.in;
		u->out += st.out;
		mux_free(&k->mux); /* each stream's owner hears of it */
		if (!k->blocked)
			tls_goodbye(k->tls);
	}
	tls_conn_free(&k->tls);
	loop_io_free(&k->io);
	close(k->fd);
	u->g->fds--;
	u->naccepted -= k->accepted;
}

static void
sweep(struct uplinks *u)
{
	struct link **at = &u->first, *k;

	while ((k = *at) != NULL) {
		if (!k->ended) {
			at = &k->next;
			continue;
		}
		*at = k->next;
		free(k);
	}
}

/* -- bytes -- */

static void
watch(struct link *k)
{
	if (!k->ended)
		(void)loop_io_set(k->io,
		    LOOP_READ | (k->blocked ? LOOP_WRITE : 0));
}

/* What its streams have to say, as much as the socket takes. */
static void
pump(struct link *k)
{
	static uint8_t buf[4 * FRAME_MAX];
	const uint8_t *p;
	size_t	       turn = 0, n;
	ssize_t	       m;
	int	       r;

	while (!k->blocked && turn < TURN_WRITE) {
		for (n = 0; n + FRAME_MAX <= sizeof(buf) &&
		     (m = mux_out(k->mux, &p, now_of(k->u))) > 0;
		     n += (size_t)m)
			memcpy(buf + n, p, (size_t)m);
		if (n == 0)
			break;
		turn += n;
		r = tls_write(k->tls, buf, n);
		if (r == 0)
			r = tls_flush(k->tls);
		if (r < 0 && r != -EAGAIN) {
			link_end(k, END_GONE, strerror(-r));
			return;
		}
		k->blocked = r == -EAGAIN;
	}
	/* its turn is over: the socket, which takes more, calls it again */
	k->blocked = k->blocked || turn >= TURN_WRITE;
}

static void
check_why(struct link *k)
{
	const char  *text;
	enum mux_why why;
	char	     copy[MUX_TEXT_MAX];

	if (k->ended || (why = mux_why(k->mux, &text)) == MUX_NONE)
		return;
	snprintf(copy, sizeof(copy), "%s", text);
	link_end(k, why, copy);
}

/* Where we dial a gateway, it says first which of its processes it is: with no
 * answer of ours a second link to that never comes up. */
static bool
may_speak(const struct link *k)
{
	return k->near || k->accepted || mux_is_greeted(k->mux);
}

void
uplink_pump(struct uplinks *u)
{
	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended || k->mux == NULL)
			continue;
		if (!k->blocked && may_speak(k) && mux_has_out(k->mux)) {
			pump(k);
			watch(k);
		}
		check_why(k);
	}
}

static void
hear(struct link *k)
{
	static uint8_t buf[64 << 10];
	size_t	       turn = 0;
	ssize_t	       n;

	tls_readable(k->tls, false);
	while (mux_why(k->mux, NULL) == MUX_NONE &&
	    (turn < TURN_READ || tls_has_more(k->tls))) {
		n = tls_read(k->tls, buf, sizeof(buf));
		/* what OpenSSL answered is in the buffer that all share */
		if (!tls_reads_quietly(k->tls) && tls_flush(k->tls) == -EAGAIN)
			k->blocked = true;
		if (n <= 0) {
			if (n != -EAGAIN)
				link_end(k, END_GONE, n < 0
					? tls_error()[0] != '\0' ? tls_error()
								 : "reset"
					: tls_ended(k->tls) ? "closed"
							    : "cut off");
			return;
		}
		turn += (size_t)n;
		mux_in(k->mux, buf, (size_t)n, now_of(k->u));
	}
}

/* -- hands are shaken -- */

static unsigned
links_of(const struct uplinks *u, const char *peer)
{
	unsigned n = 0;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		n += !k->ended && k->accepted && !k->shaking &&
		    strcmp(k->peer, peer) == 0;
	return n;
}

static bool
is_peer(const struct uplinks *u, const char *name)
{
	char   word[TLS_NAME_MAX];
	size_t pos = 0;

	while (conf_word(u->g->conf.uplink_peers, &pos, word, sizeof(word)))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

/* Hands are shaken. With TLS 1.3 the far end may still refuse our certificate:
 * the link is up when its SETTINGS come. */
static void
speak(struct link *k)
{
	const struct gateway_conf *conf = &k->u->g->conf;
	struct mux_conf		   mc = { .far = !k->near,
		      .max_streams = k->u->g->max + STREAMS_MORE,
		      .window = WINDOW,
		      .window_max = WINDOW_MAX,
		      .queue_max = QUEUE_MAX,
		      .ping_ms = conf->uplink_ping * 1000,
		      .ping_timeout_ms = conf->uplink_timeout * 1000 };

	if (k->near && k->accepted && conf->processes > 1) {
		mc.process = worker_role(k->u->g->w) - PEER_GATEWAY + 1;
		mc.processes = (unsigned)conf->processes;
	}
	if (mux_new(&mc, &tunnel_ops, k, now_of(k->u), &k->mux) < 0) {
		link_end(k, MUX_MEMORY, "");
		return;
	}
	k->since_ms = now_of(k->u);
}

/* Whether that is another list: the old link's streams live on, it takes no new
 * ones. */
static bool
dialler_set(struct dialler *d, const char *list)
{
	bool changed = false;

	if (redial_set(&d->redial, list, &changed) < 0 || !changed)
		return false; /* it was checked */
	if (d->link == NULL)
		return true;
	d->link->by = NULL;
	if (d->link->shaking)
		link_end(d->link, END_OURS, "");
	else
		mux_drain(d->link->mux);
	d->link = NULL;
	return true;
}

/* As many of its siblings as dial the other processes. */
static void
want_siblings(struct dialler *d, unsigned n)
{
	struct dialler *s = d->head, **at;

	for (at = &s->sibling; n > 1; at = &(*at)->sibling, n--) {
		if (*at == NULL && (*at = calloc(1, sizeof(**at))) == NULL)
			return; /* the next link asks for it again */
		(*at)->u = s->u;
		(*at)->head = s;
		redial_as(&(*at)->redial, &s->redial);
	}
	for (; *at != NULL; at = &(*at)->sibling)
		(void)dialler_set(*at, "");
}

/* Whether it is the first link to that process of the gateway we dialled. */
static bool
is_first(struct link *k)
{
	struct dialler *by = k->by;
	bool		twice = false;
	unsigned	n;

	mux_process(k->mux, &k->process, &n);
	for (const struct dialler *d = by->head; d != NULL; d = d->sibling)
		twice = twice || (d != by && d->link != NULL && d->link->up &&
		    d->link->process == k->process);
	if (twice)
		link_end(k, END_TWICE, "");
	want_siblings(by, n);
	return !k->ended;
}

static void
check_up(struct link *k)
{
	if (k->ended || k->up || k->mux == NULL || !mux_is_greeted(k->mux) ||
	    (k->by != NULL && !k->near && !is_first(k)))
		return;
	k->up = true;
	k->u->ups++;
	k->since_ms = now_of(k->u);
	if (k->by != NULL) {
		redial_up(&k->by->redial, now_of(k->u));
		k->by->said_down = false;
	}
	log_info("uplink %s %s%s%s", k->accepted ? "from" : "to", k->at,
	    k->peer[0] != '\0' ? ", " : "", k->peer);
	worker_event(k->u->g->w, "gateway-uplink-up",
	    json_pack("{s:s,s:s}", "at", k->at, "name", k->peer));
}

/* What its certificate is worth now; -EACCES: it has ended. */
static int
check_peer(struct link *k, time_t now)
{
	const struct tls *tls = k->u->g->tls; /* with the revocation list */

	if (k->accepted && !is_peer(k->u, k->peer))
		link_end(k, END_NAME, k->peer);
	else if (tls != NULL && tls_peer_revoked(k->tls, tls))
		link_end(k, END_REVOKED, k->peer);
	else if (tls_peer_expires(k->tls) <= now)
		link_end(k, END_EXPIRED, k->peer);
	return k->ended ? -EACCES : 0;
}

static void
shake(struct link *k)
{
	int r = tls_handshake(k->tls);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		link_end(k, END_TLS, tls_error());
		return;
	}
	k->shaking = false;
	if ((r = tls_flush(k->tls)) < 0 && r != -EAGAIN) { /* a ticket, too */
		link_end(k, END_GONE, strerror(-r));
		return;
	}
	k->blocked = r == -EAGAIN;
	snprintf(k->peer, sizeof(k->peer), "%s", tls_peer_name(k->tls));
	if (check_peer(k, time(NULL)) < 0)
		return;
	if (k->accepted && links_of(k->u, k->peer) > PEER_MAX)
		link_end(k, END_MANY, k->peer);
	else if (strcmp(tls_alpn(k->tls), "h2") != 0)
		link_end(k, END_NO_H2, "");
	else
		speak(k);
}

static void
settle(struct uplinks *u)
{
	uplink_pump(u);
	dial_pump(u->g);
	uplink_pump(u); /* what was opened now */
	conn_bury(u->g);
	sweep(u);
	conn_tick_soon(u->g);
}

static void
on_link(void *link, int events)
{
	struct link    *k = link;
	struct uplinks *u = k->u;

	if (events & LOOP_WRITE) {
		k->blocked = false;
		if (!k->shaking) {
			int r = tls_flush(k->tls);

			if (r < 0 && r != -EAGAIN)
				link_end(k, END_GONE, strerror(-r));
			k->blocked = r == -EAGAIN;
		}
	}
	if (!k->ended && k->shaking) {
		tls_readable(k->tls, false);
		shake(k);
	}
	if (!k->ended && !k->shaking && (events & LOOP_READ))
		hear(k);
	check_up(k);
	if (!k->ended)
		watch(k);
	settle(u);
}

static int
link_new(struct uplinks *u, int take_fd, const char *at, bool near,
    struct link **out)
{
	struct link *k = calloc(1, sizeof(*k));
	int	     unsent = UNSENT_MAX, one = 1, r = -ENOMEM;

	*out = NULL;
	if (k == NULL ||
	    (r = loop_io_new(u->g->loop, take_fd, LOOP_READ, on_link, k,
		 &k->io)) < 0) {
		free(k);
		close(take_fd);
		return r;
	}
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
	    sizeof(unsent));
	k->u = u;
	k->fd = take_fd;
	k->near = near;
	k->shaking = true;
	if (++u->last_id == 0)
		u->last_id++;
	k->id = u->last_id;
	k->since_ms = now_of(u);
	snprintf(k->at, sizeof(k->at), "%s", at);
	k->next = u->first;
	u->first = k;
	u->g->fds++;
	*out = k;
	return 0;
}

/* -- who comes to us -- */

/*
 * The oldest of those that are not up makes room, so that whoever is silent here
 * keeps nobody out: first among those of the same address, which are COMING_MAX
 * at most.
 */
static void
make_room(struct uplinks *u, const uint8_t addr[16])
{
	struct link *oldest = NULL, *same = NULL;
	unsigned     n = 0;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended || !k->accepted || k->up)
			continue;
		oldest = k; /* the newest are first */
		if (memcmp(k->addr, addr, 16) == 0) {
			same = k;
			n++;
		}
	}
	if (n >= COMING_MAX)
		link_end(same, END_CROWD, "");
	else if (u->naccepted >= LINKS_MAX && oldest != NULL)
		link_end(oldest, END_CROWD, "");
}

static void
take(struct listener *l, int take_fd, const uint8_t addr[16], uint16_t port,
    bool near)
{
	struct uplinks *u = l->g->uplinks;
	char		at[CONN_ADDR];
	struct link    *k;

	conn_address(addr, port, at);
	make_room(u, addr);
	sweep(u);
	if (u->naccepted >= LINKS_MAX) {
		close(take_fd);
		conn_count(l->g, addr, port, NULL, WHY_FULL);
		return;
	}
	if (link_new(u, take_fd, at, near, &k) < 0) {
		conn_count(l->g, addr, port, NULL, WHY_MEMORY);
		return;
	}
	k->accepted = true;
	u->naccepted++;
	memcpy(k->addr, addr, 16);
	k->port = port;
	if (l->g->tls == NULL || tls_accept(l->g->tls, take_fd, &k->tls) < 0) {
		link_end(k, END_TLS, "no memory");
		return;
	}
	tls_offer_alpn(k->tls, "h2");
}

void
uplink_take(struct listener *l, int take_fd, const uint8_t addr[16],
    uint16_t port)
{
	take(l, take_fd, addr, port, false);
}

void
uplink_take_dmz(struct listener *l, int take_fd, const uint8_t addr[16],
    uint16_t port)
{
	take(l, take_fd, addr, port, true);
}

/* -- whom we dial -- */

static void
dial_failed(struct dialler *d, const char *why)
{
	redial_failed(&d->redial, now_of(d->u), chance(), why);
}

static void
dial(struct dialler *d)
{
	int i;

	if (d->asked || d->link != NULL || d->u->g->draining ||
	    d->u->nasked == LINKS_ASKED ||
	    (i = redial_due(&d->redial, now_of(d->u))) < 0)
		return;
	if (dial_link(d->u->g, d, d->redial.of[i].host, d->redial.of[i].port) < 0)
		dial_failed(d, "dp-connect is away");
	else {
		d->asked = true;
		d->u->nasked++;
	}
}

void
uplink_dialled(struct dialler *d, int take_fd, const char *text)
{
	const size_t i = d->redial.next;
	char	     at[URL_HOST_LEN + 8];
	struct link *k;

	d->asked = false;
	d->u->nasked--;
	if (!d->redial.busy) { /* the list has changed meanwhile */
		if (take_fd >= 0)
			close(take_fd);
		return;
	}
	if (take_fd < 0) {
		dial_failed(d, text);
		say_dialler(d);
		return;
	}
	snprintf(at, sizeof(at),
	    strchr(d->redial.of[i].host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    d->redial.of[i].host, d->redial.of[i].port);
	if (link_new(d->u, take_fd, at, d->near, &k) < 0) {
		dial_failed(d, "no memory");
		return;
	}
	k->by = d;
	d->link = k;
	k->addr[10] = k->addr[11] = 0xff; /* 0.0.0.0: whom we chose */
	if (d->u->client == NULL ||
	    tls_connect(d->u->client, take_fd, d->redial.of[i].host, "h2",
		&k->tls) < 0)
		link_end(k, END_TLS, "no memory");
	else
		shake(k);
	if (!k->ended)
		watch(k);
}

/* -- devices -- */

/* Of the links that are up, the one with the fewest streams. */
static struct link *
choose(struct uplinks *u)
{
	struct link	*best = NULL;
	struct mux_stats st, least;

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (!k->near || !is_up(k) || mux_may_open(k->mux) < 0)
			continue;
		mux_stats(k->mux, &st);
		if (best == NULL || st.streams < least.streams) {
			best = k;
			least = st;
		}
	}
	return best;
}

/* Whether one is on its way, or up and without room for one more. Of one that
 * is down not, nor of whoever came and has not said who it is. */
static bool
is_coming(const struct uplinks *u)
{
	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (k->near && !k->ended && !k->shaking &&
		    mux_may_open(k->mux) == -EAGAIN &&
		    (k->by == NULL || !k->by->redial.down))
			return true;
	return u->up.redial.n > 0 && !u->up.redial.down;
}

static const struct server *
next_server(const struct upstream *s, uint16_t after)
{
	size_t i = 0;

	for (size_t j = 0; j < s->n; j++)
		if (s->of[j].id == after)
			i = j + 1;
	return i < s->n ? &s->of[i] : NULL;
}

/* Whose the stream is to be: a gateway's that goes on, or our own device's. */
static bool
fill_request(struct conn *c, struct mux_request *rq)
{
	struct gateway	    *g = c->g;
	const struct server *s;

	*rq = (struct mux_request){ 0 };
	if (c->origin != NULL) {
		snprintf(rq->authority, sizeof(rq->authority), "%s", c->sni);
		snprintf(rq->via, sizeof(rq->via), "%s", c->origin->via);
		snprintf(rq->device, sizeof(rq->device), "%s",
		    c->origin->device);
		return true;
	}
	if ((s = next_server(conn_upstream(c), c->server)) == NULL)
		return false;
	c->server = s->id;
	if (c->term != NULL) /* whom we have verified */
		snprintf(rq->device, sizeof(rq->device), "%s", c->sni);
	snprintf(rq->authority, sizeof(rq->authority),
	    strchr(s->host, ':') != NULL ? "[%s]:%u" : "%s:%u", s->host,
	    s->port);
	snprintf(rq->via, sizeof(rq->via), "2.0 %s", g->id);
	return true;
}

enum uplink_way
uplink_open(struct conn *c)
{
	struct gateway	  *g = c->g;
	struct uplinks	  *u = g->uplinks;
	struct mux_request rq;
	struct link	  *k;

	if (g->conf.uplink[0] == '\0' && g->conf.dmz_listen[0] == '\0')
		return UPLINK_DIRECT;
	if ((k = choose(u)) == NULL)
		return is_coming(u) ? UPLINK_WAIT
		    : g->conf.uplink_fallback
		    ? UPLINK_DIRECT
		    : UPLINK_NONE;
	if (!fill_request(c, &rq) ||
	    mux_open(k->mux, &rq, c, &c->stream[SERVER]) < 0)
		return UPLINK_NONE;
	c->link = k->id;
	c->introduce = g->conf.proxy_protocol && c->origin == NULL;
	conn_phase(c, P_ASKED);
	return UPLINK_OPENED;
}

/* -- time -- */

/* It takes no new ones: those there live on, and another link is made. */
static void
replace_if_draining(struct link *k)
{
	if (k->by == NULL || !mux_is_draining(k->mux))
		return;
	log_info("uplink to %s is draining", k->at);
	let_go(k, END_OURS, "it is draining");
}

static void
check_stuck(struct uplinks *u)
{
	struct gateway	*g = u->g;
	uint64_t	 now = now_of(u);
	struct mux_stats st;
	size_t		 queued = 0;

	for (struct link *k = u->first; k != NULL; k = k->next)
		if (k->mux != NULL) {
			mux_stats(k->mux, &st);
			queued += st.queued;
		}
	if (queued == 0)
		return;
	for (struct conn *c = g->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (tunnel_is_stuck(c, now))
			conn_end(c, WHY_STUCK);
	}
}

/* Who has come, or was dialled, is not believed for ever. */
void
uplinks_check(struct uplinks *u)
{
	time_t now = time(NULL);

	for (struct link *k = u->first; k != NULL; k = k->next)
		if (!k->ended && !k->shaking)
			(void)check_peer(k, now);
	uplink_pump(u); /* conns that have ended say so */
	sweep(u);
}

void
uplinks_tick(struct uplinks *u)
{
	uint64_t now = now_of(u);

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended)
			continue;
		if (k->shaking && now - k->since_ms >= SHAKE_MS)
			link_end(k, END_LATE, "");
		else if (!k->shaking) {
			mux_tick(k->mux, now);
			replace_if_draining(k);
		}
	}
	for (struct dialler *d = &u->up; d != NULL; d = next_dialler(d))
		dial(d);
	if (now - u->checked_ms >= 1000) {
		u->checked_ms = now;
		check_stuck(u);
		uplinks_check(u);
	}
	uplink_pump(u);
	sweep(u);
}

bool
uplinks_want_ticks(const struct uplinks *u)
{
	bool dials = false;

	for (const struct dialler *d = &u->up; d != NULL; d = next_dialler(d))
		dials = dials || d->redial.n > 0;
	return dials || u->first != NULL;
}

/* -- life -- */

int
uplinks_new(struct gateway *g, struct uplinks **out)
{
	struct uplinks *u = calloc(1, sizeof(*u));

	if ((*out = u) == NULL)
		return -ENOMEM;
	u->g = g;
	u->up = (struct dialler){ .u = u, .head = &u->up, .near = true };
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		u->dial[i] = (struct dialler){ .u = u, .head = &u->dial[i] };
	return 0;
}

int
uplinks_configure(struct uplinks *u)
{
	const struct gateway_conf *conf = &u->g->conf;
	struct tls		  *client = NULL;
	char			   word[1024];
	size_t			   pos = 0;
	int			   r;

	if (conf->uplink[0] != '\0' || conf->dial[0] != '\0') {
		r = identity_client(u->g->w, "gateway.cert", "gateway.key",
		    conf->uplink_ca[0] != '\0' ? "gateway.uplink-ca"
					       : "gateway.client-ca",
		    &client);
		if (r < 0)
			return r;
	}
	tls_unref(&u->client);
	u->client = client;
	(void)dialler_set(&u->up, conf->uplink);
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		if (dialler_set(&u->dial[i],
			conf_word(conf->dial, &pos, word, sizeof(word))
			    ? word : ""))
			want_siblings(&u->dial[i], 1);
	sweep(u);
	conn_tick_soon(u->g);
	return 0;
}

void
uplinks_drain(struct uplinks *u)
{
	for (struct link *k = u->first; k != NULL; k = k->next)
		if (!k->ended && !k->shaking)
			mux_drain(k->mux);
	uplink_pump(u);
}

void
uplinks_free(struct uplinks **up)
{
	struct uplinks *u = *up;

	if (u == NULL)
		return;
	for (struct link *k = u->first; k != NULL; k = k->next)
		link_end(k, END_OURS, "");
	sweep(u);
	for (size_t i = 0; i < GATEWAY_SERVERS; i++)
		for (struct dialler *d = u->dial[i].sibling, *next; d != NULL;
		     d = next) {
			next = d->sibling;
			free(d);
		}
	tls_unref(&u->client);
	free(u);
	*up = NULL;
}

/* -- for the administrator -- */

void
uplinks_rows(struct uplinks *u, struct admin_reply *reply)
{
	char		 process[16];
	struct mux_stats st;
	uint64_t	 now = now_of(u);

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended)
			continue;
		st = (struct mux_stats){ 0 };
		process[0] = '\0';
		if (k->mux != NULL)
			mux_stats(k->mux, &st);
		if (k->process != 0) /* a word: rows that differ in it are two */
			snprintf(process, sizeof(process), "%u.", k->process);
		admin_row(reply,
		    json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I}",
			"uplink", k->at, "name", k->peer, "end",
			k->near ? "near" : "far", "process", process, "state",
			is_up(k)	 ? "up"
			    : k->up	 ? "ending"
			    : k->shaking ? "handshake"
					 : "settings",
			"streams", (int)st.streams, "queued",
			(json_int_t)st.queued, "received", (json_int_t)st.in,
			"sent", (json_int_t)st.out, "rtt_ms",
			(json_int_t)st.rtt_ms, "age_s",
			(json_int_t)((now - k->since_ms) / 1000)));
	}
	for (struct dialler *d = &u->up; d != NULL; d = next_dialler(d))
		if (d->redial.n > 0 && d->link == NULL)
			admin_row(reply,
			    json_pack("{s:s,s:s,s:s,s:I,s:s}", "uplink",
				d->redial.of[d->redial.next].host, "end",
				d->near ? "near" : "far", "state",
				d->redial.down ? "down" : "connecting",
				"failures", (json_int_t)d->redial.failures,
				"why", d->redial.why));
}

void
uplinks_metrics(struct uplinks *u, struct admin_reply *reply)
{
	struct mux_stats st, sum = { 0 };
	uint64_t	 n[2] = { 0, 0 }, in = u->in, out = u->out;
	char		 label[64];

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (!k->ended)
			n[k->near] += is_up(k);
		if (k->ended || k->mux == NULL)
			continue;
		mux_stats(k->mux, &st);
		sum.streams += st.streams;
		sum.queued += st.queued;
		in += st.in;
		out += st.out;
		sum.rtt_ms = st.rtt_ms > sum.rtt_ms ? st.rtt_ms : sum.rtt_ms;
	}
	worker_metric(reply, "dpoint_gateway_uplinks", "gauge",
	    "Uplinks that are up, by which end we are.", "end=\"near\"",
	    (double)n[1]);
	worker_metric(reply, "dpoint_gateway_uplinks", "gauge", "",
	    "end=\"far\"", (double)n[0]);
	worker_metric(reply, "dpoint_gateway_uplink_streams", "gauge",
	    "Connections of devices in uplinks.", NULL, (double)sum.streams);
	worker_metric(reply, "dpoint_gateway_uplink_queue_bytes", "gauge",
	    "Bytes from uplinks that wait for slow connections.", NULL,
	    (double)sum.queued);
	worker_metric(reply, "dpoint_gateway_uplink_rtt_seconds", "gauge",
	    "The longest answer to a PING now.", NULL,
	    (double)sum.rtt_ms / 1000);
	worker_metric(reply, "dpoint_gateway_uplink_bytes_total", "counter",
	    "Bytes of streams, by direction.", "direction=\"received\"",
	    (double)in);
	worker_metric(reply, "dpoint_gateway_uplink_bytes_total", "counter", "",
	    "direction=\"sent\"", (double)out);
	worker_metric(reply, "dpoint_gateway_uplink_established_total",
	    "counter", "Uplinks that came up.", NULL, (double)u->ups);
	for (unsigned e = MUX_DONE; e < ENDS; e++) {
		snprintf(label, sizeof(label), "reason=\"%s\"", end_word(e));
		worker_metric(reply, "dpoint_gateway_uplink_ended_total",
		    "counter", "Uplinks that ended or never came up, by reason.",
		    label, (double)u->ends[e]);
	}
}

void
uplinks_warnings(const struct uplinks *u, struct admin_reply *reply)
{
	bool near = false;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		near = near || (k->near && is_up(k));
	if (u->g->conf.dmz_listen[0] != '\0' && !near)
		worker_warning(reply, "gateway: no far end has dialled us");
	for (const struct dialler *d = &u->up; d != NULL; d = next_dialler(d))
		if (d->redial.down)
			worker_warning(reply, "gateway: no uplink to %s port %u: %s",
			    d->redial.of[d->redial.next].host,
			    d->redial.of[d->redial.next].port, d->redial.why);
}
