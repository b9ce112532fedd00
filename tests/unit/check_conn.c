/*
 * tests/unit/check_conn.c - connections and content, over real sockets and
 * channels whose far ends are this test: a client, a store and a fetcher.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-serve/conn.h"

#define SIZE 300000 /* of the large object */

static struct loop	 *loop;
static struct loop_timer *stop;
static struct content	 *content;
static struct api	 *api;
static struct engine	 *engine;
static struct inbox	 *inbox;
static struct ipc	 *store, *fetch, *mcast;
static unsigned		  lookups, wants, stops;
static uint32_t		  want_id;
static int		  partial; /* what the fetcher writes to */
static bool		  drained;
static char		  got[SIZE + 8192];
static size_t		  got_len;

static void
on_stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop, 0);
}

/* Everything that can happen without waiting happens within a few turns. */
static void
settle(void)
{
	ck_assert_int_eq(loop_timer_set(stop, 30), 0);
	ck_assert_int_eq(loop_run(loop), 0);
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static int
file_of(size_t n)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		uint8_t block[4096];
		size_t	k;

		for (k = 0; k < sizeof(block) && i + k < n; k++)
			block[k] = byte_at(i + k);
		ck_assert_int_eq(write(fd, block, k), (ssize_t)k);
		i += k - 1;
	}
	return fd;
}

static int
answer_object(uint32_t id, const struct hash *h, size_t size, uint8_t spaces)
{
	uint8_t	  buf[64];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, h->b, HASH_LEN);
	wr_u64(&w, size);
	wr_u64(&w, 784111777);
	wr_u8(&w, spaces);
	return ipc_send_fds(store, MSG_OBJECT, id, buf, w.len, file_of(size), -1);
}

static int
on_lookup(void *ctx, struct ipc_msg *m)
{
	struct hash h = { { 1 } };
	char	    name[256];
	size_t	    size;

	(void)ctx;
	lookups++;
	rd_str(&m->rd, name, sizeof(name));
	if (strcmp(name, "repo/small") == 0)
		size = 5;
	else if (strcmp(name, "repo/large") == 0)
		size = SIZE;
	else
		return ipc_send(store, MSG_UNKNOWN, m->id, NULL, 0);
	return answer_object(m->id, &h, size, SPACES_CONTENT);
}

/* The first byte says who names it, the second whether it is away. */
static int
on_lookup_hash(void *ctx, struct ipc_msg *m)
{
	uint8_t	    buf[64];
	struct wr   w = wr_to(buf, sizeof(buf));
	struct hash h;

	(void)ctx;
	lookups++;
	memcpy(h.b, rd_bytes(&m->rd, HASH_LEN), HASH_LEN);
	if (h.b[0] == 0)
		return ipc_send(store, MSG_UNKNOWN, m->id, NULL, 0);
	if (h.b[1] == 0)
		return answer_object(m->id, &h, h.b[2] != 0 ? SIZE : 5,
		    h.b[0] & (SPACES_CONTENT | SPACES_SITE));
	wr_bytes(&w, h.b, HASH_LEN);
	wr_u64(&w, 5);
	wr_u8(&w, h.b[0]);
	return ipc_send(store, MSG_ABSENT, m->id, buf, w.len);
}

static int
on_want(void *ctx, struct ipc_msg *m)
{
	uint8_t	     no[32];
	struct wr    w = wr_to(no, sizeof(no));
	char	     name[256];

	(void)ctx;
	rd_str(&m->rd, name, sizeof(name));
	wants++;
	want_id = m->id;
	if (strcmp(name, "repo/nothing") != 0)
		return 0;
	wr_u16(&w, 404);
	wr_str(&w, "no such target");
	return ipc_send(fetch, MSG_WANT_NO, m->id, no, w.len);
}

static int
on_want_stop(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	stops += m->id == want_id;
	return 0;
}

static void
want_start(void)
{
	uint8_t	    buf[64];
	struct wr   w = wr_to(buf, sizeof(buf));
	struct hash h = { { 2 } };

	partial = memfd_create("partial", MFD_CLOEXEC);
	wr_bytes(&w, h.b, HASH_LEN);
	wr_u64(&w, SIZE);
	ck_assert_int_eq(ipc_send_fds(fetch, MSG_WANT_START, want_id, buf, w.len,
			     dup(partial), -1), 0);
}

static void
want_progress(size_t n)
{
	static uint8_t all[SIZE];
	uint8_t	       buf[8];
	struct wr      w = wr_to(buf, sizeof(buf));

	for (size_t i = 0; i < n; i++)
		all[i] = byte_at(i);
	ck_assert_int_eq(pwrite(partial, all, n, 0), (ssize_t)n);
	wr_u64(&w, n);
	ck_assert_int_eq(ipc_send(fetch, MSG_WANT_PROGRESS, want_id, buf, 8), 0);
}

static void
want_no(uint16_t status)
{
	uint8_t	  buf[32];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u16(&w, status);
	wr_str(&w, "hash");
	ck_assert_int_eq(ipc_send(fetch, MSG_WANT_NO, want_id, buf, w.len), 0);
}

/* -- reports, as the store gets them -- */

static uint8_t	report[200000];
static size_t	report_len;
static uint32_t report_id;
static unsigned reports, woken;

static int
on_report_part(void *ctx, struct ipc_msg *m)
{
	size_t n = m->rd.left;

	(void)ctx;
	ck_assert_uint_le(report_len + n, sizeof(report));
	memcpy(report + report_len, rd_bytes(&m->rd, n), n);
	report_len += n;
	return 0;
}

static int
on_report_put(void *ctx, struct ipc_msg *m)
{
	(void)rd_bytes(&m->rd, REPORT_DEVICE_LEN);
	ck_assert_uint_eq(rd_u64(&m->rd), 5);
	reports++;
	report_id = m->id;
	return on_report_part(ctx, m);
}

static void
on_woken(struct upload *u)
{
	woken += u->status != 0;
}

static void
answer_report(uint8_t kept, uint64_t highest)
{
	uint8_t	  buf[9];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u8(&w, kept);
	wr_u64(&w, highest);
	ck_assert_int_eq(ipc_send(store, MSG_REPORT_KEPT, report_id, buf, 9), 0);
}

static void
broken(void *ctx, struct ipc *c, int r)
{
	(void)ctx;
	(void)c;
	ck_abort_msg("channel broken: %d", r);
}

static const struct ipc_handler to_store[] = {
	{ MSG_LOOKUP_NAME, 0, 3, 1100, on_lookup },
	{ MSG_LOOKUP_HASH, 0, HASH_LEN, HASH_LEN, on_lookup_hash },
	{ MSG_REPORT_PART, 0, 1, MSG_MAX_PAYLOAD, on_report_part },
	{ MSG_REPORT_PUT, 0, 24, MSG_MAX_PAYLOAD, on_report_put },
};
static const struct ipc_handler to_fetch[] = {
	{ MSG_WANT, 0, 3, 1100, on_want },
	{ MSG_WANT_STOP, 0, 0, 0, on_want_stop },
};

static struct engine_conf conf = { .max_connections = 3, .header_ms = 600,
	.idle_ms = 600, .send_ms = 600, .want_ms = 600 };

static void
setup(void)
{
	struct ipc_table st = { to_store, COUNT(to_store) },
			 ft = { to_fetch, COUNT(to_fetch) };
	int		 s[2], f[2];

	lookups = wants = stops = reports = woken = 0;
	report_len = 0;
	drained = false;
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(loop_timer_new(loop, on_stop, NULL, &stop), 0);
	ck_assert_int_eq(content_new(loop, 16, &content), 0);
	ck_assert_int_eq(api_new(loop, content, &api), 0);
	ck_assert_int_eq(inbox_new(content, &inbox), 0);
	ck_assert_int_eq(engine_new(loop, content, api, inbox, &conf, &engine),
	    0);
	ck_assert_int_eq(ipc_pair(s), 0);
	ck_assert_int_eq(ipc_pair(f), 0);
	ck_assert_int_eq(ipc_new(loop, s[0], st, NULL, broken, 99, &store), 0);
	ck_assert_int_eq(ipc_new(loop, f[0], ft, NULL, broken, 99, &fetch), 0);
	ck_assert_int_eq(content_set_store(content, s[1]), 0);
	ck_assert_int_eq(content_set_fetch(content, f[1]), 0);
}

static void
teardown(void)
{
	engine_free(&engine);
	api_free(&api);
	inbox_free(&inbox);
	content_free(&content);
	ipc_free(&store);
	ipc_free(&fetch);
	loop_timer_free(&stop);
	loop_free(&loop);
}

static int
client(void)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s),
	    0);
	ck_assert_int_eq(engine_adopt(engine, s[1], NULL), 0);
	return s[0];
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Reads until nothing comes any more; true if the connection has ended. */
static bool
hear(int fd)
{
	ssize_t n;

	got_len = 0;
	for (int quiet = 0; quiet < 2;) {
		settle();
		n = read(fd, got + got_len, sizeof(got) - 1 - got_len);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			got[got_len] = '\0';
			return true;
		}
		quiet = n < 0 ? quiet + 1 : 0;
		got_len += n > 0 ? (size_t)n : 0;
	}
	got[got_len] = '\0';
	return false;
}

static unsigned
count(const char *what)
{
	unsigned n = 0;

	const char *p = got; /* bodies hold NULs */

	while ((p = memmem(p, got_len - (size_t)(p - got), what,
		    strlen(what))) != NULL) {
		n++;
		p++;
	}
	return n;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void
body_is_right(size_t first, size_t n)
{
	char  *body = strstr(got, "\r\n\r\n");
	size_t have;

	ck_assert_ptr_nonnull(body);
	body += 4;
	have = got_len - (size_t)(body - got);
	ck_assert_uint_eq(have, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq((uint8_t)body[i], byte_at(first + i));
}

START_TEST(pipelined_requests_are_answered_in_order_from_one_lookup)
{
	int fd = client();

	say(fd, GET("/repo/small") GET("/repo/none") "HEAD /repo/small HTTP/1.1\r\n"
	    "Host: a\r\n\r\n" GET("/repo/small"));
	settle();
	want_no(404);
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 200 OK"), 3);
	ck_assert_uint_eq(count("HTTP/1.1 404 Not Found"), 1);
	ck_assert_mem_eq(got, "HTTP/1.1 200", 12);
	ck_assert_uint_eq(count("Content-Length: 5\r\n"), 3);
	ck_assert_uint_eq(lookups, 2);
	ck_assert_uint_eq(wants, 1);
	say(fd, GET("/repo/none")); /* remembered for a moment */
	ck_assert(!hear(fd));
	ck_assert_uint_eq(wants, 1);
	close(fd);
	settle();
	ck_assert_uint_eq(engine_counts(engine)->current, 0);
}
END_TEST

START_TEST(a_large_object_comes_whole_and_in_part)
{
	int fd = client();

	say(fd, GET("/repo/large"));
	ck_assert(!hear(fd));
	body_is_right(0, SIZE);
	say(fd, "GET /repo/large HTTP/1.1\r\nHost: a\r\nRange: bytes=-1000\r\n\r\n");
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("206 Partial Content"), 1);
	body_is_right(SIZE - 1000, 1000);
	ck_assert_uint_eq(lookups, 1);
	close(fd);
}
END_TEST

START_TEST(a_request_in_single_bytes_is_understood)
{
	static const char text[] = GET("/repo/small");
	int		  fd = client();

	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		ck_assert_int_eq(write(fd, text + i, 1), 1);
		if (i % 8 == 0) {
			ck_assert_int_eq(loop_timer_set(stop, 1), 0);
			loop_run(loop);
		}
	}
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("200 OK"), 1);
	close(fd);
}
END_TEST

START_TEST(one_want_for_all_and_the_end_waits_for_the_hash)
{
	int a = client(), b = client();

	say(a, GET("/repo/coming"));
	say(b, GET("/repo/coming"));
	settle();
	ck_assert_uint_eq(wants, 1);
	want_start();
	ck_assert(!hear(a));
	ck_assert_uint_eq(got_len, 0); /* nothing that could not be kept */
	want_progress(100000);
	ck_assert(!hear(a));
	body_is_right(0, 100000);
	want_progress(SIZE);
	ck_assert(!hear(a));
	ck_assert_uint_eq(got_len, SIZE - CONTENT_HOLD_BACK - 100000);
	ck_assert_int_eq(ipc_send(fetch, MSG_WANT_DONE, want_id, NULL, 0), 0);
	ck_assert(!hear(a));
	ck_assert_uint_eq(got_len, CONTENT_HOLD_BACK);
	ck_assert(!hear(b));
	body_is_right(0, SIZE);
	say(a, GET("/repo/coming"));
	ck_assert(!hear(a));
	body_is_right(0, SIZE);
	ck_assert_uint_eq(wants, 1);
	ck_assert_uint_eq(lookups, 1);
	close(partial);
	close(a);
	close(b);
}
END_TEST

START_TEST(wrong_bytes_are_never_completed)
{
	int fd = client();

	say(fd, GET("/repo/coming"));
	settle();
	want_start();
	want_progress(SIZE);
	ck_assert(!hear(fd));
	want_no(502);
	ck_assert(hear(fd));
	ck_assert_uint_eq(got_len, 0);
	ck_assert_uint_eq(engine_counts(engine)->reset, 1);
	close(partial);
	close(fd);
}
END_TEST

START_TEST(failure_before_the_first_byte_is_a_status)
{
	int fd = client();

	say(fd, GET("/repo/coming"));
	settle();
	want_start();
	settle();
	want_no(502);
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 502 Bad Gateway"), 1);
	say(fd, GET("/repo/slow"));
	for (int i = 0; i < 50; i++)
		settle();
	ck_assert(hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 504 Gateway Timeout"), 1);
	close(partial);
	close(fd);
}
END_TEST

START_TEST(when_all_have_left_the_fetch_is_stopped)
{
	int a = client(), b = client();

	say(a, GET("/repo/coming"));
	say(b, GET("/repo/coming"));
	settle();
	close(a);
	settle();
	ck_assert_uint_eq(stops, 0);
	close(b);
	settle();
	ck_assert_uint_eq(stops, 1);
	ck_assert_uint_eq(content_counts(content)->objects, 0);
}
END_TEST

START_TEST(a_new_snapshot_and_an_eviction_empty_the_table)
{
	uint8_t	    buf[64];
	struct wr   w = wr_to(buf, sizeof(buf));
	struct hash h = { { 1 } };
	int	    fd = client();

	say(fd, GET("/repo/small"));
	ck_assert(!hear(fd));
	wr_str(&w, "content");
	wr_u64(&w, 2);
	ck_assert_int_eq(ipc_send(store, MSG_SNAPSHOT, 0, buf, w.len), 0);
	settle();
	say(fd, GET("/repo/small"));
	ck_assert(!hear(fd));
	ck_assert_uint_eq(lookups, 2);
	ck_assert_int_eq(ipc_send(store, MSG_EVICTED, 0, h.b, HASH_LEN), 0);
	settle();
	ck_assert_uint_eq(content_counts(content)->objects, 0);
	ck_assert_uint_eq(content_counts(content)->small_bytes, 0);
	close(fd);
}
END_TEST

static const struct {
	const char *status, *bytes;
} last_words[] = {
	{ " 400 ", "GET /a HTTP/1.1\nHost: a\n\n" },
	{ " 400 ", "GET /repo/%2e%2e/a HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ " 400 ", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
		   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/repo/small") },
	{ " 405 ", "POST /repo/small HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ " 505 ", "GET / HTTP/2.0\r\nHost: a\r\n\r\n" },
};
START_TEST(a_bad_request_gets_one_status_and_the_end)
{
	int fd = client();

	say(fd, last_words[_i].bytes);
	ck_assert(hear(fd) || (close(fd), true));
	ck_assert_uint_eq(count("HTTP/1.1 "), 1);
	ck_assert_ptr_nonnull(strstr(got, last_words[_i].status));
	ck_assert_uint_eq(count("Connection: close"), 1);
}
END_TEST

START_TEST(slow_heads_and_idle_connections_run_out_of_time)
{
	int slow = client(), quiet = client(), idle = client();

	say(slow, "GET /repo/small HTTP/1.1\r\nHo");
	say(idle, GET("/repo/small"));
	for (int i = 0; i < 50; i++)
		settle();
	ck_assert(hear(slow) || got_len > 0);
	ck_assert_uint_eq(count("HTTP/1.1 408 "), 1);
	ck_assert(hear(quiet));
	ck_assert_uint_eq(got_len, 0);
	ck_assert(hear(idle));
	ck_assert_uint_eq(count("200 OK"), 1);
	close(slow);
	close(quiet);
	close(idle);
}
END_TEST

START_TEST(site_is_not_served_without_a_certificate)
{
	int fd = client();

	say(fd, GET("/site/metadata/1.root.json"));
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 403 "), 1);
	ck_assert_uint_eq(lookups, 0);
	close(fd);
}
END_TEST

#define Z "00000000000000"
#define HASH(ab) "/objects/sha256/" ab Z Z Z Z "0000"
static const struct {
	const char *what, *path;
	int	    status, device; /* as anybody, as a device; 0: it is fetched */
} by_hash[] = {
	{ "content's", HASH("0100"), 200, 200 },
	{ "content's, away", HASH("0101"), 0, 0 },
	{ "of both", HASH("0300"), 200, 200 },
	{ "the site's", HASH("0200"), 403, 200 },
	{ "the site's, away", HASH("0201"), 403, 0 },
	{ "of an older snapshot", HASH("0400"), 403, 200 },
	{ "unknown", HASH("0000"), 403, 0 },
};
START_TEST(a_hash_that_content_does_not_name_is_for_devices)
{
	struct object *o, *seen;
	const char    *path = by_hash[_i].path;
	char	       ask[128], line[32];
	int	       fd = client(), want = by_hash[_i].status;

	snprintf(ask, sizeof(ask), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	say(fd, ask);
	ck_assert(!hear(fd));
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", want);
	ck_assert_uint_eq(count(line), want != 0);
	ck_assert_uint_eq(wants, want == 0);
	close(fd);
	settle();

	wants = 0;
	want = by_hash[_i].device;
	ck_assert_int_eq(content_get(content, path, strlen(path), true, &o), 0);
	settle();
	ck_assert_uint_eq(wants, want == 0);
	ck_assert_int_eq(o->state, want == 0 ? OBJECT_ASKED : OBJECT_READY);
	/* others find it in the table, and are refused as before */
	ck_assert_int_eq(content_get(content, path, strlen(path), false, &seen),
	    0);
	ck_assert_ptr_eq(seen, o);
	ck_assert(object_is_for(o, true));
	ck_assert(object_is_for(o, false) == (by_hash[_i].status != 403));
	object_unref(&seen);
	object_unref(&o);
}
END_TEST

START_TEST(a_device_beside_others_gets_what_they_do_not)
{
	const char    *path = HASH("0201");
	struct object *o;
	int	       fd = client();

	/* both before the store answers: one look-up, one fetch, for one */
	say(fd, GET(HASH("0201")));
	ck_assert_int_eq(content_get(content, path, strlen(path), true, &o), 0);
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 403 "), 1);
	ck_assert_uint_eq(lookups, 1);
	ck_assert_uint_eq(wants, 1);
	ck_assert_int_eq(o->state, OBJECT_ASKED);
	want_start();
	say(fd, GET(HASH("0201")));
	ck_assert(!hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 403 "), 1);
	ck_assert_int_eq(o->state, OBJECT_GROWING);
	object_unref(&o);
	close(fd);
}
END_TEST

static void
on_drained(void *ctx)
{
	(void)ctx;
	drained = true;
}

START_TEST(draining_finishes_what_is_under_way)
{
	int busy = client(), idle = client();

	say(idle, GET("/repo/small"));
	ck_assert(!hear(idle));
	say(busy, GET("/repo/large"));
	settle();
	engine_drain(engine, on_drained, NULL);
	ck_assert(hear(idle));
	ck_assert(!drained);
	hear(busy);
	body_is_right(0, SIZE);
	settle();
	ck_assert(drained);
	close(busy);
	close(idle);
}
END_TEST

START_TEST(what_follows_a_closing_request_is_still_answered_first)
{
	int fd = client();

	say(fd, GET("/repo/small") GET("/repo/small"));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert(hear(fd));
	ck_assert_uint_eq(count("200 OK"), 2);
	close(fd);
}
END_TEST

#define LIST  "/v1/blocks/0100010000000000000000000000000000000000000000000000000000000000"

START_TEST(pieces_of_an_object_are_hashed_once)
{
	static uint8_t piece[65536];
	struct hash    h;
	char	      *body;
	int	       a = client(), b = client();

	say(a, GET(LIST "/65536"));
	say(b, GET(LIST "/65536"));
	ck_assert(!hear(a));
	ck_assert_uint_eq(count("Content-Length: 160"), 1);
	ck_assert_ptr_nonnull(body = strstr(got, "\r\n\r\n"));
	ck_assert_uint_eq(got_len - (size_t)(body + 4 - got), 160);
	for (size_t i = 0; i < 5; i++) {
		size_t n = i < 4 ? 65536 : SIZE - 4 * 65536;

		for (size_t k = 0; k < n; k++)
			piece[k] = byte_at(i * 65536 + k);
		ck_assert_int_eq(hash_of(&h, piece, n), 0);
		ck_assert_mem_eq(body + 4 + i * HASH_LEN, h.b, HASH_LEN);
	}
	ck_assert(!hear(b));
	ck_assert_uint_eq(count("Content-Length: 160"), 1);
	ck_assert_uint_eq(api_counts(api)->lists, 1);
	ck_assert_uint_eq(api_counts(api)->hashed_bytes, SIZE);
	/* another size is another list; a part of one is served too */
	say(a, "GET " LIST "/131072 HTTP/1.1\r\nHost: a\r\nRange: bytes=32-63"
	       "\r\n\r\n");
	ck_assert(!hear(a));
	ck_assert_uint_eq(count("Content-Range: bytes 32-63/96"), 1);
	say(b, GET(LIST "/65536"));
	ck_assert(!hear(b));
	ck_assert_uint_eq(count("200 OK"), 1);
	ck_assert_uint_eq(api_counts(api)->lists, 2);
	ck_assert_uint_eq(lookups, 1);
	close(a);
	close(b);
}
END_TEST

static const struct { const char *request; int status; } refused[] = {
	{ GET(LIST), 404 },
	{ GET(LIST "/"), 404 },
	{ GET(LIST "/65535"), 404 },
	{ GET(LIST "/98304"), 404 },
	{ GET(LIST "/32768"), 404 },
	{ GET(LIST "/33554432"), 404 },
	{ GET(LIST "/065536"), 404 },
	{ GET(LIST "/65536x"), 404 },
	{ GET(LIST "/18446744073709617152"), 404 },
	{ GET("/v1/blocks/01/65536"), 404 },
	/* the site's, and what nobody knows: not told which */
	{ GET("/v1/blocks/02000000000000000000000000000000"
	      "00000000000000000000000000000000/65536"), 403 },
	{ GET("/v1/blocks/00000000000000000000000000000000"
	      "00000000000000000000000000000000/65536"), 403 },
	{ GET("/v1/"), 404 },
	{ GET("/v1/nothing"), 404 },
	{ GET("/v1/multicast"), 403 },
	{ GET("/v1/multicast/"), 404 },
	{ GET("/v1/multicast/00"), 404 },
	{ GET("/v1/multicast/02000000000000000000000000000000"
	      "00000000000000000000000000000000"), 403 },
	{ GET("/v1/multicast?x"), 404 },
};

START_TEST(questions_that_are_refused)
{
	char want[32];
	int  fd = client();

	api_set(api, true, &(struct hash){ { 0 } });
	say(fd, refused[_i].request);
	ck_assert(!hear(fd));
	snprintf(want, sizeof(want), "HTTP/1.1 %d ", refused[_i].status);
	ck_assert_msg(strncmp(got, want, strlen(want)) == 0, "%s: %s",
	    refused[_i].request, got);
	close(fd);
}
END_TEST

static uint32_t	   api_id;
static char	   api_path[128], api_device[128];
static struct hash api_crl;
static unsigned	   api_crls;

static int
on_api_get(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	api_id = m->id;
	rd_str(&m->rd, api_path, sizeof(api_path));
	rd_str(&m->rd, api_device, sizeof(api_device));
	return rd_done(&m->rd);
}

static int
on_revocations(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	api_crls++;
	memcpy(api_crl.b, rd_bytes(&m->rd, HASH_LEN), HASH_LEN);
	return 0;
}

static const struct ipc_handler to_mcast[] = {
	{ MSG_API_GET, 0, 4, 300, on_api_get },
	{ MSG_REVOCATIONS, 0, HASH_LEN, HASH_LEN, on_revocations },
};

static int
ask(const char *path, struct object **o)
{
	return api_get(api, path, strlen(path), "urn:dpoint:device:x", o);
}

START_TEST(a_device_is_answered_by_the_sender)
{
	static const char      json[] = "\0\xc8{\"how\":\"unicast\"}";
	const struct ipc_table t = { to_mcast, COUNT(to_mcast) };
	struct object	      *o, *o2;
	struct hash	       crl = { { 7 } }, none = { { 0 } };
	int		       p[2];

	ck_assert_int_eq(ask("/v1/multicast", &o), -ENOENT); /* is off */
	api_set(api, true, &none);
	ck_assert_int_eq(ask("/v1/multicast", &o), -ENOBUFS); /* is away */
	ck_assert_int_eq(ipc_pair(p), 0);
	ck_assert_int_eq(ipc_new(loop, p[0], t, NULL, broken, 99, &mcast), 0);
	ck_assert_int_eq(api_set_mcast(api, p[1]), 0);
	ck_assert_int_eq(ask("/v1/multicast", &o), 0);
	settle();
	ck_assert_uint_eq(api_crls, 1); /* whatever it is: told at once */
	ck_assert(hash_eq(&api_crl, &none));
	ck_assert_str_eq(api_path, "/v1/multicast");
	ck_assert_str_eq(api_device, "urn:dpoint:device:x");
	ck_assert_int_eq(o->state, OBJECT_ASKED);
	ck_assert_int_eq(ipc_send(mcast, MSG_API_ANSWER, api_id, json,
			     sizeof(json) - 1), 0);
	settle();
	ck_assert_int_eq(o->state, OBJECT_READY);
	ck_assert(object_is_for(o, true) && !object_is_for(o, false));
	ck_assert_uint_eq(o->size, sizeof(json) - 3);
	ck_assert_mem_eq(o->bytes, json + 2, o->size);
	ck_assert_ptr_nonnull(strstr(o->fields, "Cache-Control: no-store"));
	object_unref(&o);
	/* one who left does not disturb the answer; a status is passed on */
	ck_assert_int_eq(ask("/v1/multicast", &o), 0);
	ck_assert_int_eq(ask("/v1/multicast", &o2), 0);
	object_unref(&o);
	settle();
	ck_assert_int_eq(ipc_send(mcast, MSG_API_ANSWER, api_id, "\1\x93", 2),
	    0);
	ck_assert_int_eq(ipc_send(mcast, MSG_API_ANSWER, api_id - 1, "\1\x93",
			     2), 0);
	settle();
	ck_assert_int_eq(o2->state, OBJECT_FAILED);
	ck_assert_int_eq(o2->status, 403);
	object_unref(&o2);
	api_set(api, true, &none); /* the same */
	api_set(api, true, &crl);
	settle();
	ck_assert_uint_eq(api_crls, 2);
	ck_assert(hash_eq(&api_crl, &crl));
	/* the sender goes: who waits is told */
	ck_assert_int_eq(ask("/v1/multicast", &o), 0);
	ipc_free(&mcast);
	settle();
	ck_assert_int_eq(o->state, OBJECT_FAILED);
	ck_assert_int_eq(o->status, 503);
	object_unref(&o);
	ck_assert_int_eq(ask("/v1/multicast", &o), -ENOBUFS);
}
END_TEST

#define REST "-7d1f-4c3a-9e8b-00ff10a0b1c2"
#define UUID "0b5ac25e" REST
#define MINE "urn:dpoint:device:" UUID

static int
begin_report(const char *path, const char *uri, bool has_length, uint64_t len,
    struct upload **u)
{
	int status = inbox_begin(inbox, path, strlen(path), uri, has_length, len,
	    u);

	ck_assert_int_eq(status == 0, *u != NULL);
	return status;
}

/* 100,000 bytes of another device. */
static int
begin_other(size_t device, struct upload **u)
{
	char path[80], uri[80];

	snprintf(path, sizeof(path), "/v1/reports/%08zx" REST "/5", device);
	snprintf(uri, sizeof(uri), "urn:dpoint:device:%08zx" REST, device);
	return begin_report(path, uri, true, 100000, u);
}

START_TEST(who_may_put_what_is_said_before_its_body)
{
	static const char path[] = "/v1/reports/" UUID "/5";
	struct upload	 *u, *all[1000];
	size_t		  n = 0;

	ck_assert_int_eq(begin_report(path, MINE, true, 9, &u), 404);
	inbox_set(inbox, true, 100000);
	ck_assert_int_eq(begin_report(path, "", true, 9, &u), 403);
	ck_assert_int_eq(begin_report(path, "urn:dpoint:dp:" UUID, true, 9, &u),
	    403);
	ck_assert_int_eq(begin_report("/v1/reports/"
	    "0b5ac25e-7d1f-4c3a-9e8b-00ff10a0b1c3/5", MINE, true, 9, &u), 403);
	ck_assert_int_eq(begin_report("/v1/reports/5", MINE, true, 9, &u), 400);
	ck_assert_int_eq(begin_report("/v1/multicast", MINE, true, 9, &u), 400);
	ck_assert_int_eq(begin_report(path, MINE, false, 0, &u), 411);
	ck_assert_int_eq(begin_report(path, MINE, true, 100001, &u), 413);
	ck_assert_int_eq(begin_report(path, MINE, true, UINT64_MAX, &u), 413);
	while (n < COUNT(all) && begin_other(n, &all[n]) == 0)
		n++;
	ck_assert_uint_eq(n, UPLOAD_SUM / 100000); /* then 503 */
	ck_assert_uint_eq(inbox_counts(inbox)->refused[REFUSED_BUSY], 1);
	/* each device has one, and no more of them while that is here */
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(begin_other(i, &u), 429);
	upload_free(&all[--n]);
	ck_assert_int_eq(begin_other(n, &all[n]), 0);
	for (n++; n > 0;)
		upload_free(&all[--n]);
	ck_assert_uint_eq(inbox_counts(inbox)->bytes, 0);
	ck_assert_int_eq(begin_other(0, &u), 0);
	upload_free(&u);
}
END_TEST

START_TEST(a_report_is_whole_in_the_store_before_it_is_answered)
{
	static const char path[] = "/v1/reports/" UUID "/5";
	struct upload	 *u;

	inbox_set(inbox, true, 200000);
	ck_assert_int_eq(begin_report(path, MINE, true, 150000, &u), 0);
	u->woken = on_woken;
	for (; u->got < u->len; u->got++)
		u->bytes[u->got] = byte_at(u->got);
	inbox_put(u);
	settle();
	ck_assert_int_eq(u->status, 0);
	ck_assert_uint_eq(reports, 1);
	ck_assert_uint_eq(report_len, 150000);
	for (size_t i = 0; i < report_len; i++)
		ck_assert_uint_eq(report[i], byte_at(i));
	answer_report(REPORT_KEPT, 5);
	settle();
	ck_assert_uint_eq(woken, 1);
	ck_assert_int_eq(u->status, 201);
	ck_assert_uint_eq(u->highest, 5);
	upload_free(&u);
	/* who put it leaves; the answer is nobody's */
	ck_assert_int_eq(begin_report(path, MINE, true, 0, &u), 0);
	inbox_put(u);
	upload_free(&u);
	/* yet it is under way until then */
	ck_assert_int_eq(begin_report(path, MINE, true, 0, &u), 429);
	settle();
	ck_assert_uint_eq(reports, 2);
	answer_report(REPORT_FULL, 0);
	settle();
	/* the store leaves: who waits is told */
	ck_assert_int_eq(begin_report(path, MINE, true, 0, &u), 0);
	u->woken = on_woken;
	inbox_put(u);
	ipc_free(&store);
	settle();
	ck_assert_uint_eq(woken, 2);
	ck_assert_int_eq(u->status, 503);
	upload_free(&u);
	ck_assert_int_eq(begin_report(path, MINE, true, 0, &u), 0);
	inbox_put(u);
	ck_assert_int_eq(u->status, 503);
	upload_free(&u);
}
END_TEST

START_TEST(a_put_in_clear_is_answered_and_its_body_read_past)
{
	int fd = client();

	inbox_set(inbox, true, 1000);
	say(fd, "PUT /v1/reports/" UUID "/5 HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 9\r\n\r\n");
	ck_assert(hear(fd)); /* half closed: it reads on, so that this is heard */
	ck_assert_uint_eq(count("HTTP/1.1 403 "), 1);
	say(fd, "123456789");
	settle();
	close(fd);
	fd = client();
	say(fd, "PUT /repo/small HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	ck_assert(hear(fd));
	ck_assert_uint_eq(count("HTTP/1.1 405 "), 1);
	ck_assert_uint_eq(reports, 0);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("conn");
	TCase	*t = tcase_create("conn");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pipelined_requests_are_answered_in_order_from_one_lookup);
	tcase_add_test(t, a_large_object_comes_whole_and_in_part);
	tcase_add_test(t, a_request_in_single_bytes_is_understood);
	tcase_add_test(t, one_want_for_all_and_the_end_waits_for_the_hash);
	tcase_add_test(t, wrong_bytes_are_never_completed);
	tcase_add_test(t, failure_before_the_first_byte_is_a_status);
	tcase_add_test(t, when_all_have_left_the_fetch_is_stopped);
	tcase_add_test(t, a_new_snapshot_and_an_eviction_empty_the_table);
	tcase_add_loop_test(t, a_bad_request_gets_one_status_and_the_end, 0,
	    COUNT(last_words));
	tcase_add_test(t, slow_heads_and_idle_connections_run_out_of_time);
	tcase_add_test(t, site_is_not_served_without_a_certificate);
	tcase_add_loop_test(t, a_hash_that_content_does_not_name_is_for_devices,
	    0, COUNT(by_hash));
	tcase_add_test(t, a_device_beside_others_gets_what_they_do_not);
	tcase_add_test(t, draining_finishes_what_is_under_way);
	tcase_add_test(t, what_follows_a_closing_request_is_still_answered_first);
	tcase_add_test(t, pieces_of_an_object_are_hashed_once);
	tcase_add_loop_test(t, questions_that_are_refused, 0,
	    (int)COUNT(refused));
	tcase_add_test(t, a_device_is_answered_by_the_sender);
	tcase_add_test(t, who_may_put_what_is_said_before_its_body);
	tcase_add_test(t, a_report_is_whole_in_the_store_before_it_is_answered);
	tcase_add_test(t, a_put_in_clear_is_answered_and_its_body_read_past);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
