/*
 * dp-scan/scan.c - the keeper as a worker: sights in, events out, peers, reload,
 * drain; see scan.h.
 *
 * Runs in dp-scan. Believes the master and the kernel's tables; of a sight
 * that somebody said it, and nothing of what it says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/scan.h"

#include "common/log.h"
#include "common/size.h"
#include "common/value.h"
#include "common/wr.h"
#include "dp-scan/agents.h"
#include "dp-scan/directory.h"
#include "dp-scan/vendor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER_QUEUE   4096
#define EVENTS_BURST 100
#define EVENTS_RATE  10	 /* a second; the rest is counted */
#define OWN_EACH     60	 /* s from one look at ourselves to the next */
#define GO_AFTER     10	 /* s without a store */
#define DRAIN_MS     3000
#define LEAP_S	     60	 /* what a clock may be off and is set to at once */

/* -- names for people -- */

void
scan_addr_text(const struct scan *s, const uint8_t addr[16], char out[80])
{
	const struct net_link *l = NULL;
	uint8_t		       plain[16];
	char		       text[INET6_ADDRSTRLEN];
	uint32_t	       ifindex = 0;

	memcpy(plain, addr, 16);
	if (memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) {
		inet_ntop(AF_INET, addr + 12, out, 80);
		return;
	}
	if (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80) {
		ifindex = (uint32_t)addr[4] << 24 | (uint32_t)addr[5] << 16 |
		    (uint32_t)addr[6] << 8 | addr[7];
		l = net_link_by(s->net, ifindex);
		devices_scope(0, plain);
	}
	inet_ntop(AF_INET6, plain, text, sizeof(text));
	snprintf(out, 80, "%s%s%s", text, l != NULL ? "%" : "",
	    l != NULL ? l->name : "");
}

bool
scan_uses(const struct scan *s, const struct net_link *l)
{
	char   word[64];
	size_t pos = 0;

	if (s->conf.interfaces[0] == '\0')
		return true;
	while (value_word(s->conf.interfaces, &pos, word, sizeof(word)))
		if (strcmp(word, l->name) == 0)
			return true;
	return false;
}

/* -- events -- */

static json_t *
who(struct scan *s, const struct record *r)
{
	json_t	   *row = json_object();
	struct item it;
	char	    text[80];

	json_object_set_new(row, "device", json_integer((json_int_t)r->id));
	if (record_newest(r, ITEM_ADDR, &it)) {
		scan_addr_text(s, it.data, text);
		json_object_set_new(row, "address", json_string(text));
	}
	if (record_newest(r, ITEM_MAC, &it)) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		    it.data[0], it.data[1], it.data[2], it.data[3], it.data[4],
		    it.data[5]);
		json_object_set_new(row, "mac", json_string(text));
	}
	if (record_newest(r, FACT_NAME, &it))
		json_object_set_new(row, "name",
		    json_stringn((const char *)it.data, it.len));
	return row;
}

enum { ROOM_COMMON, ROOM_WARNING, ROOM_CRITICAL };

static bool
on_event(void *ctx, enum device_event e, const struct record *r,
    const struct record *other, const char *detail)
{
	static const uint8_t rooms[DEVICE_EVENTS] = {
		[ADDRESS_CONFLICT] = ROOM_WARNING,
		[DUPLICATE_ADDRESS] = ROOM_WARNING,
		[DHCP_SERVER_UNKNOWN] = ROOM_CRITICAL,
		[DEVICE_CLAIMS_MANY] = ROOM_WARNING,
		[DEVICES_FULL] = ROOM_WARNING,
		[IDENTITY_TWICE] = ROOM_WARNING,
	};
	static const char *const importance[EVENT_ROOMS] = {
		[ROOM_WARNING] = "Warning", [ROOM_CRITICAL] = "Critical" };
	struct scan *s = ctx;
	json_t	    *row;
	/* what anybody can cause by the hundred must not crowd out what is graver */
	uint64_t   *room = &s->events_room[rooms[e]];
	const char *grave = importance[rooms[e]];

	if (!s->going)
		return false;
	if (*room == 0) {
		s->events_left_out++;
		return false;
	}
	--*room;
	row = r != NULL ? who(s, r) : json_object();
	if (other != NULL)
		json_object_set_new(row, "other", who(s, other));
	if (detail != NULL)
		json_object_set_new(row,
		    e == ADDRESS_CONFLICT || e == DUPLICATE_ADDRESS ||
			    e == DHCP_SERVER_UNKNOWN || e == IDENTITY_TWICE
			? "of" : "why",
		    json_string(detail));
	if (grave != NULL) {
		json_object_set_new(row, "importance", json_string(grave));
		log_warn("%s: device %u%s%s", device_event_name(e),
		    r != NULL ? r->id : 0, detail != NULL ? ": " : "",
		    detail != NULL ? detail : "");
	}
	worker_event(s->w, device_event_name(e), row);
	return true;
}

static void
events_second(struct scan *s)
{
	if (s->events_left_out > 0)
		worker_event(s->w, "events-left-out", json_pack("{s:I}", "events",
		    (json_int_t)s->events_left_out));
	s->events_left_out = 0;
	for (size_t i = 0; i < EVENT_ROOMS; i++) {
		s->events_room[i] += EVENTS_RATE;
		if (s->events_room[i] > EVENTS_BURST)
			s->events_room[i] = EVENTS_BURST;
	}
}

/* -- sights -- */

static enum place
on_place(void *ctx, uint32_t ifindex, const uint8_t addr[16])
{
	struct scan *s = ctx;

	if (net_is_on_link(s->net, ifindex, addr))
		return PLACE_LINK;
	if ((s->ranges.n > 0 && scope_has(&s->ranges, addr)) ||
	    net_is_on_link(s->net, 0, addr) || runs_covers(s, addr))
		return PLACE_ROUTED;
	return PLACE_NOWHERE;
}

/* Any interface's MAC address may answer for an address of any other one of ours. */
static bool
on_is_ours(void *ctx, uint32_t ifindex, const uint8_t addr[16],
    const uint8_t mac[6], bool *other)
{
	struct scan *s = ctx;
	bool	     is_ours = false;

	for (size_t i = 0; !is_ours && i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);

		is_ours = !a->tentative && a->ifindex == ifindex &&
		    memcmp(a->addr, addr, 16) == 0;
	}
	*other = true;
	for (size_t i = 0; *other && i < net_nlinks(s->net); i++)
		*other = memcmp(net_link_at(s->net, i)->mac, mac, 6) != 0;
	return is_ours;
}

static int64_t
boot_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

uint32_t
scan_now(const struct scan *s)
{
	uint32_t now = (uint32_t)(s->clock.wall + boot_s() - s->clock.boot);

	return now > s->clock.floor ? now : s->clock.floor;
}

static void
look_at_clock(struct scan *s)
{
	int64_t	 wall = time(NULL), boot = boot_s(), by;
	uint32_t now;

	if (s->clock.wall == 0) {
		s->clock.wall = wall;
		s->clock.boot = boot;
		s->clock.began = (uint32_t)wall;
	}
	now = s->clock.floor = scan_now(s);
	by = wall - now;
	if (by > LEAP_S || by < -LEAP_S) {
		log_warn("the clock leapt by %lld s; devices have the age they "
			 "had", (long long)by);
		devices_leap(s->devices, s->clock.began, now, by);
		s->clock.began = (uint32_t)(s->clock.began + by);
		s->clock.floor = (uint32_t)wall;
		s->directory_idle = 0;
	}
	s->clock.wall = wall;
	s->clock.boot = boot;
}

void
scan_see(struct scan *s, const struct sight *g)
{
	s->sights[g->by]++;
	/* before the kept ones are there, all would be new */
	if (!s->going) {
		s->missed_directory |= g->by == SIGHT_LDAP;
		return;
	}
	runs_heard(s, g);
	if (!runs_withholds(s, g))
		(void)devices_see(s->devices, g, scan_now(s));
}

/* What a listener can know; the rest has tellers of its own. */
static bool
is_heard(enum sight_by by)
{
	return by != SIGHT_LDAP && by != SIGHT_NEIGHBOUR && by != SIGHT_AGENT &&
	    by != SIGHT_OWN;
}

static int
on_sights(void *ctx, struct ipc_msg *m)
{
	static struct sight g;
	struct scan	   *s = ctx;
	int		    r = 0;

	while (r == 0 && m->rd.left > 0)
		if ((r = sight_read(&m->rd, &g)) == 0 && !is_heard(g.by))
			r = -EBADMSG;
		else if (r == 0 && (s->conf.passive || g.asked ||
			(g.by == SIGHT_MLD && runs_asks_groups(s)))) {
			/* anybody may send us an answer to no question */
			if (g.by == SIGHT_ARP || g.by == SIGHT_NDP)
				g.asked = g.asked && runs_asks(s, g.addr);
			scan_see(s, &g);
		}
	return r;
}

static int
on_malformed(void *ctx, struct ipc_msg *m)
{
	struct scan *s = ctx;

	for (int p = PROTOCOL_NONE + 1; p < PROTOCOLS; p++)
		s->malformed[p] = rd_u64(&m->rd);
	return rd_done(&m->rd);
}

static void
on_computer(void *ctx, const struct sight *g)
{
	scan_see(ctx, g);
}

static bool
is_ours(const struct scan *s, const uint8_t addr[16])
{
	for (size_t i = 0; i < net_naddrs(s->net); i++)
		if (memcmp(net_addr_at(s->net, i)->addr, addr, 16) == 0)
			return true;
	return false;
}

/* A relay on this machine, such as a gateway that passes through to us, speaks
 * from an address of ours: where the device is it does not tell. On a link the
 * machine is the one to which the frames of its connection go. */
static void
on_agent(void *ctx, const struct sight *said)
{
	struct scan *s = ctx;
	struct sight g = *said;

	if (is_ours(s, g.addr))
		memset(g.addr, 0, sizeof(g.addr));
	else if (!net_is_router(s->net, g.addr))
		(void)net_neighbour(s->net, g.addr, &g.ifindex, g.mac);
	scan_see(s, &g);
}

static void
on_neighbour(void *ctx, uint32_t ifindex, const uint8_t mac[6],
    const uint8_t addr[16])
{
	struct scan	      *s = ctx;
	const struct net_link *l = net_link_by(s->net, ifindex);
	struct sight	       g;

	if (l == NULL || !scan_uses(s, l))
		return;
	sight_begin(&g, SIGHT_NEIGHBOUR);
	g.ifindex = ifindex;
	memcpy(g.mac, mac, 6);
	memcpy(g.addr, addr, 16);
	scan_see(s, &g);
}

/* This machine is a device, too. */
static void
see_ourselves(struct scan *s)
{
	for (size_t i = 0; i < net_naddrs(s->net); i++) {
		const struct net_addr *a = net_addr_at(s->net, i);
		const struct net_link *l = net_link_by(s->net, a->ifindex);
		struct sight	       g;

		if (l == NULL || !l->up || !l->ethernet || !scan_uses(s, l) ||
		    a->tentative)
			continue;
		sight_begin(&g, SIGHT_OWN);
		g.ifindex = a->ifindex;
		memcpy(g.mac, l->mac, 6);
		memcpy(g.addr, a->addr, 16);
		/* several interfaces of ours are one machine */
		sight_addf(&g, FACT_NAME, "%s", s->host);
		scan_see(s, &g);
	}
}

/* -- what the listener is told -- */

static void
tell_listener(struct scan *s)
{
	uint8_t	  buf[NET_LINKS * 10];
	struct wr w = wr_to(buf, sizeof(buf));

	for (size_t i = 0; i < net_nlinks(s->net); i++) {
		const struct net_link *l = net_link_at(s->net, i);

		if (!l->ethernet || !l->up || !scan_uses(s, l))
			continue;
		wr_u32(&w, l->ifindex);
		wr_bytes(&w, l->mac, 6);
	}
	if (s->listen != NULL && net_is_read(s->net))
		(void)ipc_send(s->listen, MSG_LISTEN_ON, 0, buf, w.len);
}

static void
on_net_changed(void *ctx)
{
	struct scan *s = ctx;

	tell_listener(s);
	see_ourselves(s);
	runs_net_changed(s);
}

/* -- peers -- */

static const struct ipc_handler from_probe[] = {
	{ MSG_PROBED, 0, 16, 16, runs_on_probed },
};
static const struct ipc_handler from_listen[] = {
	/* type		nfds min	       max		    fn */
	{ MSG_SIGHT,	 0, 29,		       MSG_MAX_PAYLOAD,	    on_sights },
	{ MSG_MALFORMED, 0, 8 * (PROTOCOLS - 1), 8 * (PROTOCOLS - 1), on_malformed },
};

static void
probe_broken(void *ctx, struct ipc *c, int r)
{
	struct scan *s = ctx;

	ipc_free(&c);
	s->probe = NULL;
	worker_accuse(PEER_PROBE, r);
}

static void
listen_broken(void *ctx, struct ipc *c, int r)
{
	struct scan *s = ctx;

	ipc_free(&c);
	s->listen = NULL;
	worker_accuse(PEER_LISTEN, r);
}

static void
store_broken(void *ctx, int r)
{
	(void)ctx;
	worker_accuse(PEER_STORE, r);
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct scan *s = ctx;
	int	     r;

	if (role == PEER_STORE) {
		if ((r = store_client_attach(s->store, take_fd)) == 0)
			keep_attached(s);
	} else if (role == PEER_PROBE) {
		ipc_free(&s->probe);
		r = ipc_new(s->loop, take_fd, (struct ipc_table){ from_probe,
		    COUNT(from_probe) }, s, probe_broken, PEER_QUEUE, &s->probe);
		if (r == 0)
			runs_prober_back(s);
	} else if (role == PEER_LISTEN) {
		ipc_free(&s->listen);
		r = ipc_new(s->loop, take_fd, (struct ipc_table){ from_listen,
		    COUNT(from_listen) }, s, listen_broken, PEER_QUEUE,
		    &s->listen);
		if (r == 0)
			tell_listener(s);
	} else if (role == PEER_LDAP) {
		r = scan_directory_attach(s->directory, take_fd);
	} else if (scan_agents_may(role)) {
		r = scan_agents_attach(s->agents, role, take_fd);
	} else {
		close(take_fd);
		r = -EBADMSG;
	}
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- configuration -- */

/* Of three polls one may be lost; what is not asked for on a schedule is said when
 * there is something to say. */
static uint32_t
said_time(const struct scan_conf *c)
{
	const uint64_t each[] = { c->range_interval, c->name_interval,
		c->snmp_interval };
	uint64_t       most = c->life_time, all = c->life_time + c->keep_time;

	for (size_t i = 0; i < COUNT(each); i++) {
		if (!c->active || each[i] == 0)
			return (uint32_t)all;
		if (3 * each[i] > most)
			most = 3 * each[i];
	}
	return (uint32_t)(most < all ? most : all);
}

static int
configure(struct scan *s)
{
	const struct scan_conf *c = &worker_settings(s->w)->scan;
	struct devices_conf	d = { .max = c->max_devices,
		.life_time = (uint32_t)c->life_time,
		.keep_time = (uint32_t)c->keep_time,
		.said_time = said_time(c) };
	char			err[SCOPE_ERR];

	if (scope_parse(c->ranges, &s->ranges, err) < 0 ||
	    scope_parse(c->exclude, &s->exclude, err) < 0 ||
	    scope_parse(c->snmp_ranges, &s->snmp_ranges, err) < 0) {
		log_err("scan: ranges: %s", err); /* was read before */
		return -EINVAL;
	}
	s->conf = *c;
	snprintf(d.dhcp_servers, sizeof(d.dhcp_servers), "%s", c->dhcp_servers);
	devices_configure(s->devices, &d);
	runs_configure(s);
	upward_configure(s->upward);
	tell_listener(s);
	return 0;
}

static int
on_reload(void *ctx)
{
	return configure(ctx);
}

/* -- life -- */

/* A reading that ended well, and of which we have all. */
static void
look_at_directory(struct scan *s)
{
	const struct scan_directory_state *d = scan_directory_state(s->directory);

	if (d->state == DIRECTORY_READING)
		return;
	if (s->going && !s->missed_directory && d->state == DIRECTORY_READ &&
	    d->said != s->directory_said && s->directory_idle != 0)
		devices_directory_read(s->devices, s->directory_idle);
	s->directory_said = d->said;
	s->directory_idle = scan_now(s);
}

static void
on_second(void *ctx)
{
	struct scan *s = ctx;

	loop_timer_set(s->second, 1000);
	s->ticks++;
	look_at_clock(s);
	if (!s->going && s->ticks >= GO_AFTER && !s->loading) {
		log_warn("the store is away: devices begin anew");
		devices_begin(s->devices, scan_now(s));
		s->going = true;
	}
	look_at_directory(s);
	if (!net_is_read(s->net) && s->ticks % OWN_EACH == 0)
		(void)net_begin(s->net); /* its end was lost */
	if (s->going && s->missed_directory && /* its sights came too early */
	    scan_directory_state(s->directory)->state != DIRECTORY_READING)
		s->missed_directory = scan_directory_read(s->directory) < 0;
	if (s->going && net_is_read(s->net)) /* knows places, too */
		scan_agents_begin(s->agents);
	events_second(s);
	if (s->going && (s->ticks % OWN_EACH == 1 ||
		(s->conf.life_time < 2 * OWN_EACH && s->ticks % 4 == 1)))
		see_ourselves(s);
	devices_age(s->devices, scan_now(s));
	runs_second(s);
	keep_second(s);
	upward_second(s->upward);
}

static void
on_drain_timeout(void *ctx)
{
	worker_drained(((struct scan *)ctx)->w);
}

static void
on_drain(void *ctx)
{
	struct scan	  *s = ctx;
	struct loop_timer *t;

	if (loop_timer_new(s->loop, on_drain_timeout, s, &t) == 0)
		loop_timer_set(t, DRAIN_MS);
	keep_drain(s);
}

static int
make(struct scan *s, int netlink)
{
	static const struct store_client_ops store_ops = {
		.broken = store_broken,
	};
	static const struct devices_ops device_ops = { on_place, on_is_ours,
		on_event };
	static const struct net_ops net_ops = { on_net_changed, on_neighbour };
	struct devices_conf none = { .max = 1 };
	int		    r;

	look_at_clock(s);
	if ((r = store_client_new(s->loop, -1, &store_ops, s, &s->store)) < 0 ||
	    (r = devices_new(&none, &device_ops, s, &s->devices)) < 0 ||
	    (r = loop_timer_new(s->loop, on_second, s, &s->second)) < 0 ||
	    (r = scan_directory_new(s->loop, on_computer, s, &s->directory)) < 0 ||
	    (r = scan_agents_new(s->loop, on_agent, s, &s->agents)) < 0 ||
	    (r = upward_new(s, &s->upward)) < 0 || (r = runs_init(s)) < 0)
		return r;
	return net_new(s->loop, netlink, &net_ops, s, &s->net);
}

struct scan *
scan_open(struct worker *w)
{
	struct scan *s = calloc(1, sizeof(*s));
	char	     name[16];
	int	     fd, r;

	if (s == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	s->w = w;
	s->loop = worker_loop(w);
	for (size_t i = 0; i < EVENT_ROOMS; i++)
		s->events_room[i] = EVENTS_BURST;
	if (gethostname(s->host, sizeof(s->host) - 1) < 0)
		snprintf(s->host, sizeof(s->host), "this");
	if (vendor_load(VENDOR_DIR) == 0)
		log_info("no vendors: the package ieee-data is not installed");
	fd = worker_socket(w, "scan.enable", 0, name, sizeof(name));
	if (fd < 0 || strcmp(name, "netlink") != 0)
		log_fatal(EXIT_OPERATOR, "no netlink socket");
	if ((r = make(s, fd)) < 0 || (r = configure(s)) < 0 ||
	    (r = net_begin(s->net)) < 0)
		log_fatal(EXIT_TEMPORARY, "start: %s", strerror(-r));
	for (int i = PEER_CONTROL + 1; i < PEER_MAX; i++)
		if ((fd = worker_peer(w, (enum peer_role)i)) >= 0)
			on_peer(s, (enum peer_role)i, fd);
	loop_timer_set(s->second, 1000);
	return s;
}

int
scan_run(struct scan *s)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.drain = on_drain,
		.commands = scan_commands,
		.metrics = scan_metrics,
		.warnings = scan_warnings,
	};

	return worker_run(s->w, &ops, s);
}

void
scan_close(struct scan **sp)
{
	struct scan *s = *sp;

	if (s == NULL)
		return;
	runs_fini(s);
	upward_free(&s->upward);
	ipc_free(&s->probe);
	ipc_free(&s->listen);
	scan_directory_free(&s->directory);
	scan_agents_free(&s->agents);
	store_client_free(&s->store);
	devices_free(&s->devices);
	net_free(&s->net);
	loop_timer_free(&s->second);
	free(s);
	*sp = NULL;
}
