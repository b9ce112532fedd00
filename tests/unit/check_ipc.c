/*
 * tests/unit/check_ipc.c - channels: order, descriptors, broken peers, limits.
 * SPDX-License-Identifier: ISC
 */
#include "common/ipc.h"
#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct loop *loop;
	struct ipc  *ipc;
	int	     peer;     /* the other end, raw */
	unsigned     calls;    /* of handlers */
	int	     fd;       /* taken by on_fd */
	int	     broken;   /* 1 unless broken; then its reason */
};

static int
on_plain(void *ctx, struct ipc_msg *m)
{
	struct side *s = ctx;

	s->calls++;
	if (rd_u32(&m->rd) == 99)
		return -EPROTO;
	return rd_done(&m->rd);
}

static int
on_fd(void *ctx, struct ipc_msg *m)
{
	struct side *s = ctx;

	s->calls++;
	s->fd = ipc_take_fd(m, 0);
	return 0;
}

static int
on_free(void *ctx, struct ipc_msg *m)
{
	struct side *s = ctx;

	(void)m;
	s->calls++;
	ipc_free(&s->ipc); /* inside its own handler */
	loop_stop(s->loop, 0);
	return 0;
}

static const struct ipc_handler table[] = {
	{ MSG_PING, 0, 4, 4, on_plain },
	{ MSG_PEER, 1, 0, 8, on_fd },
	{ MSG_SHUTDOWN, 0, 0, 0, on_free },
};

static void
on_broken(void *ctx, struct ipc *c, int r)
{
	struct side *s = ctx;

	ipc_free(&c);
	s->ipc = NULL;
	s->broken = r;
	loop_stop(s->loop, 0);
}

static void
stop(void *ctx)
{
	loop_stop(ctx, 0);
}

static void
side_init(struct side *s)
{
	int fds[2];

	*s = (struct side){ .fd = -1, .broken = 1 };
	ck_assert_int_eq(loop_new(&s->loop), 0);
	ck_assert_int_eq(ipc_pair(fds), 0);
	s->peer = fds[1];
	ck_assert_int_eq(ipc_new(s->loop, fds[0],
			     (struct ipc_table){ table, COUNT(table) }, s,
			     on_broken, 4, &s->ipc),
	    0);
}

static void
side_run(struct side *s)
{
	struct loop_timer *t;

	ck_assert_int_eq(loop_timer_new(s->loop, stop, s->loop, &t), 0);
	loop_timer_set(t, 50);
	loop_run(s->loop);
	loop_timer_free(&t);
}

static void
side_fini(struct side *s)
{
	ipc_free(&s->ipc);
	close(s->peer);
	loop_free(&s->loop);
}

START_TEST(messages_arrive_whole_and_in_order)
{
	struct side s;

	side_init(&s);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(
		    ipc_send_now(s.peer, MSG_PING, 1, "\0\0\0\1", 4, -1), 0);
	side_run(&s);
	ck_assert_uint_eq(s.calls, 100);
	ck_assert_int_eq(s.broken, 1);
	side_fini(&s);
}
END_TEST

START_TEST(a_descriptor_comes_along_and_is_close_on_exec)
{
	struct side s;
	int	    fd = open("/dev/null", O_RDONLY);

	side_init(&s);
	ck_assert_int_eq(ipc_send_now(s.peer, MSG_PEER, 0, "", 0, fd), 0);
	side_run(&s);
	ck_assert_int_ge(s.fd, 0);
	ck_assert_int_ne(fcntl(s.fd, F_GETFD) & FD_CLOEXEC, 0);
	close(s.fd);
	close(fd);
	side_fini(&s);
}
END_TEST

/* Each of these breaks the channel with -EBADMSG, and no descriptor leaks. */
static const struct {
	const char *why;
	uint16_t    type;
	size_t	    len;
	int	    nfds;
} broken[] = {
	{ "a type not listed", 999, 4, 0 },
	{ "a payload too short", MSG_PING, 3, 0 },
	{ "a payload too long", MSG_PING, 5, 0 },
	{ "a descriptor nobody asked for", MSG_PING, 4, 1 },
	{ "a descriptor that is missing", MSG_PEER, 4, 0 },
	{ "two descriptors for one", MSG_PEER, 4, 2 },
	{ "more descriptors than any message has", MSG_PEER, 4, 10 },
};

static void
send_raw(int fd, uint16_t type, size_t len, int nfds)
{
	uint8_t		buf[64] = { (uint8_t)(type >> 8), (uint8_t)type };
	struct iovec	iov = { buf, 8 + len };
	char		ctl[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	int		fds[16];

	for (int i = 0; i < nfds; i++)
		fds[i] = fd;
	if (nfds > 0) {
		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nfds * sizeof(int));
	}
	ck_assert_int_ge(sendmsg(fd, &mh, 0), 0);
}

START_TEST(a_broken_peer_is_noticed)
{
	struct side s;
	int	    before, after;

	side_init(&s);
	before = dup(0);
	close(before);
	send_raw(s.peer, broken[_i].type, broken[_i].len, broken[_i].nfds);
	side_run(&s);
	ck_assert_msg(s.broken == -EBADMSG, "accepted: %s", broken[_i].why);
	ck_assert_uint_eq(s.calls, 0);
	ck_assert_ptr_null(s.ipc);
	after = dup(0);
	close(after);
	ck_assert_int_le(after, before);
	side_fini(&s);
}
END_TEST

START_TEST(a_message_without_a_header_breaks_the_channel)
{
	struct side s;

	side_init(&s);
	ck_assert_int_eq(send(s.peer, "abc", 3, 0), 3);
	side_run(&s);
	ck_assert_int_eq(s.broken, -EBADMSG);
	side_fini(&s);
}
END_TEST

START_TEST(a_handlers_refusal_breaks_the_channel_with_its_reason)
{
	struct side s;

	side_init(&s);
	ipc_send_now(s.peer, MSG_PING, 0, "\0\0\0\x63", 4, -1);
	ipc_send_now(s.peer, MSG_PING, 0, "\0\0\0\1", 4, -1);
	side_run(&s);
	ck_assert_int_eq(s.broken, -EPROTO);
	ck_assert_uint_eq(s.calls, 1); /* nothing after it is believed */
	side_fini(&s);
}
END_TEST

START_TEST(a_peer_that_leaves_is_not_connected)
{
	struct side s;

	side_init(&s);
	shutdown(s.peer, SHUT_RDWR);
	side_run(&s);
	ck_assert_int_eq(s.broken, -ENOTCONN);
	side_fini(&s);
}
END_TEST

START_TEST(a_channel_may_be_freed_in_its_own_handler)
{
	struct side s;

	side_init(&s);
	ipc_send_now(s.peer, MSG_SHUTDOWN, 0, "", 0, -1);
	ipc_send_now(s.peer, MSG_PING, 0, "\0\0\0\1", 4, -1);
	side_run(&s);
	ck_assert_uint_eq(s.calls, 1);
	ck_assert_ptr_null(s.ipc);
	side_fini(&s);
}
END_TEST

START_TEST(a_full_queue_is_refused_and_then_drains)
{
	struct side    s;
	struct ipc_msg m;
	static uint8_t big[60000], in[MSG_MAX];
	unsigned       sent = 0, got = 0;
	int	       r;

	side_init(&s);
	while ((r = ipc_send(s.ipc, MSG_PING, sent, big, sizeof(big))) == 0)
		sent++;
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_eq(ipc_queued(s.ipc), 4);
	for (got = 0; got < sent; got++) {
		side_run(&s); /* sends what the reader made room for */
		ck_assert_int_eq(
		    ipc_recv_now(s.peer, in, sizeof(in), 1000, &m), 0);
		ck_assert_uint_eq(m.id, got);
		ck_assert_uint_eq(m.len, sizeof(big));
	}
	ck_assert_uint_eq(ipc_queued(s.ipc), 0);
	ck_assert_int_eq(s.broken, 1);
	side_fini(&s);
}
END_TEST

START_TEST(notices_leave_half_of_the_queue_to_what_must_not_be_lost)
{
	struct side    s;
	static uint8_t big[60000];
	int	       r;

	side_init(&s);
	while ((r = ipc_notify(s.ipc, MSG_PING, big, sizeof(big))) == 0)
		;
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_eq(ipc_queued(s.ipc), 2);
	ck_assert_int_eq(ipc_send(s.ipc, MSG_PING, 0, NULL, 0), 0);
	ck_assert_int_eq(ipc_send(s.ipc, MSG_PING, 0, NULL, 0), 0);
	ck_assert_int_eq(ipc_send(s.ipc, MSG_PING, 0, NULL, 0), -ENOBUFS);
	side_fini(&s);
}
END_TEST

START_TEST(a_message_beyond_the_limit_is_not_sent)
{
	static uint8_t big[MSG_MAX];
	struct side    s;

	side_init(&s);
	ck_assert_int_eq(ipc_send(s.ipc, MSG_PING, 0, big, sizeof(big)),
	    -EMSGSIZE);
	ck_assert_int_eq(
	    ipc_send(s.ipc, MSG_PING, 0, big, MSG_MAX_PAYLOAD), 0);
	side_fini(&s);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("ipc");
	TCase	*t = tcase_create("ipc");
	SRunner *r = srunner_create(su);
	int	 failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, messages_arrive_whole_and_in_order);
	tcase_add_test(t, a_descriptor_comes_along_and_is_close_on_exec);
	tcase_add_loop_test(t, a_broken_peer_is_noticed, 0, COUNT(broken));
	tcase_add_test(t, a_message_without_a_header_breaks_the_channel);
	tcase_add_test(t, a_handlers_refusal_breaks_the_channel_with_its_reason);
	tcase_add_test(t, a_peer_that_leaves_is_not_connected);
	tcase_add_test(t, a_channel_may_be_freed_in_its_own_handler);
	tcase_add_test(t, a_full_queue_is_refused_and_then_drains);
	tcase_add_test(t,
	    notices_leave_half_of_the_queue_to_what_must_not_be_lost);
	tcase_add_test(t, a_message_beyond_the_limit_is_not_sent);
	suite_add_tcase(su, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
