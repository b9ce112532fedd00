/*
 * dp-gateway/push_clone.c - two machines with one certificate, such as clones of
 * a disk, that take each other's place on the push channel for ever; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. A device that comes anew takes the place
 * of its old connection, which mostly is dead. One that was alive says so: it
 * closes when it is told that no more comes. When that has happened CLONE_SWAPS
 * times, each within CLONE_MS of the one before, there are two, and each is sent
 * away for minutes when the other one comes. Who does not heed that is refused
 * for CLONE_REST_MS after each time. Of two at two processes the older one's finds
 * out whether it was alive, and the newer one's counts.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "dp-gateway/push_conn.h"

#include <openssl/rand.h>
#include <sys/socket.h>

#define CLONE_SWAPS    3
#define CLONE_MS       (15 * 60000)
#define CLONE_REST_MS  30000
#define CLONE_AWAY_MS  (5 * 60000) /* and up to twice that */
#define CLONE_WARNINGS 5

static uint64_t
now_of(const struct push_conn *c)
{
	return loop_now_ms(c->p->g->loop);
}

static bool
is_cloned(const struct push_conn *c)
{
	return c->swaps >= CLONE_SWAPS && now_of(c) - c->swap_ms < CLONE_MS;
}

bool
push_is_storm(const struct push_conn *there)
{
	return is_cloned(there) && now_of(there) - there->swap_ms < CLONE_REST_MS;
}

static void
send_away(struct push_conn *old)
{
	char	 text[WAKE_LEAVE_MAX];
	uint32_t dice = 0;

	(void)RAND_bytes((uint8_t *)&dice, sizeof(dice));
	(void)push_emit(old, text,
	    push_leave_text(CLONE_AWAY_MS + dice % CLONE_AWAY_MS, text));
}

/* Whether the other end is told, so that it may answer. */
static bool
tell(struct push_conn *old, bool is_clone)
{
	if (old->state != S_OPEN)
		return false;
	if (is_clone)
		send_away(old);
	else
		tls_goodbye(old->tls);
	if (old->state == S_OPEN && !is_clone)
		(void)shutdown(old->fd, SHUT_WR);
	return old->state == S_OPEN;
}

static void
end_replaced(struct push_conn *old, bool is_clone)
{
	old->p->n.replaced++;
	if (!tell(old, is_clone)) {
		push_end(old, WHY_REPLACED);
		return;
	}
	old->why = WHY_REPLACED;
	push_state(old, S_LINGER);
}

/* What counts of it for the one that takes its place. */
static uint8_t
swaps_of(const struct push_conn *old)
{
	return now_of(old) - old->start_ms < CLONE_MS ? old->swaps : 0;
}

void
push_replace(struct push_conn *c, struct push_conn *old)
{
	if ((c->swaps = swaps_of(old)) > 0)
		c->swap_ms = old->swap_ms;
	if (is_cloned(c))
		c->swap_ms = now_of(c);
	end_replaced(old, is_cloned(c));
}

void
push_let_go(struct push_conn *old)
{
	bool is_clone = swaps_of(old) > 0 && is_cloned(old);

	/* two that were clones long ago begin anew there */
	if (swaps_of(old) > 0 && (is_clone || old->swaps < CLONE_SWAPS))
		push_share(old->p, PUSH_SHARED_SWAPS, old->swaps,
		    tls_peer_name(old->tls), "");
	end_replaced(old, is_clone);
}

void
push_shared_swaps(struct push_conn *c, uint8_t swaps)
{
	if (swaps > CLONE_SWAPS)
		swaps = CLONE_SWAPS;
	if (swaps <= c->swaps)
		return;
	c->swaps = swaps;
	c->swap_ms = now_of(c);
}

static void
say(const struct push_conn *c, const char *other)
{
	const char *name = tls_peer_name(c->tls);
	char	    at[CONN_ADDR];

	conn_address(c->addr, c->port, at);
	log_warn("push: two have the certificate of \"%s\", and take each "
		 "other's place: %s and %s", name, at, other);
	worker_event(c->p->g->w, "gateway-push-clones",
	    json_pack("{s:s,s:s,s:s}", "name", name, "at", at, "and", other));
}

void
push_shared_alive(struct push_conn *c, const char *at)
{
	if (c->swaps >= CLONE_SWAPS)
		return;
	c->swap_ms = now_of(c);
	if (++c->swaps == CLONE_SWAPS)
		say(c, at);
}

void
push_was_alive(const struct push_conn *old)
{
	const char	 *name = tls_peer_name(old->tls);
	struct push_conn *c = push_device(registry_find(old->p->devices, name));
	char		  at[CONN_ADDR];

	if (old->why != WHY_REPLACED)
		return;
	conn_address(old->addr, old->port, at);
	if (c != NULL)
		push_shared_alive(c, at);
	else
		push_share(old->p, PUSH_SHARED_ALIVE, 0, name, at);
}

void
push_shared_refuse(struct push_conn *c)
{
	if (tell(c, true))
		push_goodbye(c, WHY_CLONE);
	else
		push_end(c, WHY_CLONE);
}

unsigned
push_clones(const struct push *p)
{
	unsigned n = 0;

	for (const struct push_conn *c = p->oldest; c != NULL; c = c->newer)
		n += c->device.name != NULL && is_cloned(c);
	return n;
}

void
push_warnings(const struct push *p, struct admin_reply *reply)
{
	unsigned n = 0;
	char	 at[CONN_ADDR];

	for (const struct push_conn *c = p->oldest; c != NULL; c = c->newer) {
		if (c->device.name == NULL || !is_cloned(c) ||
		    n++ >= CLONE_WARNINGS)
			continue;
		conn_address(c->addr, c->port, at);
		worker_warning(reply, "gateway: more than one has the certificate "
		    "of %s; now here: %s", c->device.name, at);
	}
	if (n > CLONE_WARNINGS)
		worker_warning(reply, "gateway: %u more certificates are shared",
		    n - CLONE_WARNINGS);
}
