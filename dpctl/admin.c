/*
 * dpctl/admin.c - asks a distribution point over its admin socket.
 *
 * One request line goes out, `json` and words; JSON rows come back, then `ok` or
 * `error REASON`. Two kinds of row tell how far a long request is, and draw a bar:
 * {"done_bytes", "total_bytes"} and {"name", "bytes", "size", "state": "loading"}.
 * Runs in dpctl. Believes that whoever listens is root, the caller, or the
 * control user (the kernel says so); its text is tamed before it is shown.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/size.h"
#include "dpctl/dpctl.h"
#include "dpctl/table.h"

#define SOCKET_USUAL "/run/dpoint/admin.sock"
#define CONTROL_USER "dp-control"

enum { REQUEST_MAX = 4095, LINE_MAX_BYTES = 1 << 20, WORD_MAX = 511,
       ROWS_S = 3 /* admin_rows() waits so long for more */ };

enum reply_kind { REPLY_TABLE, REPLY_EVENTS, REPLY_TEXT, REPLY_ROWS, REPLY_EACH };

struct reply {
	enum reply_kind kind;
	bool		json;
	json_t	       *rows;	/* REPLY_TABLE, REPLY_ROWS: for the end */
	const char     *what;	/* the command */
	const struct args *a;	/* what was typed, for complaints; or NULL */
	void	      (*each)(void *ctx, const json_t *row); /* REPLY_EACH */
	void	       *ctx;
	struct progress bar;
	char		bar_name[64];
	int		status;	/* EX_DONE once ended by ok */
	bool		ended;
};

/* ---- the socket -------------------------------------------------------------- */

static int
check_listener(int fd, const char *path)
{
	struct ucred   who;
	socklen_t      len = sizeof(who);
	struct passwd *pw;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return fail_errno(errno, "%s", path);
	if (who.uid == 0 || who.uid == geteuid() ||
	    ((pw = getpwnam(CONTROL_USER)) != NULL && pw->pw_uid == who.uid))
		return EX_DONE;
	return fail_with(EX_NOT_PERMITTED, "%s: uid %lu listens there; expected root, %s"
	    " or yourself", path, (unsigned long)who.uid, CONTROL_USER);
}

static int
admin_connect(const char *path, int *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int		   fd, st;

	*out = -1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return usage_error("--socket: the path has more than %zu bytes",
		    sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return fail_errno(errno, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int e = errno;

		close(fd);
		if (e == EACCES || e == EPERM)
			return fail_errno(e, "%s", path);
		return fail_with(EX_NO_SOCKET, "%s: %s; does dp-master run?", path,
		    strerror(e));
	}
	if ((st = check_listener(fd, path)) != EX_DONE) {
		close(fd);
		return st;
	}
	*out = fd;
	return EX_DONE;
}

/* ---- the request --------------------------------------------------------------- */

/* Whether a word may stand in a request at all. */
static int
check_word(const char *word)
{
	if (strlen(word) > WORD_MAX)
		return usage_error("\"%.40s...\": longer than %d bytes", word, WORD_MAX);
	for (const char *c = word; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			return usage_error("an argument with a control character in it");
	return EX_DONE;
}

/* A word in quotes where it needs them. */
static int
put_word(FILE *f, const char *word)
{
	int st = check_word(word);

	if (st != EX_DONE)
		return st;
	if (*word != '\0' && word[strcspn(word, " \"\\")] == '\0') {
		fputs(word, f);
		return EX_DONE;
	}
	putc('"', f);
	for (const char *c = word; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			putc('\\', f);
		putc(*c, f);
	}
	putc('"', f);
	return EX_DONE;
}

/* "content list" and its arguments become `content-list ...`; the caller frees. */
static int
request_line(const struct args *a, const char *command, bool json, char **out)
{
	static const char *const passed[] = { "new", "without-agent", "large" };
	size_t len;
	FILE  *f = open_memstream(out, &len);
	int    st = EX_DONE;

	if (f == NULL)
		return fail("out of memory");
	fputs(json ? "json " : "", f);
	for (const char *c = command; *c != '\0'; c++)
		putc(*c == ' ' ? '-' : *c, f);
	for (int i = 0; a != NULL && i < a->npos && st == EX_DONE; i++) {
		putc(' ', f);
		st = put_word(f, a->pos[i]);
	}
	if (a != NULL && st == EX_DONE && args_has(a, "what")) {
		putc(' ', f);
		st = put_word(f, args_get(a, "what", ""));
	}
	if (a != NULL && args_has(a, "follow"))
		fputs(" --follow", f);
	if (a != NULL && args_has(a, "receivers"))
		fputs(" --receivers", f);
	else if (a != NULL && args_has(a, "recent"))
		fputs(" --recent", f);
	for (size_t i = 0; a != NULL && i < COUNT(passed); i++)
		if (args_has(a, passed[i]))
			fprintf(f, " --%s", passed[i]);
	putc('\n', f);
	if (fclose(f) != 0 && st == EX_DONE)
		st = fail("out of memory");
	if (st == EX_DONE && len > REQUEST_MAX)
		st = usage_error("the request is longer than %d bytes", REQUEST_MAX);
	if (st != EX_DONE) {
		free(*out);
		*out = NULL;
	}
	return st;
}

static int
send_all(int fd, const char *p, const char *path)
{
	size_t len = strlen(p);

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return fail_with(EX_NO_SOCKET, "%s: %s", path, strerror(errno));
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return EX_DONE;
}

/* ---- the reply ----------------------------------------------------------------- */

/* Whether the row tells of progress; *done and *total then. */
static bool
is_progress(const json_t *row, int64_t *done, int64_t *total)
{
	const char *state = js_str(row, "state");

	if (js_int(row, "done_bytes", 0, INT64_MAX, done) == 0 &&
	    js_int(row, "total_bytes", 0, INT64_MAX, total) == 0)
		return true;
	return state != NULL && strcmp(state, "loading") == 0 &&
	    js_int(row, "bytes", 0, INT64_MAX, done) == 0 &&
	    js_int(row, "size", 0, INT64_MAX, total) == 0;
}

static void
show_progress(struct reply *r, const json_t *row, int64_t done, int64_t total)
{
	const char *name = js_str(row, "name"), *slash;

	if (r->bar.total != total) {
		progress_end(&r->bar);
		slash = name != NULL ? strrchr(name, '/') : NULL;
		snprintf(r->bar_name, sizeof(r->bar_name), "%s", slash != NULL ?
		    slash + 1 : name != NULL ? name : r->what);
		tame(r->bar_name);
		progress_begin(&r->bar, r->bar_name, total, true);
	}
	progress_at(&r->bar, done);
}

static int
take_row(struct reply *r, const char *line, size_t len)
{
	char	why[128];
	int64_t done, total;
	json_t *row;

	if (r->kind == REPLY_TEXT && !r->json) {
		fwrite(line, 1, len, stdout);
		putchar('\n');
		return EX_DONE;
	}
	if (js_parse(&row, line, len, why, sizeof(why)) < 0 || !json_is_object(row)) {
		json_decref(row);
		return fail("the distribution point answered what is no JSON row");
	}
	if (r->json) {
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
	} else if (r->kind == REPLY_EACH) {
		r->each(r->ctx, row);
	} else if (r->kind != REPLY_ROWS && is_progress(row, &done, &total)) {
		show_progress(r, row, done, total);
	} else if (r->kind == REPLY_EVENTS) {
		event_print(stdout, row, use_color());
	} else {
		json_array_append(r->rows, row);
	}
	json_decref(row);
	return EX_DONE;
}

/* By the words that the control half has for it. */
static int
status_of(const char *why)
{
	return strncmp(why, "permission denied", 17) == 0 ? EX_NOT_PERMITTED :
	    strstr(why, " is switched off (") != NULL ? EX_SWITCHED_OFF : EX_FAILED;
}

/* Names what was asked: "gateway kick 7: no such connection". */
static int
refused(const struct reply *r, int status, const char *why)
{
	char   text[256] = "";
	size_t n = 0;

	if (r->a == NULL || status == EX_SWITCHED_OFF) /* which names it better */
		return fail_with(status, "%s", why);
	if (strncmp(why, "usage: ", 7) == 0) /* of the admin socket */
		return fail_with(status, "%s: \"%s\" is not understood; usage: dpctl %s %s",
		    r->what, r->a->npos > 0 ? r->a->pos[r->a->npos - 1] : "", r->what,
		    r->a->cmd->usage);
	for (int i = 0; i < r->a->npos && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %.80s",
		    r->a->pos[i]);
	return fail_with(status, "%s%s: %s", r->what, text, why);
}

static int
take_line(struct reply *r, char *line, size_t len)
{
	if (strcmp(line, "ok") == 0) {
		r->ended = true;
		return EX_DONE;
	}
	if (strncmp(line, "error", 5) == 0 && (line[5] == ' ' || line[5] == '\0')) {
		const char *why = line[5] == ' ' ? line + 6 : "failed";

		r->ended = true;
		progress_end(&r->bar);
		return refused(r, status_of(why), why);
	}
	return take_row(r, line, len);
}

static int
read_reply(int fd, struct reply *r, const char *path)
{
	char   *buf = malloc(LINE_MAX_BYTES), *nl;
	size_t	n = 0, at;
	ssize_t got;
	int	st = EX_DONE;

	if (buf == NULL)
		return fail("out of memory");
	while (!r->ended && st == EX_DONE) {
		if (n == LINE_MAX_BYTES) {
			st = fail("the distribution point sent a line of more than %d"
			    " bytes", LINE_MAX_BYTES);
			break;
		}
		got = read(fd, buf + n, LINE_MAX_BYTES - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN) {
			st = fail_with(EX_NO_SOCKET, "%s: no answer for %d s", path,
			    ROWS_S);
			break;
		}
		if (got <= 0) {
			st = fail_with(EX_NO_SOCKET, "%s: the answer broke off", path);
			break;
		}
		n += (size_t)got;
		for (at = 0; !r->ended && st == EX_DONE &&
		     (nl = memchr(buf + at, '\n', n - at)) != NULL;) {
			*nl = '\0';
			st = take_line(r, buf + at, (size_t)(nl - buf) - at);
			at = (size_t)(nl - buf) + 1;
		}
		memmove(buf, buf + at, n - at);
		n -= at;
	}
	progress_end(&r->bar);
	free(buf);
	return st;
}

static int
ask(const struct args *a, const char *command, struct reply *r)
{
	const char *path = a->socket != NULL ? a->socket : SOCKET_USUAL;
	char	   *line;
	int	    fd, st;

	if ((st = request_line(strcmp(command, a->cmd->name) == 0 ? a : NULL, command,
	    r->kind != REPLY_TEXT || r->json, &line)) != EX_DONE)
		return st;
	if ((st = admin_connect(path, &fd)) == EX_DONE) {
		if ((st = send_all(fd, line, path)) == EX_DONE)
			st = read_reply(fd, r, path);
		close(fd);
	}
	free(line);
	return st;
}

int
admin_rows(const struct args *a, const char *words, json_t *rows, char *why,
    size_t size)
{
	const char    *path = a->socket != NULL ? a->socket : SOCKET_USUAL;
	struct reply   r = { .kind = REPLY_ROWS, .rows = rows, .what = words };
	struct timeval wait = { .tv_sec = ROWS_S };
	char	       line[128];
	int	       fd, st;

	say_catch(why, size);
	if ((st = admin_connect(path, &fd)) == EX_DONE) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		snprintf(line, sizeof(line), "json %s\n", words);
		if ((st = send_all(fd, line, path)) == EX_DONE)
			st = read_reply(fd, &r, path);
		close(fd);
	}
	say_catch(NULL, 0);
	return st;
}

int
admin_each(const struct args *a, bool json,
    void (*each)(void *ctx, const json_t *row), void *ctx)
{
	struct reply r = { .kind = REPLY_EACH, .json = json, .a = a,
		.what = a->cmd->name, .each = each, .ctx = ctx };

	return ask(a, a->cmd->name, &r);
}

/* ---- commands ------------------------------------------------------------------- */

/* "packages/<sha256>.a.deb", as it is served, is packages/a.deb to people. */
void
plain_name(const json_t *row, char *out, size_t size)
{
	const char *name = js_str(row, "name"), *hash = js_str(row, "sha256"), *at;
	size_t	    len;

	if (name == NULL)
		name = "";
	if (hash == NULL || (len = strlen(hash)) != 64 ||
	    (at = strstr(name, hash)) == NULL || at[len] != '.')
		snprintf(out, size, "%s", name);
	else
		snprintf(out, size, "%.*s%s", (int)(at - name), name, at + len + 1);
}

static void
strip_hash(json_t *row)
{
	char text[1024];

	if (js_str(row, "name") == NULL)
		return;
	plain_name(row, text, sizeof(text));
	json_object_set_new(row, "name", json_string(text));
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(js_str(*(json_t *const *)a, "name"),
	    js_str(*(json_t *const *)b, "name"));
}

/* Rows that all have a name are shown in its order. */
static void
sort_rows(json_t *rows)
{
	size_t	 n = json_array_size(rows), i;
	json_t **v = calloc(n + 1, sizeof(json_t *)), *row;
	bool	 named = v != NULL;

	json_array_foreach(rows, i, row) {
		strip_hash(row);
		named = named && js_str(row, "name") != NULL;
		if (v != NULL)
			v[i] = json_incref(row);
	}
	if (named) {
		qsort(v, n, sizeof(json_t *), by_name);
		json_array_clear(rows);
		for (i = 0; i < n; i++)
			json_array_append(rows, v[i]);
	}
	for (i = 0; v != NULL && i < n; i++)
		json_decref(v[i]);
	free(v);
}

static int
ask_and_show(struct args *a, enum reply_kind kind, const char *none)
{
	struct reply r = { .kind = kind, .json = a->json, .rows = json_array(),
		.what = a->cmd->name, .a = a };
	int	     st = ask(a, a->cmd->name, &r);

	/* rows that came before an error are the reason of it: damaged objects */
	sort_rows(r.rows);
	table_print(stdout, r.rows, use_color());
	if (st == EX_DONE && json_array_size(r.rows) == 0 && none != NULL && !a->json)
		puts(none);
	json_decref(r.rows);
	return st;
}

int
cmd_admin(struct args *a)
{
	return ask_and_show(a, REPLY_TABLE, "ok");
}

/* "packages/a.deb" is a target of "repo/targets/packages/<sha256>.a.deb". */
static bool
is_target(const json_t *row, const char *target)
{
	char	    text[1024];
	const char *at;

	if (js_str(row, "name") == NULL)
		return false;
	plain_name(row, text, sizeof(text));
	at = strstr(text, "/targets/");
	return strcmp(text, target) == 0 ||
	    (at != NULL && strcmp(at + strlen("/targets/"), target) == 0);
}

/* Workers want names as they are served; people know those of targets. */
int
cmd_named(struct args *a)
{
	struct reply r = { .rows = json_array(), .what = "content list" };
	json_t	    *row;
	size_t	     i;
	int	     st = a->npos > 0 ? check_word(a->pos[0]) : EX_DONE;

	if (st == EX_DONE && a->npos > 0)
		st = ask(a, "content list", &r);
	json_array_foreach(r.rows, i, row) {
		if (is_target(row, a->pos[0])) {
			a->pos[0] = js_str(row, "name");
			break;
		}
	}
	if (st == EX_DONE)
		st = ask_and_show(a, REPLY_TABLE, "ok");
	json_decref(r.rows);
	return st;
}

const struct option_row mcast_options[] = {
	{ "receivers", NULL, "each receiver too: its loss, and where it had holes" },
	{ "recent", NULL, "the last sessions that are over, too" },
	{ NULL, NULL, NULL },
};

const struct option_row wake_options[] = {
	{ "what", "WORD", "refresh, policy, task or report (refresh)" },
	{ NULL, NULL, NULL },
};

static double
share(const json_t *row, const char *part, const char *whole)
{
	double p = json_number_value(json_object_get(row, part)),
	       w = json_number_value(json_object_get(row, whole));

	return w > 0 ? 100 * p / w : 0;
}

/* The columns that tell a person how it goes; --json has all of them. */
static json_t *
session_row(const json_t *row)
{
	char sent[16], loss[16], done[32], name[1024];

	plain_name(row, name, sizeof(name));
	snprintf(sent, sizeof(sent), "%.0f %%", share(row, "frontier", "blocks"));
	snprintf(loss, sizeof(loss), "%.1f %%",
	    json_number_value(json_object_get(row, "loss_percent")));
	snprintf(done, sizeof(done), "%lld of %lld",
	    (long long)json_integer_value(json_object_get(row, "done")),
	    (long long)json_integer_value(json_object_get(row, "receivers")));
	return json_pack("{s:s,s:O,s:O,s:O,s:s,s:O,s:O,s:s,s:s}", "name", name,
	    "state", json_object_get(row, "state"), "group",
	    json_object_get(row, "group"), "size",
	    json_object_get(row, "size"), "sent", sent, "rate_per_s",
	    json_object_get(row, "rate"), "repair_bytes",
	    json_object_get(row, "repair_bytes"), "loss", loss, "done", done);
}

static json_t *
receiver_row(const json_t *of)
{
	char loss[16];

	snprintf(loss, sizeof(loss), "%.1f %%",
	    json_number_value(json_object_get(of, "loss_percent")));
	return json_pack("{s:O,s:s,s:s,s:O}", "device",
	    json_object_get(of, "device"), "state",
	    json_is_true(json_object_get(of, "done"))	   ? "done"
		: json_is_true(json_object_get(of, "unicast")) ? "unicast"
							       : "receives",
	    "loss", loss, "holes", json_object_get(of, "heat"));
}

int
cmd_mcast_list(struct args *a)
{
	struct reply r = { .json = a->json, .rows = json_array(),
		.what = a->cmd->name, .a = a };
	json_t	    *shown = json_array(), *row, *of;
	size_t	     i, k;
	int	     st;

	if (args_has(a, "receivers") && args_has(a, "recent"))
		st = usage_error("mcast list: --receivers is of those that run, not of"
		    " --recent");
	else
		st = ask(a, a->cmd->name, &r);

	json_array_foreach(r.rows, i, row) {
		if (js_str(row, "name") != NULL) /* else more of its receivers */
			json_array_append_new(shown, session_row(row));
		json_array_foreach(json_object_get(row, "of"), k, of) {
			json_array_append_new(shown, receiver_row(of));
		}
	}
	table_print(stdout, shown, use_color());
	if (st == EX_DONE && json_array_size(r.rows) == 0 && !a->json)
		puts("nothing");
	json_decref(shown);
	json_decref(r.rows);
	return st;
}

int
cmd_admin_list(struct args *a)
{
	return ask_and_show(a, REPLY_TABLE, "nothing");
}

int
cmd_admin_events(struct args *a)
{
	return ask_and_show(a, REPLY_EVENTS, NULL);
}

int
cmd_admin_metrics(struct args *a)
{
	return ask_and_show(a, REPLY_TEXT, NULL);
}

const struct option_row events_options[] = {
	{ "follow", NULL, "go on with those that come" },
	{ NULL, NULL, NULL },
};

const struct option_row config_options[] = {
	{ "config", "FILE", "the file (/etc/dpoint/dpoint.conf), then FILE.d/*.conf" },
	{ NULL, NULL, NULL },
};

int
cmd_config_check(struct args *a)
{
	const char	*file = args_get(a, "config", "/etc/dpoint/dpoint.conf");
	struct settings *s = calloc(1, sizeof(*s));
	char		 err[CONF_ERR_MAX];
	int		 st = EX_DONE;

	if (s == NULL)
		return fail("out of memory");
	if (settings_load(file, s, NULL, err) < 0)
		st = fail("%s", err);
	else
		say(json_pack("{s:s, s:b}", "config", file, "good", 1), "%s: good", file);
	free(s);
	return st;
}
