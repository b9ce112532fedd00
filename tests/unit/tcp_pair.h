/*
 * tests/unit/tcp_pair.h - both ends of a TCP connection over the loopback, which
 * do not block and do not wait to fill a segment.
 *
 * A static function: included by the one source that needs it. Failures are
 * assertions.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_TCP_PAIR_H
#define TESTS_TCP_PAIR_H

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void
tcp_pair(int fds[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t	   len = sizeof(sa);
	int		   l = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (void *)&sa, len), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (void *)&sa, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fds[0], (void *)&sa, len), 0);
	fds[1] = accept(l, NULL, NULL);
	ck_assert_int_ge(fds[1], 0);
	close(l);
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
		    sizeof(int));
	}
}

#endif
