/*
 * tests/unit/check_tls.c - what tls.h and tls_client.h promise, against each
 * other and against OpenSSL's own ends.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_client.h"

#include "common/hash.h"
#include "common/size.h"
#include "tests/unit/tls_pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "urn:dpoint:device:6f1d2c3b-4a59-4687-8796-a5b4c3d2e1f0"
#define DAY    86400

static struct issued ca, other_ca, server, device, expired, others, soon, later;
static char	     err[TLS_ERR_MAX];
static int	     fd[2]; /* 0: the client's */
static struct tls_conn *c, *s;

static void
setup(void)
{
	const char *names = "DNS:server.example,IP:127.0.0.1";

	ck_assert_int_eq(hash_setup(), 0);
	ck_assert_int_eq(tls_setup(), 0);
	ca = pki_issue(NULL, "ca", 1, NULL, NULL, DAY);
	other_ca = pki_issue(NULL, "other ca", 1, NULL, NULL, DAY);
	server = pki_issue(&ca, "server", 2, names, "serverAuth", DAY);
	device = pki_issue(&ca, "device", 3, "URI:" DEVICE, "clientAuth", DAY);
	expired = pki_issue(&ca, "old", 4, "URI:" DEVICE, "clientAuth", -60);
	others = pki_issue(&other_ca, "device", 3, "URI:" DEVICE, "clientAuth",
	    DAY);
	soon = pki_issue(&ca, "soon", 5, names, "serverAuth", -60);
	later = pki_issue_from(&ca, "later", 6, "URI:" DEVICE, "clientAuth", 60,
	    DAY);
}

static struct tls *
rules(const struct issued *who, const char *crl, enum tls_client_cert client)
{
	struct tls_conf conf = { who->cert, who->key_pem, ca.cert, crl,
		strlen(who->cert), strlen(who->key_pem), strlen(ca.cert),
		crl != NULL ? strlen(crl) : 0, client };
	struct tls *t;

	ck_assert_msg(tls_new(&conf, &t, err) == 0, "%s", err);
	return t;
}

static struct tls *
client_rules(const struct issued *who, const struct issued *believed)
{
	struct tls_conf conf = { .client_ca = believed->cert,
		.ca_len = strlen(believed->cert) };
	struct tls *t;

	if (who != NULL) {
		conf.cert = who->cert;
		conf.cert_len = strlen(who->cert);
		conf.key = who->key_pem;
		conf.key_len = strlen(who->key_pem);
	}
	ck_assert_msg(tls_client_new(&conf, &t, err) == 0, "%s", err);
	return t;
}

static void
open_pair(struct tls *st, struct tls *ct, const char *name, const char *alpn)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd),
	    0);
	ck_assert_int_eq(tls_connect(ct, fd[0], name, alpn, &c), 0);
	ck_assert_int_eq(tls_accept(st, fd[1], &s), 0);
}

static void
close_pair(void)
{
	tls_conn_free(&c);
	tls_conn_free(&s);
	close(fd[0]);
	close(fd[1]);
}

static int
step(struct tls_conn *conn)
{
	int r;

	tls_readable(conn, false);
	r = tls_handshake(conn);
	if (r == 0)
		(void)tls_flush(conn);
	return r;
}

/* Until both have an answer. */
static void
shake(int *cr, int *sr)
{
	*cr = *sr = -EAGAIN;
	for (int i = 0; i < 20 && (*cr == -EAGAIN || *sr == -EAGAIN); i++) {
		if (*cr == -EAGAIN)
			*cr = step(c);
		if (*sr == -EAGAIN)
			*sr = step(s);
		if (*cr < 0 && *cr != -EAGAIN)
			shutdown(fd[0], SHUT_RDWR);
		if (*sr < 0 && *sr != -EAGAIN)
			shutdown(fd[1], SHUT_WR);
	}
}

static void
shake_well(void)
{
	int cr, sr;

	shake(&cr, &sr);
	ck_assert_msg(cr == 0 && sr == 0, "client %d, server %d: %s", cr, sr,
	    tls_error());
}

static ssize_t
receive(struct tls_conn *conn, void *buf, size_t n)
{
	tls_readable(conn, false);
	return tls_read(conn, buf, n);
}

/* Bytes of one end at the other, exactly. */
static void
carry(struct tls_conn *from, struct tls_conn *to, size_t total)
{
	static uint8_t out[50000], in[7777];
	size_t	       sent = 0, got = 0, n;
	ssize_t	       r;
	bool	       rest = false, wrong = false;

	while (got < total) {
		n = total - sent < sizeof(out) ? total - sent : sizeof(out);
		if (!rest && n > 0) {
			for (size_t i = 0; i < n; i++)
				out[i] = (uint8_t)((sent + i) * 7);
			ck_assert_int_eq(tls_write(from, out, n), 0);
			sent += n;
		}
		r = tls_flush(from);
		ck_assert(r == 0 || r == -EAGAIN);
		rest = r != 0;
		while ((r = receive(to, in, sizeof(in))) > 0)
			for (ssize_t i = 0; i < r; i++, got++)
				wrong = wrong || in[i] != (uint8_t)(got * 7);
		ck_assert_int_eq(r, -EAGAIN);
	}
	ck_assert_uint_eq(got, total);
	ck_assert(!wrong);
}

START_TEST(both_ends_agree)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca);
	char	    buf[8];

	open_pair(st, ct, _i == 0 ? "server.example" : "127.0.0.1", "mqtt h2");
	tls_offer_alpn(s, _i == 0 ? "h2 mqtt" : "*");
	tls_unref(&st);
	tls_unref(&ct); /* the connections hold them */
	shake_well();
	ck_assert_str_eq(tls_peer_name(s), DEVICE);
	ck_assert_str_eq(tls_alpn(s), _i == 0 ? "h2" : "mqtt");
	ck_assert_str_eq(tls_alpn(c), tls_alpn(s));
	ck_assert_int_ge(tls_peer_expires(s), time(NULL) + DAY - 100);
	ck_assert_int_le(tls_peer_expires(s), time(NULL) + DAY + 100);
	carry(c, s, 1);
	carry(s, c, 3000000);
	carry(c, s, 3000000);

	/* one direction ends, the other goes on */
	tls_goodbye(c);
	ck_assert_int_eq(receive(s, buf, sizeof(buf)), 0);
	ck_assert(tls_ended(s));
	carry(s, c, 100000);
	tls_goodbye(s);
	ck_assert_int_eq(receive(c, buf, sizeof(buf)), 0);
	ck_assert(tls_ended(c));
	close_pair();
}
END_TEST

START_TEST(an_end_without_goodbye_is_told_apart)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca);
	char	    buf[8];

	open_pair(st, ct, "server.example", NULL);
	shake_well();
	ck_assert_str_eq(tls_alpn(s), "");
	shutdown(fd[0], SHUT_WR);
	ck_assert_int_eq(receive(s, buf, sizeof(buf)), 0);
	ck_assert(!tls_ended(s));
	close_pair();
	tls_unref(&st);
	tls_unref(&ct);
}
END_TEST

START_TEST(what_was_received_is_known)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca);
	char	    buf[8];

	open_pair(st, ct, "server.example", NULL);
	shake_well();
	ck_assert(!tls_has_more(s));
	ck_assert_int_eq(tls_write(c, "abc", 3), 0);
	ck_assert_int_eq(tls_write(c, "def", 3), 0);
	ck_assert_int_eq(tls_flush(c), 0);
	ck_assert_int_eq(receive(s, buf, 2), 2);
	ck_assert(tls_has_more(s)); /* of the first record */
	ck_assert_int_eq(tls_read(s, buf, 2), 1);
	ck_assert(tls_has_more(s)); /* the second */
	ck_assert_int_eq(tls_read(s, buf, 8), 3);
	ck_assert(!tls_has_more(s));
	close_pair();
	tls_unref(&st);
	tls_unref(&ct);
}
END_TEST

START_TEST(sessions_are_resumed_several_at_once)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca);

	for (int i = 0; i < 4; i++) {
		open_pair(st, ct, "server.example", NULL);
		shake_well();
		ck_assert_int_eq(tls_resumed(c), i > 0);
		ck_assert_int_eq(tls_resumed(s), i > 0);
		ck_assert_str_eq(tls_peer_name(s), DEVICE);
		carry(s, c, 10); /* and with it the ticket */
		carry(c, s, 10);
		close_pair();
	}
	open_pair(st, ct, "127.0.0.1", NULL); /* of another name: not its */
	shake_well();
	ck_assert(!tls_resumed(c));
	close_pair();

	/* a server that has forgotten: in full, then resumed again */
	tls_unref(&st);
	st = rules(&server, NULL, TLS_CLIENT_REQUIRED);
	for (int i = 0; i < 2; i++) {
		open_pair(st, ct, "server.example", NULL);
		shake_well();
		ck_assert_int_eq(tls_resumed(c), i > 0);
		carry(s, c, 10);
		close_pair();
	}
	tls_unref(&st);
	tls_unref(&ct);
}
END_TEST

/* What a resumed session says of the device is what the full one said; one of
 * another's number without its secret is worth nothing. */
START_TEST(a_kept_session_knows_its_device)
{
	char	   *crl = pki_crl(&ca, 3), *none = pki_crl(&ca, 0);
	struct tls *st = rules(&server, none, TLS_CLIENT_OPTIONAL), *now,
		   *ct = client_rules(&device, &ca),
		   *nobody = client_rules(NULL, &ca);
	int64_t	    expires = 0;

	for (int i = 0; i < 3; i++) {
		open_pair(st, ct, "server.example", "h2");
		tls_offer_alpn(s, "h2");
		shake_well();
		ck_assert_int_eq(tls_resumed(s), i > 0);
		ck_assert_str_eq(tls_peer_name(s), DEVICE);
		ck_assert_str_eq(tls_alpn(s), "h2");
		if (i == 0)
			expires = tls_peer_expires(s);
		ck_assert_int_eq(tls_peer_expires(s), expires);
		now = rules(&server, crl, TLS_CLIENT_OPTIONAL);
		ck_assert(tls_peer_revoked(s, now));
		tls_unref(&now);
		carry(s, c, 10);
		carry(c, s, 70000);
		close_pair();
		open_pair(st, nobody, "server.example", NULL);
		shake_well();
		ck_assert_int_eq(tls_resumed(s), i > 0);
		ck_assert_str_eq(tls_peer_name(s), "");
		ck_assert_int_eq(tls_peer_expires(s), 0);
		carry(s, c, 10);
		close_pair();
	}
	tls_unref(&st);
	tls_unref(&ct);
	tls_unref(&nobody);
	free(crl);
	free(none);
}
END_TEST

/* -- who is refused, and why -- */

static const struct {
	const char	    *what, *name;
	const struct issued *server, *client, *believed;
	enum tls_fault	     at_client, at_server;
	const struct issued *list_of; /* that is good so long; NULL: a good one */
	long		     list_for_s;
} refused[] = {
	{ "another name", "other.example", &server, &device, &ca,
	    TLS_FAULT_CERT, TLS_FAULT_PROTOCOL, NULL, 0 },
	{ "another address", "127.0.0.2", &server, &device, &ca,
	    TLS_FAULT_CERT, TLS_FAULT_PROTOCOL, NULL, 0 },
	{ "a server of another CA", "server.example", &server, &device,
	    &other_ca, TLS_FAULT_CERT, TLS_FAULT_PROTOCOL, NULL, 0 },
	{ "an expired server", "server.example", &soon, &device, &ca,
	    TLS_FAULT_EXPIRED, TLS_FAULT_PROTOCOL, NULL, 0 },
	{ "no server's certificate", "server.example", &device, &device, &ca,
	    TLS_FAULT_CERT, TLS_FAULT_PROTOCOL, NULL, 0 },
	{ "no certificate", "server.example", &server, NULL, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_NO_CERT, NULL, 0 },
	{ "a device of another CA", "server.example", &server, &others, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_CERT, NULL, 0 },
	{ "no device's certificate", "server.example", &server, &server, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_CERT, NULL, 0 },
	{ "an expired device", "server.example", &server, &expired, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_EXPIRED, NULL, 0 },
	{ "a revoked device", "server.example", &server, &device, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_REVOKED, NULL, 0 },
	{ "a device of tomorrow", "server.example", &server, &later, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_NOT_YET, NULL, 0 },
	{ "a list that has expired", "server.example", &server, &device, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_CRL, &ca, -1 },
	{ "another CA's list", "server.example", &server, &device, &ca,
	    TLS_FAULT_NONE, TLS_FAULT_CRL, &other_ca, DAY },
};

START_TEST(refused_for_a_reason)
{
	char	   *crl = refused[_i].list_of != NULL
	    ? pki_crl_for(refused[_i].list_of, 77, refused[_i].list_for_s)
	    : refused[_i].at_server == TLS_FAULT_REVOKED ? pki_crl(&ca, 3)
							 : pki_crl(&ca, 77);
	struct tls *st = rules(refused[_i].server, crl, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(refused[_i].client, refused[_i].believed);
	int	    cr, sr;
	char	    buf[8];

	open_pair(st, ct, refused[_i].name, NULL);
	shake(&cr, &sr);
	ck_assert_int_lt(sr, 0);
	ck_assert_msg(tls_fault(s) == refused[_i].at_server, "%s: server %d",
	    refused[_i].what, tls_fault(s));
	ck_assert_msg(tls_fault(c) == refused[_i].at_client, "%s: client %d",
	    refused[_i].what, tls_fault(c));
	if (refused[_i].at_client == TLS_FAULT_NONE) {
		/* the client hears of it after its own handshake (TLS 1.3) */
		ck_assert_int_eq(cr, 0);
		ck_assert_int_eq(receive(c, buf, sizeof(buf)), -EPIPE);
		ck_assert_str_ne(tls_error(), "");
	}
	close_pair();
	tls_unref(&st);
	tls_unref(&ct);
	free(crl);
}
END_TEST

START_TEST(what_expires_first_is_known)
{
	int64_t		 now = time(NULL);
	char		*old = pki_crl_for(&ca, 3, -5), *new = pki_crl_for(&ca, 3, 50),
		*both = malloc(strlen(old) + strlen(new) + 1);
	struct tls	*t = rules(&soon, NULL, TLS_CLIENT_REQUIRED);
	struct tls_dates d;

	tls_dates(t, &d);
	ck_assert_int_le(llabs(d.cert - (now - 60)), 5); /* when that was made */
	ck_assert_int_le(llabs(d.client_ca - (now + DAY)), 5);
	ck_assert_int_eq(d.client_crl, INT64_MAX);
	tls_unref(&t);
	t = rules(&server, old, TLS_CLIENT_REQUIRED);
	tls_dates(t, &d);
	ck_assert_int_le(llabs(d.cert - (now + DAY)), 5);
	ck_assert_int_le(llabs(d.client_crl - (now - 5)), 1);
	tls_unref(&t);
	strcpy(both, old);
	strcat(both, new);
	t = rules(&server, both, TLS_CLIENT_REQUIRED);
	tls_dates(t, &d);
	ck_assert_int_le(llabs(d.client_crl - (now + 50)), 1);
	tls_unref(&t);
	free(old);
	free(new);
	free(both);
}
END_TEST

START_TEST(protocols_that_do_not_meet)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca);
	int	    cr, sr;

	open_pair(st, ct, "server.example", "h2");
	tls_offer_alpn(s, "mqtt h2c");
	shake(&cr, &sr);
	ck_assert_int_eq(sr, -EPROTO);
	ck_assert_int_eq(cr, -EPROTO);
	ck_assert_int_eq(tls_fault(s), TLS_FAULT_ALPN);
	close_pair();
	tls_unref(&st);
	tls_unref(&ct);
}
END_TEST

START_TEST(a_newer_list_revokes_who_is_there)
{
	char	   *crl = pki_crl(&ca, 3), *others_crl = pki_crl(&other_ca, 3),
		   *none = pki_crl(&ca, 0);
	struct tls *st = rules(&server, none, TLS_CLIENT_REQUIRED),
		   *ct = client_rules(&device, &ca), *now;

	for (int resumed = 0; resumed < 2; resumed++) {
		open_pair(st, ct, "server.example", NULL);
		shake_well();
		ck_assert_int_eq(tls_resumed(s), resumed);
		carry(s, c, 10);
		ck_assert(!tls_peer_revoked(s, st));
		now = rules(&server, crl, TLS_CLIENT_REQUIRED);
		ck_assert(tls_peer_revoked(s, now));
		tls_unref(&now);
		now = rules(&server, others_crl, TLS_CLIENT_REQUIRED);
		ck_assert(!tls_peer_revoked(s, now)); /* another CA's number 3 */
		tls_unref(&now);
		close_pair();
	}
	tls_unref(&st);
	tls_unref(&ct);
	free(crl);
	free(others_crl);
	free(none);
}
END_TEST

/* -- OpenSSL's own server -- */

static SSL_CTX *
theirs(int version, int tickets)
{
	SSL_CTX *x = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate(x, server.x);
	SSL_CTX_use_PrivateKey(x, server.key);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(x), ca.x);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	    NULL);
	SSL_CTX_set_session_id_context(x, (const uint8_t *)"t", 1);
	SSL_CTX_set_max_proto_version(x, version);
	SSL_CTX_set_num_tickets(x, (size_t)tickets);
	return x;
}

/* Echoes so many bytes, after a change of keys that wants ours changed, too. */
static void
echo(SSL *ssl, int version, int n)
{
	char buf[3000];
	int  got = 0, back = 0, r;

	ck_assert_int_eq(tls_write(c, "0123456789", 10), 0);
	ck_assert_int_eq(tls_flush(c), 0);
	ck_assert_int_eq(SSL_read(ssl, buf, sizeof(buf)), 10);
	if (version == TLS1_3_VERSION)
		ck_assert_int_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED),
		    1);
	for (; got < n; got += back) {
		ck_assert_int_eq(SSL_write(ssl, buf, 10), 10);
		back = (int)receive(c, buf, sizeof(buf));
		ck_assert_int_gt(back, 0);
		ck_assert_int_eq(tls_write(c, buf, (size_t)back), 0);
		ck_assert_int_eq(tls_flush(c), 0);
		r = SSL_read(ssl, buf, sizeof(buf));
		ck_assert_int_eq(r, back);
		ck_assert_int_eq(memcmp(buf, "0123456789", 10), 0);
	}
}

static const struct {
	int version, tickets;
	bool resumes;
} peers[] = {
	{ TLS1_3_VERSION, 2, true },
	{ TLS1_3_VERSION, 1, true },
	{ TLS1_3_VERSION, 0, false },
	{ TLS1_2_VERSION, 0, false },
};

START_TEST(openssl_serves_us)
{
	SSL_CTX	   *x = theirs(peers[_i].version, peers[_i].tickets);
	struct tls *ct = client_rules(&device, &ca);
	SSL	   *ssl;

	for (int i = 0; i < 3; i++) {
		int cr = -EAGAIN, sr = 0;

		ck_assert_int_eq(socketpair(AF_UNIX,
				     SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		ck_assert_int_eq(tls_connect(ct, fd[0], "server.example", NULL,
				     &c), 0);
		ssl = SSL_new(x);
		SSL_set_fd(ssl, fd[1]);
		for (int k = 0; k < 20 && (cr != 0 || sr != 1); k++) {
			if (cr != 0)
				cr = step(c);
			if (sr != 1)
				sr = SSL_accept(ssl);
			ERR_clear_error();
		}
		ck_assert_msg(cr == 0 && sr == 1, "%d %d: %s", cr, sr,
		    tls_error());
		ck_assert_int_eq(tls_resumed(c), i > 0 && peers[_i].resumes);
		echo(ssl, peers[_i].version, 50);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		tls_conn_free(&c);
		close(fd[0]);
		close(fd[1]);
	}
	tls_unref(&ct);
	SSL_CTX_free(x);
}
END_TEST

/* What OpenSSL answers while our end reads lies in nobody else's records. */
START_TEST(an_answer_to_a_renegotiation_is_its_own)
{
	struct tls *st = rules(&server, NULL, TLS_CLIENT_NONE),
		   *ct = client_rules(NULL, &ca);
	SSL_CTX	   *x = SSL_CTX_new(TLS_client_method());
	SSL	   *ssl = SSL_new(x);
	struct tls_conn *old;
	int	    cr = 0, sr = -EAGAIN, pair[2];
	char	    buf[8];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
			     pair), 0);
	ck_assert_int_eq(tls_accept(st, pair[1], &old), 0);
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_fd(ssl, pair[0]);
	for (int i = 0; i < 20 && (cr != 1 || sr != 0); i++) {
		if (cr != 1)
			cr = SSL_connect(ssl);
		if (sr != 0)
			sr = step(old);
		ERR_clear_error();
	}
	ck_assert(cr == 1 && sr == 0);
	open_pair(st, ct, "server.example", NULL);
	shake_well();

	/* another's records wait, its own wait, or none */
	if (_i == 0)
		ck_assert_int_eq(tls_write(s, "before", 6), 0);
	else if (_i == 1)
		ck_assert_int_eq(tls_write(old, "before", 6), 0);
	ck_assert_int_eq(SSL_renegotiate(ssl), 1);
	ck_assert_int_eq(SSL_do_handshake(ssl), -1);
	ERR_clear_error();
	ck_assert_int_eq(receive(old, buf, sizeof(buf)), -EAGAIN);
	ck_assert_int_eq(tls_unsent(old), 0);
	ck_assert_int_eq(tls_write(s, "after", 5), 0);
	ck_assert_int_eq(tls_flush(s), 0);

	if (_i == 0)
		ck_assert_int_eq(receive(c, buf, sizeof(buf)), 6);
	ck_assert_int_eq(receive(c, buf, sizeof(buf)), 5);
	if (_i == 1) {
		ck_assert_int_eq(SSL_read(ssl, buf, sizeof(buf)), 6);
		ck_assert_int_eq(memcmp(buf, "before", 6), 0);
	}
	ck_assert_int_eq(SSL_read(ssl, buf, sizeof(buf)), -1);
	ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()),
	    SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();

	SSL_free(ssl);
	SSL_CTX_free(x);
	tls_conn_free(&old);
	close(pair[0]);
	close(pair[1]);
	close_pair();
	tls_unref(&st);
	tls_unref(&ct);
}
END_TEST

static Suite *
suite(void)
{
	Suite *su = suite_create("tls");
	TCase *t = tcase_create("tls");

	tcase_add_unchecked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, both_ends_agree, 0, 2);
	tcase_add_test(t, an_end_without_goodbye_is_told_apart);
	tcase_add_test(t, what_was_received_is_known);
	tcase_add_test(t, sessions_are_resumed_several_at_once);
	tcase_add_test(t, a_kept_session_knows_its_device);
	tcase_add_loop_test(t, refused_for_a_reason, 0, COUNT(refused));
	tcase_add_test(t, what_expires_first_is_known);
	tcase_add_test(t, protocols_that_do_not_meet);
	tcase_add_test(t, a_newer_list_revokes_who_is_there);
	tcase_add_loop_test(t, openssl_serves_us, 0, COUNT(peers));
	tcase_add_loop_test(t, an_answer_to_a_renegotiation_is_its_own, 0, 3);
	suite_add_tcase(su, t);
	return su;
}

int
main(void)
{
	SRunner *sr = srunner_create(suite());
	int	 bad;

	srunner_run_all(sr, CK_ENV);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
