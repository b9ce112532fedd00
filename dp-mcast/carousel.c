/*
 * dp-mcast/carousel.c - see carousel.h.
 *
 * Runs in dp-mcast. Believes the store about names and bytes: receivers check
 * signatures. Sends and hears nothing.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/carousel.h"

#include "common/fdt.h"
#include "common/log.h"
#include "common/rs.h"
#include "common/size.h"
#include "dp-mcast/session.h"
#include "dp-mcast/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SPACES	    2
#define KNOWN_MAX   16384 /* names for people, of both spaces */
#define SYMBOL	    ALC_SYMBOL_IPV6 /* of every group: one cutting for all */
#define TRAIN	    16	/* packets at once */
#define BURST_MAX   (100 * 1000 * 1000) /* bytes/s of news without a ceiling */
#define PASS_PAUSE  150 /* ms between two passes of news, then twice as long */
#define FDT_SECONDS 7200
#define FDT_MIN_MS  1000
#define FDT_SHARE   10	/* of the bytes, at most a tenth */
#define RETRY_MS    2000

static const char *const spaces[SPACES] = { "content", "site" };

struct item {
	struct carousel	 *c;
	char		 *name;
	struct hash	  hash;
	uint64_t	  size;
	uint8_t		  space;
	bool		  asked, is_here; /* fd, blocks and parity are there */
	int		  fd;
	uint16_t	  toi;
	unsigned	  urgent; /* passes that go out at once, still */
	unsigned	  passes;
	struct alc_blocks blocks;
	unsigned	  nparity; /* of each block */
	uint8_t		 *parity;
};

struct known {
	uint64_t key; /* of the hash */
	char	*name;
	uint8_t	 space;
	bool	 pinned;
};

struct lane { /* a session on a group */
	struct wire *wire;
	int	     socket;
	uint16_t     tsi;
};

struct carousel {
	struct mcast	  *m;
	struct item	 **items; /* metadata first */
	size_t		   n;
	struct known	  *known;
	size_t		   nknown;
	struct lane	   lanes[MCAST_GROUPS];
	size_t		   nlanes;
	uint16_t	   last_toi;

	/* reading a space's names: one at a time, restarted by news */
	bool		   wanted[SPACES], lists, again;
	unsigned	   listing;
	struct hash	   from;
	struct item	 **draft;
	size_t		   ndraft;
	struct loop_timer *retry;

	/* sending: where we are */
	struct loop_timer *timer;
	struct description {
		char	*xml; /* one packet each, so that no loss spoils two */
		size_t	 len;
		uint32_t instance;
	}		   fdt[CAROUSEL_MAX];
	size_t		   nfdt;
	uint32_t	   instance;
	int64_t		   fdt_made;
	uint64_t	   fdt_at_ms, pass_at_ms;
	struct item	  *at;
	size_t		   turn; /* of the quiet round */
	uint32_t	   block;
	unsigned	   symbol, nsymbols;
	uint8_t		   data[ALC_BLOCK * SYMBOL];
	double		   debt_ms; /* of the pace */

	struct carousel_counts counts;
};

static void list_next(struct carousel *c);
static void on_timer(void *ctx);

/* -- items -- */

static void
item_free(struct carousel *c, struct item *i)
{
	if (i == NULL)
		return;
	store_cancel(c->m->store, i);
	if (c->at == i)
		c->at = NULL;
	if (i->fd >= 0)
		close(i->fd);
	free(i->parity);
	free(i->name);
	free(i);
}

static void
items_free(struct carousel *c, struct item ***list, size_t *n)
{
	for (size_t k = 0; k < *n; k++)
		item_free(c, (*list)[k]);
	free(*list);
	*list = NULL;
	*n = 0;
}

/* timestamp, snapshot, other metadata, old roots, then the rest. */
static int
rank(const struct item *i)
{
	static const char *const order[] = { "/metadata/timestamp.json",
		".snapshot.json", ".targets.json" };

	for (size_t k = 0; k < COUNT(order); k++)
		if (strstr(i->name, order[k]) != NULL)
			return (int)k;
	if (strstr(i->name, ".root.json") != NULL)
		return 5;
	return strstr(i->name, "/metadata/") != NULL ? 3 : 4;
}

static int
by_rank(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a,
			  *y = *(struct item *const *)b;

	return rank(x) != rank(y) ? rank(x) - rank(y)
				  : strcmp(x->name, y->name);
}

static bool
is_same(const struct item *a, const struct item *b)
{
	return hash_eq(&a->hash, &b->hash) && strcmp(a->name, b->name) == 0;
}

static int
item_new(struct item **out, const struct store_name *n, unsigned space)
{
	struct item *i = calloc(1, sizeof(*i));

	*out = i;
	if (i == NULL)
		return -ENOMEM;
	*i = (struct item){ .hash = n->hash, .size = n->size,
		.space = (uint8_t)space, .fd = -1, .urgent = CAROUSEL_PASSES,
		.name = strdup(n->name) };
	return i->name != NULL ? 0 : -ENOMEM;
}

static int
read_at(int fd, uint64_t offset, uint8_t *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n, offset += (uint64_t)n)
		if ((n = pread(fd, p, len, (off_t)offset)) <= 0)
			return n < 0 ? -errno : -EIO;
	return 0;
}

/* The block's bytes, the last symbol filled up with zeros. */
static int
read_block(struct carousel *c, const struct item *i, uint32_t sbn)
{
	size_t n = alc_block_bytes(&i->blocks, sbn);

	memset(c->data + n, 0,
	    (size_t)alc_block_symbols(&i->blocks, sbn) * SYMBOL - n);
	return read_at(i->fd, alc_block_offset(&i->blocks, sbn), c->data, n);
}

/* All the parity it will ever need: a pass sends some of it, the next others. */
static int
make_parity(struct carousel *c, struct item *i)
{
	const uint8_t *src[ALC_BLOCK];
	uint8_t	      *out[RS_N];
	struct rs     *rs = NULL;
	unsigned       k = i->blocks.large, was = 0;
	int	       r = 0;

	i->nparity = 2 + k / 5;
	if (k + i->nparity > ALC_SYMBOLS_MAX)
		i->nparity = ALC_SYMBOLS_MAX - k;
	i->parity = malloc((size_t)i->blocks.count * i->nparity * SYMBOL);
	if (i->parity == NULL)
		return -ENOMEM;
	for (uint32_t b = 0; r == 0 && b < i->blocks.count; b++) {
		if ((r = read_block(c, i, b)) < 0)
			break;
		k = alc_block_symbols(&i->blocks, b);
		if (k != was) {
			rs_free(&rs);
			r = rs_new(was = k, &rs);
		}
		for (unsigned s = 0; s < k; s++)
			src[s] = c->data + (size_t)s * SYMBOL;
		for (unsigned s = 0; s < i->nparity; s++)
			out[s] = i->parity +
			    ((size_t)b * i->nparity + s) * SYMBOL;
		if (r == 0)
			r = rs_encode(rs, SYMBOL, src, k, i->nparity, out);
	}
	rs_free(&rs);
	return r;
}

/* -- the file description -- */

static void
drop_fdt(struct carousel *c)
{
	while (c->nfdt > 0)
		free(c->fdt[--c->nfdt].xml);
}

static int
make_fdt(struct carousel *c)
{
	struct fdt_file	   *files = calloc(c->n + 1, sizeof(*files));
	struct fdt	    f = { .file = files };
	struct description *d;
	size_t		    next = 0;
	int		    r = files == NULL ? -ENOMEM : 0;

	drop_fdt(c);
	c->fdt_made = time(NULL);
	f.expires = fdt_expires(c->fdt_made + FDT_SECONDS);
	for (size_t k = 0; r == 0 && k < c->n; k++) {
		const struct item *i = c->items[k];

		if (i->is_here)
			files[f.n++] = (struct fdt_file){ .name = i->name,
				.hash = i->hash, .toi = i->toi,
				.fti = { .length = i->size, .block = ALC_BLOCK,
				    .symbol = SYMBOL,
				    .symbols = ALC_SYMBOLS_MAX } };
	}
	while (r == 0 && next < f.n) {
		d = &c->fdt[c->nfdt];
		r = fdt_build_some(&f, &next, ALC_SYMBOL_FDT, &d->xml, &d->len);
		c->instance = (c->instance + 1) & 0xfffff;
		d->instance = c->instance;
		c->nfdt += r == 0;
	}
	free(files);
	if (r < 0)
		drop_fdt(c);
	c->counts.instance = c->instance;
	c->fdt_at_ms = 0;
	return r;
}

static uint16_t
new_toi(struct carousel *c)
{
	size_t k;

	do {
		if (++c->last_toi == ALC_TOI_FDT)
			c->last_toi = 1;
		for (k = 0; k < c->n && c->items[k]->toi != c->last_toi; k++)
			;
	} while (k < c->n);
	return c->last_toi;
}

/* -- lanes -- */

static void
lanes_close(struct carousel *c)
{
	for (size_t k = 0; k < c->nlanes; k++) {
		c->counts.wire += wire_counts(c->lanes[k].wire)->bytes;
		wire_free(&c->lanes[k].wire);
		close(c->lanes[k].socket);
	}
	c->nlanes = 0;
}

static int
lane_open(struct carousel *c, const struct group *g, struct lane *l)
{
	struct mcast		*m = c->m;
	struct wire_conf	 w = { .data = &g->data, .notices = &g->notices,
		.addr_len = g->addr_len, .symbol = SYMBOL };
	const struct generation *gen;
	struct mcast_key	 key;
	int			 r = 0;

	*l = (struct lane){ .tsi = sessions_new_tsi(m),
		.socket = fcntl(g->fd, F_DUPFD_CLOEXEC, 3) };
	w.fd = l->socket;
	w.tsi = l->tsi;
	if (l->socket < 0)
		return -errno;
	if (!m->is_open) {
		if (keys_generations(m->keys, &gen) == 0)
			r = -ENOKEY;
		else if (getrandom(w.salt, sizeof(w.salt), 0) !=
		    (ssize_t)sizeof(w.salt))
			r = -EIO;
		else
			r = mcast_key_session(&key, gen->secret, w.salt,
			    gen->id, l->tsi);
		w.generation = r == 0 ? gen->id : 0;
		w.key = &key;
	}
	if (r == 0)
		r = wire_new(&w, &l->wire);
	OPENSSL_cleanse(&key, sizeof(key));
	if (r < 0)
		close(l->socket);
	return r;
}

static void
lanes_open(struct carousel *c)
{
	struct mcast *m = c->m;
	int	      r;

	for (size_t k = 0; c->nlanes == 0 && k < m->ngroups; k++) {
		if ((r = lane_open(c, &m->groups[k], &c->lanes[k])) < 0) {
			log_err_err(r, "carousel: %s", m->groups[k].at.address);
			lanes_close(c);
			return;
		}
		c->nlanes++;
	}
}

bool
carousel_has_tsi(const struct carousel *c, uint16_t tsi)
{
	for (size_t k = 0; k < c->nlanes; k++)
		if (c->lanes[k].tsi == tsi)
			return true;
	return false;
}

/* -- sending -- */

/* What goes now costs so many milliseconds at that rate. */
static void
pace(struct carousel *c, uint64_t bytes, uint64_t rate)
{
	c->debt_ms += (double)bytes * 1000 / (double)rate;
}

static uint64_t
wire_bytes(const struct carousel *c)
{
	return c->nlanes > 0 ? wire_counts(c->lanes[0].wire)->bytes : 0;
}

static uint64_t
rate_of(const struct carousel *c, const struct item *i)
{
	if (i == NULL || i->urgent == 0)
		return c->m->conf.carousel_rate;
	return c->m->rate == 0 || c->m->rate > BURST_MAX ? BURST_MAX
							  : c->m->rate;
}

/* News first: all of it once, a pause, all of it again. */
static struct item *
pick(struct carousel *c, uint64_t now)
{
	struct item *best = NULL;
	unsigned     most = 0;

	for (size_t k = 0; k < c->n; k++)
		if (c->items[k]->is_here && c->items[k]->urgent > most)
			most = (best = c->items[k])->urgent;
	if (best != NULL && (most == CAROUSEL_PASSES || now >= c->pass_at_ms))
		return best;
	for (size_t k = 0; k < c->n; k++) {
		struct item *i = c->items[c->turn++ % c->n];

		if (i->is_here)
			return i;
	}
	return NULL;
}

static void
send_fdt(struct carousel *c, uint64_t now, bool news)
{
	uint64_t before = wire_bytes(c), bytes, pause;

	for (size_t k = 0; k < c->nlanes; k++)
		for (size_t d = 0; d < c->nfdt; d++)
			if (wire_flush(c->lanes[k].wire) == 0)
				(void)wire_fdt(c->lanes[k].wire,
				    c->fdt[d].instance, c->fdt[d].xml,
				    c->fdt[d].len, 0);
	bytes = wire_bytes(c) - before;
	pace(c, bytes, news ? BURST_MAX : c->m->conf.carousel_rate);
	pause = bytes * 1000 * FDT_SHARE / c->m->conf.carousel_rate;
	c->fdt_at_ms = now + (pause > FDT_MIN_MS ? pause : FDT_MIN_MS);
}

/* Some symbols of the block we are at; which parity depends on the pass. */
static void
send_some(struct carousel *c)
{
	struct sender_symbol sym[TRAIN];
	struct item	    *i = c->at;
	unsigned	     k = alc_block_symbols(&i->blocks, c->block), n = 0;
	uint64_t	     before = wire_bytes(c);

	for (; n < TRAIN && c->symbol < c->nsymbols; c->symbol++, n++) {
		struct sender_symbol *s = &sym[n];

		*s = (struct sender_symbol){ .sbn = c->block,
			.sbl = (uint16_t)k, .esi = (uint16_t)c->symbol,
			.len = SYMBOL,
			.p = c->data + (size_t)c->symbol * SYMBOL };
		if (c->symbol >= k) {
			unsigned each = c->nsymbols - k,
				 p = (i->passes * each + c->symbol - k) %
			    i->nparity;

			s->esi = (uint16_t)(k + p);
			s->p = i->parity +
			    ((size_t)c->block * i->nparity + p) * SYMBOL;
		} else if (c->block + 1 == i->blocks.count && c->symbol + 1 == k)
			s->len = (uint16_t)(alc_block_bytes(&i->blocks,
						c->block) -
			    (uint32_t)(k - 1) * SYMBOL);
	}
	for (size_t l = 0; l < c->nlanes; l++)
		if (wire_flush(c->lanes[l].wire) == 0)
			(void)wire_symbols(c->lanes[l].wire, i->toi, sym, n);
	pace(c, wire_bytes(c) - before, rate_of(c, i));
}

static void
pass_done(struct carousel *c, uint64_t now)
{
	struct item *i = c->at;
	unsigned     was = i->urgent;

	i->passes++;
	c->counts.passes++;
	c->at = NULL;
	if (was == 0)
		return;
	i->urgent--;
	for (size_t k = 0; k < c->n; k++)
		if (c->items[k]->is_here && c->items[k]->urgent == was)
			return;
	/* the last of this pass; each pause is twice the one before */
	c->pass_at_ms = now +
	    ((uint64_t)PASS_PAUSE << (CAROUSEL_PASSES - was));
	c->fdt_at_ms = 0;
}

static int
begin_block(struct carousel *c)
{
	struct item *i = c->at;
	unsigned     k = alc_block_symbols(&i->blocks, c->block);
	int	     r = read_block(c, i, c->block);

	if (r < 0) {
		log_warn_err(r, "carousel: %s", i->name);
		i->is_here = false;
		c->at = NULL;
		return make_fdt(c);
	}
	c->symbol = 0;
	c->nsymbols = k + (i->nparity + CAROUSEL_PASSES - 1) / CAROUSEL_PASSES;
	return 0;
}

static void
on_timer(void *ctx)
{
	struct carousel *c = ctx;
	uint64_t	 now = loop_now_ms(c->m->loop), ms;
	bool		 news;

	c->debt_ms = 0;
	if (c->m->draining || c->nfdt == 0)
		return; /* begun again by what changes that */
	lanes_open(c);
	if (time(NULL) - c->fdt_made > FDT_SECONDS / 2)
		(void)make_fdt(c); /* says for how long it holds */
	/* small amounts until a millisecond is spent */
	while (c->debt_ms < 1 && c->nlanes > 0 && c->nfdt > 0) {
		if (c->at == NULL) {
			if ((c->at = pick(c, now)) == NULL)
				break;
			news = c->at->urgent > 0;
			c->block = 0;
			if (now >= c->fdt_at_ms)
				send_fdt(c, now, news);
			if (begin_block(c) < 0 || c->at == NULL)
				continue;
		}
		send_some(c);
		if (c->symbol < c->nsymbols)
			continue;
		if (++c->block == c->at->blocks.count)
			pass_done(c, now);
		else if (begin_block(c) < 0)
			break;
	}
	ms = c->debt_ms >= 1 ? (uint64_t)c->debt_ms : 1;
	(void)loop_timer_set(c->timer, ms);
}

/* -- reading the objects -- */

static void
settle(struct carousel *c)
{
	int r;

	for (size_t k = 0; k < c->n; k++)
		if (c->items[k]->asked)
			return; /* its answer settles it */
	if ((r = make_fdt(c)) < 0) {
		log_err_err(r, "carousel: file description");
		return;
	}
	c->counts.objects = 0;
	c->counts.bytes = 0;
	for (size_t k = 0; k < c->n; k++)
		if (c->items[k]->is_here) {
			c->counts.objects++;
			c->counts.bytes += c->items[k]->size;
		}
	(void)loop_timer_set(c->timer, 0);
}

static void
on_object(void *ctx, const struct store_answer *a)
{
	struct item	*i = ctx;
	struct carousel *c = i->c;
	int		 r = a->r;

	i->asked = false;
	if (r == 0 && a->size != i->size)
		r = -EBADMSG;
	if (r == 0) {
		i->fd = a->fd;
		r = alc_blocks_init(&i->blocks, i->size, SYMBOL, ALC_BLOCK);
		if (r == 0)
			r = make_parity(c, i);
	} else if (a->fd >= 0)
		close(a->fd);
	if (r == 0) {
		i->toi = new_toi(c);
		i->is_here = true;
	} else if (r != -ENOTCONN && r != -ENODATA)
		log_warn_err(r, "carousel: %s", i->name);
	settle(c);
}

/* The draft of one space takes the place of that space's items. */
static void
take_draft(struct carousel *c)
{
	struct item **all = calloc(c->n + c->ndraft + 1, sizeof(void *));
	size_t	      n = 0;
	int	      r;

	if (all == NULL)
		return;
	for (size_t k = 0; k < c->ndraft; k++)
		for (size_t o = 0; o < c->n; o++)
			if (c->items[o] != NULL && c->items[o]->is_here &&
			    is_same(c->items[o], c->draft[k])) {
				item_free(c, c->draft[k]);
				c->draft[k] = c->items[o];
				c->items[o] = NULL;
				break;
			}
	for (size_t o = 0; o < c->n; o++)
		if (c->items[o] != NULL && c->items[o]->space != c->listing)
			all[n++] = c->items[o];
		else
			item_free(c, c->items[o]);
	for (size_t k = 0; k < c->ndraft; k++)
		all[n++] = c->draft[k];
	qsort(all, n, sizeof(void *), by_rank);
	while (n > CAROUSEL_MAX) {
		item_free(c, all[--n]);
		c->counts.left_out++;
	}
	free(c->items);
	free(c->draft);
	c->items = all;
	c->n = n;
	c->draft = NULL;
	c->ndraft = 0;
	for (size_t k = 0; k < c->n; k++)
		if (!c->items[k]->is_here && !c->items[k]->asked) {
			r = store_lookup_hash(c->m->store, &c->items[k]->hash,
			    on_object, c->items[k]);
			c->items[k]->asked = r == 0;
		}
	settle(c);
}

/* -- reading the names -- */

static void
learn(struct carousel *c, const struct store_name *n)
{
	struct known *k;
	uint64_t      key;

	if (c->nknown >= KNOWN_MAX)
		return;
	memcpy(&key, n->hash.b, sizeof(key));
	k = &c->known[c->nknown];
	*k = (struct known){ key, strdup(n->name), (uint8_t)c->listing,
		n->pinned };
	c->nknown += k->name != NULL;
}

static void
forget_known(struct carousel *c, unsigned space)
{
	size_t n = 0;

	for (size_t k = 0; k < c->nknown; k++)
		if (c->known[k].space == space)
			free(c->known[k].name);
		else
			c->known[n++] = c->known[k];
	c->nknown = n;
}

static const struct known *
find_known(const struct carousel *c, const struct hash *h)
{
	uint64_t key;

	memcpy(&key, h->b, sizeof(key));
	for (size_t k = 0; k < c->nknown; k++)
		if (c->known[k].key == key)
			return &c->known[k];
	return NULL;
}

const char *
carousel_name(const struct carousel *c, const struct hash *h)
{
	const struct known *k = find_known(c, h);

	return k != NULL ? k->name : "";
}

bool
carousel_name_is_pinned(const struct carousel *c, const struct hash *h)
{
	const struct known *k = find_known(c, h);

	return k != NULL && k->pinned;
}

static int
take_row(struct carousel *c, const struct store_name *n)
{
	const struct multicast_conf *conf = &c->m->conf;
	struct item		   **more;
	int			     r;

	learn(c, n);
	if (!n->urgent || n->size == 0 ||
	    (c->m->is_open && strcmp(spaces[c->listing], "site") == 0))
		return 0;
	if (n->size > conf->carousel_max_object) {
		c->counts.left_out++;
		return 0;
	}
	if (c->ndraft % 64 == 0) {
		more = reallocarray(c->draft, c->ndraft + 64, sizeof(void *));
		if (more == NULL)
			return -ENOMEM;
		c->draft = more;
	}
	r = item_new(&c->draft[c->ndraft], n, c->listing);
	if (c->draft[c->ndraft] != NULL)
		c->draft[c->ndraft++]->c = c;
	return r;
}

static void
list_failed(struct carousel *c, int r)
{
	items_free(c, &c->draft, &c->ndraft);
	c->lists = false;
	if (r == -ENOTCONN)
		return; /* told again when the store is back */
	log_warn_err(r, "carousel: names of %s", spaces[c->listing]);
	c->wanted[c->listing] = true;
	(void)loop_timer_set(c->retry, RETRY_MS);
}

static void
on_names(void *ctx, const struct store_answer *a)
{
	struct carousel	 *c = ctx;
	struct rd	  rows = rd_from(a->bytes != NULL ? a->bytes
							  : (const uint8_t *)"",
		    a->len);
	struct store_name n;
	char		  name[STORE_NAME_MAX + 1];
	int		  r = a->r;

	if (r == 0 && c->again) { /* a snapshot came: these are mixed */
		items_free(c, &c->draft, &c->ndraft);
		c->lists = false;
		list_next(c);
		return;
	}
	while (r == 0 && (r = store_names_row(&rows, &n, name)) == 1)
		r = take_row(c, &n);
	if (r < 0) {
		list_failed(c, r);
		return;
	}
	c->from = a->hash;
	if (a->more) {
		r = store_names_list(c->m->store, spaces[c->listing], &c->from,
		    on_names, c);
		if (r < 0)
			list_failed(c, r);
		return;
	}
	take_draft(c);
	c->lists = false;
	list_next(c);
}

static void
list_next(struct carousel *c)
{
	int r;

	if (c->lists)
		return;
	for (c->listing = 0; c->listing < SPACES; c->listing++)
		if (c->wanted[c->listing])
			break;
	if (c->listing == SPACES)
		return;
	c->wanted[c->listing] = false;
	c->again = false;
	c->lists = true;
	c->from = (struct hash){ { 0 } };
	c->counts.left_out = 0;
	forget_known(c, c->listing);
	r = store_names_list(c->m->store, spaces[c->listing], &c->from,
	    on_names, c);
	if (r < 0)
		list_failed(c, r);
}

static void
on_retry(void *ctx)
{
	list_next(ctx);
}

void
carousel_snapshot(struct carousel *c, const char *space)
{
	for (unsigned k = 0; k < SPACES; k++)
		if (strcmp(space, spaces[k]) == 0) {
			c->wanted[k] = true;
			c->again |= c->lists && c->listing == k;
		}
	list_next(c);
}

void
carousel_restart(struct carousel *c)
{
	lanes_close(c);
	for (unsigned k = 0; k < SPACES; k++)
		carousel_snapshot(c, spaces[k]);
	(void)loop_timer_set(c->timer, 0);
}

/* -- for the administrator -- */

struct carousel_counts
carousel_counts(const struct carousel *c)
{
	struct carousel_counts n = c->counts;

	for (size_t k = 0; k < c->nlanes; k++)
		n.wire += wire_counts(c->lanes[k].wire)->bytes;
	return n;
}

void
carousel_list(const struct carousel *c, struct admin_reply *reply)
{
	char hex[HASH_HEX];

	for (size_t k = 0; k < c->n; k++) {
		const struct item *i = c->items[k];

		hash_to_hex(&i->hash, hex);
		admin_row(reply,
		    json_pack("{s:s,s:s,s:s,s:I,s:i,s:i}", "carousel", i->name,
			"sha256", hex, "state", i->is_here ? "repeated" : "absent",
			"size", (json_int_t)i->size, "toi", (int)i->toi,
			"passes", (int)i->passes));
	}
}

/* -- life -- */

int
carousel_new(struct mcast *m, struct carousel **out)
{
	struct carousel *c = calloc(1, sizeof(*c));
	int		 r = -ENOMEM;

	*out = c;
	if (c == NULL)
		return r;
	c->m = m;
	if (getrandom(&c->instance, 2, 0) != 2 ||
	    getrandom(&c->last_toi, 2, 0) != 2)
		r = -EIO;
	else if ((c->known = calloc(KNOWN_MAX, sizeof(*c->known))) != NULL &&
	    (r = loop_timer_new(m->loop, on_timer, c, &c->timer)) == 0)
		r = loop_timer_new(m->loop, on_retry, c, &c->retry);
	if (r < 0)
		carousel_free(out);
	return r;
}

void
carousel_free(struct carousel **cp)
{
	struct carousel *c = *cp;

	if (c == NULL)
		return;
	lanes_close(c);
	store_cancel(c->m->store, c);
	items_free(c, &c->items, &c->n);
	items_free(c, &c->draft, &c->ndraft);
	for (unsigned k = 0; c->known != NULL && k < SPACES; k++)
		forget_known(c, k);
	free(c->known);
	drop_fdt(c);
	loop_timer_free(&c->timer);
	loop_timer_free(&c->retry);
	free(c);
	*cp = NULL;
}
