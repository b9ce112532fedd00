/*
 * dp-mcast/session.c - see session.h.
 *
 * Runs in dp-mcast. Believes nothing that comes to a group's socket before it
 * has been authenticated, and then what sender.c lets it say.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/session.h"

#include "common/fdt.h"
#include "common/log.h"
#include "common/size.h"
#include "dp-mcast/carousel.h"
#include "dp-mcast/heat.h"
#include "dp-mcast/want.h"
#include "dp-mcast/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MS	   1000000ULL /* ns */
#define TICK	   50000ULL   /* ns that are not worth a wait */
#define TRAINS	   4	      /* of one turn; then the others and reports */
#define DEPTH	   4	      /* blocks interleaved */
#define TOI	   1
#define FDT_FIRST  (3 * MS) /* the pauses double, to FDT_PAUSE */
#define FDT_PAUSE  (100 * MS)
#define FDT_SLOW   (2000 * MS) /* at most, where it would be over 1 % */
#define FDT_DAY	   86400
#define REPORTS	   64	/* of one turn */
#define REPORT_BUF 1500 /* longer ones are cut, and so no reports */
#define RECENT	   16	/* sessions remembered after their end */
#define SHARE	   16	/* reports of one receiver at once; then one */
#define SHARE_MS   8	/* in so many ms */

struct seen { /* a receiver of a session; agent 0: an empty place */
	uint32_t agent, index;
	uint64_t counter, registration;
	uint64_t spent_ms; /* its share is used up to that time */
};

struct session {
	struct session	   *next;
	struct mcast	   *m;
	struct mcast_group  at;
	unsigned	    group;
	char		   *name;
	struct hash	    hash;
	uint64_t	    size, begun_ms;
	int		    fd, socket;
	uint16_t	    tsi, generation;
	struct sender	   *sender;
	struct wire	   *wire;
	struct loop_timer  *timer;
	char		   *fdt;
	size_t		    fdt_len;
	uint64_t	    fdt_at, fdt_pause;
	bool		    closed, told_error, again; /* again: begin anew */
	bool		    stopped; /* by an administrator */
	struct seen	   *seen;
	unsigned	    nseen, nplaces, room; /* nseen: with an index */
};

struct sessions {
	struct session	     *first;
	struct mcast_sealer  *opens;
	struct session_totals done; /* of those that are over */
	struct {
		uint64_t rate, ms;
	} found[MCAST_GROUPS]; /* by the last one, and when */
	char		     *recent[RECENT]; /* JSON of their rows, a ring */
	unsigned	      nrecent;	      /* that there ever were */
};

const char *
dropped_word(enum dropped d)
{
	static const char *const words[DROPPED_KINDS] = { "form", "session",
		"stranger", "replay", "forged", "busy", "flood", "stale",
		"range" };

	return words[d];
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* -- which there are -- */

bool
session_find(const struct mcast *m, const struct hash *h)
{
	const struct session *s = m->sessions->first;

	while (s != NULL && !hash_eq(&s->hash, h))
		s = s->next;
	return s != NULL;
}

unsigned
sessions_count(const struct mcast *m)
{
	unsigned n = 0;

	for (const struct session *s = m->sessions->first; s != NULL;
	    s = s->next) {
		const struct session *o = m->sessions->first;

		while (!hash_eq(&o->hash, &s->hash))
			o = o->next;
		n += o == s; /* the first of its object */
	}
	return n;
}

static struct session *
by_tsi(const struct mcast *m, uint16_t tsi)
{
	struct session *s = m->sessions->first;

	while (s != NULL && s->tsi != tsi)
		s = s->next;
	return s;
}

uint16_t
sessions_new_tsi(const struct mcast *m)
{
	uint16_t tsi = 0;

	do /* at most a few dozen of 65,535 are in use */
		if (getrandom(&tsi, sizeof(tsi), 0) != (ssize_t)sizeof(tsi))
			tsi++;
	while (tsi == 0 || by_tsi(m, tsi) != NULL ||
	    carousel_has_tsi(m->carousel, tsi));
	return tsi;
}

void
sessions_share(struct mcast *m)
{
	uint64_t now = now_ns(), n = 0;

	for (struct session *s = m->sessions->first; s != NULL; s = s->next)
		n++;
	for (struct session *s = m->sessions->first; s != NULL; s = s->next)
		sender_ceiling(s->sender, now,
		    m->rate == 0 ? 0 : m->rate / n + 1);
}

/* -- receivers -- */

static struct seen *
seen_place(struct seen *of, unsigned room, uint32_t agent)
{
	unsigned i = (agent * 2654435761u) & (room - 1);

	while (of[i].agent != 0 && of[i].agent != agent)
		i = (i + 1) & (room - 1);
	return &of[i];
}

/* The receiver's place in this session; NULL without memory. */
static struct seen *
seen_of(struct session *s, const struct agent *a)
{
	unsigned     room = s->room == 0 ? 16 : 2 * s->room;
	struct seen *more, *p;

	if (2 * (s->nplaces + 1) > s->room) {
		if ((more = calloc(room, sizeof(*more))) == NULL)
			return NULL;
		for (unsigned i = 0; i < s->room; i++)
			if (s->seen[i].agent != 0)
				*seen_place(more, room, s->seen[i].agent) =
				    s->seen[i];
		free(s->seen);
		s->seen = more;
		s->room = room;
	}
	p = seen_place(s->seen, s->room, a->id);
	if (p->agent == 0) {
		*p = (struct seen){ .agent = a->id, .index = UINT32_MAX };
		s->nplaces++;
	}
	if (p->registration != a->registration) { /* a new key counts anew */
		p->registration = a->registration;
		p->counter = 0;
	}
	return p;
}

/* Receivers are numbered as they are first believed. */
static int
admit(struct session *s, struct seen *p)
{
	int r;

	if (p->index != UINT32_MAX)
		return 0;
	if ((r = sender_receivers(s->sender, s->nseen + 1)) < 0)
		return r;
	p->index = s->nseen++;
	return 0;
}

/* Whether it may speak: its share of SHARE reports fills again by and by. */
static bool
has_share(struct seen *p, uint64_t now_ms)
{
	if (p->spent_ms + SHARE * SHARE_MS < now_ms)
		p->spent_ms = now_ms - SHARE * SHARE_MS;
	if (p->spent_ms + SHARE_MS > now_ms)
		return false;
	p->spent_ms += SHARE_MS;
	return true;
}

static enum dropped
refused_as(int r)
{
	return r == -EBUSY ? DROPPED_BUSY
	    : r == -ESTALE ? DROPPED_STALE
			   : DROPPED_RANGE;
}

static void
hear(struct mcast *m, const uint8_t *p, size_t len)
{
	struct session_totals *n = &m->sessions->done;
	struct mcast_report    r;
	struct mcast_key       key;
	struct session	      *s;
	struct agent	      *a;
	struct seen	      *seen;
	uint64_t	       counter;
	uint32_t	       agent;
	uint16_t	       tsi;
	int		       e;

	if (mcast_report_peek(p, len, &tsi, &agent, &counter) < 0) {
		n->dropped[DROPPED_FORM]++;
		return;
	}
	if ((s = by_tsi(m, tsi)) == NULL) {
		n->dropped[DROPPED_SESSION]++;
		return;
	}
	if ((a = keys_agent(m->keys, agent)) == NULL) {
		n->dropped[DROPPED_STRANGER]++;
		return;
	}
	if ((seen = seen_of(s, a)) == NULL || counter <= seen->counter) {
		n->dropped[DROPPED_REPLAY]++;
		return;
	}
	mcast_key_report(&key, a->key, tsi);
	e = mcast_sealer_key(m->sessions->opens, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	if (e < 0 || mcast_report_read(&r, m->sessions->opens, p, len) < 0 ||
	    admit(s, seen) < 0) {
		n->dropped[DROPPED_FORGED]++;
		return;
	}
	seen->counter = counter;
	if (!has_share(seen, now_ns() / MS)) {
		n->dropped[DROPPED_BUSY]++;
		return;
	}
	if (!sender_admits(s->sender, now_ns())) {
		n->dropped[DROPPED_FLOOD]++;
		return;
	}
	keys_heard_on(a, s->group, loop_now_ms(m->loop));
	keys_used(m->keys, a, loop_now_ms(m->loop));
	if ((e = sender_report(s->sender, now_ns(), seen->index, &r)) < 0) {
		n->dropped[refused_as(e)]++;
		return;
	}
	n->reports++;
	(void)loop_timer_set(s->timer, 0);
}

void
sessions_hear(struct mcast *m, unsigned group)
{
	static uint8_t buf[REPORTS][REPORT_BUF];
	struct mmsghdr mm[REPORTS];
	struct iovec   iov[REPORTS];
	int	       n;

	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < REPORTS; i++) {
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(m->groups[group].fd, mm, REPORTS, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if ((mm[i].msg_hdr.msg_flags & MSG_TRUNC) != 0)
			m->sessions->done.dropped[DROPPED_FORM]++;
		else
			hear(m, buf[i], mm[i].msg_len);
}

/* -- the object -- */

static int
read_object(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const struct session *s = ctx;
	uint8_t		     *p = buf;
	ssize_t		      n;

	while (len > 0) {
		n = pread(s->fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* -- counts -- */

/* Bytes of the object that receivers say they have; what one had before, from
 * an earlier session, counts again. */
static uint64_t
delivered(const struct session *s, const struct sender_stats *st)
{
	struct sender_receiver r;
	uint64_t	       sum = 0, blocks = 0;

	for (unsigned i = 0; i < s->nseen; i++) {
		if (sender_receiver(s->sender, i, &r) < 0)
			continue;
		if ((r.flags & SENDER_DONE) != 0)
			sum += s->size;
		else
			blocks += r.complete;
	}
	return sum +
	    (uint64_t)((double)s->size * (double)blocks / (double)st->blocks);
}

static void
add_stats(struct session_totals *n, const struct session *s)
{
	const struct wire_counts *w = wire_counts(s->wire);
	struct sender_stats	  st;

	sender_stats(s->sender, &st);
	n->source += st.source_bytes;
	n->proactive += st.proactive_bytes;
	n->repair += st.repair_bytes;
	n->wire += w->bytes;
	n->refused += w->refused;
	n->delivered += delivered(s, &st);
}

/* -- a session in words -- */

/* Whether a place of s->seen is a receiver that has a line; *r then. */
static bool
is_shown(const struct session *s, unsigned place, struct sender_receiver *r)
{
	const struct seen *p = &s->seen[place];

	return p->agent != 0 && p->index < SENDER_HEAT_ROWS &&
	    sender_receiver(s->sender, p->index, r) == 0;
}

static const char *
device_of(const struct session *s, unsigned place)
{
	const struct agent *a = keys_agent(s->m->keys, s->seen[place].agent);

	return a != NULL ? a->device : "";
}

static json_t *
receiver_json(const struct session *s, unsigned place,
    const struct sender_receiver *r)
{
	char heat[SENDER_HEAT + 1];

	for (int k = 0; k < SENDER_HEAT; k++)
		heat[k] = (char)('0' + (r->heat[k] <= 9 ? r->heat[k] : 9));
	heat[SENDER_HEAT] = '\0';
	return json_pack("{s:s,s:f,s:I,s:b,s:b,s:b,s:s}", "device",
	    device_of(s, place), "loss_percent", (double)r->loss / 10, "blocks",
	    (json_int_t)r->complete, "done", (r->flags & SENDER_DONE) != 0,
	    "unicast", (r->flags & SENDER_LEFT) != 0, "slow",
	    (r->flags & SENDER_SLOW) != 0, "heat", heat);
}

/* All receivers' holes, in HEAT_ROWS rows at most; NULL without memory. */
static json_t *
strip_json(const struct session *s)
{
	struct heat_line      *line = calloc(SENDER_HEAT_ROWS, sizeof(*line));
	struct sender_receiver r;
	json_t		      *list;
	size_t		       n = 0;

	if (line == NULL)
		return NULL;
	for (unsigned i = 0; i < s->room && n < SENDER_HEAT_ROWS; i++) {
		if (!is_shown(s, i, &r))
			continue;
		line[n] = (struct heat_line){ .device = device_of(s, i),
			.devices = 1, .done = (r.flags & SENDER_DONE) != 0,
			.unicast = (r.flags & SENDER_LEFT) != 0,
			.loss_least = r.loss, .loss_most = r.loss };
		memcpy(line[n++].cell, r.heat, sizeof(r.heat));
	}
	list = heat_json(line, heat_fold(line, n));
	free(line);
	return list;
}

static json_t *
session_json(const struct session *s, const char *state)
{
	struct sender_stats st;
	char		    hex[HASH_HEX];
	json_t		   *row;

	sender_stats(s->sender, &st);
	hash_to_hex(&s->hash, hex);
	row = json_pack("{s:i,s:s,s:s,s:s,s:s,s:I,s:f}", "session",
	    (int)s->tsi, "name", s->name, "sha256", hex, "group",
	    s->at.address, "state", state, "size", (json_int_t)s->size,
	    "seconds",
	    (double)(loop_now_ms(s->m->loop) - s->begun_ms) / 1000);
	if (row == NULL)
		return NULL;
	json_object_update_new(row,
	    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "source_bytes",
		(json_int_t)st.source_bytes, "parity_bytes",
		(json_int_t)st.proactive_bytes, "repair_bytes",
		(json_int_t)st.repair_bytes, "wire_bytes",
		(json_int_t)wire_counts(s->wire)->bytes, "delivered_bytes",
		(json_int_t)delivered(s, &st), "rate", (json_int_t)st.rate,
		"blocks", (json_int_t)st.blocks, "frontier",
		(json_int_t)st.frontier, "pending", (json_int_t)st.pending));
	json_object_update_new(row,
	    json_pack("{s:i,s:i,s:i,s:i,s:i,s:f,s:f,s:f,s:f}", "receivers",
		(int)st.receivers, "heard", (int)st.heard, "done",
		(int)st.done, "unicast", (int)st.left, "slow", (int)st.slow,
		"loss_percent", (double)st.loss_median / 10, "loss_90_percent",
		(double)st.loss_90 / 10, "loss_max_percent",
		(double)st.loss_max / 10, "rtt_ms", (double)st.rtt_us / 1000));
	return row;
}

/* The last RECENT that are over, with their strips: for reports. */
static void
remember(const struct session *s, const char *state)
{
	struct sessions *all = s->m->sessions;
	json_t		*row = session_json(s, state);
	char	       **place = &all->recent[all->nrecent % RECENT], *text = NULL;

	if (row != NULL) {
		json_object_set_new(row, "ended", json_integer(time(NULL)));
		json_object_set_new(row, "strip", strip_json(s));
		text = json_dumps(row, JSON_COMPACT);
		json_decref(row);
	}
	if (text == NULL)
		return;
	free(*place);
	*place = text;
	all->nrecent++;
}

/* -- the end of a session -- */

static void
session_free(struct session *s)
{
	struct session **p = &s->m->sessions->first;

	while (*p != NULL && *p != s)
		p = &(*p)->next;
	if (*p == s)
		*p = s->next;
	loop_timer_free(&s->timer);
	sender_free(&s->sender);
	wire_free(&s->wire);
	if (s->socket >= 0)
		close(s->socket);
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	free(s->fdt);
	free(s->seen);
	free(s);
}

static void
note_rate(struct sessions *all, const struct session *s)
{
	all->found[s->group].rate = sender_found(s->sender);
	all->found[s->group].ms = loop_now_ms(s->m->loop);
}

/* What one to that group begins with; 0: nothing is known, or not any more. */
static uint64_t
known_rate(const struct mcast *m, unsigned group)
{
	uint64_t ms = m->sessions->found[group].ms;

	return loop_now_ms(m->loop) - ms < DECIDE_MEMORY_MS
	    ? m->sessions->found[group].rate
	    : 0;
}

static void
session_over(struct session *s)
{
	struct mcast	   *m = s->m;
	struct sessions	   *all = m->sessions;
	struct sender_stats st;
	struct hash	    h = s->hash;
	bool		    aborted = s->told_error, again = s->again,
				    stopped = s->stopped;
	char		    hex[HASH_HEX], *name = NULL;
	uint64_t	    size = s->size;
	int		    fd = -1;

	sender_stats(s->sender, &st);
	add_stats(&all->done, s);
	all->done.aborted += aborted;
	all->done.finished += !aborted;
	note_rate(all, s);
	hash_to_hex(&h, hex);
	worker_event(m->w, aborted ? "multicast-aborted" : "multicast-sent",
	    json_pack("{s:s,s:s,s:s,s:I,s:f,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:f}",
		"name", s->name, "sha256", hex, "group", s->at.address, "size",
		(json_int_t)s->size, "seconds",
		(double)(loop_now_ms(m->loop) - s->begun_ms) / 1000,
		"source_bytes", (json_int_t)st.source_bytes, "parity_bytes",
		(json_int_t)st.proactive_bytes, "repair_bytes",
		(json_int_t)st.repair_bytes, "wire_bytes",
		(json_int_t)wire_counts(s->wire)->bytes, "receivers",
		(int)st.heard, "done", (int)st.done, "unicast",
		(int)st.left, "loss_percent", (double)st.loss_median / 10));
	remember(s, aborted ? "aborted" : "sent");
	if (again) {
		fd = s->fd;
		name = s->name;
		s->fd = -1;
		s->name = NULL;
	}
	session_free(s);
	sessions_share(m);
	if (!aborted && st.heard > 0)
		wants_session_heard(m->wants, &h, st.loss_median / 10);
	if (session_find(m, &h)) { /* the last of its sessions goes on with it */
		if (fd >= 0)
			close(fd);
	} else if (again) {
		if (session_start(m, &h, name, size, fd) < 0)
			wants_session_over(m->wants, &h, false);
	} else {
		wants_session_over(m->wants, &h, !aborted && st.heard == 0);
		if (stopped)
			wants_stop(m->wants, &h);
	}
	free(name);
	mcast_idle(m);
}

static void
session_fail(struct session *s, const char *what, int r)
{
	if (!s->told_error)
		log_err_err(r, "%s: %s", s->name, what);
	s->told_error = true;
	sender_abort(s->sender, now_ns());
}

/* -- turns -- */

/* More often at the beginning: without it nothing else is understood. */
static void
say_fdt(struct session *s, uint64_t now)
{
	enum sender_state state = sender_state(s->sender);
	uint64_t	  before, one_percent;
	int		  r;

	if ((state == SENDER_RUNS && now < s->fdt_at) || s->closed)
		return;
	before = wire_counts(s->wire)->bytes;
	r = wire_fdt(s->wire, 1, s->fdt, s->fdt_len,
	    state == SENDER_RUNS ? 0 : ALC_CLOSE_SESSION);
	if (r < 0 && r != -EAGAIN)
		session_fail(s, "file description", r);
	before = wire_counts(s->wire)->bytes - before;
	sender_charge(s->sender, before);
	s->closed |= state != SENDER_RUNS;
	one_percent = before * 100 * 1000 * MS / sender_rate(s->sender);
	s->fdt_pause = s->fdt_pause * 2 < FDT_PAUSE ? s->fdt_pause * 2 : FDT_PAUSE;
	if (s->fdt_pause < one_percent)
		s->fdt_pause = one_percent < FDT_SLOW ? one_percent : FDT_SLOW;
	s->fdt_at = now + s->fdt_pause;
}

static void
say_notice(struct session *s, uint64_t now)
{
	struct mcast_notice n;
	int		    r;

	if (!sender_notice(s->sender, now, wire_counter(s->wire), &n))
		return;
	if ((r = wire_notice(s->wire, &n)) < 0)
		session_fail(s, "notice", r);
}

static void
schedule(struct session *s, bool more)
{
	uint64_t now = now_ns(), wake = sender_wake(s->sender, now), ns = 0;

	if (!s->closed && s->fdt_at < wake)
		wake = s->fdt_at;
	if (!more && wake > now)
		ns = wake - now < 1000 * MS ? wake - now : 1000 * MS;
	/* less than a timer's precision is a turn of the others */
	(void)loop_timer_set_us(s->timer, ns < TICK ? 0 : ns / 1000);
}

static void
turn(void *ctx)
{
	struct session	    *s = ctx;
	struct sender_symbol sym[WIRE_TRAIN];
	uint64_t	     now = now_ns();
	bool		     more = true;
	int		     n, r = 0;

	if (wire_flush(s->wire) == -EAGAIN) {
		(void)loop_timer_set(s->timer, 1);
		return;
	}
	say_fdt(s, now);
	say_notice(s, now);
	for (int i = 0; more && r == 0 && i < TRAINS; i++) {
		n = sender_next(s->sender, now, wire_counter(s->wire), sym,
		    WIRE_TRAIN);
		if (n < 0)
			session_fail(s, "reading it", n);
		more = n > 0;
		if (more &&
		    (r = wire_symbols(s->wire, TOI, sym, (unsigned)n)) < 0 &&
		    r != -EAGAIN)
			session_fail(s, "sending it", r);
	}
	if (r == -EAGAIN) {
		(void)loop_timer_set(s->timer, 1);
		return;
	}
	if (sender_state(s->sender) == SENDER_OVER)
		session_over(s); /* frees it */
	else
		schedule(s, more);
}

/* -- the beginning of one -- */

static int
make_fdt(struct session *s, const struct alc_fti *fti)
{
	struct fdt_file file = { .name = s->name, .hash = s->hash, .fti = *fti,
		.toi = TOI };
	struct fdt	f = { .expires = fdt_expires(time(NULL) + FDT_DAY),
		     .is_complete = true, .n = 1, .file = &file };

	return fdt_build(&f, &s->fdt, &s->fdt_len);
}

static int
make_wire(struct session *s, const struct group *g, uint16_t symbol)
{
	struct wire_conf	 c = { .fd = s->socket, .data = &g->data,
		.notices = &g->notices, .addr_len = g->addr_len,
		.tsi = s->tsi, .symbol = symbol };
	const struct generation *gen;
	struct mcast_key	 key;
	int			 r;

	if (s->m->is_open)
		return wire_new(&c, &s->wire);
	if (keys_generations(s->m->keys, &gen) == 0)
		return -ENOKEY;
	c.generation = s->generation = gen->id;
	if (getrandom(c.salt, sizeof(c.salt), 0) != (ssize_t)sizeof(c.salt))
		return -EIO;
	r = mcast_key_session(&key, gen->secret, c.salt, gen->id, s->tsi);
	c.key = &key;
	if (r == 0)
		r = wire_new(&c, &s->wire);
	OPENSSL_cleanse(&key, sizeof(key));
	return r;
}

static int
session_new(struct mcast *m, unsigned group, const struct hash *h,
    const char *name, uint64_t size, int fd, uint32_t receivers)
{
	const struct group *g = &m->groups[group];
	struct alc_fti	    fti = { .length = size, .block = ALC_BLOCK,
		    .symbol = g->at.family == AF_INET ? ALC_SYMBOL_IPV4
						      : ALC_SYMBOL_IPV6,
		    .symbols = ALC_SYMBOLS_MAX };
	struct session	   *s = calloc(1, sizeof(*s));
	struct sender_conf  c;
	int		    r = -ENOMEM;

	if (s == NULL)
		return r;
	*s = (struct session){ .m = m, .at = g->at, .group = group, .hash = *h,
		.size = size, .begun_ms = loop_now_ms(m->loop),
		.name = strdup(name), .tsi = sessions_new_tsi(m),
		.fdt_pause = FDT_FIRST / 2,
		.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
		.socket = fcntl(g->fd, F_DUPFD_CLOEXEC, 3) };
	if (s->name == NULL || s->fd < 0 || s->socket < 0)
		goto out;
	if ((r = make_fdt(s, &fti)) < 0 ||
	    (r = make_wire(s, g, fti.symbol)) < 0 ||
	    (r = loop_timer_new(m->loop, turn, s, &s->timer)) < 0)
		goto out;
	c = (struct sender_conf){ .length = size, .symbol = fti.symbol,
		.block = fti.block, .symbols = fti.symbols, .depth = DEPTH,
		.receivers = receivers, .overhead = wire_overhead(s->wire),
		.rate = m->rate, .rate_start = known_rate(m, group),
		.max_loss = (uint16_t)(m->conf.max_loss * 10),
		.read = read_object, .ctx = s };
	if ((r = sender_new(&s->sender, &c)) < 0)
		goto out;
	s->next = m->sessions->first;
	m->sessions->first = s;
	m->sessions->done.started++;
	r = loop_timer_set(s->timer, 0);
	s = NULL;
out:
	if (s != NULL)
		session_free(s);
	return r;
}

int
session_start(struct mcast *m, const struct hash *h, const char *name,
    uint64_t size, int take_fd)
{
	char	 by_hash[16 + HASH_HEX] = "sha256/";
	unsigned begun = 0, n;
	int	 r = -ENETDOWN;

	hash_to_hex(h, by_hash + 7);
	if (name == NULL)
		name = carousel_name(m->carousel, h);
	if (name[0] == '\0')
		name = by_hash;
	if (size == 0) /* nothing to send: the hash says it all */
		r = -EINVAL;
	for (unsigned i = 0; size > 0 && i < m->ngroups; i++) {
		if ((n = keys_heard(m->keys, (uint16_t)(1u << i),
			 loop_now_ms(m->loop))) == 0 &&
		    keys_agents(m->keys) > 0)
			continue; /* all listen to other groups */
		if ((r = session_new(m, i, h, name, size, take_fd, n)) < 0)
			log_err_err(r, "%s: not sent to %s", name,
			    m->groups[i].at.address);
		else
			begun++;
	}
	close(take_fd);
	if (begun == 0)
		return r;
	sessions_share(m);
	worker_event(m->w, "multicast-started",
	    json_pack("{s:s,s:s,s:I,s:i,s:i}", "name", name, "sha256",
		by_hash + 7, "size", (json_int_t)size, "groups", (int)begun,
		"receivers", (int)keys_agents(m->keys)));
	return 0;
}

static void
abort_session(struct session *s)
{
	sender_abort(s->sender, now_ns());
	s->told_error = true;
	(void)loop_timer_set(s->timer, 0);
}

void
sessions_restart(struct mcast *m)
{
	for (struct session *s = m->sessions->first; s != NULL; s = s->next) {
		abort_session(s);
		s->again = !m->draining;
		wants_session_anew(m->wants, &s->hash);
	}
}

unsigned
sessions_abort(struct mcast *m, const char *which)
{
	struct hash h;
	bool	    is_hash = which != NULL &&
	    hash_from_hex(&h, which, strlen(which)) == 0;
	unsigned    n = 0;

	for (struct session *s = m->sessions->first; s != NULL; s = s->next) {
		if (which != NULL && strcmp(which, s->name) != 0 &&
		    !(is_hash && hash_eq(&h, &s->hash)))
			continue;
		s->again = false;
		s->stopped = !m->draining;
		abort_session(s);
		n++;
	}
	return n;
}

/* -- for the administrator -- */

static void
put_row(void *ctx, json_t *take_row)
{
	admin_row(ctx, take_row);
}

static json_t *
receivers_json(const struct session *s)
{
	struct sender_receiver r;
	json_t		      *of = json_array();

	for (unsigned i = 0; i < s->room; i++)
		if (is_shown(s, i, &r))
			json_array_append_new(of, receiver_json(s, i, &r));
	return of;
}

static void
list_recent(const struct sessions *all, struct admin_reply *reply, bool strips)
{
	json_t *row;

	for (unsigned i = 0; i < RECENT && i < all->nrecent; i++) {
		row = json_loads(
		    all->recent[(all->nrecent - 1 - i) % RECENT], 0, NULL);
		if (row == NULL)
			continue;
		if (!strips)
			json_object_del(row, "strip");
		admin_row(reply, row);
	}
}

void
sessions_list(const struct mcast *m, struct admin_reply *reply,
    enum sessions_shown what)
{
	static const char *const states[] = { "runs", "ends", "over" };
	json_t			*row;

	for (const struct session *s = m->sessions->first; s != NULL;
	    s = s->next) {
		row = session_json(s, states[sender_state(s->sender)]);
		if (row == NULL)
			continue;
		if (what == SHOW_RECEIVERS) {
			heat_rows(row, receivers_json(s), put_row, reply);
			continue;
		}
		if (what == SHOW_HEAT)
			json_object_set_new(row, "strip", strip_json(s));
		admin_row(reply, row);
	}
	if (what == SHOW_RECENT || what == SHOW_HEAT)
		list_recent(m->sessions, reply, what == SHOW_HEAT);
}

struct session_totals
sessions_totals(const struct mcast *m)
{
	struct session_totals n = m->sessions->done;

	for (const struct session *s = m->sessions->first; s != NULL;
	    s = s->next)
		add_stats(&n, s);
	return n;
}

/* -- life -- */

int
sessions_new(struct mcast *m, struct sessions **out)
{
	struct sessions *all = calloc(1, sizeof(*all));
	int		 r = -ENOMEM;

	(void)m;
	*out = all;
	if (all == NULL)
		return r;
	if ((r = mcast_sealer_new(&all->opens, MCAST_OPENS)) < 0)
		sessions_free(out);
	return r;
}

void
sessions_free(struct sessions **sp)
{
	struct sessions *all = *sp;
	struct session	*s;

	if (all == NULL)
		return;
	while ((s = all->first) != NULL) {
		all->first = s->next;
		s->next = NULL;
		session_free(s);
	}
	for (int i = 0; i < RECENT; i++)
		free(all->recent[i]);
	mcast_sealer_free(&all->opens);
	free(all);
	*sp = NULL;
}
