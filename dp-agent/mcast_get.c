/*
 * dp-agent/mcast_get.c - one object by multicast, from the question to the hash.
 *
 * Runs in the network child. What comes by multicast is believed when the whole
 * has the signed hash. If it has not, the distribution point is asked for the
 * hashes of pieces: those say which piece to fetch again, and nothing else.
 * Every way out is targets_cast_over(), once.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define WAIT_MAX_MS 900000 /* for a distribution point that fetches it first */
#define ANSWER_MAX  65536
#define PIECE_MIN   (256 << 10)
#define PIECES_MAX  8192
#define RANGES_MAX  PIECES_MAX
#define SLICE	    (1 << 20) /* hashed in one turn of the loop, four times */
#define LINGER_MS   60000     /* to say that all is here */
#define BLOCKS_MAX  (1 << 22) /* of an object: 1.2 TB as our senders cut it */

static void fill_next(struct cast *c);
static void ask_how(struct cast *c);
static void ask_pieces(struct cast *c);

static uint64_t
now_ms(const struct cast *c)
{
	return loop_now_ms(c->m->n->loop);
}

static void
cast_free(struct cast *c)
{
	struct cast **p;

	for (p = &c->m->casts; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	if (c->http != NULL)
		download_cancel(&c->http);
	if (c->pieces_http != NULL)
		download_cancel(&c->pieces_http);
	loop_timer_free(&c->timer);
	loop_timer_free(&c->compare);
	receiver_free(&c->rx);
	hash_run_free(&c->run);
	free(c->pieces);
	free(c->todo);
	free(c);
}

/* What the receiver saw, for the status. */
static void
note(struct cast *c)
{
	struct target_cast *k = &c->t->cast;
	struct receiver_stats s;
	uint64_t	      symbol;

	k->ms = now_ms(c) - c->began_ms;
	if (c->rx == NULL)
		return;
	receiver_stats(c->rx, &s);
	symbol = c->symbol;
	k->multicast = (s.symbols - s.parity) * symbol;
	k->repair = s.parity * symbol;
	if (k->multicast > c->t->size)
		k->multicast = c->t->size;
	if (s.received + s.lost > 0)
		k->loss = (unsigned)(s.lost * 1000 / (s.received + s.lost));
}

/* Ends a cast for its target: it is whole, or comes by unicast. */
static void
over(struct cast *c, bool whole, const char *why)
{
	struct target *t = c->t;

	note(c);
	c->m->n->bytes += t->cast.multicast + t->cast.repair;
	snprintf(t->cast.why, sizeof(t->cast.why), "%s", whole ? "" : why);
	t->casting = NULL;
	c->t = NULL;
	if (whole && c->session != NULL && !c->session->is_carousel) {
		/* the sender is still to hear that we have it */
		c->state = CAST_LINGERS;
		receiver_rest(c->rx);
		c->moved_ms = now_ms(c);
		(void)loop_timer_set(c->timer, 0);
	} else
		cast_free(c);
	targets_cast_over(t, whole);
}

/* -- the hash of the whole -- */

static void
verify(struct cast *c)
{
	struct hash h;

	if (hash_run_end(c->run, &h) == 0 && hash_eq(&h, &c->t->hash)) {
		over(c, true, "");
		return;
	}
	if (c->looked) {
		c->t->start = 0; /* nothing here is worth going on after */
		over(c, false, "the pieces are right and the whole is not");
		return;
	}
	log_warn("%s: came by multicast with wrong bytes in it; looks for them",
	    c->t->path);
	c->state = CAST_LOOKS;
	c->looked = true;
	c->adopts = false;
	ask_pieces(c);
}

/* The rest of the hash, from the file. */
static void
check(struct cast *c)
{
	static uint8_t buf[SLICE];
	uint64_t       left;
	ssize_t	       n;

	for (int i = 0; i < 4 && c->hashed < c->t->size; i++) {
		left = c->t->size - c->hashed;
		n = pread(c->t->read_fd, buf,
		    left < SLICE ? (size_t)left : SLICE, (off_t)c->hashed);
		if (n <= 0 || hash_run_add(c->run, buf, (size_t)n) < 0) {
			over(c, false, "the file cannot be read back");
			return;
		}
		c->hashed += (uint64_t)n;
	}
	if (c->hashed == c->t->size)
		verify(c);
	else
		(void)loop_timer_set(c->timer, 0);
}

/* Blocks come in order as long as nothing is lost: most of it is hashed here. */
static int
on_piece(void *ctx, uint64_t offset, const void *p, size_t len)
{
	struct cast *c = ctx;

	if (offset != c->hashed)
		return -EINVAL;
	if (hash_run_add(c->run, p, len) < 0)
		return -ENOMEM;
	c->hashed += len;
	return 0;
}

/* -- ranges by HTTPS -- */

static int
add_range(struct cast *c, uint64_t from, uint64_t to, const struct hash *h)
{
	struct range *more;

	if (c->ntodo == RANGES_MAX)
		return -E2BIG;
	if ((c->ntodo & (c->ntodo - 1)) == 0) { /* room for a power of two */
		more = reallocarray(c->todo, c->ntodo > 0 ? 2 * c->ntodo : 1,
		    sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		c->todo = more;
	}
	c->todo[c->ntodo] = (struct range){ .from = from, .to = to,
		.has_hash = h != NULL };
	if (h != NULL)
		c->todo[c->ntodo].hash = *h;
	c->ntodo++;
	return 0;
}

static void
filled(struct cast *c)
{
	struct hash h;

	c->state = CAST_CHECKS;
	if (c->looked) { /* what was hashed before was wrong */
		(void)hash_run_end(c->run, &h);
		c->hashed = 0;
	}
	check(c);
}

static void
on_filled(void *ctx, const struct download_result *res)
{
	struct cast *c = ctx;
	struct net  *n = c->m->n;
	const struct range *g = &c->todo[c->at];

	c->http = NULL;
	if (res->r == 0) {
		c->t->cast.unicast += g->to - g->from;
		n->bytes += g->to - g->from;
		n->sources[c->source].bytes += g->to - g->from;
		source_worked(n, c->source);
		c->at++;
		c->tried = 0;
	} else if (res->r == -EIO) {
		over(c, false, res->text); /* our disk, not their fault */
		return;
	} else if (res->r != -ENOENT)
		source_failed(n, c->source, res->text);
	fill_next(c);
}

static void
fill_next(struct cast *c)
{
	struct target	    *t = c->t;
	struct net	    *n = c->m->n;
	char		     url[URL_LEN], path[TUF_PATH_LEN + 16];
	const char	    *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.has_length = true, .fd = t->fd, .read_fd = t->read_fd,
		.whole = t->size, .done = on_filled, .ctx = c };

	if (c->at == c->ntodo) {
		filled(c);
		return;
	}
	w.from = c->todo[c->at].from;
	w.length = c->todo[c->at].to - w.from;
	w.has_hash = c->todo[c->at].has_hash;
	w.hash = c->todo[c->at].hash;
	snprintf(path, sizeof(path), "targets/%s", t->url_path);
	while (source_pick(n, c->tried, &c->source) == 0) {
		c->tried |= 1U << c->source;
		w.direct = n->sources[c->source].direct;
		if (url_join(n->sources[c->source].url, path, true, url,
			sizeof(url)) == 0 &&
		    download_start(n->downloads, &w, &c->http) == 0)
			return;
	}
	over(c, false, "what multicast left missing comes from nowhere");
}

static void
fill(struct cast *c)
{
	c->state = CAST_FILLS;
	c->at = c->tried = 0;
	fill_next(c);
}

/* What has not come by multicast, nor was there before. */
static void
fill_missing(struct cast *c, const char *why)
{
	struct receiver_stats s;
	uint64_t	      from = 0, len;
	int		      r = 0;

	note(c);
	receiver_stats(c->rx, &s);
	if (s.complete == 0) {
		over(c, false, why);
		return;
	}
	c->ntodo = 0;
	while (r == 0 && receiver_missing(c->rx, &from, &len)) {
		r = add_range(c, from, from + len, NULL);
		from += len;
	}
	if (r < 0) {
		over(c, false, strerror(-r));
		return;
	}
	log_info("%s: %s; %llu of %llu bytes came by multicast, the rest comes "
		 "by unicast",
	    c->t->path, why, (unsigned long long)s.complete_bytes,
	    (unsigned long long)c->t->size);
	fill(c);
}

/* The hashes of pieces are still asked for, or compared. */
static bool
is_looking(const struct cast *c)
{
	return c->pieces_http != NULL || c->pieces != NULL;
}

void
cast_ended(struct cast *c, const char *why)
{
	if (c->state == CAST_LINGERS) {
		cast_free(c);
		return;
	}
	c->session = NULL;
	c->ended = why;
	if (c->rx == NULL)
		over(c, false, why);
	else if (is_looking(c)) /* what an earlier start left: fills after it */
		c->state = CAST_LOOKS;
	else
		fill_missing(c, why);
}

/* -- hashes of pieces -- */

static void
compared(struct cast *c)
{
	free(c->pieces);
	c->pieces = NULL;
	if (c->adopts) {
		if (c->state == CAST_LOOKS)
			fill_missing(c, c->ended);
		return;
	}
	if (c->ntodo == 0) { /* what the point says is as wrong as what it sent */
		c->t->start = 0;
		over(c, false, "the distribution point finds nothing wrong");
		return;
	}
	log_warn("%s: %zu of %zu pieces were wrong and are fetched again",
	    c->t->path, c->ntodo, c->npieces);
	fill(c);
}

/* One piece: 1 it is right, 0 it is not, or a negative errno. */
static int
compare_one(struct cast *c, uint64_t from, size_t len, const struct hash *want)
{
	static uint8_t buf[SLICE];
	struct hash_run *run;
	struct hash	 got;
	int		 r = hash_run_new(&run);

	while (r == 0 && len > 0) {
		ssize_t n = pread(c->t->read_fd, buf,
		    len < SLICE ? len : SLICE, (off_t)from);

		if (n <= 0)
			break; /* not there: not right */
		r = hash_run_add(run, buf, (size_t)n);
		from += (uint64_t)n;
		len -= (size_t)n;
	}
	if (r == 0)
		r = hash_run_end(run, &got);
	hash_run_free(&run);
	return r < 0 ? r : len == 0 && hash_eq(&got, want);
}

static void
on_compare(void *ctx)
{
	struct cast *c = ctx;
	size_t	     done = 0;

	while (done < 4 * SLICE && c->piece_at < c->npieces) {
		uint64_t from = c->piece_at * c->piece;
		uint64_t to = c->t->size - from > c->piece ? from + c->piece
							  : c->t->size;
		int r = compare_one(c, from, (size_t)(to - from),
		    &c->pieces[c->piece_at]);

		if (c->adopts && r <= 0)
			c->good = to;
		else if (c->adopts)
			(void)receiver_adopt(c->rx, c->good, to - c->good);
		else if (r == 0)
			r = add_range(c, from, to, &c->pieces[c->piece_at]);
		if (r < 0 && !c->adopts) {
			over(c, false, strerror(-r));
			return;
		}
		done += (size_t)(to - from);
		c->piece_at++;
	}
	if (c->piece_at < c->npieces) {
		(void)loop_timer_set(c->compare, 0);
		return;
	}
	compared(c);
}

static void
on_pieces(void *ctx, const struct download_result *res)
{
	struct cast *c = ctx;

	c->pieces_http = NULL;
	if (res->r == 0 && res->len == c->npieces * HASH_LEN &&
	    (c->pieces = malloc(res->len)) != NULL) {
		memcpy(c->pieces, res->bytes, res->len);
		c->piece_at = 0;
		c->good = 0;
		c->ntodo = 0;
		(void)loop_timer_set(c->compare, 0);
	} else if (!c->adopts) {
		c->t->start = 0;
		over(c, false, res->r < 0 ? res->text
				   : "hashes of pieces: wrong length");
	} else if (c->state == CAST_LOOKS)
		fill_missing(c, c->ended);
}

static void
ask_pieces(struct cast *c)
{
	struct net *n = c->m->n;
	const struct source *s = &n->sources[c->m->source];
	char	    url[URL_LEN], path[128], hex[HASH_HEX];
	const char *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.fd = -1, .read_fd = -1, .done = on_pieces, .ctx = c,
		.direct = s->direct };

	c->piece = PIECE_MIN;
	while ((c->npieces = (size_t)((c->t->size + c->piece - 1) / c->piece)) >
	    PIECES_MAX)
		c->piece *= 2;
	w.max = c->npieces * HASH_LEN;
	hash_to_hex(&c->t->hash, hex);
	snprintf(path, sizeof(path), "/v1/blocks/%s/%llu", hex,
	    (unsigned long long)c->piece);
	if (url_at_host(s->url, path, url, sizeof(url)) == 0 &&
	    download_start(n->downloads, &w, &c->pieces_http) == 0)
		return;
	if (!c->adopts)
		over(c, false, "the distribution point cannot be asked");
}

/* -- reception -- */

static int
write_at(void *ctx, uint64_t offset, const void *p, size_t len)
{
	const struct cast *c = ctx;
	const uint8_t	  *b = p;
	ssize_t		   n;

	while (len > 0) {
		if ((n = pwrite(c->t->fd, b, len, (off_t)offset)) < 0)
			return -errno;
		b += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int
read_at(void *ctx, uint64_t offset, void *p, size_t len)
{
	const struct cast *c = ctx;
	uint8_t		  *b = p;
	ssize_t		   n;

	while (len > 0) {
		if ((n = pread(c->t->read_fd, b, len, (off_t)offset)) <= 0)
			return n < 0 ? -errno : -EIO;
		b += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

struct cast *
cast_wants(struct mcast *m, const struct hash *h)
{
	struct cast *c = m->casts;

	while (c != NULL && (c->state > CAST_EXPECTED || !hash_eq(&c->t->hash, h)))
		c = c->next;
	return c;
}

int
cast_begin(struct cast *c, struct session *s, const struct fdt_file *f)
{
	struct net	    *n = c->m->n;
	struct receiver_conf conf = { .length = f->fti.length,
		.symbol = f->fti.symbol, .block = f->fti.block,
		.symbols = f->fti.symbols,
		.buffers = CAST_BUFFERS,
		.silence = n->conf.mcast_silence * 1000000000, .write = write_at,
		.read = read_at, .piece = on_piece, .ctx = c };
	off_t there;
	int   r;

	if (f->fti.length != c->t->size)
		return -EINVAL; /* not the signed length: not that object */
	if (f->fti.symbol > MCAST_PAYLOAD_MAX ||
	    f->fti.length / f->fti.symbol / f->fti.block >= BLOCKS_MAX)
		return -EFBIG; /* no packet holds that; or dust */
	if (getrandom(&conf.seed, sizeof(conf.seed), 0) < 0)
		conf.seed = mcast_now_ns();
	there = lseek(c->t->read_fd, 0, SEEK_END);
	if (ftruncate(c->t->fd, (off_t)c->t->size) < 0)
		return -errno;
	if ((r = receiver_new(&c->rx, &conf)) < 0)
		return r;
	if (c->http != NULL)
		download_cancel(&c->http);
	c->session = s;
	c->toi = f->toi;
	c->symbol = f->fti.symbol;
	c->state = CAST_RUNS;
	cast_moved(c);
	if (there > 0) { /* an earlier start's: what is right of it is kept */
		c->adopts = true;
		ask_pieces(c);
	}
	(void)loop_timer_set(c->timer, 0);
	return 0;
}

void
cast_moved(struct cast *c)
{
	c->moved_ms = now_ms(c);
}

bool
cast_is_stuck(const struct cast *c)
{
	return c->session->is_carousel &&
	    now_ms(c) - c->moved_ms >= c->m->n->conf.mcast_silence * 1000;
}

bool
cast_complete(struct cast *c)
{
	if (c->state == CAST_LINGERS) {
		if (receiver_next(c->rx) != UINT64_MAX &&
		    now_ms(c) - c->moved_ms < LINGER_MS)
			return false;
		cast_free(c);
		return true;
	}
	if (c->pieces_http != NULL)
		download_cancel(&c->pieces_http);
	loop_timer_stop(c->compare);
	c->state = CAST_CHECKS;
	check(c);
	return true;
}

/* -- the question how it comes -- */

static void
on_how(void *ctx, const struct download_result *res)
{
	struct cast	   *c = ctx;
	struct mcast_answer a;
	struct session	   *s;
	struct offer	   *o;
	char		    why[200];

	c->http = NULL;
	if (res->r < 0) {
		over(c, false, res->text);
		return;
	}
	if (mcast_answer_parse(&a, res->bytes, res->len, why, sizeof(why)) < 0) {
		over(c, false, why);
		return;
	}
	if (a.how == MCAST_UNICAST)
		over(c, false, a.why);
	else if (a.how == MCAST_WAIT &&
	    now_ms(c) + a.in_ms - c->began_ms > WAIT_MAX_MS)
		over(c, false, "the distribution point only says to wait");
	else {
		c->state = a.how == MCAST_WAIT ? CAST_WAITS : CAST_EXPECTED;
		if (a.how == MCAST_COMES)
			a.in_ms += c->m->n->conf.mcast_silence * 1000;
		(void)loop_timer_set(c->timer, a.in_ms);
		if (a.how == MCAST_COMES && /* and may have begun */
		    (o = mcast_offer(c->m, &c->t->hash, false, &s)) != NULL)
			(void)cast_begin(c, s, &o->file);
	}
}

static void
ask_how(struct cast *c)
{
	struct net *n = c->m->n;
	const struct source *s = &n->sources[c->m->source];
	char	    url[URL_LEN], path[128], hex[HASH_HEX];
	const char *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.max = ANSWER_MAX, .fd = -1, .read_fd = -1, .done = on_how,
		.ctx = c, .direct = s->direct };

	c->state = CAST_ASKS;
	hash_to_hex(&c->t->hash, hex);
	snprintf(path, sizeof(path), "/v1/multicast/%s", hex);
	if (url_at_host(s->url, path, url, sizeof(url)) < 0 ||
	    download_start(n->downloads, &w, &c->http) < 0)
		over(c, false, "the distribution point cannot be asked");
}

void
cast_keys_came(struct mcast *m, const char *error)
{
	struct cast *c, *next;

	for (c = m->casts; c != NULL; c = next) {
		next = c->next;
		if (c->state != CAST_ASKS || c->http != NULL)
			continue;
		if (error != NULL)
			over(c, false, error);
		else
			ask_how(c);
	}
}

/* Whether the distribution point is not asked for now. */
static bool
is_off(const struct mcast *m)
{
	return loop_now_ms(m->n->loop) < m->off_ms;
}

static void
on_timer(void *ctx)
{
	struct cast *c = ctx;

	switch (c->state) {
	case CAST_HOPES:
		if (is_off(c->m)) {
			over(c, false, c->m->error);
			break;
		}
		/* fall through */
	case CAST_WAITS:
		ask_how(c);
		break;
	case CAST_EXPECTED:
		over(c, false, "its session was not heard");
		break;
	case CAST_RUNS:
	case CAST_LINGERS:
		mcast_run(c);
		break;
	case CAST_CHECKS:
		check(c);
		break;
	case CAST_ASKS:
	case CAST_LOOKS:
	case CAST_FILLS:
		break; /* downloads have time limits of their own */
	}
}

bool
mcast_get(struct target *t)
{
	struct net     *n = t->n;
	struct mcast   *m = n->mcast;
	struct session *s;
	struct offer   *o;
	struct cast    *c;
	bool		hopes;

	if (m == NULL || t->size == 0)
		return false;
	/* what a carousel brings comes to everybody, asked for or not; and where
	 * the metadata came from a policy may come from too */
	o = mcast_offer(m, &t->hash, true, &s);
	hopes = n->news_round && tuf_kind_is_urgent(t->kind);
	if ((o == NULL && !hopes && is_off(m)) ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return false;
	c->m = m;
	c->t = t;
	c->began_ms = loop_now_ms(t->n->loop);
	c->next = m->casts;
	m->casts = c;
	if (hash_run_new(&c->run) < 0 ||
	    loop_timer_new(t->n->loop, on_timer, c, &c->timer) < 0 ||
	    loop_timer_new(t->n->loop, on_compare, c, &c->compare) < 0) {
		cast_free(c);
		return false;
	}
	t->casting = c;
	if (o != NULL && cast_begin(c, s, &o->file) == 0)
		return true;
	if (hopes || is_off(m)) {
		c->state = CAST_HOPES;
		(void)loop_timer_set(c->timer, hopes ? NEWS_WAIT_MS : 0);
	} else if (m->has_keys)
		ask_how(c);
	else
		mcast_need_keys(m);
	return true;
}

void
mcast_cancel(struct target *t)
{
	if (t->casting == NULL)
		return;
	cast_free(t->casting);
	t->casting = NULL;
}
