/*
 * dp-ldap/directory.c - the directory reader as a worker: when what is read, and
 * from which server; see directory.h.
 *
 * Runs in dp-ldap. Believes the master's configuration.
 * SPDX-License-Identifier: ISC
 */
#include "dp-ldap/directory.h"

#include "common/connect_client.h"
#include "common/identity.h"
#include "common/log.h"
#include "common/size.h"
#include "common/value.h"
#include "dp-ldap/reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PASSWORD_MAX 1024
#define PEER_QUEUE   256 /* messages to the keeper */
#define FULL	     64	 /* of them: the reading waits */
#define FIRST_MS     2000 /* after the start, so that a site's come apart */
#define BATCH	     (MSG_MAX_PAYLOAD - SIGHT_WIRE_MAX)

struct directory {
	struct worker	       *w;
	struct loop	       *loop;
	struct ipc	       *scan; /* NULL: away */
	struct connect_client  *connect;
	struct directory_conf	conf; /* of the reading under way, too */
	struct tls	       *tls;
	char		       *password;
	struct loop_timer      *due, *over;
	struct reading	       *reading; /* NULL while none, or connecting */
	bool			is_busy;
	uint32_t		ticket;
	struct url		servers[DIRECTORY_SERVERS];
	size_t			nservers, server; /* the one being tried */
	uint8_t			batch[MSG_MAX_PAYLOAD];
	size_t			batch_len;
	/* of the last reading, or the one under way */
	enum directory_state	state;
	struct reading_counts	counts;
	char			text[256];
	int64_t			read_at; /* s since 1970; 0: never */
	uint64_t		readings, failures;
};

/* -- to the keeper -- */

static void
tell_state(struct directory *d)
{
	uint8_t	  buf[1024];
	struct wr w = wr_to(buf, sizeof(buf));

	if (d->reading != NULL)
		d->counts = *reading_counts(d->reading);
	wr_u8(&w, (uint8_t)d->state);
	wr_u32(&w, d->counts.computers);
	wr_u32(&w, d->counts.left_out);
	wr_str(&w, d->server < d->nservers ? d->servers[d->server].host : "");
	wr_str(&w, d->text);
	if (d->scan != NULL) /* a keeper that takes none asks again */
		(void)ipc_send(d->scan, MSG_DIRECTORY, 0, buf, w.len);
}

static void
flush_sights(struct directory *d)
{
	if (d->batch_len > 0 && d->scan != NULL)
		(void)ipc_send(d->scan, MSG_SIGHT, 0, d->batch, d->batch_len);
	d->batch_len = 0;
	if (d->scan != NULL && ipc_queued(d->scan) >= FULL && d->reading != NULL)
		reading_pause(d->reading, true); /* on_drained lets it go on */
}

static void
on_sight(void *ctx, const struct sight *s)
{
	struct directory *d = ctx;
	struct wr	  w = wr_to(d->batch + d->batch_len,
	    sizeof(d->batch) - d->batch_len);

	sight_write(s, &w);
	d->batch_len += w.len;
	if (d->batch_len > BATCH)
		flush_sights(d);
}

static void
on_turn(void *ctx)
{
	flush_sights(ctx);
	tell_state(ctx);
}

static void
on_drained(void *ctx)
{
	struct directory *d = ctx;

	if (d->reading != NULL)
		reading_pause(d->reading, false);
}

/* -- one reading: the servers in order until one is read -- */

/* A tenth sooner or later, so that a site's distribution points come apart. */
static void
schedule(struct directory *d)
{
	uint64_t ms = d->conf.interval * 1000;
	uint32_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)loop_now_ms(d->loop);
	if (ms == 0)
		loop_timer_stop(d->due);
	else
		loop_timer_set(d->due, ms - ms / 10 + random % (ms / 5 + 1));
}

static void
finish(struct directory *d, enum directory_state state, const char *text)
{
	d->is_busy = false;
	d->state = state;
	snprintf(d->text, sizeof(d->text), "%s", text);
	d->readings++;
	if (state == DIRECTORY_READ) {
		d->read_at = (int64_t)time(NULL);
		log_info("read %u computers of %s, %u left out, %u referrals",
		    d->counts.computers, d->servers[d->server].host,
		    d->counts.left_out, d->counts.referrals);
	} else {
		d->failures++;
		log_warn("directory: %s", text);
		worker_event(d->w, "directory-failed",
		    json_pack("{s:s}", "reason", text));
	}
	tell_state(d);
	schedule(d);
}

static void try_server(struct directory *d);

static void
server_failed(struct directory *d, const char *text)
{
	char why[256];

	snprintf(why, sizeof(why), "%s port %u: %s", d->servers[d->server].host,
	    d->servers[d->server].port, text);
	if (d->server + 1 == d->nservers) {
		finish(d, DIRECTORY_FAILED, why);
		return;
	}
	log_warn("directory: %s; trying the next server", why);
	d->server++;
	try_server(d);
}

static void
try_server(struct directory *d)
{
	const struct url *u = &d->servers[d->server];
	int		  r = connect_client_ask(d->connect, ++d->ticket, u->host,
		  u->port, d->conf.timeout * 1000);

	if (r < 0)
		server_failed(d, r == -ENOTCONN ? "the connector is away"
						: strerror(-r));
}

static void
on_done(void *ctx, int r, const char *text)
{
	struct directory *d = ctx;

	flush_sights(d);
	snprintf(d->text, sizeof(d->text), "%s", text);
	d->state = r == 0 ? DIRECTORY_READ : DIRECTORY_FAILED;
	loop_timer_set(d->over, 0); /* not within the reading itself */
}

static void
on_over(void *ctx)
{
	struct directory *d = ctx;
	char		  text[sizeof(d->text)];

	memcpy(text, d->text, sizeof(text));
	d->counts = *reading_counts(d->reading);
	reading_free(&d->reading);
	if (d->state == DIRECTORY_READ)
		finish(d, DIRECTORY_READ, "");
	else
		server_failed(d, text);
}

static void
on_connected(void *ctx, uint32_t ticket, int take_fd, const char *text)
{
	static const struct reading_ops ops = { on_sight, on_turn, on_done };
	struct directory		*d = ctx;

	if (ticket != d->ticket || !d->is_busy || d->reading != NULL) {
		if (take_fd >= 0) /* of a reading that a reload ended */
			close(take_fd);
		return;
	}
	if (take_fd < 0) {
		server_failed(d, text);
		return;
	}
	if (reading_new(d->loop, take_fd, &d->servers[d->server], &d->conf,
		d->password, d->tls, &ops, d, &d->reading) < 0)
		server_failed(d, "no memory");
}

static void
on_connector_lost(void *ctx, int r)
{
	struct directory *d = ctx;

	worker_accuse(PEER_CONNECT, r);
	if (d->is_busy && d->reading == NULL)
		server_failed(d, "the connector is away");
}

static void
read_now(void *ctx)
{
	struct directory *d = ctx;

	if (d->is_busy)
		return;
	d->is_busy = true;
	d->server = 0;
	d->counts = (struct reading_counts){ 0 };
	d->state = DIRECTORY_READING;
	d->text[0] = '\0';
	loop_timer_stop(d->due);
	tell_state(d);
	try_server(d);
}

/* -- peers -- */

static int
on_read(void *ctx, struct ipc_msg *m)
{
	(void)m;
	read_now(ctx);
	return 0;
}

static const struct ipc_handler from_scan[] = {
	/* type		     nfds min max fn */
	{ MSG_DIRECTORY_READ, 0,  0,  0,  on_read },
};

static void
scan_broken(void *ctx, struct ipc *c, int r)
{
	struct directory *d = ctx;

	ipc_free(&c);
	d->scan = NULL;
	worker_accuse(PEER_SCAN, r);
	on_drained(d); /* it goes on: what was paused for is gone */
}

static void
on_peer(void *ctx, enum peer_role role, int take_fd)
{
	struct directory *d = ctx;
	int		  r;

	if (role == PEER_CONNECT)
		r = connect_client_attach(d->connect, take_fd);
	else {
		ipc_free(&d->scan);
		r = ipc_new(d->loop, take_fd,
		    (struct ipc_table){ from_scan, COUNT(from_scan) }, d,
		    scan_broken, PEER_QUEUE, &d->scan);
		if (r == 0) {
			ipc_on_drained(d->scan, on_drained, d);
			on_drained(d);
			tell_state(d);
		}
	}
	if (r < 0)
		log_warn_err(r, "channel to %s", peer_role_name(role));
}

/* -- configuration -- */

/* The first line of the file, without its end. */
static int
password_read(struct directory *d, char **out)
{
	size_t len;
	int    r = worker_file_text(d->w, "directory.password", PASSWORD_MAX, out,
	    &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_err("directory.password: %s", strerror(-r));
		return r;
	}
	(*out)[strcspn(*out, "\r\n")] = '\0';
	if (**out != '\0')
		return 0;
	/* RFC 4513, 5.1.2: such a bind would say yes and mean anonymous */
	log_err("directory.password: the first line is empty");
	free(*out);
	*out = NULL;
	return -EINVAL;
}

/* What is under way ends; all that was taken is the caller's on failure. */
static int
configure(struct directory *d)
{
	const struct settings *s = worker_settings(d->w);
	struct tls	      *tls = NULL;
	char		      *password = NULL;
	char		       word[sizeof(s->directory.url)];
	size_t		       pos = 0;
	int		       r = 0;

	if (s->directory.ca[0] != '\0')
		r = identity_client(d->w, "directory.client-cert",
		    "directory.client-key", "directory.ca", &tls);
	if (r < 0 || (r = password_read(d, &password)) < 0) {
		tls_unref(&tls);
		return r;
	}
	reading_free(&d->reading);
	loop_timer_stop(d->over);
	d->is_busy = false;
	tls_unref(&d->tls);
	d->tls = tls;
	if (d->password != NULL)
		explicit_bzero(d->password, strlen(d->password));
	free(d->password);
	d->password = password;
	d->conf = s->directory;
	d->nservers = 0;
	while (d->nservers < COUNT(d->servers) &&
	    value_word(d->conf.url, &pos, word, sizeof(word)))
		if (url_ldap(word, &d->servers[d->nservers]) == 0)
			d->servers[d->nservers++].path = "";
	return 0;
}

static int
on_reload(void *ctx)
{
	struct directory *d = ctx;
	bool		  was_busy = d->is_busy;
	uint64_t	  interval = d->conf.interval;
	int		  r = configure(d);

	if (r < 0)
		return r;
	if (was_busy)
		read_now(d);
	else if (d->conf.interval != interval)
		schedule(d);
	return 0;
}

/* -- what an operator is told and may ask for -- */

static void
directory_status(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	static const char *const states[DIRECTORY_STATES] = { "never", "reading",
		"read", "failed" };
	struct directory *d = ctx;

	(void)argc;
	(void)argv;
	if (d->reading != NULL)
		d->counts = *reading_counts(d->reading);
	admin_row(reply, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:s}", "state",
	    states[d->state], "server",
	    d->server < d->nservers ? d->servers[d->server].host : "",
	    "computers", (json_int_t)d->counts.computers, "left-out",
	    (json_int_t)d->counts.left_out, "referrals",
	    (json_int_t)d->counts.referrals, "read-at", (json_int_t)d->read_at,
	    "reason", d->text));
	admin_end(reply, NULL);
}

static void
directory_read(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	read_now(ctx);
	admin_end(reply, NULL);
}

static const struct admin_command commands[] = {
	{ "directory-status", 0, 0, false, directory_status, "",
	    "Where the reading of the directory is." },
	{ "directory-read", 0, 0, true, directory_read, "", "Reads it now." },
	{ 0 }
};

static void
on_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct directory *d = ctx;

	(void)w;
	worker_metric(reply, "dpoint_directory_readings_total", "counter",
	    "Readings of the directory that ended.", NULL, (double)d->readings);
	worker_metric(reply, "dpoint_directory_failures_total", "counter",
	    "Readings of the directory that failed.", NULL, (double)d->failures);
	worker_metric(reply, "dpoint_directory_computers", "gauge",
	    "Computers in the last reading.", NULL, (double)d->counts.computers);
	worker_metric(reply, "dpoint_directory_read_timestamp_seconds", "gauge",
	    "When the directory was last read whole; 0: never.", NULL,
	    (double)d->read_at);
}

static void
on_warnings(void *ctx, struct admin_reply *reply)
{
	struct directory *d = ctx;

	if (d->state == DIRECTORY_FAILED)
		worker_warning(reply, "directory: %s", d->text);
}

/* -- life -- */

struct directory *
directory_open(struct worker *w)
{
	static const struct connect_client_ops ops = { on_connected,
		on_connector_lost };
	static const enum peer_role peers[] = { PEER_CONNECT, PEER_SCAN };
	struct directory	   *d = calloc(1, sizeof(*d));
	int			    fd;

	if (d == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	/* libldap: neither ldap.conf nor LDAP... variables */
	if (setenv("LDAPNOINIT", "1", 1) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	d->w = w;
	d->loop = worker_loop(w);
	if (loop_timer_new(d->loop, read_now, d, &d->due) < 0 ||
	    loop_timer_new(d->loop, on_over, d, &d->over) < 0 ||
	    connect_client_new(d->loop, -1, &ops, d, &d->connect) < 0)
		log_fatal(EXIT_TEMPORARY, "no memory");
	if (configure(d) < 0)
		exit(EXIT_OPERATOR); /* it was said why */
	for (size_t i = 0; i < COUNT(peers); i++)
		if ((fd = worker_peer(w, peers[i])) >= 0)
			on_peer(d, peers[i], fd);
	if (d->conf.interval > 0)
		loop_timer_set(d->due, FIRST_MS);
	return d;
}

int
directory_run(struct directory *d)
{
	static const struct worker_ops ops = {
		.peer = on_peer,
		.reload = on_reload,
		.commands = commands,
		.metrics = on_metrics,
		.warnings = on_warnings,
	};

	return worker_run(d->w, &ops, d);
}

void
directory_close(struct directory **dp)
{
	struct directory *d = *dp;

	if (d == NULL)
		return;
	reading_free(&d->reading);
	connect_client_free(&d->connect);
	ipc_free(&d->scan);
	loop_timer_free(&d->due);
	loop_timer_free(&d->over);
	tls_unref(&d->tls);
	if (d->password != NULL)
		explicit_bzero(d->password, strlen(d->password));
	free(d->password);
	free(d);
	*dp = NULL;
}
