/*
 * dpctl/dpctl.h - what the commands of dpctl share: their table, their
 * arguments, how they speak, and files written whole or not at all.
 *
 * Status: every function that returns int returns an exit status, EX_DONE (0)
 *	   or another; who returns another than 0 has said why, in one line on
 *	   standard error (and as {"error":...} on standard output with --json).
 * Output: results on standard output, one JSON object per line with --json.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_DPCTL_H
#define DPCTL_DPCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	EX_DONE = 0,
	EX_FAILED = 1,		/* what was asked for could not be done */
	EX_BAD_USAGE = 2,	/* the command line is wrong */
	EX_NO_SOCKET = 3,	/* the admin socket cannot be reached */
	EX_NOT_PERMITTED = 4,	/* by the system, or by the distribution point */
	EX_SWITCHED_OFF = 5,	/* what it is about, by the configuration */
};

#define PATH_LEN 4096

struct option_row {
	const char *name;	/* without its "--" */
	const char *value;	/* what its value is called; NULL: takes none */
	const char *help;
};

struct args;

struct command {
	const char		*name;	/* one or two words */
	const char		*usage;	/* positional arguments, "" for none */
	int			 min, max; /* their number; max -1: no limit */
	int			(*fn)(struct args *a);
	const struct option_row *options; /* ended by a NULL name; or NULL */
	const char		*help;	/* one line */
};

struct args {
	const struct command *cmd;
	const char	    **pos;
	int		      npos;
	struct {
		const char *name, *value;
	}		     *opt;
	int		      nopt;
	bool		      json;
	const char	     *socket;	/* NULL: the usual one */
};

/* ---- commands.c: the table --------------------------------------------------- */

extern const struct command commands[];
extern const size_t	    ncommands;
extern const struct option_row global_options[];
void help_command(const struct command *c);

/* ---- args.c ------------------------------------------------------------------ */

/*
 * argv[1..] into a, checked by the table; a->cmd is NULL only when *help or
 * *version was asked for. Borrows from argv; free with args_fini.
 */
int  args_parse(struct args *a, int argc, char *argv[], bool *help, bool *version);
void args_fini(struct args *a);

bool	    args_has(const struct args *a, const char *name);
/* The last value given, or else. */
const char *args_get(const struct args *a, const char *name, const char *els);
/* The value of the next name at or after *i, which moves on; NULL: no more. */
const char *args_next(const struct args *a, const char *name, int *i);
/* A whole number within bounds; els when the option is not there. */
int	    args_int(const struct args *a, const char *name, int64_t min,
		     int64_t max, int64_t els, int64_t *out);
/* "30", "30d", "12h", "90m", "5s": seconds; days without a unit. 0 or -1. */
int	    parse_span(const char *text, int64_t *seconds);
int	    usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- say.c ------------------------------------------------------------------- */

void say_init(bool json);
/* Each says one line and returns the status. */
int  fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int  fail_with(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* errno as status: EACCES and EPERM are EX_NOT_PERMITTED. */
int  fail_errno(int error, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Until it is NULL: what would be complained of is written there instead. */
void say_catch(char *out, size_t size);
void warn_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* With --json the row (always released), else the text. */
void say(json_t *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "12.3 MiB", "980 B". */
#define SIZE_TEXT 16
const char *size_text(double bytes, char out[SIZE_TEXT]);
/* s with everything that a terminal could obey replaced; as long as s. */
void	    tame(char *s);
bool	    use_color(void);

/* ---- progress.c --------------------------------------------------------------- */

struct progress {
	const char *what;
	int64_t	    total, done;	/* bytes, or whatever is counted */
	int64_t	    began_ms, drawn_ms;
	bool	    shown, bytes;
};

/* Draws on standard error, when that is a terminal; what is kept. */
int64_t clock_ms(void); /* only rises */
void progress_begin(struct progress *p, const char *what, int64_t total, bool bytes);
void progress_at(struct progress *p, int64_t done);
void progress_end(struct progress *p);
/* The line itself: rate by elapsed_ms, time left. */
void progress_text(const struct progress *p, int64_t elapsed_ms, int width,
		   char *out, size_t size);

/* ---- files.c ------------------------------------------------------------------ */

/* The whole file with a NUL behind it; at most max bytes. The caller frees. */
int file_read(const char *path, size_t max, char **out, size_t *len);
/* Written, synced, renamed into place, directory synced. */
int file_write(const char *path, mode_t mode, const void *bytes, size_t len);
/* The same, but refuses to replace. */
int file_create(const char *path, mode_t mode, const void *bytes, size_t len);
/* Makes the directory if it is not there. */
int dir_make(const char *path, mode_t mode);
/* Makes all directories above the last "/" of path. */
int dir_make_above(const char *path);
int path_join(char out[PATH_LEN], const char *dir, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the commands -------------------------------------------------------------- */

int cmd_ca_init(struct args *a);
int cmd_ca_issue(struct args *a);
int cmd_ca_revoke(struct args *a);
int cmd_ca_list(struct args *a);
int cmd_repo_init(struct args *a);
int cmd_repo_delegate(struct args *a);
int cmd_repo_add(struct args *a);
int cmd_repo_remove(struct args *a);
int cmd_repo_publish(struct args *a);
int cmd_repo_rotate(struct args *a);
int cmd_repo_sign(struct args *a);
int cmd_repo_verify(struct args *a);
int cmd_repo_list(struct args *a);
int cmd_help(struct args *a);

/* admin.c: what the words of the command ask, shown as its kind needs */
int cmd_admin(struct args *a);		/* a table, or "ok" */
int cmd_admin_list(struct args *a);	/* a table, or "nothing" */
int cmd_named(struct args *a);	/* by a target's name or the served one */
int cmd_mcast_list(struct args *a);
int cmd_scan_run(struct args *a);	/* scan.c */
int cmd_scan_devices(struct args *a);
int cmd_scan_show(struct args *a);
int cmd_scan_export(struct args *a);
int cmd_admin_events(struct args *a);	/* a line each, as they come */
int cmd_admin_metrics(struct args *a);	/* text as it is */
int cmd_config_check(struct args *a);
int cmd_top(struct args *a);
int cmd_report(struct args *a);

/*
 * The rows of an answer to words of the admin socket ("mcast-list --recent"),
 * appended to rows. Says nothing: the reason goes to why.
 */
int admin_rows(const struct args *a, const char *words, json_t *rows, char *why,
    size_t size);
/* Asks what the command's words say and gives each row as it comes; with json it
 * is printed as it is instead. */
int admin_each(const struct args *a, bool json,
    void (*each)(void *ctx, const json_t *row), void *ctx);
/* The address to know a device by (a row of docs/scan.md), or NULL; the row's. */
const char *device_address(const json_t *row);
/* A served name as people know it: without its hash. */
void plain_name(const json_t *row, char *out, size_t size);

extern const struct option_row ca_init_options[], ca_issue_options[],
	ca_revoke_options[], repo_init_options[], repo_delegate_options[],
	repo_add_options[], repo_key_options[], repo_publish_options[],
	repo_rotate_options[], events_options[], config_options[],
	mcast_options[], wake_options[], scan_run_options[],
	scan_devices_options[], scan_export_options[], top_options[], report_options[];

#endif
