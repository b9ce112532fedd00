/*
 * dp-gateway/dialler.c - whom we dial, and when again; see link_impl.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes dp-connect about where a
 * socket leads, and redial.h about when.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/link_impl.h"

#include "common/log.h"
#include "common/tls_client.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_AFTER 3 /* in a row that a link did not carry */
#define LEAVING_MAX 2 /* of PEER_MAX that the far end has for 8 processes */

_Static_assert(GATEWAYS_MAX <= MUX_PROCESSES, "each can say which it is");

static uint64_t
chance(void)
{
	uint64_t n = 0;

	(void)RAND_bytes((unsigned char *)&n, sizeof(n));
	return n;
}

/* All of them: of gateway.uplink, then of gateway.dial with their siblings. */
struct dialler *
dialler_next(const struct dialler *d)
{
	struct uplinks *u = d->u;
	size_t		i = d->head == &u->up ? 0
					      : (size_t)(d->head - u->dial) + 1;

	return d->sibling != NULL ? d->sibling
	    : i < GATEWAY_SERVERS ? &u->dial[i]
				  : NULL;
}

static void
say(struct dialler *d)
{
	if (!d->redial.down || d->said_down)
		return;
	d->said_down = true;
	log_warn("uplink: none of %s connects: %s",
	    d->near ? "gateway.uplink" : "gateway.dial", d->redial.why);
}

/* Its dialler looks for another one. */
void
dialler_let_go(struct link *k, unsigned e, const char *why)
{
	struct dialler *d = k->by;

	d->link = NULL;
	k->by = NULL;
	if (e == END_TWICE) {
		redial_twice(&d->redial, uplinks_now(k->u), chance());
		return;
	}
	if (k->up)
		redial_lost(&d->redial, uplinks_now(k->u), chance(), why);
	else
		redial_failed(&d->redial, uplinks_now(k->u), chance(), why);
	say(d);
}

/* Links that were left or replaced, and whose streams live on. The far end has so
 * many for one name: they are not to pile up. */
static unsigned
links_leaving(const struct uplinks *u)
{
	unsigned n = 0;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		n += !k->ended && k->near && !k->accepted && k->by == NULL;
	return n;
}

void
dialler_leave(struct link *k, uint64_t now)
{
	struct dialler *d = k->by;

	if (d == NULL || !d->near || !link_is_up(k) ||
	    k->unopened < LEAVE_AFTER ||
	    !redial_may_leave(&d->redial, now, k->unopened_ms) ||
	    links_leaving(k->u) >= LEAVING_MAX)
		return;
	log_warn("uplink to %s carries nobody: %s; the next is dialled", k->at,
	    why_text(k->unopened_why));
	redial_left(&d->redial, now, "it carries nobody");
	d->link = NULL;
	k->by = NULL;
	mux_drain(k->mux);
}

/* Whether that is another list: the old link's streams live on, it takes no new
 * ones. */
bool
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
void
dialler_want(struct dialler *d, unsigned n)
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
bool
dialler_is_first(struct link *k)
{
	struct dialler	     *by = k->by;
	const struct dialler *d = by->head;
	bool		      twice = false;
	unsigned	      n;

	mux_process(k->mux, &k->process, &n);
	do
		twice = twice || (d != by && d->link != NULL && d->link->up &&
		    d->link->process == k->process);
	while ((d = d->sibling) != NULL);
	if (twice)
		link_end(k, END_TWICE, "");
	dialler_want(by, n);
	return !k->ended;
}

static void
dial_failed(struct dialler *d, const char *why)
{
	redial_failed(&d->redial, uplinks_now(d->u), chance(), why);
}

void
dialler_dial(struct dialler *d)
{
	int i;

	if (d->asked || d->link != NULL || d->u->g->draining ||
	    (d->u->g->refusing && !d->near) ||
	    d->u->nasked == LINKS_ASKED ||
	    (i = redial_due(&d->redial, uplinks_now(d->u))) < 0)
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
		say(d);
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
		link_shake(k);
	if (!k->ended)
		link_watch(k);
}
