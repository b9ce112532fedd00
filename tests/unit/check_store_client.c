/*
 * tests/unit/check_store_client.c - a store that goes while it is asked, and
 * who gives it up from inside the answer.
 * SPDX-License-Identifier: ISC
 */
#include "common/store_client.h"

#include "common/ipc.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct side {
	struct loop	    *loop;
	struct store_client *c;
	int		     peer; /* the store's end, raw */
	int		     answer, lost;
	bool		     frees;
};

static void
on_answer(void *ctx, const struct store_answer *a)
{
	struct side *s = ctx;

	s->answer = a->r;
	if (s->frees)
		store_client_free(&s->c);
}

static void
on_lost(void *ctx, int r)
{
	struct side *s = ctx;

	s->lost = r;
	loop_stop(s->loop, 0);
}

static const struct store_client_ops ops = { .broken = on_lost };

static int
attach(struct side *s)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), 0);
	if (s->peer >= 0)
		close(s->peer);
	s->peer = fds[1];
	return store_client_attach(s->c, fds[0]);
}

/* With one question that is not answered yet. */
static void
side_init(struct side *s)
{
	const struct hash h = { 0 };

	*s = (struct side){ .peer = -1 };
	ck_assert_int_eq(loop_new(&s->loop), 0);
	ck_assert_int_eq(store_client_new(s->loop, -1, &ops, s, &s->c), 0);
	ck_assert_int_eq(store_partial_drop(s->c, &h, on_answer, s), -ENOTCONN);
	ck_assert_int_eq(attach(s), 0);
	ck_assert_int_eq(store_partial_drop(s->c, &h, on_answer, s), 0);
}

static void
side_fini(struct side *s)
{
	store_client_free(&s->c);
	close(s->peer);
	loop_free(&s->loop);
}

START_TEST(one_that_goes_answers_all_and_can_come_back)
{
	struct side s;

	side_init(&s);
	ck_assert_int_eq(attach(&s), 0); /* replaced while it stood */
	ck_assert_int_eq(s.answer, -ENOTCONN);
	ck_assert_int_eq(s.lost, -ENOTCONN);
	ck_assert(store_client_connected(s.c));
	close(s.peer);
	s.peer = -1;
	s.lost = 0;
	loop_run(s.loop);
	ck_assert_int_lt(s.lost, 0);
	ck_assert(!store_client_connected(s.c));
	ck_assert_int_eq(attach(&s), 0);
	side_fini(&s);
}
END_TEST

START_TEST(who_frees_it_when_another_comes_is_not_attached)
{
	struct side s;
	char	    c;

	side_init(&s);
	s.frees = true;
	ck_assert_int_eq(attach(&s), -ECANCELED);
	ck_assert_int_eq(s.answer, -ENOTCONN);
	ck_assert_int_eq(s.lost, 0); /* nobody to tell */
	ck_assert_ptr_null(s.c);
	ck_assert_int_eq(read(s.peer, &c, 1), 0); /* the new channel is closed */
	side_fini(&s);
}
END_TEST

int
main(void)
{
	Suite	*su = suite_create("store_client");
	TCase	*t = tcase_create("store_client");
	SRunner *r = srunner_create(su);
	int	 failed;

	tcase_add_test(t, one_that_goes_answers_all_and_can_come_back);
	tcase_add_test(t, who_frees_it_when_another_comes_is_not_attached);
	suite_add_tcase(su, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
