/*
 * tests/harness/inbox-driver.c - devices that report and a server that takes,
 * against a real dp-store; what was acknowledged is written down and never lost.
 *
 * usage: inbox-driver DP-STORE DIR BOOK COMMAND...
 *   config KEY=VALUE  for the store (before the rest)
 *   trace THREAD FILE EXPR   as tests/harness/trace.h has it
 *   work              three devices put four reports each, three at once, as
 *                     devices do: all again from the first; one is taken and
 *                     forwarded, one is refused by the server
 *   fill              one device puts reports of 30,000 bytes until one is
 *                     refused for want of room; FILL_MAX at most
 *   age               says what has expired a moment after the start, what waits,
 *                     and whether any of it is older than a minute
 *   deaf              a forwarder that reads nothing asks until one more answer
 *                     fits its channel, and takes a report of three messages: it
 *                     must be cut off and not left to wait
 *   drain             takes what is there until nothing is, what was set aside
 *                     too, and compares it with BOOK
 * BOOK:  "kept D S" when that is answered; "sent D S" before the store is told
 *        that the server has it, "done D S" when that is answered: between the two
 *        it may be there or not. It outlives the store.
 * Exit: 0; 2 the store refused (which is printed); 3 the store is gone; 4 a
 * report is lost, changed, out of order or given out again; 1 anything else.
 * SPDX-License-Identifier: ISC
 */
#include "common/hash.h"
#include "common/ipc.h"
#include "common/report.h"
#include "common/wr.h"
#include "tests/harness/master.h"
#include "tests/harness/trace.h"

#include <err.h>
#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES	 4 /* of work: 0 to 2; of fill: 3 */
#define REPORTS	 4 /* of each at work */
#define FILL_MAX 2000

enum note { NOTE_KEPT = 1, NOTE_SENT = 2, NOTE_DONE = 4, NOTE_SEEN = 8 };

static struct under_test u;
static FILE		*book;
static uint8_t		 notes[DEVICES][FILL_MAX + 1];
static uint8_t		 in[MSG_MAX], got[REPORT_BYTES_MAX];
static size_t		 ngot;

static int
ended(int status)
{
	int r = worker_end(&u);

	trace_end();
	return status != 0 ? status : r == 0 ? 0 : 3;
}

static void
gone(const char *step)
{
	(void)worker_wait(&u);
	trace_end();
	printf("%s: the store is gone\n", step);
	exit(3);
}

static void
lost(const char *what, unsigned d, uint64_t s)
{
	printf("LOST: report %llu of device %u: %s\n", (unsigned long long)s, d,
	    what);
	(void)ended(0);
	exit(4);
}

/* -- the book -- */

static uint8_t
note_of(const char *word)
{
	return word[0] == 'k' ? NOTE_KEPT : word[0] == 's' ? NOTE_SENT : NOTE_DONE;
}

static void
note(const char *word, unsigned d, uint64_t s)
{
	notes[d][s] |= note_of(word);
	if (fprintf(book, "%s %u %llu\n", word, d, (unsigned long long)s) < 0 ||
	    fflush(book) != 0)
		err(1, "book");
}

static void
read_book(const char *path)
{
	char	 word[8];
	unsigned d, s;

	if ((book = fopen(path, "a+")) == NULL)
		err(1, "%s", path);
	rewind(book);
	while (fscanf(book, "%7s %u %u", word, &d, &s) == 3)
		if (d < DEVICES && s <= FILL_MAX)
			notes[d][s] |= note_of(word);
	fseek(book, 0, SEEK_END);
}

/* -- reports -- */

static size_t
size_of(unsigned d, uint64_t s)
{
	if (d == 3)
		return 30000;
	return d == 1 && s == 3 ? 150000 : 100 * d + (size_t)s;
}

static uint8_t
byte_of(unsigned d, uint64_t s, size_t i)
{
	return (uint8_t)(i * 31 + i / 256 + s * 7 + d);
}

static void
write_id(struct wr *w, unsigned d, uint64_t s)
{
	uint8_t device[REPORT_DEVICE_LEN] = { 0xd0 };

	device[15] = (uint8_t)d;
	wr_bytes(w, device, sizeof(device));
	wr_u64(w, s);
}

static void
send_put(unsigned d, uint64_t s, uint32_t id)
{
	static uint8_t body[REPORT_BYTES_MAX], buf[MSG_MAX_PAYLOAD];
	struct wr      w = wr_to(buf, sizeof(buf));
	size_t	       n = size_of(d, s), at = 0;

	for (size_t i = 0; i < n; i++)
		body[i] = byte_of(d, s, i);
	for (; n - at > 60000; at += 60000)
		if (ipc_send_now(u.peer[PEER_SERVE], MSG_REPORT_PART, id,
			body + at, 60000, -1) < 0)
			gone("put");
	write_id(&w, d, s);
	wr_bytes(&w, body + at, n - at);
	if (ipc_send_now(u.peer[PEER_SERVE], MSG_REPORT_PUT, id, buf, w.len,
		-1) < 0)
		gone("put");
}

/* The answer to put id: what became of it. */
static enum report_kept
hear(uint32_t *id)
{
	struct ipc_msg m;
	uint8_t	       kept;

	do
		if (ipc_recv_now(u.peer[PEER_SERVE], in, sizeof(in), 60000,
			&m) < 0)
			gone("put");
	while (m.id == 0);
	kept = rd_u8(&m.rd);
	(void)rd_u64(&m.rd);
	if (m.type != MSG_REPORT_KEPT || rd_done(&m.rd) < 0)
		errx(1, "put: answer %u", m.type);
	*id = m.id;
	return (enum report_kept)kept;
}

static void
judge(unsigned d, uint64_t s, enum report_kept kept)
{
	if (kept == REPORT_KEPT && (notes[d][s] & NOTE_KEPT) != 0)
		lost("was acknowledged, and is new now", d, s);
	if (kept == REPORT_FULL || kept == REPORT_FAILED) {
		printf("put: refused: %s\n",
		    kept == REPORT_FULL ? "no room" : "the disk failed");
		exit(ended(2));
	}
	if ((notes[d][s] & NOTE_KEPT) == 0)
		note("kept", d, s);
}

/* Takes the next one; into got. */
static void
take(unsigned *d, uint64_t *s)
{
	static uint32_t id = 100000;
	struct ipc_msg	m;
	const uint8_t  *device;

	if (ipc_send_now(u.peer[PEER_FETCH], MSG_REPORT_TAKE, ++id, NULL, 0,
		-1) < 0)
		gone("take");
	for (ngot = 0;;) {
		size_t n;

		if (ipc_recv_now(u.peer[PEER_FETCH], in, sizeof(in), 60000,
			&m) < 0)
			gone("take");
		if (m.id != id)
			continue; /* a push */
		if (m.type == MSG_REPORT) {
			device = rd_bytes(&m.rd, REPORT_DEVICE_LEN);
			*s = rd_u64(&m.rd);
			if (device == NULL || device[0] != 0xd0 ||
			    (*d = device[15]) >= DEVICES || *s > FILL_MAX)
				errx(1, "take: whose is that?");
		} else if (m.type != MSG_REPORT_PART)
			errx(1, "take: answer %u", m.type);
		n = m.rd.left;
		if (ngot + n > sizeof(got))
			errx(1, "take: too long");
		memcpy(got + ngot, rd_bytes(&m.rd, n), n);
		ngot += n;
		if (m.type == MSG_REPORT)
			break;
	}
	if (ngot != size_of(*d, *s))
		lost("has another size", *d, *s);
	for (size_t i = 0; i < ngot; i++)
		if (got[i] != byte_of(*d, *s, i))
			lost("has other bytes", *d, *s);
}

static void
done(unsigned d, uint64_t s, enum report_end end)
{
	static struct answer a;
	uint8_t		     buf[64];
	struct wr	     w = wr_to(buf, sizeof(buf));

	write_id(&w, d, s);
	wr_u8(&w, (uint8_t)end);
	wr_u16(&w, end == REPORT_REFUSED ? 422 : 200);
	wr_u32(&w, 0);
	if (end == REPORT_FORWARDED)
		note("sent", d, s);
	if (ask(u.peer[PEER_FETCH], MSG_REPORT_DONE, buf, w.len, &a) < 0)
		gone("done");
	if (a.type == MSG_STORE_NO) {
		printf("done: refused\n");
		exit(ended(2));
	}
	if (end == REPORT_FORWARDED)
		note("done", d, s);
}

/* -- commands -- */

static void
work(void)
{
	unsigned d;
	uint64_t s;
	uint32_t id;

	for (uint64_t seq = 1; seq <= REPORTS; seq++) {
		for (d = 0; d < 3; d++)
			send_put(d, seq, d + 1);
		for (int i = 0; i < 3; i++) {
			enum report_kept kept = hear(&id);

			judge(id - 1, seq, kept);
		}
		if (seq == 2 || seq == 3) {
			take(&d, &s);
			if ((notes[d][s] & NOTE_DONE) != 0)
				lost("was forwarded, and is here again", d, s);
			done(d, s, seq == 2 ? REPORT_FORWARDED : REPORT_REFUSED);
		}
	}
	puts("work: done");
}

static void
fill(void)
{
	uint32_t id;

	for (uint64_t s = 1; s <= FILL_MAX; s++) {
		if ((notes[3][s] & NOTE_KEPT) != 0)
			continue;
		send_put(3, s, 9);
		judge(3, s, hear(&id));
	}
	puts("fill: there was room for all");
}

static uint64_t
stat_of(const char *name)
{
	char	 text[512];
	json_t	*rows;
	uint64_t n;

	if (admin(&u, "inbox-stats", &rows, text) < 0)
		gone("stats");
	n = (uint64_t)json_integer_value(
	    json_object_get(json_array_get(rows, 0), name));
	json_decref(rows);
	return n;
}

static void
age(void)
{
	sleep(1);
	printf("age: %llu expired, %llu wait, %s older than a minute\n",
	    (unsigned long long)stat_of("expired"),
	    (unsigned long long)(stat_of("queued") + stat_of("set_aside")),
	    stat_of("oldest_s") < 60 ? "none" : "some");
}

/* Asks for what is not there; the store has the question when this is back. */
static int
ask_nothing(enum peer_role role)
{
	static const uint8_t hash[HASH_LEN];
	int		     fd = u.peer[role], left, r;

	if ((r = ipc_send_now(fd, MSG_LOOKUP_HASH, 1, hash, sizeof(hash), -1)) < 0)
		return r;
	do
		usleep(100);
	while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0);
	return 0;
}

static void
deaf(void)
{
	struct ipc_msg m;
	unsigned       fit = 0, n = 0;
	uint32_t       id;
	int	       r;

	send_put(1, 3, 1);
	judge(1, 3, hear(&id));
	while (ask_nothing(PEER_SERVE) == 0)
		fit++;
	for (unsigned i = 0; i + 2 < fit; i++)
		if (ask_nothing(PEER_FETCH) < 0)
			errx(1, "deaf: cut off too soon, after %u of %u", i, fit);
	(void)stat_of("queued"); /* it is alive, and has answered all that */
	if (ipc_send_now(u.peer[PEER_FETCH], MSG_REPORT_TAKE, 2, NULL, 0, -1) < 0)
		errx(1, "deaf: cut off too soon");
	usleep(300000);
	while ((r = ipc_recv_now(u.peer[PEER_FETCH], in, sizeof(in), 5000, &m)) == 0)
		n++;
	printf("deaf: %s\n", r == -ENOTCONN ? "cut off" : "waits for its report");
	if (r != -ENOTCONN || n < 100)
		errx(1, "deaf: %u answers, %s", n, strerror(-r));
}

static void
drain(void)
{
	uint64_t last[DEVICES] = { 0 }, s, n = 0;
	unsigned d;
	char	 text[512];

	/* those set aside come back into the order, before what is behind */
	if (admin(&u, "inbox-retry all", NULL, text) < 0)
		gone("retry");
	for (; stat_of("queued") > 0; n++) {
		take(&d, &s);
		if (s <= last[d])
			lost("is out of order", d, s);
		if ((notes[d][s] & (NOTE_DONE | NOTE_SEEN)) != 0)
			lost("is given out again", d, s);
		last[d] = s;
		notes[d][s] |= NOTE_SEEN;
		done(d, s, REPORT_FORWARDED);
	}
	for (d = 0; d < DEVICES; d++)
		for (s = 1; s <= FILL_MAX; s++)
			if ((notes[d][s] & NOTE_KEPT) != 0 &&
			    (notes[d][s] & (NOTE_SENT | NOTE_SEEN)) == 0)
				lost("is not there", d, s);
	if (stat_of("bytes") != 0 || stat_of("set_aside") != 0)
		errx(1, "drain: something is left");
	printf("drain: %llu reports\n", (unsigned long long)n);
}

static void
start(const char *program, const char *dir, const char *extra)
{
	static const enum peer_role roles[] = { PEER_CONTROL, PEER_FETCH,
		PEER_SERVE, PEER_NONE };
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
	int  i = 4, r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 5)
		errx(1, "usage: inbox-driver DP-STORE DIR BOOK COMMAND...");
	for (; i + 1 < argc && strcmp(argv[i], "config") == 0; i += 2) {
		strncat(extra, argv[i + 1], sizeof(extra) - strlen(extra) - 1);
		strncat(extra, "\n", sizeof(extra) - strlen(extra) - 1);
	}
	read_book(argv[3]);
	start(argv[1], argv[2], extra);
	for (; i < argc; i++) {
		if (strcmp(argv[i], "trace") == 0 && i + 3 < argc) {
			trace_thread(u.pid, argv[i + 1], argv[i + 2],
			    argv[i + 3]);
			i += 3;
		} else if (strcmp(argv[i], "work") == 0)
			work();
		else if (strcmp(argv[i], "fill") == 0)
			fill();
		else if (strcmp(argv[i], "deaf") == 0)
			deaf();
		else if (strcmp(argv[i], "age") == 0)
			age();
		else if (strcmp(argv[i], "drain") == 0)
			drain();
		else
			errx(1, "unknown command %s", argv[i]);
	}
	r = ended(0);
	return r;
}
