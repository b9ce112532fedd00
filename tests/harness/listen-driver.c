/*
 * tests/harness/listen-driver.c - plays the master, the keeper and the prober to a
 * real dp-listen, and prints what it tells.
 *
 * usage: listen-driver DP-LISTEN	commands come from standard input:
 *   on [IFACE...]	listen on these, and these only
 *   heard KIND ADDRESS PORT HEX	as the prober hands an answer on
 *   count		prints "count frames=N lost=N ..." of its metrics, "cpu=SECONDS"
 *			that it has run, and "told=N", of sights that came here
 *   quiet		prints no more sights
 *   quit		also the end of the input; its exit status
 * A sight is "sight BY IFACE MAC ADDR [asked] [KIND=TEXT ...]", "-": none. Needs the
 * right to make packet sockets. Exit: 0; 1, also when dp-listen is gone.
 * SPDX-License-Identifier: ISC
 */
#include "common/ipc.h"
#include "common/sight.h"
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
#include <sys/wait.h>
#include <unistd.h>

static struct under_test u;
static bool		 quiet;
static unsigned long	 told;
static uint8_t		 in[MSG_MAX];

static void
print(const struct sight *s)
{
	static const uint8_t none[16];
	char		     name[IF_NAMESIZE], addr[INET6_ADDRSTRLEN];
	bool		     v4 = memcmp(s->addr + 10, "\xff\xff", 2) == 0;

	printf("sight %s %s", sight_by_name(s->by),
	    if_indextoname(s->ifindex, name) != NULL ? name : "-");
	if (memcmp(s->mac, none, 6) == 0)
		printf(" -");
	else
		printf(" %02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1],
		    s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
	printf(" %s%s", memcmp(s->addr, none, 16) == 0 ? "-"
	    : inet_ntop(v4 ? AF_INET : AF_INET6, s->addr + (v4 ? 12 : 0), addr,
		  sizeof(addr)), s->asked ? " asked" : "");
	for (unsigned i = 0; i < s->nfacts; i++)
		printf(" %s=%s", fact_name(s->fact[i].kind), sight_fact(s, i));
	putchar('\n');
	fflush(stdout);
}

/* "malformed arp=2 udp=1" */
static void
on_malformed(struct rd *rd)
{
	printf("malformed");
	for (int p = PROTOCOL_NONE + 1; p < PROTOCOLS; p++) {
		uint64_t n = rd_u64(rd);

		if (n > 0)
			printf(" %s=%llu", protocol_name((enum protocol)p),
			    (unsigned long long)n);
	}
	if (rd_done(rd) < 0)
		errx(1, "not a number for each protocol");
	printf("\n");
	fflush(stdout);
}

static void
on_message(void)
{
	struct ipc_msg m;
	struct sight   s;

	if (ipc_recv_now(u.peer[PEER_SCAN], in, sizeof(in), 0, &m) < 0)
		errx(1, "dp-listen is gone");
	if (m.type == MSG_MALFORMED) {
		on_malformed(&m.rd);
		return;
	}
	if (m.type != MSG_SIGHT)
		errx(1, "message %u to the keeper", m.type);
	while (m.rd.left > 0) {
		if (sight_read(&m.rd, &s) < 0)
			errx(1, "no sight");
		told++;
		if (!quiet)
			print(&s);
	}
}

static void
do_on(char *names)
{
	uint8_t	  buf[1024];
	struct wr w = wr_to(buf, sizeof(buf));

	for (char *n = strtok(names, " "); n != NULL; n = strtok(NULL, " ")) {
		uint32_t i = if_nametoindex(n);

		if (i == 0)
			err(1, "%s", n);
		wr_u32(&w, i);
		wr_bytes(&w, "\2\0\0\0\0\1", 6);
	}
	if (tell(u.peer[PEER_SCAN], MSG_LISTEN_ON, buf, w.len) < 0)
		errx(1, "dp-listen is gone");
}

static void
do_heard(const char *args)
{
	char	 addr[64], hex[8192];
	uint8_t	 buf[8192] = { 0 };
	struct wr w = wr_to(buf, sizeof(buf));
	uint8_t	 a[16] = { [10] = 0xff, [11] = 0xff };
	unsigned kind, port, v;

	if (sscanf(args, "%u %63s %u %8191s", &kind, addr, &port, hex) != 4 ||
	    (inet_pton(AF_INET, addr, a + 12) != 1 &&
		inet_pton(AF_INET6, addr, a) != 1))
		errx(1, "heard: %s", args);
	wr_u8(&w, (uint8_t)kind);
	wr_u32(&w, 1);
	wr_bytes(&w, a, sizeof(a));
	wr_u16(&w, (uint16_t)port);
	for (const char *p = hex; sscanf(p, "%2x", &v) == 1; p += 2)
		wr_u8(&w, (uint8_t)v);
	if (tell(u.peer[PEER_PROBE], MSG_HEARD, buf, w.len) < 0)
		errx(1, "dp-listen is gone");
}

static double
cpu(void)
{
	char		   path[64];
	unsigned long long ns = 0;
	FILE		  *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)u.pid);
	if ((f = fopen(path, "re")) == NULL || fscanf(f, "%llu", &ns) != 1)
		err(1, "%s", path);
	fclose(f);
	return (double)ns / 1e9;
}

static void
do_count(void)
{
	json_t *rows, *row;
	char	text[512];
	size_t	i;

	if (admin(&u, "metrics", &rows, text) < 0)
		errx(1, "metrics: %s", text);
	double	malformed = 0;

	printf("count");
	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name != NULL && strcmp(name, "dpoint_listen_malformed_total") == 0)
			malformed += json_number_value(json_object_get(row, "value"));
		else if (name != NULL && strncmp(name, "dpoint_listen_", 14) == 0)
			printf(" %.*s=%.0f", (int)strcspn(name + 14, "_"),
			    name + 14,
			    json_number_value(json_object_get(row, "value")));
	}
	printf(" malformed=%.0f cpu=%.4f told=%lu\n", malformed, cpu(), told);
	fflush(stdout);
	json_decref(rows);
}

static bool
command(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "on", 2) == 0)
		do_on(line + 2);
	else if (strncmp(line, "heard ", 6) == 0)
		do_heard(line + 6);
	else if (strcmp(line, "count") == 0)
		do_count();
	else if (strcmp(line, "quiet") == 0)
		quiet = true;
	else
		return false;
	return true;
}

int
main(int argc, char *argv[])
{
	static const enum peer_role roles[] = { PEER_CONTROL, PEER_SCAN,
		PEER_PROBE, PEER_NONE };
	struct pollfd p[2] = { { 0, POLLIN, 0 }, { -1, POLLIN, 0 } };
	char	      line[16384];
	int	      status;

	if (argc != 2)
		errx(1, "usage: listen-driver DP-LISTEN");
	if (worker_begin(&u, argv[1], "scan.enable=yes\n", roles, &status) < 0)
		errx(1, "dp-listen ended: %d", status);
	setvbuf(stdin, NULL, _IONBF, 0);
	p[1].fd = u.peer[PEER_SCAN];
	for (;;) {
		if (poll(p, 2, -1) < 0)
			err(1, "poll");
		if (p[1].revents != 0)
			on_message();
		if (p[0].revents != 0 && (fgets(line, sizeof(line), stdin) == NULL ||
			!command(line)))
			break;
	}
	status = worker_end(&u);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
