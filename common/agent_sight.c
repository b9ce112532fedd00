/*
 * common/agent_sight.c - see agent_sight.h.
 *
 * Runs in the workers that end TLS of devices. Believes that the certificate was
 * verified. Keys are compared whole: no device can make another's look said.
 * SPDX-License-Identifier: ISC
 */
#include "common/agent_sight.h"

#include "common/report.h"
#include "common/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URI  "urn:dpoint:device:"
#define WAYS 8

struct said {
	uint8_t	 device[REPORT_DEVICE_LEN], addr[16];
	uint64_t until_ms; /* 0: free */
};

struct agent_sight {
	struct loop *loop;
	struct ipc  *ch;   /* NULL: dp-scan is away, or not wanted */
	struct said *said; /* sets of WAYS; NULL before the first channel */
	struct sight sight;
};

static bool
is_same(const struct said *a, const struct said *b)
{
	return memcmp(a->device, b->device, sizeof(a->device)) == 0 &&
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* The place of these two: their own, or the one to be given up. */
static struct said *
place_of(struct agent_sight *a, const struct said *key)
{
	uint64_t     h = 14695981039346656037u;
	struct said *set, *oldest;

	for (size_t i = 0; i < sizeof(key->device); i++)
		h = (h ^ key->device[i]) * 1099511628211u;
	for (size_t i = 0; i < sizeof(key->addr); i++)
		h = (h ^ key->addr[i]) * 1099511628211u;
	oldest = set = &a->said[(h ^ h >> 32) % (AGENT_SIGHT_SLOTS / WAYS) * WAYS];
	for (size_t i = 0; i < WAYS; i++) {
		if (is_same(&set[i], key))
			return &set[i];
		if (set[i].until_ms < oldest->until_ms)
			oldest = &set[i];
	}
	return oldest;
}

static int
send_sight(struct agent_sight *a, const struct said *of)
{
	uint8_t	  buf[AGENT_SIGHT_WIRE];
	struct wr w = wr_to(buf, sizeof(buf));
	char	  device[REPORT_DEVICE_TEXT];

	report_device_text(of->device, device);
	sight_begin(&a->sight, SIGHT_AGENT);
	memcpy(a->sight.addr, of->addr, sizeof(a->sight.addr));
	sight_addf(&a->sight, FACT_AGENT, URI "%s", device);
	sight_write(&a->sight, &w);
	return w.err != 0 ? w.err
			  : ipc_send(a->ch, MSG_SIGHT, 0, buf, w.len);
}

void
agent_sight_say(struct agent_sight *a, const char *name, const uint8_t addr[16],
    uint64_t now_ms)
{
	struct said  key = { .until_ms = now_ms + AGENT_SIGHT_MS };
	struct said *p;

	if (a->ch == NULL || report_device_of_uri(name, key.device) < 0)
		return;
	if (addr[0] != 0xfe || (addr[1] & 0xc0) != 0x80)
		memcpy(key.addr, addr, sizeof(key.addr));
	p = place_of(a, &key);
	if (is_same(p, &key) && now_ms < p->until_ms)
		return;
	if (send_sight(a, &key) == 0)
		*p = key;
}

bool
agent_sight_is(const struct sight *s)
{
	uint8_t device[REPORT_DEVICE_LEN];

	return s->by == SIGHT_AGENT && !s->asked && !s->cut && s->ifindex == 0 &&
	    memcmp(s->mac, (uint8_t[6]){ 0 }, 6) == 0 && s->nfacts == 1 &&
	    s->fact[0].kind == FACT_AGENT &&
	    report_device_of_uri(sight_fact(s, 0), device) == 0;
}

/* -- the channel -- */

static void
on_broken(void *ctx, struct ipc *c, int r)
{
	struct agent_sight *a = ctx;

	ipc_free(&c);
	a->ch = NULL;
	worker_accuse(PEER_SCAN, r);
}

int
agent_sight_attach(struct agent_sight *a, int take_fd)
{
	const struct ipc_table nothing = { NULL, 0 };
	size_t		       size = AGENT_SIGHT_SLOTS * sizeof(*a->said);

	/* a new table: pages that hold nothing are no memory */
	free(a->said);
	ipc_free(&a->ch);
	if ((a->said = calloc(1, size)) == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	return ipc_new(a->loop, take_fd, nothing, a, on_broken,
	    AGENT_SIGHT_QUEUE, &a->ch);
}

int
agent_sight_new(struct loop *l, struct agent_sight **out)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return -ENOMEM;
	(*out)->loop = l;
	return 0;
}

void
agent_sight_free(struct agent_sight **ap)
{
	if (*ap == NULL)
		return;
	ipc_free(&(*ap)->ch);
	free((*ap)->said);
	free(*ap);
	*ap = NULL;
}
