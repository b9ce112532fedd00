/*
 * dp-gateway/registry.c - devices by name and group; see registry.h.
 *
 * Runs in dp-gateway. Names are from verified certificates; groups are what
 * devices say, so their hash has a seed that nobody knows.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/registry.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64 /* a power of two */

struct device_group {
	struct device_group *next;
	unsigned	     n; /* devices in it */
	char		     name[];
};

struct registry {
	struct device	   **devices;
	struct device_group *groups[4096];
	size_t		     buckets;
	unsigned	     n;
	uint64_t	     seed;
};

static uint64_t
hash(const struct registry *r, const char *s)
{
	uint64_t h = r->seed;

	for (; *s != '\0'; s++) {
		h = (h ^ (unsigned char)*s) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h ^ h >> 32;
}

int
registry_new(struct registry **out)
{
	struct registry *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return -ENOMEM;
	r->buckets = BUCKETS_MIN;
	r->devices = calloc(r->buckets, sizeof(struct device *));
	if (r->devices == NULL ||
	    RAND_bytes((uint8_t *)&r->seed, sizeof(r->seed)) != 1) {
		free(r->devices);
		free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void
registry_free(struct registry **rp)
{
	struct registry *r = *rp;

	if (r != NULL)
		free(r->devices);
	free(r);
	*rp = NULL;
}

static struct device **
place(const struct registry *r, const char *name)
{
	struct device **p = &r->devices[hash(r, name) & (r->buckets - 1)];

	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

/* Twice as many chains. Without the memory they are longer, that is all. */
static void
grow(struct registry *r)
{
	size_t		n = r->buckets;
	struct device **old = r->devices,
		      **new = calloc(2 * n, sizeof(struct device *));

	if (new == NULL)
		return;
	r->devices = new;
	r->buckets = 2 * n;
	for (size_t i = 0; i < n; i++)
		for (struct device *d = old[i], *next; d != NULL; d = next) {
			struct device **p = place(r, d->name);

			next = d->next;
			d->next = NULL;
			*p = d;
		}
	free(old);
}

static struct device_group **
group_place(struct registry *r, const char *name)
{
	struct device_group **p = &r->groups[hash(r, name) & 4095];

	while (*p != NULL && strcmp((*p)->name, name) != 0)
		p = &(*p)->next;
	return p;
}

static struct device_group *
group_ref(struct registry *r, const char *name)
{
	struct device_group **p = group_place(r, name), *g = *p;

	if (g == NULL) {
		if ((g = calloc(1, sizeof(*g) + strlen(name) + 1)) == NULL)
			return NULL;
		strcpy(g->name, name);
		*p = g;
	}
	g->n++;
	return g;
}

static void
group_unref(struct registry *r, struct device_group *g)
{
	struct device_group **p;

	if (--g->n > 0)
		return;
	p = group_place(r, g->name);
	*p = g->next;
	free(g);
}

int
registry_add(struct registry *r, struct device *d, const char *name,
    const char *group, struct device **old)
{
	struct device_group *g = group_ref(r, group);
	struct device	   **p;

	*old = NULL;
	if (g == NULL)
		return -ENOMEM;
	if ((*old = *place(r, name)) != NULL)
		registry_remove(r, *old);
	if (r->n >= r->buckets)
		grow(r);
	p = place(r, name);
	*d = (struct device) { .name = name, .group = g };
	*p = d;
	r->n++;
	return 0;
}

void
registry_remove(struct registry *r, struct device *d)
{
	struct device **p;

	if (d->name == NULL)
		return;
	p = place(r, d->name);
	*p = d->next;
	group_unref(r, d->group);
	*d = (struct device) { 0 };
	r->n--;
}

struct device *
registry_find(const struct registry *r, const char *name)
{
	return *place(r, name);
}

unsigned
registry_size(const struct registry *r)
{
	return r->n;
}

const char *
device_group(const struct device *d)
{
	return d->group->name;
}
