/*
 * dpctl/ca.c - the site's own certificate authority: P-256, one level.
 *
 * Runs in dpctl, by hand of whoever holds the CA's directory:
 *	ca.key		private key, PKCS8 PEM, mode 0600
 *	ca.crt		certificate
 *	ca.crl		revocation list, written anew by every revoke
 *	issued/SERIAL.crt  every certificate it gave out
 * There is no further state: the list is made from issued/ and ca.crl.
 * Believes these files after their signatures were checked, nothing typed.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dpctl/dpctl.h"

enum { FILE_MAX = 1 << 24, SERIAL_LEN = 40 + 1, NAME_MAX_LEN = 64 };

#define DAY INT64_C(86400)

const struct option_row ca_init_options[] = {
	{ "name", "TEXT", "common name of the CA (dpoint site CA)" },
	{ "expires", "SPAN", "how long the CA is good for: 12h, 90d, 10y (10y)" },
	{ NULL, NULL, NULL },
};

const struct option_row ca_issue_options[] = {
	{ "server", NULL, "a server: names by --dns and --ip" },
	{ "device", "UUID", "a device, urn:dpoint:device:UUID; \"new\" makes a UUID" },
	{ "dp", "UUID", "a distribution point, urn:dpoint:dp:UUID; or \"new\"" },
	{ "dns", "NAME", "a DNS name the certificate is good for; repeatable" },
	{ "ip", "ADDRESS", "an IP address it is good for; repeatable" },
	{ "expires", "SPAN", "how long it is good for (servers 397d, others 90d)" },
	{ "out", "DIR", "where NAME.crt and NAME.key go (.)" },
	{ NULL, NULL, NULL },
};

const struct option_row ca_revoke_options[] = {
	{ "reason", "WORD", "keyCompromise, superseded, cessationOfOperation,"
	    " unspecified (unspecified)" },
	{ NULL, NULL, NULL },
};

struct ca {
	const char *dir;
	int	    lock;	/* on the directory, held until ca_close */
	EVP_PKEY   *key;
	X509	   *cert;
	X509_CRL   *crl;
};

/* OpenSSL's own words for what just failed. */
static int
fail_openssl(const char *what)
{
	char text[256] = "";

	ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
	ERR_clear_error();
	return fail("%s: %s", what, text);
}

/* ---- PEM and files ------------------------------------------------------------ */

enum pem { PEM_KEY, PEM_CERT, PEM_CRL };

static int
pem_write(const char *path, mode_t mode, bool replace, enum pem kind, void *v)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	long  n;
	int   ok = 0, r;

	if (bio == NULL)
		return fail("out of memory");
	switch (kind) {
	case PEM_KEY:
		ok = PEM_write_bio_PKCS8PrivateKey(bio, v, NULL, NULL, 0, NULL, NULL);
		break;
	case PEM_CERT:
		ok = PEM_write_bio_X509(bio, v);
		break;
	case PEM_CRL:
		ok = PEM_write_bio_X509_CRL(bio, v);
		break;
	}
	if (ok != 1) {
		BIO_free(bio);
		return fail_openssl(path);
	}
	n = BIO_get_mem_data(bio, &p);
	r = replace ? file_write(path, mode, p, (size_t)n) :
	    file_create(path, mode, p, (size_t)n);
	BIO_free(bio);
	return r;
}

static int
pem_read(const char *path, enum pem kind, void **out)
{
	static const char *const what[] = { "a private key", "a certificate",
		"a revocation list" };
	size_t len;
	char  *text;
	BIO   *bio;
	int    r;

	*out = NULL;
	if ((r = file_read(path, FILE_MAX, &text, &len)) != EX_DONE)
		return r;
	if ((bio = BIO_new_mem_buf(text, (int)len)) != NULL)
		switch (kind) {
		case PEM_KEY:
			*out = PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
			break;
		case PEM_CERT:
			*out = PEM_read_bio_X509(bio, NULL, NULL, "");
			break;
		case PEM_CRL:
			*out = PEM_read_bio_X509_CRL(bio, NULL, NULL, "");
			break;
		}
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	ERR_clear_error();
	return *out != NULL ? EX_DONE :
	    fail("%s: expected %s in PEM", path, what[kind]);
}

/* ---- the CA --------------------------------------------------------------------- */

static void
ca_close(struct ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	X509_CRL_free(ca->crl);
	if (ca->lock >= 0)
		close(ca->lock);
	*ca = (struct ca){ .lock = -1 };
}

static int
ca_lock(struct ca *ca)
{
	ca->lock = open(ca->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ca->lock < 0)
		return fail_errno(errno, "%s", ca->dir);
	return flock(ca->lock, LOCK_EX) == 0 ? EX_DONE :
	    fail_errno(errno, "%s: lock", ca->dir);
}

/* Locked, whole, and of one piece; the key only where it is needed. */
static int
ca_open(struct ca *ca, const char *dir, bool with_key)
{
	char path[PATH_LEN];
	int  r;

	*ca = (struct ca){ .dir = dir, .lock = -1 };
	if ((r = ca_lock(ca)) != EX_DONE ||
	    (r = path_join(path, dir, "ca.crt")) != EX_DONE)
		return r;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return fail("%s: no CA there; dpctl ca init makes one", dir);
	if ((r = pem_read(path, PEM_CERT, (void **)&ca->cert)) != EX_DONE ||
	    (r = path_join(path, dir, "ca.crl")) != EX_DONE ||
	    (r = pem_read(path, PEM_CRL, (void **)&ca->crl)) != EX_DONE)
		return r;
	if (X509_CRL_verify(ca->crl, X509_get0_pubkey(ca->cert)) != 1)
		return fail("%s: not signed by %s/ca.crt", path, dir);
	if (!with_key)
		return EX_DONE;
	if ((r = path_join(path, dir, "ca.key")) != EX_DONE ||
	    (r = pem_read(path, PEM_KEY, (void **)&ca->key)) != EX_DONE)
		return r;
	return X509_check_private_key(ca->cert, ca->key) == 1 ? EX_DONE :
	    fail("%s: not the key of %s/ca.crt", path, dir);
}

static void
serial_text(const ASN1_INTEGER *serial, char out[SERIAL_LEN])
{
	BIGNUM *bn = ASN1_INTEGER_to_BN(serial, NULL);
	char   *hex = bn != NULL ? BN_bn2hex(bn) : NULL;

	snprintf(out, SERIAL_LEN, "%s", hex != NULL ? hex : "?");
	for (char *s = out; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	OPENSSL_free(hex);
	BN_free(bn);
}

static int
set_serial(X509 *c)
{
	BIGNUM *bn = BN_new();
	int	ok = bn != NULL && BN_rand(bn, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	    BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(c)) != NULL;

	BN_free(bn);
	return ok;
}

static int
set_ext(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX	ctx;
	X509_EXTENSION *e;
	int		ok;

	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	if ((e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return 0;
	ok = X509_add_ext(c, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* A certificate for key with everything but its own extensions; or NULL. */
static X509 *
cert_begin(EVP_PKEY *key, const char *cn, int64_t seconds, const X509_NAME *issuer)
{
	X509	  *c = X509_new();
	X509_NAME *name = X509_NAME_new();
	bool	   ok;

	/* five minutes of grace for clocks that are a little behind */
	ok = c != NULL && name != NULL && X509_set_version(c, X509_VERSION_3) &&
	    set_serial(c) &&
	    X509_time_adj_ex(X509_getm_notBefore(c), 0, -300, NULL) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(c), (int)(seconds / DAY),
	    (long)(seconds % DAY), NULL) != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) &&
	    X509_set_subject_name(c, name) &&
	    X509_set_issuer_name(c, issuer != NULL ? issuer : name) &&
	    X509_set_pubkey(c, key);
	X509_NAME_free(name);
	if (ok)
		return c;
	X509_free(c);
	return NULL;
}

/* ---- the revocation list ---------------------------------------------------------- */

static int
crl_sign(X509_CRL *crl, X509 *cert, EVP_PKEY *key)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	ASN1_TIME    *now = X509_gmtime_adj(NULL, 0);
	int64_t	      n = 0;
	bool	      ok;

	/*
	 * Good as long as the CA: it is rewritten when it changes, and one that
	 * ran out would lock every device out.
	 */
	if (number == NULL)
		number = ASN1_INTEGER_new();
	else
		ASN1_INTEGER_get_int64(&n, number);
	ok = number != NULL && now != NULL && ASN1_INTEGER_set_int64(number, n + 1) &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0,
	    X509V3_ADD_REPLACE) == 1 && X509_CRL_set1_lastUpdate(crl, now) &&
	    X509_CRL_set1_nextUpdate(crl, X509_get0_notAfter(cert)) &&
	    X509_CRL_sort(crl) && X509_CRL_sign(crl, key, EVP_sha256()) > 0;
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(now);
	return ok;
}

static X509_CRL *
crl_new(X509 *cert, EVP_PKEY *key)
{
	X509_CRL *crl = X509_CRL_new();

	if (crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert)) &&
	    crl_sign(crl, cert, key))
		return crl;
	X509_CRL_free(crl);
	return NULL;
}

/* The list as another document: an entry added and signed anew. */
static X509_CRL *
crl_with(const struct ca *ca, const ASN1_INTEGER *serial, int reason)
{
	X509_CRL	*crl = X509_CRL_dup(ca->crl);
	X509_REVOKED	*rev = X509_REVOKED_new();
	ASN1_TIME	*now = X509_gmtime_adj(NULL, 0);
	ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
	bool		 ok;

	ok = crl != NULL && rev != NULL && now != NULL && why != NULL &&
	    X509_REVOKED_set_serialNumber(rev, (ASN1_INTEGER *)serial) &&
	    X509_REVOKED_set_revocationDate(rev, now) &&
	    (reason == 0 || (ASN1_ENUMERATED_set(why, reason) &&
	    X509_REVOKED_add1_ext_i2d(rev, NID_crl_reason, why, 0, 0) == 1));
	if (ok && X509_CRL_add0_revoked(crl, rev) == 1)
		rev = NULL; /* the list's now */
	ok = ok && rev == NULL && crl_sign(crl, ca->cert, ca->key);
	X509_REVOKED_free(rev);
	ASN1_TIME_free(now);
	ASN1_ENUMERATED_free(why);
	if (ok)
		return crl;
	X509_CRL_free(crl);
	return NULL;
}

/* ---- what was typed ---------------------------------------------------------------- */

static int
get_span(struct args *a, int64_t els, int64_t *out)
{
	const char *text = args_get(a, "expires", NULL);

	*out = els;
	if (text != NULL && parse_span(text, out) < 0)
		return usage_error("--expires \"%s\": expected a time like 12h, 90d or"
		    " 10y", text);
	return EX_DONE;
}

/* Fit for a file name and a common name. */
static int
check_name(const char *name)
{
	if (*name == '\0' || *name == '.' || *name == '-' ||
	    strlen(name) > NAME_MAX_LEN || name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0')
		return usage_error("name \"%.80s\": expected up to %d letters, digits,"
		    " \".\", \"_\" and \"-\"", name, NAME_MAX_LEN);
	return EX_DONE;
}

static int
get_uuid(const char *option, const char *text, char out[37])
{
	unsigned char r[16];

	if (strcmp(text, "new") == 0) {
		if (RAND_bytes(r, sizeof(r)) != 1)
			return fail_openssl("random bytes");
		r[6] = (r[6] & 0x0f) | 0x40;
		r[8] = (r[8] & 0x3f) | 0x80;
		for (int i = 0, n = 0; i < 16; i++) {
			if (i == 4 || i == 6 || i == 8 || i == 10)
				out[n++] = '-';
			n += snprintf(out + n, 3, "%02x", r[i]);
		}
		return EX_DONE;
	}
	for (int i = 0; i < 37; i++) {
		unsigned char c = (unsigned char)text[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (i == 36 ? c != '\0' : dash ? c != '-' : !isxdigit(c))
			return usage_error("--%s \"%s\": expected a UUID, 8-4-4-4-12"
			    " hexadecimal digits, or \"new\"", option, text);
		out[i] = (char)tolower(c);
	}
	return EX_DONE;
}

struct subject {
	char *alt;	/* subjectAltName as OpenSSL's text */
	size_t alt_len;
	bool  server, client;
	char  urn[64];	/* "" for a mere server */
};

static int
add_names(struct args *a, FILE *f, int *n)
{
	unsigned char addr[16];
	const char   *v;

	for (int i = 0; (v = args_next(a, "dns", &i)) != NULL; (*n)++) {
		const char *host = strncmp(v, "*.", 2) == 0 ? v + 2 : v;

		if (*host == '\0' || strlen(v) > 253 || *host == '.' || *host == '-' ||
		    strstr(host, "..") != NULL ||
		    host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] != '\0')
			return usage_error("--dns \"%s\": expected a host name", v);
		fprintf(f, "%sDNS:%s", *n > 0 ? "," : "", v);
	}
	for (int i = 0; (v = args_next(a, "ip", &i)) != NULL; (*n)++) {
		if (inet_pton(AF_INET, v, addr) != 1 && inet_pton(AF_INET6, v, addr) != 1)
			return usage_error("--ip \"%s\": expected an IPv4 or IPv6"
			    " address", v);
		fprintf(f, "%sIP:%s", *n > 0 ? "," : "", v);
	}
	return EX_DONE;
}

/* The caller frees s->alt, on failure too. */
static int
get_subject(struct args *a, struct subject *s)
{
	const char *device = args_get(a, "device", NULL), *dp = args_get(a, "dp", NULL);
	bool	    server = args_has(a, "server");
	char	    uuid[37];
	FILE	   *f;
	int	    n = 0, r = EX_DONE;

	*s = (struct subject){ .server = server || dp != NULL, .client = !server };
	if (server + (device != NULL) + (dp != NULL) != 1)
		return usage_error("ca issue: exactly one of --server, --device and --dp"
		    " says whose certificate it is");
	if ((f = open_memstream(&s->alt, &s->alt_len)) == NULL)
		return fail("out of memory");
	if (!server) {
		r = get_uuid(device != NULL ? "device" : "dp", device != NULL ? device : dp,
		    uuid);
		if (r == EX_DONE)
			snprintf(s->urn, sizeof(s->urn), "urn:dpoint:%s:%s",
			    device != NULL ? "device" : "dp", uuid);
		fprintf(f, "URI:%s", s->urn);
		n++;
	}
	if (r == EX_DONE && device != NULL && (args_has(a, "dns") || args_has(a, "ip")))
		r = usage_error("ca issue: --dns and --ip are for servers and"
		    " distribution points");
	if (r == EX_DONE)
		r = add_names(a, f, &n);
	if (fclose(f) != 0 && r == EX_DONE)
		r = fail("out of memory");
	if (r == EX_DONE && n == 0)
		r = usage_error("ca issue --server: at least one --dns or --ip says"
		    " what it is called");
	return r;
}

/* ---- commands -------------------------------------------------------------------- */

static X509 *
make_ca_cert(EVP_PKEY *key, const char *name, int64_t seconds)
{
	X509 *c = cert_begin(key, name, seconds, NULL);

	if (c != NULL && set_ext(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    set_ext(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    set_ext(c, c, NID_subject_key_identifier, "hash") &&
	    X509_sign(c, key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

int
cmd_ca_init(struct args *a)
{
	const char *name = args_get(a, "name", "dpoint site CA");
	struct ca   ca = { .dir = a->pos[0], .lock = -1 };
	char	    path[PATH_LEN];
	int64_t	    seconds;
	int	    r;

	if (*name == '\0' || strlen(name) > NAME_MAX_LEN)
		return usage_error("--name: expected 1 to %d bytes", NAME_MAX_LEN);
	if ((r = get_span(a, 3650 * DAY, &seconds)) != EX_DONE ||
	    (r = dir_make(ca.dir, 0700)) != EX_DONE)
		return r;
	if ((r = ca_lock(&ca)) != EX_DONE ||
	    (r = path_join(path, ca.dir, "ca.crt")) != EX_DONE)
		goto out;
	if (access(path, F_OK) == 0) {
		r = fail("%s: a CA is there already", ca.dir);
		goto out;
	}
	ca.key = EVP_EC_gen("P-256");
	ca.cert = ca.key != NULL ? make_ca_cert(ca.key, name, seconds) : NULL;
	ca.crl = ca.cert != NULL ? crl_new(ca.cert, ca.key) : NULL;
	if (ca.crl == NULL) {
		r = fail_openssl("ca init");
		goto out;
	}
	/* the certificate last: without it there is no CA, and init may be repeated */
	if ((r = path_join(path, ca.dir, "issued")) == EX_DONE &&
	    (r = dir_make(path, 0755)) == EX_DONE &&
	    (r = path_join(path, ca.dir, "ca.key")) == EX_DONE &&
	    (r = pem_write(path, 0600, true, PEM_KEY, ca.key)) == EX_DONE &&
	    (r = path_join(path, ca.dir, "ca.crl")) == EX_DONE &&
	    (r = pem_write(path, 0644, true, PEM_CRL, ca.crl)) == EX_DONE &&
	    (r = path_join(path, ca.dir, "ca.crt")) == EX_DONE &&
	    (r = pem_write(path, 0644, false, PEM_CERT, ca.cert)) == EX_DONE)
		say(json_pack("{s:s, s:s}", "ca", path, "name", name),
		    "made the CA \"%s\": give %s to those who check, keep %s/ca.key to"
		    " yourself", name, path, ca.dir);
out:
	ca_close(&ca);
	return r;
}

static X509 *
make_leaf(const struct ca *ca, EVP_PKEY *key, const char *cn, const struct subject *s,
    int64_t seconds)
{
	X509 *c = cert_begin(key, cn, seconds, X509_get_subject_name(ca->cert));

	if (c != NULL && set_ext(c, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    set_ext(c, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    set_ext(c, ca->cert, NID_ext_key_usage, !s->client ? "serverAuth" :
	    s->server ? "serverAuth,clientAuth" : "clientAuth") &&
	    set_ext(c, ca->cert, NID_subject_alt_name, s->alt) &&
	    set_ext(c, ca->cert, NID_subject_key_identifier, "hash") &&
	    set_ext(c, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(c, ca->key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

/* Issued copy first: what was given out must be revocable. */
static int
write_leaf(const struct ca *ca, const char *out, const char *name, const char *uri,
    X509 *c, EVP_PKEY *key)
{
	char serial[SERIAL_LEN], path[PATH_LEN];
	int  r;

	serial_text(X509_get0_serialNumber(c), serial);
	if ((r = path_join(path, ca->dir, "issued/%s.crt", serial)) != EX_DONE ||
	    (r = pem_write(path, 0644, false, PEM_CERT, c)) != EX_DONE ||
	    (r = path_join(path, out, "%s.key", name)) != EX_DONE ||
	    (r = pem_write(path, 0600, false, PEM_KEY, key)) != EX_DONE)
		return r;
	if ((r = path_join(path, out, "%s.crt", name)) != EX_DONE ||
	    (r = pem_write(path, 0644, false, PEM_CERT, c)) != EX_DONE) {
		if (path_join(path, out, "%s.key", name) == EX_DONE)
			unlink(path);
		return r;
	}
	say(json_pack("{s:s, s:s, s:s, s:s}", "cert", path, "serial", serial, "name",
	    name, "uri", uri), "%s: serial %s%s%s", path, serial, *uri != '\0' ? ", " : "",
	    uri);
	return EX_DONE;
}

static int
check_free(const char *out, const char *name)
{
	static const char *const end[] = { "crt", "key" };
	char			 path[PATH_LEN];
	int			 r;

	for (int i = 0; i < 2; i++) {
		if ((r = path_join(path, out, "%s.%s", name, end[i])) != EX_DONE)
			return r;
		if (access(path, F_OK) == 0)
			return fail("%s: there already; move it away first", path);
	}
	return EX_DONE;
}

int
cmd_ca_issue(struct args *a)
{
	const char    *name = a->pos[1], *out = args_get(a, "out", ".");
	struct ca      ca = { .lock = -1 };
	struct subject s = { 0 };
	EVP_PKEY      *key = NULL;
	X509	      *cert = NULL;
	int64_t	       seconds;
	int	       r;

	if ((r = check_name(name)) != EX_DONE || (r = get_subject(a, &s)) != EX_DONE ||
	    (r = get_span(a, s.client ? 90 * DAY : 397 * DAY, &seconds)) != EX_DONE ||
	    (r = ca_open(&ca, a->pos[0], true)) != EX_DONE ||
	    (r = dir_make(out, 0755)) != EX_DONE || (r = check_free(out, name)) != EX_DONE)
		goto out;
	if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(ca.cert), time(NULL) + seconds) < 0) {
		r = fail("the CA itself expires before that; use a shorter --expires");
		goto out;
	}
	key = EVP_EC_gen("P-256");
	cert = key != NULL ? make_leaf(&ca, key, name, &s, seconds) : NULL;
	r = cert != NULL ? write_leaf(&ca, out, name, s.urn, cert, key) :
	    fail_openssl("ca issue");
out:
	EVP_PKEY_free(key);
	X509_free(cert);
	free(s.alt);
	ca_close(&ca);
	return r;
}

/* A certificate's file, or a serial number of issued/. */
static int
find_cert(const struct ca *ca, const char *what, X509 **out)
{
	char path[PATH_LEN], serial[SERIAL_LEN];
	int  r;

	*out = NULL;
	if (what[0] != '\0' && strspn(what, "0123456789abcdefABCDEF") == strlen(what) &&
	    strlen(what) < SERIAL_LEN) {
		snprintf(serial, sizeof(serial), "%s", what);
		for (char *s = serial; *s != '\0'; s++)
			*s = (char)tolower((unsigned char)*s);
		if ((r = path_join(path, ca->dir, "issued/%s.crt", serial)) != EX_DONE)
			return r;
		if (access(path, F_OK) == 0)
			return pem_read(path, PEM_CERT, (void **)out);
	}
	if (access(what, F_OK) < 0)
		return fail("\"%s\": neither a serial number of this CA nor a file", what);
	if ((r = pem_read(what, PEM_CERT, (void **)out)) != EX_DONE)
		return r;
	return X509_verify(*out, X509_get0_pubkey(ca->cert)) == 1 ? EX_DONE :
	    fail("%s: not issued by the CA in %s", what, ca->dir);
}

int
cmd_ca_revoke(struct args *a)
{
	static const struct {
		const char *word;
		int	    code;
	} reasons[] = { { "unspecified", 0 }, { "keyCompromise", 1 },
		{ "superseded", 4 }, { "cessationOfOperation", 5 } };
	const char   *why = args_get(a, "reason", "unspecified");
	struct ca     ca = { .lock = -1 };
	char	      path[PATH_LEN], serial[SERIAL_LEN];
	X509	     *cert = NULL;
	X509_CRL     *crl = NULL;
	X509_REVOKED *rev;
	int	      reason = -1, r;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(why, reasons[i].word) == 0)
			reason = reasons[i].code;
	if (reason < 0)
		return usage_error("--reason \"%s\": expected keyCompromise, superseded,"
		    " cessationOfOperation or unspecified", why);
	if ((r = ca_open(&ca, a->pos[0], true)) != EX_DONE ||
	    (r = find_cert(&ca, a->pos[1], &cert)) != EX_DONE)
		goto out;
	serial_text(X509_get0_serialNumber(cert), serial);
	if (X509_CRL_get0_by_serial(ca.crl, &rev, X509_get_serialNumber(cert)) == 1) {
		r = fail("%s: revoked already", serial);
		goto out;
	}
	if ((crl = crl_with(&ca, X509_get0_serialNumber(cert), reason)) == NULL) {
		r = fail_openssl("ca revoke");
		goto out;
	}
	if ((r = path_join(path, ca.dir, "ca.crl")) == EX_DONE &&
	    (r = pem_write(path, 0644, true, PEM_CRL, crl)) == EX_DONE)
		say(json_pack("{s:s, s:s}", "revoked", serial, "crl", path),
		    "revoked %s; give the new %s to those who check", serial, path);
out:
	X509_free(cert);
	X509_CRL_free(crl);
	ca_close(&ca);
	return r;
}

static void
list_row(const struct ca *ca, X509 *c)
{
	char	      serial[SERIAL_LEN], cn[NAME_MAX_LEN + 1] = "?", until[32] = "?";
	char	      uri[128] = "";
	X509_REVOKED *rev;
	GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
	struct tm     tm;
	const char   *state = "good";

	serial_text(X509_get0_serialNumber(c), serial);
	X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, cn, sizeof(cn));
	tame(cn);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm) == 1)
		strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_URI)
			snprintf(uri, sizeof(uri), "%.*s", g->d.uniformResourceIdentifier->length,
			    (const char *)g->d.uniformResourceIdentifier->data);
	}
	GENERAL_NAMES_free(names);
	tame(uri);
	if (X509_CRL_get0_by_serial(ca->crl, &rev, X509_get_serialNumber(c)) == 1)
		state = "revoked";
	else if (X509_cmp_current_time(X509_get0_notAfter(c)) < 0)
		state = "expired";
	say(json_pack("{s:s, s:s, s:s, s:s, s:s}", "serial", serial, "name", cn, "state",
	    state, "expires", until, "uri", uri), "%s  %-8s %s  %-20s %s", serial, state,
	    until, cn, uri);
}

int
cmd_ca_list(struct args *a)
{
	struct ca ca = { .lock = -1 };
	struct dirent **names = NULL;
	char   path[PATH_LEN];
	X509  *c;
	int    n = 0, r;

	if ((r = ca_open(&ca, a->pos[0], false)) != EX_DONE ||
	    (r = path_join(path, ca.dir, "issued")) != EX_DONE)
		goto out;
	if ((n = scandir(path, &names, NULL, alphasort)) < 0) {
		n = 0;
		r = fail_errno(errno, "%s", path);
		goto out;
	}
	for (int i = 0; i < n && r == EX_DONE; i++) {
		size_t len = strlen(names[i]->d_name);

		if (len < 5 || strcmp(names[i]->d_name + len - 4, ".crt") != 0)
			continue;
		if ((r = path_join(path, ca.dir, "issued/%s", names[i]->d_name)) ==
		    EX_DONE && (r = pem_read(path, PEM_CERT, (void **)&c)) == EX_DONE) {
			list_row(&ca, c);
			X509_free(c);
		}
	}
out:
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	ca_close(&ca);
	return r;
}
