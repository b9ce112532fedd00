/*
 * tests/unit/check_mcast.c - what mcast_seal.h and mcast_msg.h promise.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_msg.h"
#include "common/mcast_seal.h"

#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t	    secret[MCAST_SECRET_LEN] = { 's', 'e', 'c', 1 };
static const uint8_t	    salt[MCAST_SALT_LEN] = { 's', 'a', 'l', 't' };
static struct mcast_sealer *seals, *opens;
static struct mcast_key	    key;
static uint8_t		    wire[2000], plain[2000];
static struct mcast_notice  notice, n2;
static struct mcast_report  report, r2;

static void
setup(void)
{
	ck_assert_int_eq(mcast_seal_setup(), 0);
	ck_assert_int_eq(mcast_key_session(&key, secret, salt, 7, 9), 0);
	ck_assert_int_eq(mcast_sealer_new(&seals, MCAST_SEALS), 0);
	ck_assert_int_eq(mcast_sealer_new(&opens, MCAST_OPENS), 0);
	ck_assert_int_eq(mcast_sealer_key(seals, &key), 0);
	ck_assert_int_eq(mcast_sealer_key(opens, &key), 0);
	notice = (struct mcast_notice){ .tsi = 9,
		.generation = 7,
		.counter = 5,
		.flags = MCAST_END,
		.proactive = 3,
		.backoff_ms = 250,
		.time = 0x01020304,
		.frontier = 1000,
		.receivers = 50000,
		.n = 2,
		.block = { { 4, 255, 7 }, { 900, 0, 0 } } };
	report = (struct mcast_report){ .tsi = 9,
		.agent = 17,
		.counter = 1,
		.flags = MCAST_DONE,
		.held_ms = 12,
		.echo = 0x01020304,
		.seen = 77,
		.received = 70,
		.expected = 75,
		.complete = 3,
		.n = 2,
		.block = { { 4, 1 }, { 900, 255 } } };
}

static void
teardown(void)
{
	mcast_sealer_free(&seals);
	mcast_sealer_free(&opens);
	mcast_sealer_free(&opens); /* NULL is fine */
}

/* -- keys and sealing -- */

/*
 * HKDF and GCM by themselves, in another way than mcast_seal.c does: HKDF from
 * HMACs as RFC 5869 writes it, and one shot of a cipher.
 */
START_TEST(keys_and_packets_are_what_the_header_says)
{
	static const uint8_t zero[32];
	uint8_t		     info[64] = "dpoint multicast data 1", prk[32];
	uint8_t		     okm[32], nonce[12], tag[16], out[5];
	size_t		     n = strlen((char *)info), len;
	EVP_CIPHER_CTX	    *c = EVP_CIPHER_CTX_new();
	int		     l;

	info[n++] = 0;
	info[n++] = 7;
	info[n++] = 0;
	info[n++] = 9;
	info[n++] = 1;
	ck_assert_ptr_nonnull(
	    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, salt, sizeof(salt),
		secret, sizeof(secret), prk, sizeof(prk), &len));
	ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, prk,
	    32, info, n, okm, sizeof(okm), &len));
	ck_assert_mem_eq(key.key, okm, 16);
	ck_assert_mem_eq(key.prefix, okm + 16, 4);

	memcpy(nonce, okm + 16, 4);
	memcpy(nonce + 4, "\0\0\0\1\2\3\4\5", 8);
	ck_assert_int_eq(
	    EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, okm, nonce), 1);
	ck_assert_int_eq(
	    EVP_EncryptUpdate(c, NULL, &l, (uint8_t *)"head", 4), 1);
	ck_assert_int_eq(
	    EVP_EncryptUpdate(c, out, &l, (uint8_t *)"plain", 5), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(c, tag, &l), 1);
	ck_assert_int_eq(
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag), 1);
	EVP_CIPHER_CTX_free(c);
	ck_assert_int_eq(
	    mcast_seal(seals, 0x0102030405, "head", 4, "plain", 5, wire), 0);
	ck_assert_mem_eq(wire, out, 5);
	ck_assert_mem_eq(wire + 5, tag, 16);

	/* an agent's: no salt is a salt of zeros */
	n = strlen(strcpy((char *)info, "dpoint multicast report 1"));
	memcpy(info + n, "\0\0\0\0\0\0\0\3urn:x\1", 14);
	ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL,
	    zero, 32, secret, sizeof(secret), prk, sizeof(prk), &len));
	ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, prk,
	    32, info, n + 14, okm, sizeof(okm), &len));
	ck_assert_int_eq(mcast_key_agent(plain, secret, "urn:x", 3), 0);
	ck_assert_mem_eq(plain, okm, 16);
}
END_TEST

START_TEST(every_input_makes_another_key)
{
	uint8_t		 other_secret[MCAST_SECRET_LEN] = { 0 };
	uint8_t		 other_salt[MCAST_SALT_LEN] = { 0 };
	uint8_t		 agent[6][MCAST_KEY_LEN];
	struct mcast_key k[5];

	mcast_key_session(&k[0], secret, salt, 7, 9);
	mcast_key_session(&k[1], other_secret, salt, 7, 9);
	mcast_key_session(&k[2], secret, other_salt, 7, 9);
	mcast_key_session(&k[3], secret, salt, 8, 9);
	mcast_key_session(&k[4], secret, salt, 7, 8);
	mcast_key_agent(agent[0], secret, "urn:a", 1);
	mcast_key_agent(agent[1], secret, "urn:a", 2);
	mcast_key_agent(agent[2], secret, "urn:b", 1);
	mcast_key_agent(agent[3], other_secret, "urn:a", 1);
	ck_assert_mem_eq(&k[0], &key, sizeof(key));
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(k[i].key, k[j].key, MCAST_KEY_LEN);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(agent[i], agent[j], MCAST_KEY_LEN);
	/* one agent's reports on two sessions: same key, other nonces */
	mcast_key_report(&k[0], agent[0], 1);
	mcast_key_report(&k[1], agent[0], 2);
	ck_assert_mem_eq(k[0].key, k[1].key, MCAST_KEY_LEN);
	ck_assert_mem_ne(k[0].prefix, k[1].prefix, 4);
}
END_TEST

START_TEST(a_device_name_beyond_all_bounds_is_refused)
{
	char	name[300];
	uint8_t out[MCAST_KEY_LEN];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(mcast_key_agent(out, secret, name, 1), -EINVAL);
}
END_TEST

static const size_t sizes[] = { 0, 1, 15, 16, 17, 1411, 1412, 1432 };

START_TEST(what_was_sealed_opens_and_nothing_else_does)
{
	size_t n = sizes[_i];

	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(mcast_seal(seals, 3, "head", 4, plain, n, wire), 0);
	memset(plain, 0, n);
	ck_assert_int_eq(
	    mcast_unseal(opens, 3, "head", 4, wire, n + 16, plain), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(plain[i], (uint8_t)(i * 7));

	ck_assert_int_eq(
	    mcast_unseal(opens, 4, "head", 4, wire, n + 16, plain), -EBADMSG);
	ck_assert_int_eq(
	    mcast_unseal(opens, 3, "haed", 4, wire, n + 16, plain), -EBADMSG);
	ck_assert_int_eq(
	    mcast_unseal(opens, 3, "head", 3, wire, n + 16, plain), -EBADMSG);
	ck_assert_int_eq(
	    mcast_unseal(opens, 3, "head", 4, wire, n + 15, plain), -EBADMSG);
	for (size_t i = 0; i < n + 16; i += n / 3 + 1) {
		wire[i] ^= 1;
		ck_assert_int_eq(
		    mcast_unseal(opens, 3, "head", 4, wire, n + 16, plain),
		    -EBADMSG);
		wire[i] ^= 1;
	}
	/* a failure leaves nothing behind: the next one opens */
	ck_assert_int_eq(
	    mcast_unseal(opens, 3, "head", 4, wire, n + 16, plain), 0);
}
END_TEST

START_TEST(a_packet_is_sealed_and_opened_in_place)
{
	memset(wire, 'p', 1432);
	ck_assert_int_eq(mcast_seal(seals, 1, "h", 1, wire, 1432, wire), 0);
	ck_assert_int_eq(mcast_unseal(opens, 1, "h", 1, wire, 1448, wire), 0);
	for (size_t i = 0; i < 1432; i++)
		ck_assert_uint_eq(wire[i], 'p');
}
END_TEST

START_TEST(a_sealer_takes_another_key)
{
	struct mcast_key other;

	mcast_key_session(&other, secret, salt, 8, 9);
	ck_assert_int_eq(mcast_seal(seals, 1, "h", 1, "text", 4, wire), 0);
	ck_assert_int_eq(mcast_sealer_key(opens, &other), 0);
	ck_assert_int_eq(
	    mcast_unseal(opens, 1, "h", 1, wire, 20, plain), -EBADMSG);
	ck_assert_int_eq(mcast_sealer_key(opens, &key), 0);
	ck_assert_int_eq(mcast_unseal(opens, 1, "h", 1, wire, 20, plain), 0);
	ck_assert_mem_eq(plain, "text", 4);
}
END_TEST

START_TEST(too_short_for_a_tag_is_refused)
{
	for (size_t n = 0; n < MCAST_TAG_LEN; n++)
		ck_assert_int_eq(
		    mcast_unseal(opens, 1, "h", 1, wire, n, plain), -EBADMSG);
}
END_TEST

/* -- the window -- */

START_TEST(a_counter_is_fresh_once)
{
	static struct mcast_window w;
	static const uint64_t order[] = { 1, 2, 5, 3, 64, 63, 65, 4, 4096, 6,
		8191, 4097, 1000000, 1000000 - MCAST_WINDOW + 1, UINT64_MAX,
		UINT64_MAX - 1 };

	ck_assert(!mcast_window_fresh(&w, 0));
	for (size_t i = 0; i < COUNT(order); i++) {
		ck_assert(mcast_window_fresh(&w, order[i]));
		mcast_window_mark(&w, order[i]);
		ck_assert(!mcast_window_fresh(&w, order[i]));
	}
	ck_assert(!mcast_window_fresh(&w, 0));
}
END_TEST

/* Against the obvious: an array of all counters. */
START_TEST(the_window_agrees_with_an_array)
{
	static struct mcast_window w;
	static bool		   had[60000];
	uint64_t		   top = 0, seed = 12345;

	for (int i = 0; i < 200000; i++) {
		uint64_t c, r;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		r = seed >> 33;
		c = r % 50 == 0	 ? top + r % 701
		    : top > 6000 ? top - r % 6000
				 : 1 + r % 6000;
		if (c == 0 || c >= COUNT(had))
			continue;
		bool fresh = !had[c] && (c > top || top - c < MCAST_WINDOW);

		ck_assert_int_eq(mcast_window_fresh(&w, c), fresh);
		if (!fresh)
			continue;
		mcast_window_mark(&w, c);
		had[c] = true;
		if (c > top)
			top = c;
	}
	ck_assert_uint_gt(top, 50000);
}
END_TEST

/* -- messages -- */

static const uint8_t notice_bytes[] = { 'D', 'P', 'N', '1', 0, 9, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 5, 1, 1, 2, 3, 4, 0, 0, 3, 0xe8, 3, 0, 250, 0, 0, 0xc3,
	0x50, 0, 0, 0, 4, 0, 255, 7, 0, 0, 3, 0x84, 0, 0, 0 };
static const uint8_t report_bytes[] = { 'D', 'P', 'R', '1', 0, 9, 0, 0, 0, 17,
	0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 0, 12, 0, 0, 0, 77, 0, 0, 0, 70,
	0, 0, 0, 75, 0, 0, 0, 3, 0, 0, 0, 4, 1, 0, 0, 3, 0x84, 255 };

static void
same_notice(const struct mcast_notice *a, const struct mcast_notice *b)
{
	ck_assert_uint_eq(a->tsi, b->tsi);
	ck_assert_uint_eq(a->generation, b->generation);
	ck_assert_uint_eq(a->counter, b->counter);
	ck_assert_uint_eq(a->flags, b->flags);
	ck_assert_uint_eq(a->proactive, b->proactive);
	ck_assert_uint_eq(a->backoff_ms, b->backoff_ms);
	ck_assert_uint_eq(a->time, b->time);
	ck_assert_uint_eq(a->frontier, b->frontier);
	ck_assert_uint_eq(a->receivers, b->receivers);
	ck_assert_uint_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		ck_assert_uint_eq(a->block[i].sbn, b->block[i].sbn);
		ck_assert_uint_eq(a->block[i].sent, b->block[i].sent);
		ck_assert_uint_eq(a->block[i].heard, b->block[i].heard);
	}
}

static void
same_report(const struct mcast_report *a, const struct mcast_report *b)
{
	ck_assert_uint_eq(a->tsi, b->tsi);
	ck_assert_uint_eq(a->agent, b->agent);
	ck_assert_uint_eq(a->counter, b->counter);
	ck_assert_uint_eq(a->flags, b->flags);
	ck_assert_uint_eq(a->held_ms, b->held_ms);
	ck_assert_uint_eq(a->echo, b->echo);
	ck_assert_uint_eq(a->seen, b->seen);
	ck_assert_uint_eq(a->received, b->received);
	ck_assert_uint_eq(a->expected, b->expected);
	ck_assert_uint_eq(a->complete, b->complete);
	ck_assert_uint_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		ck_assert_uint_eq(a->block[i].sbn, b->block[i].sbn);
		ck_assert_uint_eq(a->block[i].deficit, b->block[i].deficit);
	}
}

START_TEST(messages_are_the_bytes_of_the_header)
{
	size_t n;

	notice.generation = 0;
	ck_assert_int_eq(
	    mcast_notice_write(&notice, NULL, wire, sizeof(wire), &n), 0);
	ck_assert_uint_eq(n, sizeof(notice_bytes));
	ck_assert_mem_eq(wire, notice_bytes, n);
	ck_assert_int_eq(mcast_notice_read(&n2, NULL, wire, n), 0);
	same_notice(&n2, &notice);

	ck_assert_int_eq(
	    mcast_report_write(&report, NULL, wire, sizeof(wire), &n), 0);
	ck_assert_uint_eq(n, sizeof(report_bytes));
	ck_assert_mem_eq(wire, report_bytes, n);
	ck_assert_int_eq(mcast_report_read(&r2, NULL, wire, n), 0);
	same_report(&r2, &report);
}
END_TEST

START_TEST(sealed_messages_open_with_their_key_only)
{
	uint16_t tsi, generation;
	uint32_t agent;
	uint64_t counter;
	size_t	 n;

	ck_assert_int_eq(
	    mcast_notice_write(&notice, seals, wire, sizeof(wire), &n), 0);
	ck_assert_uint_eq(n, sizeof(notice_bytes) + MCAST_TAG_LEN);
	ck_assert_int_eq(
	    mcast_notice_peek(wire, n, &tsi, &generation, &counter), 0);
	ck_assert_uint_eq(tsi, 9);
	ck_assert_uint_eq(generation, 7);
	ck_assert_uint_eq(counter, 5);
	ck_assert_int_eq(mcast_notice_read(&n2, opens, wire, n), 0);
	same_notice(&n2, &notice);
	for (size_t i = 0; i < n; i++) {
		wire[i] ^= 4;
		ck_assert_int_eq(
		    mcast_notice_read(&n2, opens, wire, n), -EBADMSG);
		wire[i] ^= 4;
	}

	ck_assert_int_eq(
	    mcast_report_write(&report, seals, wire, sizeof(wire), &n), 0);
	ck_assert_int_eq(mcast_report_peek(wire, n, &tsi, &agent, &counter), 0);
	ck_assert_uint_eq(tsi, 9);
	ck_assert_uint_eq(agent, 17);
	ck_assert_uint_eq(counter, 1);
	ck_assert_int_eq(mcast_report_read(&r2, opens, wire, n), 0);
	same_report(&r2, &report);
	for (size_t i = 0; i < n; i++) {
		wire[i] ^= 4;
		ck_assert_int_eq(
		    mcast_report_read(&r2, opens, wire, n), -EBADMSG);
		wire[i] ^= 4;
	}
}
END_TEST

START_TEST(the_longest_messages_fit_and_no_longer_ones)
{
	size_t n;

	notice.n = MCAST_NOTICE_BLOCKS;
	ck_assert_int_eq(
	    mcast_notice_write(&notice, seals, wire, MCAST_NOTICE_SIZE, &n), 0);
	ck_assert_uint_eq(n, MCAST_NOTICE_SIZE);
	ck_assert_int_eq(mcast_notice_read(&n2, opens, wire, n), 0);
	same_notice(&n2, &notice);
	ck_assert_int_eq(
	    mcast_notice_write(&notice, seals, wire, MCAST_NOTICE_SIZE - 1, &n),
	    -EMSGSIZE);
	notice.n++;
	ck_assert_int_eq(
	    mcast_notice_write(&notice, seals, wire, sizeof(wire), &n),
	    -EINVAL);

	report.n = MCAST_REPORT_BLOCKS;
	for (size_t i = 0; i < report.n; i++)
		report.block[i].deficit = 1;
	ck_assert_int_eq(
	    mcast_report_write(&report, seals, wire, MCAST_REPORT_SIZE, &n), 0);
	ck_assert_uint_eq(n, MCAST_REPORT_SIZE);
	ck_assert_uint_le(n, 1200);
	ck_assert_int_eq(mcast_report_read(&r2, opens, wire, n), 0);
	same_report(&r2, &report);
	ck_assert_int_eq(
	    mcast_report_write(&report, seals, wire, MCAST_REPORT_SIZE - 1, &n),
	    -EMSGSIZE);
	report.n++;
	ck_assert_int_eq(
	    mcast_report_write(&report, seals, wire, sizeof(wire), &n),
	    -EINVAL);

	/* one entry more than ever is written, clear and sealed */
	memset(wire, 0, sizeof(wire));
	memcpy(wire, notice_bytes, sizeof(notice_bytes));
	ck_assert_int_eq(mcast_notice_read(&n2, NULL, wire,
			     MCAST_NOTICE_SIZE - MCAST_TAG_LEN),
	    0);
	ck_assert_int_eq(mcast_notice_read(&n2, NULL, wire,
			     MCAST_NOTICE_SIZE - MCAST_TAG_LEN + 7),
	    -EBADMSG);
	memset(wire, 1, sizeof(wire));
	memcpy(wire, report_bytes, sizeof(report_bytes));
	ck_assert_int_eq(mcast_report_read(&r2, NULL, wire,
			     MCAST_REPORT_SIZE - MCAST_TAG_LEN),
	    0);
	ck_assert_int_eq(mcast_report_read(&r2, NULL, wire,
			     MCAST_REPORT_SIZE - MCAST_TAG_LEN + 5),
	    -EBADMSG);
	ck_assert_int_eq(
	    mcast_report_read(&r2, opens, wire, MCAST_REPORT_SIZE + 5),
	    -EBADMSG);
}
END_TEST

/* A notice may end after each entry, and nowhere else; likewise a report. */
START_TEST(a_cut_message_is_refused)
{
	for (size_t len = 0; len < sizeof(notice_bytes); len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);
		bool	 is_whole = len >= 32 && (len - 32) % 7 == 0;

		memcpy(exact, notice_bytes, len);
		ck_assert_int_eq(mcast_notice_read(&n2, NULL, exact, len),
		    is_whole ? 0 : -EBADMSG);
		free(exact);
	}
	for (size_t len = 0; len < sizeof(report_bytes); len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);
		bool	 is_whole = len >= 41 && (len - 41) % 5 == 0;

		memcpy(exact, report_bytes, len);
		ck_assert_int_eq(mcast_report_read(&r2, NULL, exact, len),
		    is_whole ? 0 : -EBADMSG);
		free(exact);
	}
}
END_TEST

static const struct {
	const char *why;
	bool	    is_report;
	size_t	    at;
	uint8_t	    byte;
} spoiled[] = {
	{ "a report's magic", false, 2, 'R' },
	{ "version 2 of a notice", false, 3, '2' },
	{ "a secure notice without a key", false, 7, 1 },
	{ "counter 0", false, 15, 0 },
	{ "an unknown flag", false, 16, 4 },
	{ "256 symbols sent", false, 36, 1 },
	{ "a notice's magic", true, 2, 'N' },
	{ "version 2 of a report", true, 3, '2' },
	{ "counter 0 of a report", true, 17, 0 },
	{ "an unknown flag of a report", true, 18, 0x80 },
	{ "a deficit of nothing", true, 45, 0 },
};

START_TEST(a_message_out_of_range_is_refused)
{
	int r;

	if (spoiled[_i].is_report) {
		memcpy(wire, report_bytes, sizeof(report_bytes));
		wire[spoiled[_i].at] = spoiled[_i].byte;
		r = mcast_report_read(&r2, NULL, wire, sizeof(report_bytes));
	} else {
		memcpy(wire, notice_bytes, sizeof(notice_bytes));
		wire[spoiled[_i].at] = spoiled[_i].byte;
		r = mcast_notice_read(&n2, NULL, wire, sizeof(notice_bytes));
	}
	ck_assert_msg(r == -EBADMSG, "accepted: %s", spoiled[_i].why);
}
END_TEST

START_TEST(who_wants_secure_notices_takes_no_open_ones)
{
	ck_assert_int_eq(
	    mcast_notice_read(&n2, NULL, notice_bytes, sizeof(notice_bytes)),
	    0);
	ck_assert_int_eq(
	    mcast_notice_read(&n2, opens, notice_bytes, sizeof(notice_bytes)),
	    -EBADMSG);
}
END_TEST

START_TEST(a_message_out_of_range_is_not_written)
{
	struct mcast_notice n = notice;
	struct mcast_report r = report;
	size_t		    len;

	n.flags = 4;
	ck_assert_int_eq(
	    mcast_notice_write(&n, seals, wire, sizeof(wire), &len), -EINVAL);
	n = notice, n.counter = 0;
	ck_assert_int_eq(
	    mcast_notice_write(&n, seals, wire, sizeof(wire), &len), -EINVAL);
	n = notice, n.generation = 0;
	ck_assert_int_eq(
	    mcast_notice_write(&n, seals, wire, sizeof(wire), &len), -EINVAL);
	ck_assert_int_eq(
	    mcast_notice_write(&notice, NULL, wire, sizeof(wire), &len),
	    -EINVAL);
	n = notice, n.block[0].sent = 256;
	ck_assert_int_eq(
	    mcast_notice_write(&n, seals, wire, sizeof(wire), &len), -EINVAL);
	r.flags = 4;
	ck_assert_int_eq(
	    mcast_report_write(&r, seals, wire, sizeof(wire), &len), -EINVAL);
	r = report, r.counter = 0;
	ck_assert_int_eq(
	    mcast_report_write(&r, seals, wire, sizeof(wire), &len), -EINVAL);
	r = report, r.block[1].deficit = 0;
	ck_assert_int_eq(
	    mcast_report_write(&r, seals, wire, sizeof(wire), &len), -EINVAL);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast");
	TCase	*t = tcase_create("mcast");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, keys_and_packets_are_what_the_header_says);
	tcase_add_test(t, every_input_makes_another_key);
	tcase_add_test(t, a_device_name_beyond_all_bounds_is_refused);
	tcase_add_loop_test(
	    t, what_was_sealed_opens_and_nothing_else_does, 0, COUNT(sizes));
	tcase_add_test(t, a_packet_is_sealed_and_opened_in_place);
	tcase_add_test(t, a_sealer_takes_another_key);
	tcase_add_test(t, too_short_for_a_tag_is_refused);
	tcase_add_test(t, a_counter_is_fresh_once);
	tcase_add_test(t, the_window_agrees_with_an_array);
	tcase_add_test(t, messages_are_the_bytes_of_the_header);
	tcase_add_test(t, sealed_messages_open_with_their_key_only);
	tcase_add_test(t, the_longest_messages_fit_and_no_longer_ones);
	tcase_add_test(t, a_cut_message_is_refused);
	tcase_add_loop_test(
	    t, a_message_out_of_range_is_refused, 0, COUNT(spoiled));
	tcase_add_test(t, who_wants_secure_notices_takes_no_open_ones);
	tcase_add_test(t, a_message_out_of_range_is_not_written);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
