/*
 * tests/unit/check_scan_net.c - who has an address, by the kernel: in a network
 * namespace of its own, while others change the same tables.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/loop.h"
#include "dp-scan/net.h"

#define MINE  "02:00:00:00:00:02" /* of 10.7.0.2 */
#define OTHER "02:00:00:00:00:03" /* of 10.7.0.3 */

static struct loop *l;
static struct net  *n;
static int	    fd; /* is libnl's */
static char	    answer[64];

static void
neighbour(void *ctx, uint32_t ifindex, const uint8_t mac[6],
    const uint8_t addr[16])
{
	(void)ctx;
	(void)ifindex;
	(void)mac;
	(void)addr;
}

/* All is read. */
static void
changed(void *ctx)
{
	(void)ctx;
	loop_stop(l, 0);
}

static void
too_late(void *ctx)
{
	(void)ctx;
	loop_stop(l, -1);
}

static void
sh(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
have_room_for(int bytes)
{
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
	    sizeof(bytes)), 0);
}

/* The socket as the master makes it. */
static void
begin(void)
{
	static const struct net_ops ops = { changed, neighbour };
	struct sockaddr_nl	    sa = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
		    RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	struct loop_timer *t;

	ck_assert(unshare(CLONE_NEWNET) == 0 ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	sh("ip link add v0 type veth peer name v1 && ip link set v0 up && "
	   "ip link set v1 up && ip addr add 10.7.0.1/16 dev v0 && "
	   "ip neigh add 10.7.0.2 lladdr " MINE " dev v0 nud stale && "
	   "ip neigh add 10.7.0.3 lladdr " OTHER " dev v0 nud stale");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    NETLINK_ROUTE);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(loop_new(&l), 0);
	ck_assert_int_eq(net_new(l, fd, &ops, NULL, &n), 0);
	ck_assert_int_eq(loop_timer_new(l, too_late, NULL, &t), 0);
	loop_timer_set(t, 20000);
	ck_assert_int_eq(net_begin(n), 0);
	ck_assert_int_eq(loop_run(l), 0);
	ck_assert(net_is_read(n));
	loop_timer_free(&t);
}

static void
end(void)
{
	net_free(&n);
	loop_free(&l);
}

/* As text; "nobody" if nothing was written either. */
static const char *
asked(unsigned host)
{
	uint8_t	 addr[16] = { [10] = 0xff, [11] = 0xff, 10, 7, 0, (uint8_t)host };
	uint8_t	 m[6] = { 0 };
	uint32_t ifindex = 77;
	int	 r = net_neighbour(n, addr, &ifindex, m);

	if (r == 0)
		snprintf(answer, sizeof(answer), "%s%02x:%02x:%02x:%02x:%02x:%02x",
		    ifindex == 77 ? "no interface " : "", m[0], m[1], m[2], m[3],
		    m[4], m[5]);
	else
		snprintf(answer, sizeof(answer), "%s%s", ifindex == 77 && m[5] == 0
			? "nobody" : "written", r == -2 ? "" : ", another error");
	return answer;
}

static void
many_change(void)
{
	sh("for i in $(seq 0 1999); do echo neigh replace 10.7.1.$((i % 200)) "
	   "lladdr 02:00:00:00:01:$(printf %02x $((i / 8))) dev v0 nud stale; "
	   "done | ip -b -");
}

START_TEST(the_kernel_says_who_has_an_address)
{
	begin();
	ck_assert_str_eq(asked(2), MINE);
	ck_assert_str_eq(asked(9), "nobody");
	ck_assert_str_eq(asked(3), OTHER);
	sh("ip neigh del 10.7.0.3 dev v0");
	ck_assert_str_eq(asked(3), "nobody");
	end();
}
END_TEST

/* The answer stands behind them, or there was no room for it. */
START_TEST(many_changes_give_nobody_anothers_address)
{
	begin();
	have_room_for(_i == 0 ? 1 << 23 : 8192);
	ck_assert_str_eq(asked(2), MINE);
	many_change();
	ck_assert_str_eq(asked(3), OTHER);
	many_change();
	ck_assert_str_eq(asked(9), "nobody");
	end();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("scan net");
	TCase	*tc = tcase_create("neighbours");
	SRunner *sr = srunner_create(s);
	int	 failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_kernel_says_who_has_an_address);
	tcase_add_loop_test(tc, many_changes_give_nobody_anothers_address, 0, 2);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
