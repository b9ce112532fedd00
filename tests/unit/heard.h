/*
 * tests/unit/heard.h - a parser of dp-listen/ run over bytes, and what it told as
 * one text: "mdns mac addr asked cut kind=text kind=text", sights parted by "; ".
 * Every prefix of the bytes is tried as well, in memory that ends where it ends.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_UNIT_HEARD_H
#define TESTS_UNIT_HEARD_H

#include "common/size.h"
#include "dp-listen/packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*heard_fn)(const struct packet *, struct rd, const struct told *);

struct heard_row {
	const char *why;
	const char *hex;  /* blanks do not count; or */
	const char *text; /* as it is */
	const char *says; /* NULL: refused */
};

/* The sender: 02:00:00:00:05:10, near, of 198.18.0.10 or fe80::10. */
static inline struct packet
heard_packet(const char *addr)
{
	struct packet p = { .ifindex = 1, .is_near = true, .to_many = true,
		.mac = { 2, 0, 0, 0, 5, 0x10 }, .ttl = 255, .sport = 5353 };
	uint8_t	      v4[4];

	if (inet_pton(AF_INET, addr, v4) == 1)
		addr_from_v4(p.src, v4);
	else
		ck_assert_int_eq(inet_pton(AF_INET6, addr, p.src), 1);
	return p;
}

static inline size_t
heard_bytes(const struct heard_row *row, uint8_t *out, size_t size)
{
	size_t	 n = 0;
	unsigned v;

	if (row->text != NULL) {
		ck_assert(strlen(row->text) <= size);
		memcpy(out, row->text, strlen(row->text));
		return strlen(row->text);
	}
	for (const char *p = row->hex; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		ck_assert(n < size && sscanf(p, "%2x", &v) == 1);
		out[n++] = (uint8_t)v;
		p++;
	}
	return n;
}

static void
heard_told(void *ctx, const struct sight *s)
{
	static const uint8_t none[16];
	char		    *out = ctx, addr[INET6_ADDRSTRLEN];
	size_t		     at = strlen(out);
	bool		     v4 = addr_is_v4(s->addr);

#define PUT(...) (at += (size_t)snprintf(out + at, 8192 - at, __VA_ARGS__))
	PUT("%s%s", at > 0 ? "; " : "", sight_by_name(s->by));
	if (memcmp(s->mac, none, 6) != 0)
		PUT(" %02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1],
		    s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
	if (memcmp(s->addr, none, 16) != 0)
		PUT(" %s", inet_ntop(v4 ? AF_INET : AF_INET6,
			       s->addr + (v4 ? 12 : 0), addr, sizeof(addr)));
	if (s->asked)
		PUT(" asked");
	if (s->cut)
		PUT(" cut");
	if (s->hearsay)
		PUT(" hearsay");
	for (unsigned i = 0; i < s->nfacts; i++)
		PUT(" %s=%s", fact_name(s->fact[i].kind), sight_fact(s, i));
#undef PUT
}

static inline void
heard_check(heard_fn read, const struct packet *p, const struct heard_row *row)
{
	static uint8_t buf[9000];
	static char    said[8192];
	struct told    to = { heard_told, said };
	size_t	       n = heard_bytes(row, buf, sizeof(buf));
	int	       r;

	for (size_t len = 0; len <= n; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, buf, len);
		said[0] = '\0';
		r = read(p, rd_from(exact, len), &to);
		ck_assert(r == 0 || (r == -EBADMSG && said[0] == '\0'));
		free(exact);
	}
	if (row->says == NULL)
		ck_assert_msg(r == -EBADMSG, "accepted: %s", row->why);
	else
		ck_assert_msg(r == 0 && strcmp(said, row->says) == 0,
		    "%s: %d\n  says     \"%s\"\n  expected \"%s\"", row->why, r,
		    said, row->says);
}

/* A program whose rows[] go through read, said by who has that address. */
#define HEARD_ROWS(name, read, from)                                           \
	START_TEST(rows_say_what_they_should)                                  \
	{                                                                      \
		struct packet p = heard_packet(from);                          \
                                                                               \
		heard_check(read, &p, &rows[_i]);                              \
	}                                                                      \
	END_TEST                                                               \
                                                                               \
	int main(void)                                                         \
	{                                                                      \
		Suite	*s = suite_create(name);                               \
		TCase	*t = tcase_create(name);                               \
		SRunner *sr = srunner_create(s);                               \
		int	 bad;                                                  \
                                                                               \
		tcase_add_loop_test(t, rows_say_what_they_should, 0,           \
		    COUNT(rows));                                              \
		HEARD_MORE(t);                                                 \
		suite_add_tcase(s, t);                                         \
		srunner_run_all(sr, CK_NORMAL);                                \
		bad = srunner_ntests_failed(sr);                               \
		srunner_free(sr);                                              \
		return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                 \
	}
#ifndef HEARD_MORE
#define HEARD_MORE(t) (void)(t) /* further tests, defined before */
#endif

#endif
