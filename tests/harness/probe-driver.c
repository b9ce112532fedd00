/*
 * tests/harness/probe-driver.c - a keeper and a listener for a real dp-probe.
 *
 * usage: probe-driver DP-PROBE COMMAND...
 *   config KEY=VALUE   for the prober, e.g. scan.rate=500 (before the rest)
 *   communities PATH   the file of scan.snmp-communities (likewise)
 *   mac XX:XX:...      the source of frames from here on; own: the interface's
 *   from ADDRESS|any   the source address from here on (any)
 *   by INTERFACE|any   from here on (any)
 *   rate N             packets a second that orders say from here on (1000)
 *   order KIND TARGET,...   an address, a prefix (10.0.0.0/22: its hosts), tcp:ipp,
 *                      udp:NAME or all (zeroes); several orders if they are too many
 *   stop N             order N, the first is 1
 *   wait               until all orders are done; prints of each
 *                      order N KIND sent N failed N error TEXT ms N
 *   hear MS            waits so long for answers; prints of each
 *                      heard KIND INTERFACE ADDRESS PORT HEX
 *   deaf               the listener reads nothing any more
 *   sleep MS
 *   metrics            prints them, NAME LABELS VALUE
 *   hostile            breaks the rules of the channel; prints how it ended
 * Exit: 0; 3 the prober is gone; 1 anything else.
 * SPDX-License-Identifier: ISC
 */
#include "common/ipc.h"
#include "common/wr.h"
#include "tests/harness/master.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ORDERS_MAX 256

static struct under_test u;
static bool		 deaf;
static uint8_t		 mac[6], from[16];
static bool		 own_mac = true;
static uint32_t		 ifindex, rate = 1000;
static char		 ifname[IF_NAMESIZE];
static struct {
	uint8_t	 kind;
	uint32_t n, sent, failed, err;
	int64_t	 began, ended;
	bool	 stopped, done;
} orders[ORDERS_MAX];
static uint32_t norders;

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void
gone(void)
{
	int status = worker_wait(&u);

	printf("the prober is gone (%s %d)\n",
	    WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	exit(3);
}

/* -- what the prober says -- */

static void
on_probed(struct rd *r)
{
	uint32_t id = rd_u32(r), sent = rd_u32(r), failed = rd_u32(r),
		 error = rd_u32(r);

	if (rd_done(r) < 0 || id == 0 || id > norders)
		errx(1, "MSG_PROBED of order %u", id);
	if (orders[id - 1].done || sent < orders[id - 1].sent ||
	    failed < orders[id - 1].failed || sent + failed > orders[id - 1].n)
		errx(1, "order %u: %u sent, %u failed", id, sent, failed);
	orders[id - 1].sent = sent;
	orders[id - 1].failed = failed;
	orders[id - 1].err = error;
	orders[id - 1].ended = now_us();
	orders[id - 1].done = orders[id - 1].stopped ||
	    sent + failed == orders[id - 1].n;
}

static void
on_heard(struct rd *r)
{
	uint8_t	       kind = rd_u8(r);
	uint32_t       index = rd_u32(r);
	const uint8_t *a = rd_bytes(r, 16);
	uint16_t       port = rd_u16(r);
	char	       text[INET6_ADDRSTRLEN], name[IF_NAMESIZE] = "-";

	if (r->err < 0)
		errx(1, "MSG_HEARD");
	(void)if_indextoname(index, name);
	if (memcmp(a, (uint8_t[12]){ [10] = 0xff, 0xff }, 12) == 0)
		inet_ntop(AF_INET, a + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, a, text, sizeof(text));
	printf("heard %s %s %s %u ", probe_kind_name(kind), name, text, port);
	for (size_t i = 0; i < r->left; i++)
		printf("%02x", r->p[i]);
	printf("\n");
}

/* Whatever comes until then, or until nothing is under way. */
static void
take(int64_t until, bool until_done)
{
	static uint8_t buf[MSG_MAX];
	struct ipc_msg m;

	for (;;) {
		struct pollfd p[2] = { { u.peer[PEER_SCAN], POLLIN, 0 },
			{ deaf ? -1 : u.peer[PEER_LISTEN], POLLIN, 0 } };
		int64_t left = until - now_us();
		bool	all = true;

		for (uint32_t i = 0; i < norders; i++)
			all = all && orders[i].done;
		if (left <= 0 || (until_done && all))
			return;
		(void)poll(p, 2, (int)(left / 1000) + 1);
		for (int i = 0; i < 2; i++) {
			if (p[i].revents == 0)
				continue;
			if (ipc_recv_now(p[i].fd, buf, sizeof(buf), 1000, &m) < 0)
				gone();
			if (i == 0 && m.type == MSG_PROBED)
				on_probed(&m.rd);
			else if (i == 1 && m.type == MSG_HEARD)
				on_heard(&m.rd);
			else
				errx(1, "message %u", m.type);
		}
	}
}

static void
say_orders(void)
{
	for (uint32_t i = 0; i < norders; i++)
		printf("order %u %s sent %u failed %u error %s ms %.1f%s\n",
		    i + 1, probe_kind_name(orders[i].kind), orders[i].sent,
		    orders[i].failed, orders[i].err == 0 ? "none"
					: strerrorname_np((int)orders[i].err),
		    (double)(orders[i].ended - orders[i].began) / 1000,
		    orders[i].done ? "" : " unfinished");
}

/* -- orders -- */

static uint8_t targets[1 << 16][16];
static size_t  ntargets;

static void
address(const char *text, uint8_t out[16])
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET, text, out + 12) == 1)
		out[10] = out[11] = 0xff;
	else if (inet_pton(AF_INET6, text, out) != 1)
		errx(1, "%s: no address", text);
}

static void
add_target(char *text)
{
	char	*slash = strchr(text, '/');
	uint8_t *t = targets[ntargets];
	uint32_t base, n;

	memset(t, 0, 16);
	if (strncmp(text, "tcp:", 4) == 0 || strncmp(text, "udp:", 4) == 0) {
		t[0] = text[0] == 't' ? 'T' : 'U';
		memcpy(t + 1, text + 4, strnlen(text + 4, 15));
		ntargets++;
	} else if (strcmp(text, "all") == 0) {
		ntargets++;
	} else if (slash == NULL) {
		address(text, t);
		ntargets++;
	} else {
		*slash = '\0';
		n = 1u << (32 - atoi(slash + 1));
		address(text, t);
		base = (uint32_t)t[12] << 24 | (uint32_t)t[13] << 16 |
		    (uint32_t)t[14] << 8 | t[15];
		for (uint32_t i = 1; i < n - 1; i++) {
			uint8_t *h = targets[ntargets++];

			memset(h, 0, 10);
			h[10] = h[11] = 0xff;
			for (int k = 0; k < 4; k++)
				h[12 + k] = (uint8_t)((base + i) >> (24 - 8 * k));
		}
	}
}

static void
send_order(const char *kind_name, size_t first, size_t n)
{
	static uint8_t buf[MSG_MAX];
	struct wr      w = wr_to(buf, sizeof(buf));
	uint8_t	       kind = 1;

	while (kind < PROBE_MAX && strcmp(probe_kind_name(kind), kind_name) != 0)
		kind++;
	if (kind == PROBE_MAX || norders == ORDERS_MAX)
		errx(1, "%s: no such kind, or too many orders", kind_name);
	orders[norders].kind = kind;
	orders[norders].n = (uint32_t)n;
	orders[norders].began = now_us();
	wr_u32(&w, ++norders);
	wr_u8(&w, kind);
	wr_u32(&w, ifindex);
	wr_bytes(&w, mac, sizeof(mac));
	wr_bytes(&w, from, sizeof(from));
	wr_u32(&w, rate);
	wr_bytes(&w, targets[first], n * 16);
	if (tell(u.peer[PEER_SCAN], MSG_PROBE, buf, w.len) < 0)
		gone();
}

static void
order(const char *kind, char *list)
{
	char *save = NULL;

	ntargets = 0;
	for (char *t = strtok_r(list, ",", &save); t != NULL;
	     t = strtok_r(NULL, ",", &save))
		add_target(t);
	for (size_t i = 0; i < ntargets; i += PROBE_TARGETS)
		send_order(kind, i, ntargets - i < PROBE_TARGETS ? ntargets - i
								  : PROBE_TARGETS);
}

static void
by(const char *name)
{
	struct ifreq ifr = { 0 };
	int	     fd = socket(AF_INET, SOCK_DGRAM, 0);

	ifindex = 0;
	if (strcmp(name, "any") == 0) {
		close(fd);
		return;
	}
	if (name != ifname)
		snprintf(ifname, sizeof(ifname), "%s", name);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if ((ifindex = if_nametoindex(name)) == 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		err(1, "%s", name);
	if (own_mac)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static void
set_mac(const char *text)
{
	own_mac = strcmp(text, "own") == 0;
	if (own_mac)
		by(ifname);
	else if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		     &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		errx(1, "%s: no address", text);
}

static void
metrics(void)
{
	char	err_text[512];
	json_t *rows, *row;
	size_t	i;

	if (admin(&u, "metrics", &rows, err_text) < 0)
		errx(1, "metrics: %s", err_text);
	json_array_foreach(rows, i, row)
		printf("%s %s %.0f\n", json_string_value(json_object_get(row,
		    "name")), json_is_string(json_object_get(row, "labels"))
		    ? json_string_value(json_object_get(row, "labels")) : "-",
		    json_number_value(json_object_get(row, "value")));
	json_decref(rows);
}

/* A keeper that breaks the rules is accused; so both are replaced. */
static void
hostile(const char *how)
{
	static uint8_t bytes[60000];
	struct ipc_msg m;
	uint8_t	       buf[64];
	size_t	       n = 51;

	memset(bytes, 0xff, sizeof(bytes));
	bytes[4] = PROBE_ARP;
	if (strcmp(how, "kind") == 0)
		bytes[4] = PROBE_MAX;
	else if (strcmp(how, "odd") == 0)
		n = 52;
	else if (strcmp(how, "short") == 0)
		n = 34;
	else if (strcmp(how, "long") == 0)
		n = 35 + 3001 * 16;
	(void)tell(u.peer[PEER_SCAN], MSG_PROBE, bytes, n);
	if (ipc_recv_now(u.master, buf, sizeof(buf), 5000, &m) < 0)
		errx(1, "%s: accused nobody", how);
	printf("%s: %s %s\n", how, m.type == MSG_ACCUSE ? "accused" : "said",
	    m.len == 1 ? peer_role_name((enum peer_role)m.rd.p[0]) : "?");
}

int
main(int argc, char *argv[])
{
	static const enum peer_role peers[] = { PEER_CONTROL, PEER_SCAN,
		PEER_LISTEN, PEER_NONE };
	static char config[8192] = "scan.enable=yes\n";
	int	    i = 2, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "communities") == 0) {
			u.file[0].key = "scan.snmp-communities";
			u.file[0].path = argv[i + 1];
			strcat(config, "scan.snmp-communities=/given\n");
		} else if (strcmp(argv[i], "config") == 0)
			snprintf(config + strlen(config),
			    sizeof(config) - strlen(config), "%s\n", argv[i + 1]);
		else
			break;
	if (argc < 3)
		errx(1, "usage: probe-driver DP-PROBE COMMAND...");
	if (worker_begin(&u, argv[1], config, peers, &status) < 0)
		errx(1, "%s did not start: status %d", argv[1], status);
	for (; i < argc; i++) {
		const char *c = argv[i];

		if (strcmp(c, "wait") == 0) {
			take(now_us() + 120 * INT64_C(1000000), true);
			say_orders();
			continue;
		}
		if (strcmp(c, "deaf") == 0) {
			deaf = true;
			continue;
		}
		if (strcmp(c, "metrics") == 0) {
			metrics();
			continue;
		}
		if (++i == argc)
			errx(1, "%s: nothing follows", c);
		if (strcmp(c, "mac") == 0)
			set_mac(argv[i]);
		else if (strcmp(c, "from") == 0 && strcmp(argv[i], "any") == 0)
			memset(from, 0, sizeof(from));
		else if (strcmp(c, "from") == 0)
			address(argv[i], from);
		else if (strcmp(c, "by") == 0)
			by(argv[i]);
		else if (strcmp(c, "rate") == 0)
			rate = (uint32_t)atoi(argv[i]);
		else if (strcmp(c, "hear") == 0)
			take(now_us() + atoi(argv[i]) * INT64_C(1000), false);
		else if (strcmp(c, "sleep") == 0)
			usleep((useconds_t)atoi(argv[i]) * 1000);
		else if (strcmp(c, "hostile") == 0)
			hostile(argv[i]);
		else if (strcmp(c, "stop") == 0) {
			uint8_t	  b[4];
			struct wr w = wr_to(b, sizeof(b));

			wr_u32(&w, (uint32_t)atoi(argv[i]));
			orders[atoi(argv[i]) - 1].stopped = true;
			(void)tell(u.peer[PEER_SCAN], MSG_PROBE_STOP, b, 4);
		} else if (strcmp(c, "order") == 0 && i + 1 < argc) {
			order(argv[i], argv[i + 1]);
			i++;
		} else
			errx(1, "%s: no such command", c);
	}
	status = worker_end(&u);
	if (status != 0)
		printf("ended with status %d\n", status);
	return status == 0 ? 0 : 1;
}
