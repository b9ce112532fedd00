/*
 * tests/unit/check_dpctl_ca.c - certificates of the site's own authority.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/dpctl.h"

#include <check.h> /* after ours: it makes fail() a macro */
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/size.h"

#define UUID "6f1d2c3b-4a59-4687-8796-a5b4c3d2e1f0"

static char dir[64];

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_dpctl_ca.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void
teardown(void)
{
	char cmd[128];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* A command line of words between blanks. */
static int
run(const char *line)
{
	char	    text[512], *words[32], *save;
	struct args a;
	bool	    help, version;
	int	    n = 0, r;

	snprintf(text, sizeof(text), "dpctl %s", line);
	for (char *w = strtok_r(text, " ", &save); w != NULL && n < 31;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	if ((r = args_parse(&a, n, words, &help, &version)) == EX_DONE)
		r = a.cmd->fn(&a);
	args_fini(&a);
	return r;
}

static X509 *
cert(const char *path)
{
	FILE *f = fopen(path, "r");
	X509 *c;

	ck_assert_ptr_nonnull(f);
	c = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	ck_assert_ptr_nonnull(c);
	return c;
}

/* X509_V_OK, or why the certificate is not good for the purpose. */
static int
verify(const char *path, int purpose, bool with_crl)
{
	X509_STORE     *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509	       *ca = cert("ca/ca.crt"), *c = cert(path);
	X509_CRL       *crl;
	FILE	       *f = fopen("ca/ca.crl", "r");
	int		r;

	crl = PEM_read_X509_CRL(f, NULL, NULL, NULL);
	fclose(f);
	X509_STORE_add_cert(store, ca);
	X509_STORE_add_crl(store, crl);
	X509_STORE_CTX_init(ctx, store, c, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	if (with_crl)
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_CRL_CHECK);
	X509_verify_cert(ctx);
	r = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_CRL_free(crl);
	X509_free(ca);
	X509_free(c);
	return r;
}

START_TEST(a_device_is_a_client_and_nothing_else)
{
	X509	      *c;
	GENERAL_NAMES *names;
	GENERAL_NAME  *g;
	struct stat    st;

	ck_assert_int_eq(run("ca init ca --name test"), EX_DONE);
	ck_assert_int_eq(run("ca issue ca a1 --device " UUID " --out out"), EX_DONE);
	ck_assert_int_eq(verify("out/a1.crt", X509_PURPOSE_SSL_CLIENT, true), X509_V_OK);
	ck_assert_int_ne(verify("out/a1.crt", X509_PURPOSE_SSL_SERVER, true), X509_V_OK);
	c = cert("out/a1.crt");
	names = X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL);
	ck_assert_int_eq(sk_GENERAL_NAME_num(names), 1);
	g = sk_GENERAL_NAME_value(names, 0);
	ck_assert_int_eq(g->type, GEN_URI);
	ck_assert_int_eq(ASN1_STRING_length(g->d.uniformResourceIdentifier),
	    (int)strlen("urn:dpoint:device:" UUID));
	ck_assert_mem_eq(ASN1_STRING_get0_data(g->d.uniformResourceIdentifier),
	    "urn:dpoint:device:" UUID, strlen("urn:dpoint:device:" UUID));
	GENERAL_NAMES_free(names);
	X509_free(c);
	ck_assert_int_eq(stat("out/a1.key", &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat("ca/ca.key", &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_distribution_point_is_both_and_has_names)
{
	X509 *c;

	ck_assert_int_eq(run("ca init ca"), EX_DONE);
	ck_assert_int_eq(run("ca issue ca dp --dp new --dns dp.example --ip 192.0.2.1"
	    " --ip 2001:db8::1"), EX_DONE);
	ck_assert_int_eq(verify("dp.crt", X509_PURPOSE_SSL_CLIENT, true), X509_V_OK);
	ck_assert_int_eq(verify("dp.crt", X509_PURPOSE_SSL_SERVER, true), X509_V_OK);
	c = cert("dp.crt");
	ck_assert_int_eq(X509_check_host(c, "dp.example", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_ip_asc(c, "192.0.2.1", 0), 1);
	ck_assert_int_eq(X509_check_ip_asc(c, "2001:db8::1", 0), 1);
	ck_assert_int_eq(X509_check_host(c, "other.example", 0, 0, NULL), 0);
	X509_free(c);
}
END_TEST

START_TEST(the_revoked_stay_revoked)
{
	ck_assert_int_eq(run("ca init ca"), EX_DONE);
	for (int i = 0; i < 5; i++) {
		char line[64], path[32];

		snprintf(line, sizeof(line), "ca issue ca n%d --device new", i);
		ck_assert_int_eq(run(line), EX_DONE);
		snprintf(line, sizeof(line), "ca revoke ca n%d.crt", i);
		ck_assert_int_eq(run(line), EX_DONE);
		ck_assert_int_eq(run(line), EX_FAILED); /* revoked already */
		for (int k = 0; k <= i; k++) {
			snprintf(path, sizeof(path), "n%d.crt", k);
			ck_assert_int_eq(verify(path, X509_PURPOSE_SSL_CLIENT, true),
			    X509_V_ERR_CERT_REVOKED);
		}
	}
	ck_assert_int_eq(run("ca issue ca good --device new"), EX_DONE);
	ck_assert_int_eq(verify("good.crt", X509_PURPOSE_SSL_CLIENT, true), X509_V_OK);
}
END_TEST

START_TEST(nothing_is_overwritten)
{
	ck_assert_int_eq(run("ca init ca"), EX_DONE);
	ck_assert_int_eq(run("ca init ca"), EX_FAILED);
	ck_assert_int_eq(run("ca issue ca a --device new"), EX_DONE);
	ck_assert_int_eq(run("ca issue ca a --device new"), EX_FAILED);
	ck_assert_int_eq(verify("a.crt", X509_PURPOSE_SSL_CLIENT, true), X509_V_OK);
}
END_TEST

static const struct {
	const char *line;
	int	    status;
} refused[] = {
	{ "ca issue ca a", EX_BAD_USAGE },
	{ "ca issue ca a --server", EX_BAD_USAGE },
	{ "ca issue ca a --device new --dp new", EX_BAD_USAGE },
	{ "ca issue ca a --device 1234", EX_BAD_USAGE },
	{ "ca issue ca a --device " UUID "0", EX_BAD_USAGE },
	{ "ca issue ca a --device new --dns x", EX_BAD_USAGE },
	{ "ca issue ca ../a --device new", EX_BAD_USAGE },
	{ "ca issue ca .a --device new", EX_BAD_USAGE },
	{ "ca issue ca a --server --dns a,IP:1.2.3.4", EX_BAD_USAGE },
	{ "ca issue ca a --server --dns -a", EX_BAD_USAGE },
	{ "ca issue ca a --server --ip 300.1.1.1", EX_BAD_USAGE },
	{ "ca issue ca a --device new --expires soon", EX_BAD_USAGE },
	{ "ca issue ca a --device new --expires 11y", EX_FAILED },
	{ "ca issue none a --device new", EX_FAILED },
	{ "ca issue empty a --device new", EX_FAILED },
	{ "ca revoke ca 00", EX_FAILED },
	{ "ca revoke ca none.crt", EX_FAILED },
	{ "ca revoke ca ca/ca.key", EX_FAILED },
	{ "ca revoke ca other/o.crt", EX_FAILED },
	{ "ca revoke ca a.crt --reason boredom", EX_BAD_USAGE },
	{ "ca list none", EX_FAILED },
};

START_TEST(wrong_things_leave_nothing_behind)
{
	mkdir("empty", 0700);
	ck_assert_int_eq(run("ca init ca"), EX_DONE);
	ck_assert_int_eq(run("ca init other"), EX_DONE);
	ck_assert_int_eq(run("ca issue other o --device new --out other"), EX_DONE);
	ck_assert_msg(run(refused[_i].line) == refused[_i].status, "%s", refused[_i].line);
	ck_assert_int_ne(access("a.crt", F_OK), 0);
	ck_assert_int_ne(access("a.key", F_OK), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dpctl_ca");
	TCase	*t = tcase_create("all");
	SRunner *r;
	int	 failed, fd = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO);

	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_device_is_a_client_and_nothing_else);
	tcase_add_test(t, a_distribution_point_is_both_and_has_names);
	tcase_add_test(t, the_revoked_stay_revoked);
	tcase_add_test(t, nothing_is_overwritten);
	tcase_add_loop_test(t, wrong_things_leave_nothing_behind, 0, COUNT(refused));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_SILENT);
	fflush(stdout);
	dup2(out, STDOUT_FILENO); /* for the verdict, not for the commands */
	srunner_print(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
