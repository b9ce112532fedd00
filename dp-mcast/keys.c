/*
 * dp-mcast/keys.c - see keys.h.
 *
 * Runs in dp-mcast. Believes the server that the devices are who they are;
 * believes its own table of the store only after reading it whole.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/keys.h"

#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SAVE_VERSION 1
#define BUCKETS	     8192 /* a power of two */

struct keys {
	struct generation gen[KEYS_GENERATIONS];
	unsigned	  ngen;
	struct hash	  revoked; /* the list that was last said to hold */
	uint8_t		  master[MCAST_SECRET_LEN]; /* of this process */
	uint64_t	  registrations;
	uint32_t	  last_id;
	unsigned	  nagents;
	struct agent	 *device[BUCKETS], *id[BUCKETS];
	struct agent	 *oldest, *newest; /* by last use */
};

static int
random_bytes(void *p, size_t n)
{
	/* up to 256 bytes come whole or not at all */
	return getrandom(p, n, 0) == (ssize_t)n ? 0 : -EIO;
}

/* -- generations -- */

unsigned
keys_generations(const struct keys *k, const struct generation **out)
{
	*out = k->gen;
	return k->ngen;
}

int
keys_rotate(struct keys *k, int64_t now)
{
	struct generation next = { .since = now };
	int		  r;

	next.id = k->ngen == 0 || k->gen[0].id == UINT16_MAX
	    ? 1
	    : (uint16_t)(k->gen[0].id + 1);
	if ((r = random_bytes(next.secret, sizeof(next.secret))) < 0)
		return r;
	k->gen[1] = k->gen[0];
	k->gen[0] = next;
	if (k->ngen < KEYS_GENERATIONS)
		k->ngen++;
	OPENSSL_cleanse(&next, sizeof(next));
	return 0;
}

bool
keys_due(const struct keys *k, uint64_t rotate, int64_t now)
{
	/* a clock that was set back must not keep a secret for ever */
	return k->ngen == 0 || now < k->gen[0].since ||
	    (uint64_t)(now - k->gen[0].since) >= rotate;
}

/* -- agents -- */

static uint32_t
bucket_of(const char *device)
{
	uint32_t h = 2166136261u;

	for (; *device != '\0'; device++)
		h = (h ^ (uint8_t)*device) * 16777619u;
	return (h ^ h >> 16) & (BUCKETS - 1);
}

static void
age_remove(struct keys *k, struct agent *a)
{
	*(a->older != NULL ? &a->older->newer : &k->oldest) = a->newer;
	*(a->newer != NULL ? &a->newer->older : &k->newest) = a->older;
}

static void
age_append(struct keys *k, struct agent *a)
{
	a->older = k->newest;
	a->newer = NULL;
	*(k->newest != NULL ? &k->newest->newer : &k->oldest) = a;
	k->newest = a;
}

static void
drop(struct keys *k, struct agent *a)
{
	struct agent **p = &k->device[bucket_of(a->device)];

	while (*p != a)
		p = &(*p)->by_device;
	*p = a->by_device;
	p = &k->id[a->id & (BUCKETS - 1)];
	while (*p != a)
		p = &(*p)->by_id;
	*p = a->by_id;
	age_remove(k, a);
	k->nagents--;
	OPENSSL_cleanse(a, sizeof(*a));
	free(a);
}

static void
drop_all(struct keys *k)
{
	for (struct agent *a = k->oldest, *next; a != NULL; a = next) {
		next = a->newer;
		drop(k, a);
	}
}

struct agent *
keys_agent(struct keys *k, uint32_t id)
{
	struct agent *a = k->id[id & (BUCKETS - 1)];

	while (a != NULL && a->id != id)
		a = a->by_id;
	return a;
}

void
keys_used(struct keys *k, struct agent *a, uint64_t now_ms)
{
	a->used_ms = now_ms;
	age_remove(k, a);
	age_append(k, a);
}

static struct agent *
add(struct keys *k, const char *device, uint32_t bucket)
{
	struct agent *a;
	uint32_t      at;

	if (k->nagents == KEYS_AGENTS)
		drop(k, k->oldest);
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	do
		a->id = ++k->last_id;
	while (a->id == 0 || keys_agent(k, a->id) != NULL);
	snprintf(a->device, sizeof(a->device), "%s", device);
	at = a->id & (BUCKETS - 1);
	a->by_device = k->device[bucket];
	k->device[bucket] = a;
	a->by_id = k->id[at];
	k->id[at] = a;
	age_append(k, a);
	k->nagents++;
	return a;
}

int
keys_register(struct keys *k, const char *device, uint64_t now_ms,
    struct agent **out)
{
	uint32_t      bucket = bucket_of(device);
	struct agent *a = k->device[bucket];

	while (a != NULL && strcmp(a->device, device) != 0)
		a = a->by_device;
	if (a == NULL && (a = add(k, device, bucket)) == NULL)
		return -ENOMEM;
	a->registration = ++k->registrations;
	keys_used(k, a, now_ms);
	*out = a;
	return mcast_key_agent(a->key, k->master, device, a->registration);
}

unsigned
keys_agents(const struct keys *k)
{
	return k->nagents;
}

static bool
is_known(const struct agent *a, uint64_t now_ms)
{
	return a->heard != 0 && now_ms - a->heard_ms < KEYS_HEARD_MS;
}

unsigned
keys_heard(const struct keys *k, uint16_t groups, uint64_t now_ms)
{
	unsigned n = 0;

	for (const struct agent *a = k->oldest; a != NULL; a = a->newer)
		n += !is_known(a, now_ms) || (a->heard & groups) != 0;
	return n;
}

void
keys_heard_on(struct agent *a, unsigned group, uint64_t now_ms)
{
	if (!is_known(a, now_ms))
		a->heard = 0;
	a->heard |= (uint16_t)(1u << group);
	a->heard_ms = now_ms;
}

void
keys_forget_heard(struct keys *k)
{
	for (struct agent *a = k->oldest; a != NULL; a = a->newer)
		a->heard = 0;
}

int
keys_revoked(struct keys *k, const struct hash *list, int64_t now)
{
	int r;

	if (hash_eq(&k->revoked, list))
		return 0;
	if ((r = keys_rotate(k, now)) < 0)
		return r;
	k->revoked = *list;
	OPENSSL_cleanse(&k->gen[1], sizeof(k->gen[1]));
	k->ngen = 1;
	drop_all(k);
	return 1;
}

/* -- kept bytes -- */

/* keys := version:u8=1 revoked[32] n:u8 { id:u16 since:u64 secret[32] } */
size_t
keys_save(const struct keys *k, uint8_t out[KEYS_SAVE_MAX])
{
	struct wr w = wr_to(out, KEYS_SAVE_MAX);

	wr_u8(&w, SAVE_VERSION);
	wr_bytes(&w, k->revoked.b, HASH_LEN);
	wr_u8(&w, (uint8_t)k->ngen);
	for (unsigned i = 0; i < k->ngen; i++) {
		wr_u16(&w, k->gen[i].id);
		wr_u64(&w, (uint64_t)k->gen[i].since);
		wr_bytes(&w, k->gen[i].secret, MCAST_SECRET_LEN);
	}
	return w.len;
}

int
keys_load(struct keys *k, const void *bytes, size_t len)
{
	struct rd	  r = rd_from(bytes, len);
	struct generation gen[KEYS_GENERATIONS] = { 0 };
	uint8_t		  version = rd_u8(&r), n;
	const uint8_t	 *revoked = rd_bytes(&r, HASH_LEN), *secret;

	n = rd_u8(&r);
	if (version != SAVE_VERSION || n > KEYS_GENERATIONS)
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++) {
		gen[i].id = rd_u16(&r);
		gen[i].since = (int64_t)rd_u64(&r);
		secret = rd_bytes(&r, MCAST_SECRET_LEN);
		if (secret == NULL || gen[i].id == 0)
			return -EBADMSG;
		memcpy(gen[i].secret, secret, MCAST_SECRET_LEN);
	}
	if (rd_done(&r) < 0 || (n == 2 && gen[0].id == gen[1].id))
		return -EBADMSG;
	memcpy(k->gen, gen, sizeof(gen));
	k->ngen = n;
	memcpy(k->revoked.b, revoked, HASH_LEN);
	OPENSSL_cleanse(gen, sizeof(gen));
	return 0;
}

int
keys_new(struct keys **out)
{
	struct keys *k = calloc(1, sizeof(*k));
	int	     r = k == NULL ? -ENOMEM : 0;

	if (r == 0 && ((r = random_bytes(k->master, sizeof(k->master))) < 0 ||
	    (r = random_bytes(&k->last_id, sizeof(k->last_id))) < 0))
		keys_free(&k);
	*out = k;
	return r;
}

void
keys_free(struct keys **kp)
{
	struct keys *k = *kp;

	if (k == NULL)
		return;
	drop_all(k);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
	*kp = NULL;
}
