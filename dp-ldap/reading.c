/*
 * dp-ldap/reading.c - see reading.h.
 *
 * Runs in dp-ldap. Believes the configuration, and the certificate of a server
 * whose CA it names; does not believe what a directory says.
 * SPDX-License-Identifier: ISC
 */
#include "dp-ldap/reading.h"

#include "dp-ldap/computer.h"
#include "dp-ldap/tls_layer.h"

#include <errno.h>
#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN	      64 /* objects */
#define MESSAGE_MAX   (1024 * 1024)
#define EMPTY_PAGES   100
#define LEFT_OUT_MAX  1000000

enum stage { NEW, HANDSHAKE, START_TLS, BIND, SEARCH, OVER };
static const char *const stage_names[] = { "start", "TLS handshake", "StartTLS", "bind",
	"search", "end" };

struct reading {
	struct loop		    *loop;
	const struct directory_conf *conf;
	const char		    *password;
	struct tls		    *tls;
	const struct reading_ops    *ops;
	void			    *ctx;
	struct url		     server;
	int			     fd;   /* libldap's once ld is there */
	struct loop_io		    *io;
	struct loop_timer	    *silence, *again;
	struct tls_conn		    *conn; /* NULL: clear */
	LDAP			    *ld;
	int			     msgid;
	enum stage		     stage;
	bool			     paused;
	unsigned		     empty_pages, of_page;
	struct reading_counts	     counts;
	struct computer		     computer; /* the one being read */
};

/* -- ends -- */

__attribute__((format(printf, 3, 4))) static void
finish(struct reading *r, int result, const char *fmt, ...)
{
	char	text[256];
	va_list ap;

	if (r->stage == OVER)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->stage = OVER;
	loop_timer_stop(r->silence);
	loop_timer_stop(r->again);
	(void)loop_io_set(r->io, 0);
	r->ops->done(r->ctx, result, text);
}

static int
errno_of(int ldap_code)
{
	switch (ldap_code) {
	case LDAP_SUCCESS:
		return 0;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_STRONG_AUTH_REQUIRED:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_CONFIDENTIALITY_REQUIRED:
		return -EACCES;
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
		return -ENOENT;
	case LDAP_NO_MEMORY:
		return -ENOMEM;
	case LDAP_SERVER_DOWN:
		return -ECONNRESET;
	case LDAP_FILTER_ERROR:
		return -EINVAL;
	default:
		return -EPROTO;
	}
}

/* diag: the server's own words, made printable; may be NULL. */
static void
finish_ldap(struct reading *r, int code, const char *diag)
{
	struct sight s; /* for its way of writing foreign bytes */

	sight_begin(&s, SIGHT_LDAP);
	if (code == LDAP_SERVER_DOWN && r->conn != NULL && diag == NULL)
		diag = tls_error();
	if (diag != NULL)
		sight_add(&s, FACT_DESCRIPTION, diag, strnlen(diag, SIGHT_TEXT));
	finish(r, errno_of(code), "%s: %s%s%s", stage_names[r->stage],
	    ldap_err2string(code), s.nfacts > 0 ? ": " : "",
	    s.nfacts > 0 ? sight_fact(&s, 0) : "");
}

static void
on_silence(void *ctx)
{
	struct reading *r = ctx;

	finish(r, -ETIMEDOUT, "%s: no answer for %llu s", stage_names[r->stage],
	    (unsigned long long)r->conf->timeout);
}

/* -- requests, one under way at a time -- */

static void
expect(struct reading *r, enum stage stage, int code)
{
	r->stage = stage;
	if (code != LDAP_SUCCESS)
		finish_ldap(r, code, NULL);
}

static void
ask_page(struct reading *r, struct berval *cookie)
{
	LDAPControl *page = NULL, *controls[2];
	int	     code;

	r->of_page = 0;
	code = ldap_create_page_control(r->ld, (ber_int_t)r->conf->page_size,
	    cookie, 0, &page);
	controls[0] = page;
	controls[1] = NULL;
	if (code == LDAP_SUCCESS)
		code = ldap_search_ext(r->ld, r->conf->base, LDAP_SCOPE_SUBTREE,
		    r->conf->filter, (char **)computer_attributes, 0, controls,
		    NULL, NULL, LDAP_NO_LIMIT, &r->msgid);
	if (page != NULL)
		ldap_control_free(page);
	expect(r, SEARCH, code);
}

static void
ask_bind(struct reading *r)
{
	const char   *pw = r->password != NULL ? r->password : "";
	struct berval cred = { strlen(pw), (char *)pw };

	if (r->conf->bind_dn[0] == '\0') {
		ask_page(r, NULL); /* anonymous, as every connection begins */
		return;
	}
	expect(r, BIND, ldap_sasl_bind(r->ld, r->conf->bind_dn, LDAP_SASL_SIMPLE,
	    &cred, NULL, NULL, &r->msgid));
}

/* -- the connection -- */

static int
use_libldap(struct reading *r)
{
	static const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER;
	ber_len_t	 max = MESSAGE_MAX;
	Sockbuf	        *sb;
	/* the URL says nothing here: the socket is there already */
	int code = ldap_init_fd(r->fd, LDAP_PROTO_TCP, "ldap://directory", &r->ld);

	if (code != LDAP_SUCCESS)
		return errno_of(code);
	ldap_set_option(r->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	ldap_set_option(r->ld, LDAP_OPT_DEREF, &never);
	ldap_set_option(r->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	if (ldap_get_option(r->ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_OPT_SUCCESS ||
	    ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &max) < 0)
		return -ENOMEM;
	return 0;
}

static void
start_ldap(struct reading *r)
{
	if (r->ld == NULL && use_libldap(r) < 0)
		finish(r, -ENOMEM, "libldap takes no connection");
	else if (r->conn != NULL && tls_layer_add(r->ld, r->conn) < 0)
		finish(r, -ENOMEM, "no memory");
	else
		ask_bind(r);
}

static void
shake_hands(struct reading *r)
{
	int e = tls_handshake(r->conn);

	if (e == 0 || e == -EAGAIN) {
		int f = tls_flush(r->conn);

		e = e == 0 ? f : e;
	}
	if (e == -EAGAIN)
		return;
	if (e < 0)
		finish(r, e, "TLS handshake: %s",
		    tls_error()[0] != '\0' ? tls_error() : strerror(-e));
	else
		start_ldap(r);
}

static void
start_tls(struct reading *r)
{
	int e = tls_connect(r->tls, r->fd, r->server.host, NULL, &r->conn);

	r->stage = HANDSHAKE;
	if (e < 0)
		finish(r, e, "TLS: %s", strerror(-e));
	else
		shake_hands(r);
}

/* -- answers -- */

static void
take_object(struct reading *r, LDAPMessage *m)
{
	struct computer *c = &r->computer;
	BerElement	*ber = NULL;
	char		*dn = ldap_get_dn(r->ld, m), *name;
	struct berval  **values;

	r->of_page++;
	if (r->counts.left_out == LEFT_OUT_MAX) { /* it never ends */
		finish(r, -E2BIG, "search: a million objects were left out");
		ldap_memfree(dn);
		return;
	}
	if (dn == NULL || r->counts.computers >= r->conf->max_computers) {
		ldap_memfree(dn);
		r->counts.left_out++;
		return;
	}
	computer_begin(c, dn);
	ldap_memfree(dn);
	for (name = ldap_first_attribute(r->ld, m, &ber); name != NULL;
	     name = ldap_next_attribute(r->ld, m, ber)) {
		values = ldap_get_values_len(r->ld, m, name);
		for (size_t i = 0; values != NULL && values[i] != NULL; i++)
			computer_value(c, name, values[i]->bv_val,
			    values[i]->bv_len);
		ldap_value_free_len(values);
		ldap_memfree(name);
	}
	ber_free(ber, 0);
	computer_end(c);
	if (c->disabled) {
		r->counts.left_out++;
		return;
	}
	r->counts.computers++;
	r->ops->sight(r->ctx, &c->sight);
}

static void
next_page(struct reading *r, LDAPControl **controls)
{
	struct berval cookie = { 0, NULL };
	LDAPControl  *page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS,
	     controls, NULL);
	ber_int_t     estimate;

	if (page != NULL && ldap_parse_pageresponse_control(r->ld, page,
	    &estimate, &cookie) != LDAP_SUCCESS) {
		finish(r, -EPROTO, "search: the server's page control is malformed");
		return;
	}
	r->empty_pages = r->of_page == 0 ? r->empty_pages + 1 : 0;
	if (cookie.bv_len == 0) {
		if (r->counts.computers >= r->conf->max_computers &&
		    r->counts.left_out > 0)
			finish(r, -E2BIG, "more than directory.max-computers: %u "
			    "objects are left out", r->counts.left_out);
		else
			finish(r, 0, "%s", "");
	} else if (r->empty_pages == EMPTY_PAGES)
		finish(r, -EPROTO, "search: %d pages without an object",
		    EMPTY_PAGES);
	else if (r->counts.computers >= r->conf->max_computers)
		finish(r, -E2BIG, "more than directory.max-computers: the rest "
		    "is left out");
	else
		ask_page(r, &cookie);
	ber_memfree(cookie.bv_val);
}

static void
take_result(struct reading *r, LDAPMessage *m)
{
	LDAPControl **controls = NULL;
	char	     *diag = NULL;
	int	      code = LDAP_OTHER, e;

	e = ldap_parse_result(r->ld, m, &code, NULL, &diag, NULL, &controls, 0);
	if (e != LDAP_SUCCESS || code != LDAP_SUCCESS)
		finish_ldap(r, e != LDAP_SUCCESS ? e : code, diag);
	else if (r->stage == START_TLS)
		start_tls(r);
	else if (r->stage == BIND)
		ask_page(r, NULL);
	else
		next_page(r, controls);
	ldap_memfree(diag);
	ldap_controls_free(controls);
}

/* One message, if there is one: whether there was. */
static bool
take_message(struct reading *r)
{
	struct timeval	at_once = { 0, 0 };
	LDAPMessage    *m = NULL;
	int		code = LDAP_SERVER_DOWN;
	int		type = ldap_result(r->ld, r->msgid, LDAP_MSG_ONE, &at_once, &m);

	if (type == 0)
		return false;
	if (type < 0) {
		(void)ldap_get_option(r->ld, LDAP_OPT_RESULT_CODE, &code);
		finish_ldap(r, code, NULL);
		return false;
	}
	loop_timer_set(r->silence, r->conf->timeout * 1000);
	if (type == LDAP_RES_SEARCH_ENTRY && r->stage == SEARCH)
		take_object(r, m);
	else if (type == LDAP_RES_SEARCH_REFERENCE)
		r->counts.referrals++;
	else if (type == LDAP_RES_INTERMEDIATE)
		;
	else
		take_result(r, m);
	ldap_msgfree(m);
	return true;
}

static void
take_messages(struct reading *r)
{
	uint32_t	before = r->counts.computers;
	unsigned	n = 0;

	while (r->stage > HANDSHAKE && r->stage < OVER && !r->paused &&
	    n < TURN && take_message(r))
		n++;
	if (r->counts.computers != before)
		r->ops->turn(r->ctx);
	if (n == TURN && r->stage < OVER)
		loop_timer_set(r->again, 0); /* the loop's turn first */
}

static void
on_socket(void *ctx, int events)
{
	struct reading *r = ctx;

	if (r->stage == NEW || r->stage == OVER)
		return;
	if (r->conn != NULL && (events & LOOP_READ))
		tls_readable(r->conn, false);
	if (r->conn != NULL && (events & LOOP_WRITE) && tls_unsent(r->conn) > 0)
		(void)tls_flush(r->conn); /* an error comes again when reading */
	if (r->stage == HANDSHAKE)
		shake_hands(r);
	if (r->stage > HANDSHAKE)
		take_messages(r);
}

/* -- life -- */

static void
begin(struct reading *r)
{
	if (r->server.tls)
		start_tls(r);
	else if (!r->conf->start_tls)
		start_ldap(r);
	else if (use_libldap(r) < 0)
		finish(r, -ENOMEM, "libldap takes no connection");
	else
		expect(r, START_TLS, ldap_start_tls(r->ld, NULL, NULL, &r->msgid));
}

static void
on_again(void *ctx)
{
	struct reading *r = ctx;

	if (r->stage == NEW)
		begin(r);
	else if (r->stage > HANDSHAKE)
		take_messages(r);
}

int
reading_new(struct loop *l, int take_fd, const struct url *server,
    const struct directory_conf *conf, const char *password, struct tls *tls,
    const struct reading_ops *ops, void *ctx, struct reading **out)
{
	struct reading *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	*r = (struct reading){ .loop = l, .conf = conf, .password = password,
		.tls = tls, .ops = ops, .ctx = ctx, .server = *server,
		.fd = take_fd };
	if (loop_io_new(l, take_fd, LOOP_READ | LOOP_WRITE | LOOP_EDGE, on_socket,
		r, &r->io) < 0 ||
	    loop_timer_new(l, on_silence, r, &r->silence) < 0 ||
	    loop_timer_new(l, on_again, r, &r->again) < 0) {
		reading_free(&r);
		return -ENOMEM;
	}
	loop_timer_set(r->silence, conf->timeout * 1000);
	loop_timer_set(r->again, 0); /* done() is never called from here */
	*out = r;
	return 0;
}

void
reading_free(struct reading **rp)
{
	struct reading *r = *rp;

	if (r == NULL)
		return;
	loop_io_free(&r->io);
	loop_timer_free(&r->silence);
	loop_timer_free(&r->again);
	if (r->ld != NULL)
		ldap_unbind_ext(r->ld, NULL, NULL); /* closes fd */
	else
		close(r->fd);
	tls_conn_free(&r->conn);
	free(r);
	*rp = NULL;
}

void
reading_pause(struct reading *r, bool pause)
{
	if (r->paused == pause || r->stage == OVER)
		return;
	r->paused = pause;
	if (pause)
		loop_timer_stop(r->silence);
	else {
		loop_timer_set(r->silence, r->conf->timeout * 1000);
		loop_timer_set(r->again, 0);
	}
}

const struct reading_counts *
reading_counts(const struct reading *r)
{
	return &r->counts;
}
