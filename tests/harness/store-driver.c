/*
 * tests/harness/store-driver.c - one job of a downloader, against a real dp-store.
 *
 * usage: store-driver DP-STORE DIR COMMAND...
 *   config KEY=VALUE   for the store, e.g. store.reserve=0 (before the rest)
 *   bytes N            size of the large object from now on (600000)
 *   seed N             which bytes (1)
 *   trace THREAD FILE EXPR   runs strace -e EXPR on a thread of the store
 *                      (main, rows, bulk) from here on
 *   job                open, write, sync, publish, put, names, table, look up;
 *                      what is there already is skipped, as a downloader would
 *   open-close         opens, writes half, closes: a partial file stays
 *   verify | repair | list | status    the admin command, rows printed
 *   bench SECONDS      look-ups and publishing: a table, a line of JSON
 * Exit: 0; 2 the store refused a step (the step and reason printed); 3 the
 * store is gone; 4 what the store gave is wrong; 1 anything else.
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/ipc.h"
#include "common/wr.h"
#include "tests/harness/master.h"
#include "tests/harness/trace.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct under_test u;
static struct answer	 a;
static uint8_t		*content;
static size_t		 size = 600000;
static unsigned		 seed = 1;
static struct hash	 want;

static void
gone(const char *step)
{
	int status = worker_wait(&u);

	trace_end();
	printf("%s: the store is gone (%s %d)\n", step,
	    WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	exit(3);
}

static void
refused(const char *step)
{
	struct rd r = rd_from(a.bytes, a.len);
	unsigned  e = rd_u32(&r);
	char	  text[256];

	rd_str(&r, text, sizeof(text));
	printf("%s: refused: %s (%s)\n", step, text, strerror((int)e));
	(void)worker_end(&u);
	trace_end();
	exit(2);
}

static void
wrong(const char *step)
{
	printf("%s: WRONG, answer %u\n", step, a.type);
	(void)worker_end(&u);
	trace_end();
	exit(4);
}

static void
do_ask(const char *step, enum peer_role who, uint16_t type, const void *p,
    size_t n, uint16_t expect)
{
	if (ask(u.peer[who], type, p, n, &a) < 0)
		gone(step);
	if (a.type == MSG_STORE_NO)
		refused(step);
	if (a.type != expect)
		wrong(step);
}

static void
make_content(void)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + size;

	free(content);
	if ((content = malloc(size + 8)) == NULL)
		err(1, "malloc");
	for (size_t i = 0; i < size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(content + i, &x, 8);
	}
	if (hash_of(&want, content, size) < 0)
		errx(1, "hash");
}

static void
put_all(int fd, const uint8_t *p, size_t n, size_t at, const char *step)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k, at += (size_t)k)
		if ((k = pwrite(fd, p, n, (off_t)at)) <= 0) {
			printf("%s: refused: write: %s\n", step,
			    strerror(errno));
			(void)worker_end(&u);
			trace_end();
			exit(2);
		}
}

/* 1: it is an object already. */
static int
open_partial(size_t *durable, int *fd)
{
	uint8_t	  buf[256];
	struct wr w = wr_to(buf, sizeof(buf));
	struct rd r;

	wr_bytes(&w, want.b, HASH_LEN);
	wr_u64(&w, size);
	wr_u8(&w, PRIO_PACKAGE);
	wr_str(&w, "repo/targets/big");
	if (ask(u.peer[PEER_FETCH], MSG_PARTIAL_OPEN, buf, w.len, &a) < 0)
		gone("open");
	r = rd_from(a.bytes, a.len);
	if (a.type == MSG_STORE_NO) {
		if (rd_u32(&r) != EEXIST)
			refused("open");
		return 1;
	}
	if (a.type != MSG_PARTIAL)
		wrong("open");
	(void)rd_bytes(&r, HASH_LEN);
	*durable = rd_u64(&r);
	*fd = a.fds[0];
	close(a.fds[1]);
	if (*durable > size)
		wrong("open: durable");
	return 0;
}

static void
tell_written(uint16_t type, size_t n)
{
	uint8_t	  buf[64];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_bytes(&w, want.b, HASH_LEN);
	wr_u64(&w, n);
	if (tell(u.peer[PEER_FETCH], type, buf, w.len) < 0)
		gone("sync");
}

static void
publish(bool sync)
{
	size_t durable;
	int    fd;

	if (open_partial(&durable, &fd) != 0)
		return;
	if (sync && durable < size / 2) {
		put_all(fd, content + durable, size / 2 - durable, durable,
		    "write");
		tell_written(MSG_PARTIAL_SYNC, size / 2);
		durable = size / 2;
	}
	put_all(fd, content + durable, size - durable, durable, "write");
	close(fd);
	do_ask("publish", PEER_FETCH, MSG_PARTIAL_DONE, want.b, HASH_LEN,
	    MSG_STORE_OK);
}

static void
open_close(void)
{
	size_t durable;
	int    fd;

	if (open_partial(&durable, &fd) != 0)
		return;
	put_all(fd, content, size / 2, 0, "write");
	close(fd);
	tell_written(MSG_PARTIAL_CLOSE, size / 2);
}

static void
put_small(const char *text, struct hash *h)
{
	uint8_t	  buf[4096];
	struct wr w = wr_to(buf, sizeof(buf));

	(void)hash_of(h, text, strlen(text));
	wr_bytes(&w, h->b, HASH_LEN);
	wr_bytes(&w, text, strlen(text));
	do_ask("put", PEER_FETCH, MSG_PUT, buf, w.len, MSG_STORE_OK);
}

static void
add_name(struct wr *w, const char *name, const struct hash *h, uint64_t n,
    uint8_t flags)
{
	wr_bytes(w, h->b, HASH_LEN);
	wr_u64(w, n);
	wr_u8(w, flags);
	wr_str(w, name);
}

static void
commit_names(const char *stamp, const struct hash *small)
{
	uint8_t	  buf[1024];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_str(&w, "content");
	do_ask("begin", PEER_FETCH, MSG_NAMES_BEGIN, buf, w.len, MSG_STORE_OK);
	w = wr_to(buf, sizeof(buf));
	add_name(&w, "repo/targets/big", &want, size, 0);
	add_name(&w, "repo/metadata/timestamp.json", small, strlen(stamp),
	    NAME_PINNED | NAME_URGENT);
	if (tell(u.peer[PEER_FETCH], MSG_NAMES_ADD, buf, w.len) < 0)
		gone("names");
	w = wr_to(buf, sizeof(buf));
	wr_str(&w, "content");
	do_ask("commit", PEER_FETCH, MSG_NAMES_COMMIT, buf, w.len, MSG_STORE_OK);
}

/* All names, on the channel of the one who may ask: as they were given. */
static void
list_names(const char *stamp)
{
	uint8_t	  buf[64] = { 0 };
	struct wr w = wr_to(buf, sizeof(buf));
	struct rd r;
	char	  name[256];
	uint64_t  bytes;
	uint8_t	  flags;
	int	  n = 0;

	w.len = HASH_LEN; /* from the beginning */
	wr_str(&w, "content");
	do_ask("names", PEER_MCAST, MSG_NAMES_LIST, buf, w.len, MSG_NAMES);
	r = rd_from(a.bytes, a.len);
	(void)rd_bytes(&r, HASH_LEN);
	if (rd_u8(&r) != 0)
		errx(1, "names: two are more than a page?");
	for (; r.left > 0; n++) {
		bool is_big;

		(void)rd_bytes(&r, HASH_LEN);
		bytes = rd_u64(&r);
		flags = rd_u8(&r);
		rd_str(&r, name, sizeof(name));
		is_big = strcmp(name, "repo/targets/big") == 0;
		if (bytes != (is_big ? size : strlen(stamp)) ||
		    flags != (is_big ? 0 : NAME_PINNED | NAME_URGENT))
			errx(1, "names: %s is not as it was given", name);
	}
	if (rd_done(&r) < 0 || n != 2)
		errx(1, "names: %d, expected 2", n);
}

/* By name, on the channel of one who may only read: all of the right bytes. */
static void
look_up(const char *name, const struct hash *h)
{
	uint8_t		 buf[256];
	struct wr	 w = wr_to(buf, sizeof(buf));
	struct hash_run *run;
	struct hash	 got;
	ssize_t		 n;

	wr_str(&w, name);
	do_ask("look-up", PEER_SERVE, MSG_LOOKUP_NAME, buf, w.len, MSG_OBJECT);
	if (memcmp(a.bytes, h->b, HASH_LEN) != 0)
		wrong("look-up: hash");
	if (hash_run_new(&run) < 0)
		err(1, "hash");
	while ((n = read(a.fds[0], a.bytes, sizeof(a.bytes))) > 0)
		(void)hash_run_add(run, a.bytes, (size_t)n);
	(void)hash_run_end(run, &got);
	hash_run_free(&run);
	if (!hash_eq(&got, h))
		wrong("look-up: bytes");
	if ((fcntl(a.fds[0], F_GETFL) & O_ACCMODE) != O_RDONLY)
		wrong("look-up: descriptor");
	close(a.fds[0]);
}

static void
job(void)
{
	const char *stamp = "{\"signed\":{}}";
	uint8_t	    buf[64];
	struct wr   w = wr_to(buf, sizeof(buf));
	struct hash small;

	publish(true);
	put_small(stamp, &small);
	commit_names(stamp, &small);
	wr_str(&w, "state");
	wr_bytes(&w, "42", 2);
	do_ask("table", PEER_FETCH, MSG_TABLE_PUT, buf, w.len, MSG_STORE_OK);
	do_ask("table", PEER_FETCH, MSG_TABLE_GET, buf, 7, MSG_TABLE_VALUE);
	if (a.len != 2 || memcmp(a.bytes, "42", 2) != 0)
		wrong("table");
	look_up("repo/targets/big", &want);
	look_up("repo/metadata/timestamp.json", &small);
	list_names(stamp);
	puts("job: done");
}

/* What only the multicast sender may ask, from one who may not: the channel
 * ends. The last command of a run. */
static void
trespass(void)
{
	uint8_t	  buf[64] = { 0 };
	struct wr w = wr_to(buf, sizeof(buf));

	w.len = HASH_LEN;
	wr_str(&w, "content");
	if (ask(u.peer[PEER_SERVE], MSG_NAMES_LIST, buf, w.len, &a) !=
	    -ENOTCONN)
		errx(1, "names: listed for one who may only read");
}

static void
admin_rows(const char *word)
{
	char	text[512];
	json_t *rows, *row;
	size_t	i;
	int	r = admin(&u, word, &rows, text);

	json_array_foreach(rows, i, row) {
		char *s = json_dumps(row, JSON_COMPACT);

		printf("%s: %s\n", word, s);
		free(s);
	}
	json_decref(rows);
	if (r == -EREMOTEIO) {
		printf("%s: refused: %s\n", word, text);
		(void)worker_end(&u);
		exit(2);
	}
	if (r < 0)
		gone(word);
	printf("%s: ok\n", word);
}

/* -- bench -- */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static FILE *bench_json; /* the rows, for the last line */

static void
bench_row(const char *what, const char *unit, double v)
{
	static const char *sep = "";

	printf("%-38s %10.1f %s\n", what, v, unit);
	fprintf(bench_json,
	    "%s{\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f,\"peer\":null,"
	    "\"theirs\":null,\"ratio\":null}",
	    sep, what, unit, v);
	sep = ",";
}

static void
bench_lookups(double seconds)
{
	uint8_t	  buf[256];
	struct wr w = wr_to(buf, sizeof(buf));
	double	  t = now(), end = t + seconds;
	unsigned  n = 0;

	wr_str(&w, "repo/targets/big");
	for (; now() < end; n++) {
		do_ask("look-up", PEER_SERVE, MSG_LOOKUP_NAME, buf, w.len,
		    MSG_OBJECT);
		close(a.fds[0]);
	}
	bench_row("look-up by name, one at a time", "per second",
	    n / (now() - t));
}

static void
bench_lookups_ahead(double seconds)
{
	enum { AHEAD = 32 };
	static uint8_t in[MSG_MAX];
	uint8_t	       buf[256];
	struct wr      w = wr_to(buf, sizeof(buf));
	double	       t = now(), end = t + seconds;
	unsigned       n = 0;
	struct ipc_msg m;

	wr_str(&w, "repo/targets/big");
	while (now() < end) {
		for (uint32_t i = 1; i <= AHEAD; i++)
			if (ipc_send_now(u.peer[PEER_SERVE], MSG_LOOKUP_NAME, i,
				buf, w.len, -1) < 0)
				gone("look-up");
		for (int i = 0; i < AHEAD; i++, n++) {
			if (ipc_recv_now(u.peer[PEER_SERVE], in, sizeof(in),
				10000, &m) < 0)
				gone("look-up");
			close(m.fds[0]);
		}
	}
	bench_row("look-up by name, 32 ahead", "per second", n / (now() - t));
}

static void
bench_publish(size_t bytes, unsigned times)
{
	char   text[64];
	double sum = 0, t;
	size_t durable;
	int    fd;

	size = bytes;
	for (unsigned i = 0; i < times; i++) {
		seed += 1000;
		make_content();
		if (open_partial(&durable, &fd) != 0)
			errx(1, "bench wants an empty store");
		put_all(fd, content, size, 0, "write");
		/* as a downloader does: synced while it came */
		tell_written(MSG_PARTIAL_SYNC, size);
		do_ask("table", PEER_FETCH, MSG_HAVE, want.b, HASH_LEN,
		    MSG_HAVE_BITS);
		close(fd);
		t = now();
		do_ask("publish", PEER_FETCH, MSG_PARTIAL_DONE, want.b,
		    HASH_LEN, MSG_STORE_OK);
		sum += now() - t;
	}
	snprintf(text, sizeof(text), "publish %zu KiB: hand-over to answer",
	    bytes >> 10);
	bench_row(text, "ms", sum / times * 1000);
}

static void
bench(double seconds)
{
	char  *rows;
	size_t len;

	if ((bench_json = open_memstream(&rows, &len)) == NULL)
		err(1, "bench");
	bench_lookups(seconds);
	bench_lookups_ahead(seconds);
	bench_publish(4 << 10, 50);
	bench_publish(256 << 10, 20);
	bench_publish(4 << 20, 10);
	bench_publish(64 << 20, 4);
	bench_publish((size_t)1 << 30, 1);
	fclose(bench_json);
	printf("\n{\"bench\":\"store\",\"rows\":[%s]}\n", rows);
	free(rows);
}

static void
start(const char *program, const char *dir, const char *extra)
{
	static const enum peer_role roles[] = { PEER_CONTROL, PEER_FETCH,
		PEER_SERVE, PEER_MCAST, PEER_NONE };
	char config[2048];
	int  status;

	snprintf(config, sizeof(config),
	    "master.log-level=debug\nmaster.user-prefix=dp-\n"
	    "store.dir=%s\nstore.reserve=0\nstore.want-free=0\n%s",
	    dir, extra);
	if (worker_begin(&u, program, config, roles, &status) < 0) {
		printf("start: the store is gone (exit %d)\n",
		    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		exit(3);
	}
}

int
main(int argc, char *argv[])
{
	char extra[1024] = "";
	int  i = 3, r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 4)
		errx(1, "usage: store-driver DP-STORE DIR COMMAND...");
	for (; i + 1 < argc && strcmp(argv[i], "config") == 0; i += 2) {
		strncat(extra, argv[i + 1], sizeof(extra) - strlen(extra) - 1);
		strncat(extra, "\n", sizeof(extra) - strlen(extra) - 1);
	}
	start(argv[1], argv[2], extra);
	make_content();
	for (; i < argc; i++) {
		if (strcmp(argv[i], "bytes") == 0 && i + 1 < argc) {
			size = strtoul(argv[++i], NULL, 10);
			make_content();
		} else if (strcmp(argv[i], "seed") == 0 && i + 1 < argc) {
			seed = (unsigned)strtoul(argv[++i], NULL, 10);
			make_content();
		} else if (strcmp(argv[i], "trace") == 0 && i + 3 < argc) {
			trace_thread(u.pid, argv[i + 1], argv[i + 2],
			    argv[i + 3]);
			i += 3;
		} else if (strcmp(argv[i], "job") == 0)
			job();
		else if (strcmp(argv[i], "trespass") == 0)
			trespass();
		else if (strcmp(argv[i], "open-close") == 0)
			open_close();
		else if (strcmp(argv[i], "bench") == 0 && i + 1 < argc)
			bench(strtod(argv[++i], NULL));
		else if (strcmp(argv[i], "verify") == 0)
			admin_rows("store-verify");
		else if (strcmp(argv[i], "repair") == 0)
			admin_rows("store-repair");
		else if (strcmp(argv[i], "list") == 0)
			admin_rows("content-list");
		else if (strcmp(argv[i], "status") == 0)
			admin_rows("store-status");
		else
			errx(1, "unknown command %s", argv[i]);
	}
	r = worker_end(&u);
	trace_end();
	if (r != 0) {
		printf("end: %s %d\n", WIFSIGNALED(r) ? "signal" : "exit",
		    WIFSIGNALED(r) ? WTERMSIG(r) : WEXITSTATUS(r));
		return 3;
	}
	return 0;
}
