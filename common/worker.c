/*
 * common/worker.c - the common life of a worker; see worker.h.
 *
 * Runs in every worker. Believes the master; checks every message all the
 * same, since the table costs nothing. After MSG_START nothing here exits: a
 * broken master ends the loop.
 * SPDX-License-Identifier: ISC
 */
#include "common/worker.h"

#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MASTER_FD   3
#define START_MS    30000 /* the master answers at once; this is for its death */
#define MAX_FILES   16
#define MAX_SOCKETS 64
#define MAX_CONFIG  (1 << 20)
#define MAX_REPLIES 64
#define MAX_ARGS    16
#define CONTROL_QUEUE 4096 /* admin rows; a slow asker is told by admin_full */

struct file {
	char key[64];
	int  fd;
};

struct sock {
	char key[64], address[SETTINGS_LISTEN_LEN];
	int  fd;
};

/* Everything one MSG_START makes valid. */
struct delivery {
	struct settings settings;
	struct file	files[MAX_FILES];
	struct sock	sockets[MAX_SOCKETS];
	size_t		nfiles, nsockets;
	bool		has_config;
};

struct worker {
	enum peer_role		 role;
	char			 name[32], log_name[40];
	int			 master_fd; /* -1 once ipc has it */
	struct ipc		*master, *control;
	struct loop		*loop;
	struct delivery		 now, next;
	int			 peers[PEER_MAX]; /* before MSG_START */
	const struct worker_ops *ops;
	void			*ctx;
	struct admin_reply	*replies;
	size_t			 nreplies;
	bool			 draining;
};

struct admin_reply {
	struct admin_reply *next;
	struct worker	   *w;
	uint32_t	    id;
	bool		    gone, stale; /* stale: of a control that died */
	char		    last_metric[64];
};

static struct worker *self; /* one a process */

static int on_config(void *ctx, struct ipc_msg *m);
static int on_file(void *ctx, struct ipc_msg *m);
static int on_socket(void *ctx, struct ipc_msg *m);
static int on_peer(void *ctx, struct ipc_msg *m);
static int on_start(void *ctx, struct ipc_msg *m);
static int on_shutdown(void *ctx, struct ipc_msg *m);
static int on_extra(void *ctx, struct ipc_msg *m);
static int on_control_extra(void *ctx, struct ipc_msg *m);
static int on_ping(void *ctx, struct ipc_msg *m);
static int on_admin(void *ctx, struct ipc_msg *m);
static int on_admin_stop(void *ctx, struct ipc_msg *m);

static const struct ipc_handler from_master[] = {
	/* type	       nfds min max   fn */
	{ MSG_CONFIG,	1, 0, 0,   on_config },
	{ MSG_FILE,	1, 3, 66,  on_file },
	{ MSG_SOCKET,	1, 5, 324, on_socket },
	{ MSG_PEER,	1, 1, 1,   on_peer },
	{ MSG_START,	0, 1, 1,   on_start },
	{ MSG_SHUTDOWN, 0, 0, 0,   on_shutdown },
	{ MSG_WORKER,	0, 14, 14, on_extra },
	{ MSG_RELOADED, 0, 3, 600, on_extra },
	{ MSG_PING,	0, 8, 8,   on_extra },
};

static const struct ipc_handler from_control[] = {
	{ MSG_PING,	  0, 8, 8,    on_ping },
	{ MSG_ADMIN,	  0, 3, 8192, on_admin },
	{ MSG_ADMIN_STOP, 0, 0, 0,    on_admin_stop },
	{ MSG_WOKEN,	  0, 21, 21,  on_control_extra },
	{ MSG_PUSH_CAME,  0, 10, 200, on_control_extra },
	{ MSG_PUSH_SHARED, 0, 6, 300, on_control_extra },
};

static void
delivery_init(struct delivery *d)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < MAX_FILES; i++)
		d->files[i].fd = -1;
	for (size_t i = 0; i < MAX_SOCKETS; i++)
		d->sockets[i].fd = -1;
}

static void
sockets_drop(struct delivery *d)
{
	for (size_t i = 0; i < d->nsockets; i++)
		if (d->sockets[i].fd >= 0)
			close(d->sockets[i].fd);
	d->nsockets = 0;
}

static void
delivery_fini(struct delivery *d)
{
	for (size_t i = 0; i < d->nfiles; i++)
		if (d->files[i].fd >= 0)
			close(d->files[i].fd);
	sockets_drop(d);
	delivery_init(d);
}

static int
on_config(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;
	char	       err[CONF_ERR_MAX];
	struct stat    st;
	ssize_t	       n;
	char	      *text;
	int	       r;

	if (fstat(m->fds[0], &st) < 0 || st.st_size > MAX_CONFIG)
		return -EBADMSG;
	if ((text = malloc((size_t)st.st_size + 1)) == NULL)
		return -ENOMEM;
	n = pread(m->fds[0], text, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		free(text);
		return -EBADMSG;
	}
	r = settings_from_text(settings_sections, &w->next.settings, text,
	    (size_t)n, err);
	free(text);
	if (r < 0) {
		log_err("configuration from the master: %s", err);
		return r;
	}
	w->next.has_config = true;
	return 0;
}

static int
on_file(void *ctx, struct ipc_msg *m)
{
	struct delivery *d = &((struct worker *)ctx)->next;
	struct file	*f = &d->files[d->nfiles];

	if (d->nfiles == MAX_FILES)
		return -EBADMSG;
	rd_str(&m->rd, f->key, sizeof(f->key));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	f->fd = ipc_take_fd(m, 0);
	d->nfiles++;
	return 0;
}

static int
on_socket(void *ctx, struct ipc_msg *m)
{
	struct delivery *d = &((struct worker *)ctx)->next;
	struct sock	*s = &d->sockets[d->nsockets];

	if (d->nsockets == MAX_SOCKETS)
		return -EBADMSG;
	rd_str(&m->rd, s->key, sizeof(s->key));
	rd_str(&m->rd, s->address, sizeof(s->address));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	s->fd = ipc_take_fd(m, 0);
	d->nsockets++;
	return 0;
}

static void
control_broken(void *ctx, struct ipc *c, int r)
{
	struct worker *w = ctx;

	for (struct admin_reply *a = w->replies; a != NULL; a = a->next)
		a->gone = a->stale = true; /* its numbers are given anew */
	ipc_free(&c);
	w->control = NULL;
	worker_accuse(PEER_CONTROL, r);
}

static int
take_control(struct worker *w, int fd)
{
	const struct ipc_table t = { from_control, COUNT(from_control) };

	if (w->control != NULL)
		control_broken(w, w->control, 0);
	return ipc_new(w->loop, fd, t, w, control_broken, CONTROL_QUEUE,
	    &w->control);
}

static int
on_peer(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;
	uint8_t	       role = rd_u8(&m->rd);
	int	       fd;

	if (role <= PEER_MASTER || role >= PEER_MAX)
		return -EBADMSG;
	fd = ipc_take_fd(m, 0);
	if (w->ops == NULL) { /* before the loop runs */
		if (w->peers[role] >= 0)
			close(w->peers[role]);
		w->peers[role] = fd;
		return 0;
	}
	if (role == PEER_CONTROL && w->role != PEER_CONTROL)
		return take_control(w, fd);
	if (w->ops->peer == NULL)
		close(fd);
	else
		w->ops->peer(w->ctx, (enum peer_role)role, fd);
	return 0;
}

/* Not the first of its kind: so that logs and events tell them apart. */
static void
become(struct worker *w, enum peer_role role)
{
	w->role = role;
	snprintf(w->name, sizeof(w->name), "%s", peer_role_name(role));
	snprintf(w->log_name, sizeof(w->log_name), "dp-%s", w->name);
	log_init(w->log_name);
}

static int
on_start(void *ctx, struct ipc_msg *m)
{
	struct worker  *w = ctx;
	struct delivery old = w->now;
	uint8_t		no = 1, role = rd_u8(&m->rd);
	int		r;

	if (!w->next.has_config || role >= PEER_MAX ||
	    peer_role_kind((enum peer_role)role) != peer_role_kind(w->role))
		return -EBADMSG;
	if (role != w->role)
		become(w, (enum peer_role)role);
	w->now = w->next;
	delivery_init(&w->next);
	if (w->ops == NULL)
		return 0;
	r = w->ops->reload != NULL ? w->ops->reload(w->ctx) : 0;
	if (r < 0) { /* what was in force stays so */
		log_warn_err(r, "reload refused");
		delivery_fini(&w->now);
		w->now = old;
		return ipc_send(w->master, MSG_REFUSED, 0, &no, 1);
	}
	delivery_fini(&old);
	sockets_drop(&w->now); /* what it did not take it has already */
	settings_log_level(&w->now.settings);
	return ipc_send(w->master, MSG_READY, 0, NULL, 0);
}

static void
drain(struct worker *w)
{
	if (w->draining)
		return;
	w->draining = true;
	if (w->ops->drain != NULL)
		w->ops->drain(w->ctx);
	else
		worker_drained(w);
}

static int
on_shutdown(void *ctx, struct ipc_msg *m)
{
	(void)m;
	drain(ctx);
	return 0;
}

/* How systemd ends a unit of ours, or an operator one worker. */
static void
on_term(void *ctx, int signo)
{
	(void)signo;
	drain(ctx);
}

/* For the few whom others tell more: looked up in their own table. */
static int
look_up(struct worker *w, const struct ipc_table *t, struct ipc_msg *m)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct ipc_handler *h = &t->handlers[i];

		if (h->type == m->type && m->len >= h->min && m->len <= h->max)
			return h->fn(w->ctx, m);
	}
	return -EBADMSG;
}

static int
on_extra(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;

	return w->ops != NULL ? look_up(w, &w->ops->from_master, m) : -EBADMSG;
}

static int
on_control_extra(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;

	return look_up(w, &w->ops->from_control, m);
}

static int
on_ping(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;
	uint8_t	       buf[8];
	struct wr      out = wr_to(buf, sizeof(buf));

	wr_u64(&out, rd_u64(&m->rd));
	/* a control that takes no answer is itself the problem */
	(void)ipc_send(w->control, MSG_PONG, 0, buf, out.len);
	return 0;
}

/* -- admin commands -- */

static struct admin_reply *
reply_new(struct worker *w, uint32_t id)
{
	struct admin_reply *r;

	if (w->nreplies == MAX_REPLIES || (r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	*r = (struct admin_reply){ .next = w->replies, .w = w, .id = id };
	w->replies = r;
	w->nreplies++;
	return r;
}

static int
send_end(struct worker *w, uint32_t id, const char *error)
{
	uint8_t	  buf[1024];
	struct wr out = wr_to(buf, sizeof(buf));
	char	  text[512];

	snprintf(text, sizeof(text), "%s", error != NULL ? error : "");
	wr_u8(&out, error != NULL);
	wr_str(&out, text);
	return w->control == NULL ? -ENOTCONN
				  : ipc_send(w->control, MSG_ADMIN_END, id, buf,
					out.len);
}

static void
metrics_command(struct worker *w, struct admin_reply *r)
{
	if (w->ops->metrics != NULL)
		w->ops->metrics(w->ctx, w, r);
	admin_end(r, NULL);
}

static void
warnings_command(struct worker *w, struct admin_reply *r)
{
	if (w->ops->warnings != NULL)
		w->ops->warnings(w->ctx, r);
	admin_end(r, NULL);
}

static int
on_admin(void *ctx, struct ipc_msg *m)
{
	struct worker		   *w = ctx;
	const struct admin_command *c;
	struct admin_reply	   *r;
	char			    words[MAX_ARGS][512], *argv[MAX_ARGS + 1];
	int			    argc = 0;

	while (m->rd.left > 0 && argc < MAX_ARGS) {
		rd_str(&m->rd, words[argc], sizeof(words[argc]));
		argv[argc] = words[argc];
		argc++;
	}
	argv[argc] = NULL;
	if (rd_done(&m->rd) < 0 || argc == 0)
		return -EBADMSG;
	if ((r = reply_new(w, m->id)) == NULL) {
		(void)send_end(w, m->id, "busy: too many commands under way");
		return 0;
	}
	if (strcmp(argv[0], "metrics") == 0) {
		metrics_command(w, r);
		return 0;
	}
	if (strcmp(argv[0], "warnings") == 0) {
		warnings_command(w, r);
		return 0;
	}
	for (c = w->ops->commands; c != NULL && c->name != NULL; c++)
		if (strcmp(c->name, argv[0]) == 0)
			break;
	if (c == NULL || c->name == NULL)
		admin_end(r, "no such command");
	else if ((unsigned)argc - 1 < c->min_args ||
	    (unsigned)argc - 1 > c->max_args) {
		char usage[200];

		snprintf(usage, sizeof(usage), "usage: %s %s", c->name,
		    c->args != NULL ? c->args : "");
		admin_end(r, usage);
	} else
		c->fn(w->ctx, r, argc, argv);
	return 0;
}

static int
on_admin_stop(void *ctx, struct ipc_msg *m)
{
	struct worker *w = ctx;

	for (struct admin_reply *r = w->replies; r != NULL; r = r->next)
		if (r->id == m->id && !r->stale)
			r->gone = true;
	return 0;
}

static int
send_json(struct worker *w, uint16_t type, uint32_t id, json_t *take,
    size_t max)
{
	char *text = json_dumps(take, JSON_COMPACT);
	int   r = -ENOMEM;

	json_decref(take);
	if (text != NULL && strlen(text) > max)
		r = -EMSGSIZE;
	else if (text != NULL && w->control != NULL)
		r = ipc_send(w->control, type, id, text, strlen(text));
	free(text);
	return r;
}

void
admin_row(struct admin_reply *r, json_t *take_row)
{
	if (r->gone) {
		json_decref(take_row);
		return;
	}
	if (send_json(r->w, MSG_ADMIN_ROW, r->id, take_row, MSG_MAX_PAYLOAD) < 0)
		r->gone = true; /* a reader that slow gets no half answer */
}

bool
admin_gone(const struct admin_reply *r)
{
	return r->gone;
}

void
admin_end(struct admin_reply *r, const char *error)
{
	struct worker	   *w = r->w;
	struct admin_reply **p = &w->replies;

	if (!r->stale)
		(void)send_end(w, r->id, r->gone && error == NULL
			? "answer was longer than could be sent"
			: error);
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	w->nreplies--;
	free(r);
}

void
worker_metric(struct admin_reply *r, const char *name, const char *type,
    const char *help, const char *labels, double value)
{
	json_t *row = json_pack("{s:s,s:f}", "name", name, "value", value);

	if (row == NULL)
		return;
	if (strncmp(r->last_metric, name, sizeof(r->last_metric) - 1) != 0) {
		json_object_set_new(row, "type", json_string(type));
		json_object_set_new(row, "help", json_string(help));
		snprintf(r->last_metric, sizeof(r->last_metric), "%s", name);
	}
	if (labels != NULL)
		json_object_set_new(row, "labels", json_string(labels));
	admin_row(r, row);
}

void
worker_warning(struct admin_reply *r, const char *fmt, ...)
{
	char	text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	admin_row(r, json_pack("{s:s}", "warning", text));
}

void
worker_event(struct worker *w, const char *event, json_t *take_fields)
{
	json_t *row = take_fields != NULL ? take_fields : json_object();
	char   *text;

	json_object_set_new(row, "event", json_string(event));
	json_object_set_new(row, "from", json_string(w->name));
	json_object_set_new(row, "time", json_integer(time(NULL)));
	if ((text = json_dumps(row, JSON_COMPACT)) != NULL)
		log_debug("event %s", text);
	free(text);
	/* no control, no listener: the log has said what matters */
	(void)send_json(w, MSG_EVENT, 0, row, MSG_EVENT_MAX);
}

/* -- start -- */

static void
usage(FILE *f)
{
	fprintf(f,
	    "usage: %s [--master PATH] [--help] [--version]\n"
	    "A part of the dpoint suite. Its parent starts it with a channel as "
	    "descriptor 3;\nsystemd starts it with --master, the path of "
	    "dp-master's socket.\n",
	    program_invocation_short_name);
}

static int
connect_master(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int		   fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		log_fatal(EXIT_OPERATOR, "%s: path is too long for a socket",
		    path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		log_fatal(EXIT_TEMPORARY, "master at %s: %s", path,
		    strerror(errno));
	return fd;
}

static void
parse_args(struct worker *w, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "master", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	struct stat st;
	int	    c;

	w->master_fd = -1;
	while ((c = getopt_long(argc, argv, "m:hV", options, NULL)) != -1)
		switch (c) {
		case 'm':
			w->master_fd = connect_master(optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("%s %s\n", program_invocation_short_name,
			    DPOINT_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(EXIT_OPERATOR);
		}
	if (optind < argc) {
		log_err("unexpected argument \"%s\"", argv[optind]);
		usage(stderr);
		exit(EXIT_OPERATOR);
	}
	if (w->master_fd >= 0)
		return;
	if (fstat(MASTER_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		log_err("descriptor 3 is no socket: dp-master starts this "
			"program, or give --master");
		exit(EXIT_OPERATOR);
	}
	w->master_fd = MASTER_FD;
	fcntl(w->master_fd, F_SETFD, FD_CLOEXEC);
}

static int
take_one(struct worker *w, void *buf, bool *started)
{
	const struct ipc_handler *h = from_master;
	struct ipc_msg		  m;
	int			  r, nfds = 0;

	r = ipc_recv_now(w->master_fd, buf, MSG_MAX, START_MS, &m);
	if (r < 0)
		return r;
	while (nfds < MSG_MAX_FDS && m.fds[nfds] >= 0)
		nfds++;
	r = -EBADMSG;
	for (size_t i = 0; i < COUNT(from_master); i++)
		if (h[i].type == m.type && h[i].nfds == nfds &&
		    m.len >= h[i].min && m.len <= h[i].max)
			r = m.type == MSG_SHUTDOWN ? -ENOTCONN
						   : h[i].fn(w, &m);
	for (int i = 0; i < nfds; i++)
		if (m.fds[i] >= 0)
			close(m.fds[i]);
	*started = m.type == MSG_START;
	return r;
}

struct worker *
worker_start(enum peer_role role, int argc, char *argv[])
{
	struct worker *w = calloc(1, sizeof(*w));
	uint8_t	       hello[3];
	struct wr      out = wr_to(hello, sizeof(hello));
	void	      *buf = malloc(MSG_MAX);
	bool	       started = false;
	int	       r;

	log_init(program_invocation_short_name); /* not every one's is its role */
	if (w == NULL || buf == NULL)
		log_fatal(EXIT_TEMPORARY, "no memory");
	self = w;
	w->role = role;
	snprintf(w->name, sizeof(w->name), "%s", peer_role_name(role));
	for (int i = 0; i < PEER_MAX; i++)
		w->peers[i] = -1;
	delivery_init(&w->now);
	delivery_init(&w->next);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	parse_args(w, argc, argv);
	wr_u16(&out, MSG_VERSION);
	wr_u8(&out, (uint8_t)role);
	r = ipc_send_now(w->master_fd, MSG_HELLO, 0, hello, out.len, -1);
	while (r == 0 && !started)
		r = take_one(w, buf, &started);
	free(buf);
	if (r < 0)
		log_fatal(r == -ENOTCONN || r == -ETIMEDOUT ? EXIT_TEMPORARY
							    : EXIT_OPERATOR,
		    "start: the master's messages: %s", strerror(-r));
	settings_log_level(&w->now.settings);
	return w;
}

struct loop *
worker_loop(struct worker *w)
{
	if (w->loop == NULL && loop_new(&w->loop) < 0)
		log_fatal(EXIT_TEMPORARY, "no event loop");
	return w->loop;
}

struct loop *
worker_loop_precise(struct worker *w)
{
	if (w->loop == NULL && loop_new_precise(&w->loop) < 0)
		log_fatal(EXIT_TEMPORARY, "no event loop");
	return w->loop;
}

static void
master_broken(void *ctx, struct ipc *c, int r)
{
	struct worker *w = ctx;

	(void)c;
	if (r != -ENOTCONN)
		log_warn_err(r, "master: bad message");
	loop_stop(w->loop, r == -ENOTCONN ? 0 : r);
}

int
worker_run(struct worker *w, const struct worker_ops *ops, void *ctx)
{
	const struct ipc_table t = { from_master, COUNT(from_master) };
	struct loop_signal    *term;
	int		       r;

	w->ops = ops;
	w->ctx = ctx;
	r = ipc_new(worker_loop(w), w->master_fd, t, w, master_broken, 1024,
	    &w->master);
	w->master_fd = -1;
	if (r == 0)
		r = loop_signal_new(w->loop, SIGTERM, on_term, w, &term);
	if (r == 0 && w->role != PEER_CONTROL && w->peers[PEER_CONTROL] >= 0) {
		r = take_control(w, w->peers[PEER_CONTROL]);
		w->peers[PEER_CONTROL] = -1;
	}
	if (r == 0)
		r = ipc_send(w->master, MSG_READY, 0, NULL, 0);
	if (r == 0)
		r = loop_run(w->loop);
	return r;
}

void
worker_drained(struct worker *w)
{
	loop_stop(w->loop, 0);
}

void
worker_accuse(enum peer_role role, int r)
{
	uint8_t b = (uint8_t)role;

	if (r == -ENOTCONN || self == NULL || self->master == NULL)
		return;
	log_warn_err(r, "%s: broken message", peer_role_name(role));
	(void)ipc_send(self->master, MSG_ACCUSE, 0, &b, 1);
}

struct ipc *
worker_master(struct worker *w)
{
	return w->master;
}

struct ipc *
worker_control(struct worker *w)
{
	return w->control;
}

enum peer_role
worker_role(const struct worker *w)
{
	return w->role;
}

const struct settings *
worker_settings(const struct worker *w)
{
	return &w->now.settings;
}

int
worker_file(struct worker *w, const char *key)
{
	for (size_t i = 0; i < w->now.nfiles; i++)
		if (strcmp(w->now.files[i].key, key) == 0) {
			int fd = fcntl(w->now.files[i].fd, F_DUPFD_CLOEXEC, 0);

			if (fd < 0)
				return -errno;
			if (lseek(fd, 0, SEEK_SET) < 0) {
				close(fd);
				return -errno;
			}
			return fd;
		}
	return -ENOENT;
}

int
worker_file_text(struct worker *w, const char *key, size_t max, char **out,
    size_t *len)
{
	struct stat st;
	ssize_t	    n = 0;
	size_t	    got = 0;
	int	    fd = worker_file(w, key), r = 0;

	*out = NULL;
	*len = 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = -EINVAL;
	else if ((uint64_t)st.st_size > max)
		r = -EFBIG;
	else if ((*out = malloc((size_t)st.st_size + 1)) == NULL)
		r = -ENOMEM;
	while (r == 0 && got < (size_t)st.st_size &&
	    (n = pread(fd, *out + got, (size_t)st.st_size - got,
		 (off_t)got)) > 0)
		got += (size_t)n;
	if (n < 0)
		r = -errno;
	close(fd);
	if (r < 0) {
		free(*out);
		*out = NULL;
		return r;
	}
	(*out)[got] = '\0';
	*len = got;
	return 0;
}

int
worker_socket(struct worker *w, const char *key, unsigned i, char *address,
    size_t size)
{
	for (size_t k = 0; k < w->now.nsockets; k++) {
		struct sock *s = &w->now.sockets[k];
		int	     fd = s->fd;

		if (strcmp(s->key, key) != 0 || i-- > 0)
			continue;
		snprintf(address, size, "%s", s->address);
		s->fd = -1;
		return fd >= 0 ? fd : -EBADF;
	}
	return -ENOENT;
}

int
worker_peer(struct worker *w, enum peer_role role)
{
	int fd = w->peers[role];

	w->peers[role] = -1;
	return fd >= 0 ? fd : -ENOENT;
}
