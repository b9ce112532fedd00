/*
 * dp-gateway/link.c - one link: a TLS connection with HTTP/2 in it; see uplink.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of the other end what its
 * verified certificate says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/link_impl.h"

#include "common/hash.h"
#include "common/log.h"
#include "common/value.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_MAX     32	  /* of those, of one name: of 8 processes, old ones too */
#define SAY_MS	     10000 /* between two lines about who is refused */
#define REFUSED_MS   5000 /* so long others come before who refused one */
#define TURN_READ    (512 << 10)
#define TURN_WRITE   (1 << 20)
#define FRAME_MAX    (16384 + 9)
#define WINDOW	     (64 << 10) /* a stream's at first, and at most */
#define WINDOW_MAX   (1 << 20)
#define QUEUE_MAX    (64 << 20) /* bytes that wait in all streams of this link */
#define STREAMS_MORE 1000 /* than connections: they are told that it is full */
/* Refusals and resets that wait to be sent, of 500 bytes each: at so many it is
 * not heard. */
#define OWED_MAX     1500
/* What the kernel may hold unsent: more would stand before every new byte. */
#define UNSENT_MAX   (64 << 10)

static const char *const end_words[ENDS - MUX_WHYS] = { "tls", "name", "no-h2",
	"handshake-timeout", "crowd", "too-many", "revoked", "expired", "queue",
	"twice", "gone", "ours" };

const char *
link_end_word(unsigned e)
{
	return e < MUX_WHYS ? mux_why_word((enum mux_why)e)
			    : end_words[e - MUX_WHYS];
}

bool
link_is_up(const struct link *k)
{
	return !k->ended && k->up && mux_why(k->mux, NULL) == MUX_NONE &&
	    !mux_is_draining(k->mux);
}

bool
link_has_refused(const struct link *k)
{
	return !k->ended && k->refused_ms != 0 &&
	    uplinks_now(k->u) - k->refused_ms < REFUSED_MS;
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

const uint8_t *
link_key(const struct link *k)
{
	return k->key;
}

/* -- its end: uplinks_sweep() takes it off the list -- */

/* Anybody may come and be refused: not a line for each of many. */
static void
say_refused(struct link *k, unsigned e, const char *text)
{
	struct uplinks *u = k->u;
	char		more[64] = "";

	if (u->said[e].said_ms != 0 &&
	    uplinks_now(u) - u->said[e].said_ms < SAY_MS) {
		u->said[e].unsaid++;
		return;
	}
	if (u->said[e].unsaid > 0)
		snprintf(more, sizeof(more),
		    "; %u others, too, since the last line", u->said[e].unsaid);
	log_info("uplink from %s refused: %s%s%s%s", k->at, link_end_word(e),
	    text[0] != '\0' ? ": " : "", text, more);
	u->said[e].said_ms = uplinks_now(u);
	u->said[e].unsaid = 0;
}

/* One that is listed may come and go: lines and events have a bound, too. */
static bool
may_say(struct link *k, char more[64])
{
	unsigned n = 0;

	more[0] = '\0';
	if (!peer_lines_may(&k->u->lines, k->key, uplinks_now(k->u), &n))
		return false;
	if (n > 0)
		snprintf(more, 64, "; %u lines of this peer left out since the "
		    "last", n);
	return true;
}

static void
say_down(struct link *k, unsigned e, const char *text)
{
	struct uplinks *u = k->u;
	char		more[64] = "";

	u->ends[e]++;
	if (e == END_TWICE)
		return;
	if (k->accepted && !k->up && e != END_OURS && e != MUX_DONE) {
		say_refused(k, e, text);
		return;
	}
	/* those that we dial and that do not come up: redial.h bounds these */
	if ((k->accepted || k->up) && !may_say(k, more))
		return;
	if (e == END_OURS || e == MUX_DONE)
		log_info("uplink %s ended: %s%s", k->at, link_end_word(e), more);
	else
		log_warn("uplink %s %s: %s%s%s%s", k->at,
		    k->up ? "lost" : "did not come up", link_end_word(e),
		    text[0] != '\0' ? ": " : "", text, more);
	if (k->up)
		worker_event(u->g->w, "gateway-uplink-down",
		    json_pack("{s:s,s:s,s:s}", "at", k->at, "reason",
			link_end_word(e), "why", text));
}

/* Failures are counted for good. */
static void
forget_servers(struct link *k)
{
	struct gateway *g = k->u->g;
	struct server  *s;

	for (int i = 0; k->servers != NULL && i < 2; i++)
		for (size_t j = 0; j < k->servers[i].n; j++) {
			s = upstream_find(i == 0 ? &g->upstream
						 : &g->terminate.servers,
			    k->servers[i].of[j].id);
			if (s != NULL)
				s->failures += k->servers[i].of[j].failures;
		}
	free(k->servers);
	k->servers = NULL;
}

void
link_end(struct link *k, unsigned e, const char *text)
{
	struct uplinks	*u = k->u;
	struct mux_stats st;
	char		 why[160];

	if (k->ended)
		return;
	k->ended = true;
	say_down(k, e, text);
	snprintf(why, sizeof(why), "%s%s%s", link_end_word(e),
	    text[0] != '\0' ? ": " : "", text);
	if (k->by != NULL)
		dialler_let_go(k, e, why);
	if (k->mux != NULL) {
		mux_stats(k->mux, &st);
		u->in += st.in;
		u->out += st.out;
		mux_free(&k->mux); /* each stream's owner hears of it */
		if (!k->blocked)
			tls_goodbye(k->tls);
	}
	forget_servers(k);
	tls_conn_free(&k->tls);
	loop_io_free(&k->io);
	close(k->fd);
	u->g->fds--;
	u->naccepted -= k->accepted;
}

/* -- bytes -- */

void
link_watch(struct link *k)
{
	if (k->ended)
		return;
	(void)loop_io_set(k->io, (k->deaf ? 0 : LOOP_READ) |
	    (k->blocked || k->deaf ? LOOP_WRITE : 0));
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
		     (m = mux_out(k->mux, &p, uplinks_now(k->u))) > 0;
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
			link_watch(k);
		}
		check_why(k);
	}
}

/*
 * Whether the peer has not read the answers to what it asks, and is not heard until
 * it has. The near end, which answers nothing, always hears: two that wait for each
 * other would wait for ever.
 */
static bool
owes_much(const struct link *k)
{
	struct mux_stats st;

	if (k->near)
		return false;
	mux_stats(k->mux, &st);
	return st.owed >= OWED_MAX;
}

static void
hear(struct link *k)
{
	static uint8_t buf[64 << 10];
	size_t	       turn = 0;
	ssize_t	       n;

	k->deaf = false;
	tls_readable(k->tls, false);
	while (mux_why(k->mux, NULL) == MUX_NONE && !owes_much(k) &&
	    (turn < TURN_READ || tls_has_more(k->tls))) {
		n = tls_read(k->tls, buf, sizeof(buf));
		if (tls_unsent(k->tls) > 0) /* an answer of OpenSSL's */
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
		mux_in(k->mux, buf, (size_t)n, uplinks_now(k->u));
	}
	k->deaf = owes_much(k);
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

	while (value_word(u->g->conf.uplink_peers, &pos, word, sizeof(word)))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

void
link_follow(struct link *k)
{
	if (k->servers == NULL)
		return;
	upstream_follow(&k->servers[0], &k->u->g->upstream);
	upstream_follow(&k->servers[1], &k->u->g->terminate.servers);
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
	if (k->near && (k->servers = calloc(2, sizeof(*k->servers))) == NULL) {
		link_end(k, MUX_MEMORY, "");
		return;
	}
	link_follow(k);
	if (mux_new(&mc, &tunnel_ops, k, uplinks_now(k->u), &k->mux) < 0) {
		link_end(k, MUX_MEMORY, "");
		return;
	}
	k->since_ms = uplinks_now(k->u);
}

static void
say_up(struct link *k)
{
	char more[64];

	if (!may_say(k, more))
		return;
	log_info("uplink %s %s%s%s%s", k->accepted ? "from" : "to", k->at,
	    k->peer[0] != '\0' ? ", " : "", k->peer, more);
	worker_event(k->u->g->w, "gateway-uplink-up",
	    json_pack("{s:s,s:s}", "at", k->at, "name", k->peer));
}

static void
check_up(struct link *k)
{
	if (k->ended || k->up || k->mux == NULL || !mux_is_greeted(k->mux) ||
	    mux_why(k->mux, NULL) != MUX_NONE ||
	    (k->by != NULL && !k->near && !dialler_is_first(k)))
		return;
	k->up = true;
	k->u->ups++;
	k->since_ms = uplinks_now(k->u);
	if (k->u->g->refusing && !k->near) /* on its way when that was said */
		mux_drain(k->mux);
	if (k->by != NULL) {
		redial_up(&k->by->redial, uplinks_now(k->u));
		k->by->said_down = false;
	}
	say_up(k);
}

/* What its certificate is worth now; -EACCES: it has ended. */
int
link_check(struct link *k, time_t now)
{
	const struct tls *lists = k->u->g->lists;

	if (k->accepted && !is_peer(k->u, k->peer))
		link_end(k, END_NAME, k->peer);
	else if (lists != NULL && tls_peer_revoked(k->tls, lists))
		link_end(k, END_REVOKED, k->peer);
	else if (tls_peer_expires(k->tls) <= now)
		link_end(k, END_EXPIRED, k->peer);
	return k->ended ? -EACCES : 0;
}

void
link_shake(struct link *k)
{
	struct hash h;
	const char *name;
	int	    r = tls_handshake(k->tls);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		link_end(k, END_TLS, tls_error());
		return;
	}
	k->shaking = false;
	conn_shaken(k->u->g, SHAKEN_UPLINK, k->tls, k->since_ms);
	if ((r = tls_flush(k->tls)) < 0 && r != -EAGAIN) { /* a ticket, too */
		link_end(k, END_GONE, strerror(-r));
		return;
	}
	k->blocked = r == -EAGAIN;
	snprintf(k->peer, sizeof(k->peer), "%s", tls_peer_name(k->tls));
	if (link_check(k, time(NULL)) < 0)
		return;
	/* who is dialled may have no name but its host's */
	name = k->peer[0] != '\0' ? k->peer : k->at;
	if (hash_of(&h, name, strlen(name)) < 0) {
		link_end(k, MUX_MEMORY, "");
		return;
	}
	memcpy(k->key, h.b, sizeof(k->key));
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
	uplinks_sweep(u);
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
		link_shake(k);
	}
	if (!k->ended && !k->shaking &&
	    (k->deaf ? !owes_much(k) : (events & LOOP_READ) != 0))
		hear(k);
	check_up(k);
	if (!k->ended)
		link_watch(k);
	settle(u);
}

int
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
	k->failure = WHY_CLOSED;
	if (++u->last_id == 0)
		u->last_id++;
	k->id = u->last_id;
	k->since_ms = uplinks_now(u);
	snprintf(k->at, sizeof(k->at), "%s", at);
	k->next = u->first;
	u->first = k;
	u->g->fds++;
	*out = k;
	return 0;
}
