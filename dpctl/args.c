/*
 * dpctl/args.c - the command line, by the table in main.c.
 *
 * Runs in dpctl. Believes nothing of what was typed.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpctl/dpctl.h"

int
usage_error(const char *fmt, ...)
{
	char	text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail_with(EX_BAD_USAGE, "%s", text);
}

/* How many of the n words are the name of c; 0: they are not. */
static int
matches(const struct command *c, const char *const *words, int n)
{
	const char *space = strchr(c->name, ' ');
	size_t	    first = space != NULL ? (size_t)(space - c->name) : strlen(c->name);

	if (n < 1 || strlen(words[0]) != first ||
	    strncmp(words[0], c->name, first) != 0)
		return 0;
	if (space == NULL)
		return 1;
	return n >= 2 && strcmp(words[1], space + 1) == 0 ? 2 : 0;
}

static const struct command *
find_command(const char *const *words, int n, int *used)
{
	for (size_t i = 0; i < ncommands; i++)
		if ((*used = matches(&commands[i], words, n)) > 0)
			return &commands[i];
	return NULL;
}

static int
unknown_command(const char *const *words, int n)
{
	char   known[256] = "";
	size_t at = 0, len = strlen(words[0]);

	for (size_t i = 0; i < ncommands; i++) {
		const char *name = commands[i].name;

		if (strncmp(name, words[0], len) == 0 && name[len] == ' ')
			at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s",
			    at > 0 ? ", " : "", name + len + 1);
	}
	if (at == 0)
		return usage_error("\"%s\": no such command; dpctl help lists them",
		    words[0]);
	if (n < 2)
		return usage_error("%s: what of it? one of %s", words[0], known);
	return usage_error("%s \"%s\": no such command; expected one of %s", words[0],
	    words[1], known);
}

static const struct option_row *
find_option(const struct option_row *rows, const char *name, size_t len)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
			return rows;
	return NULL;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/*
 * The words that are neither options nor values of options come to a->pos. An
 * option may be any command's as long as the command is not known (a->cmd NULL).
 */
static int
split(struct args *a, int argc, char *argv[], bool *help, bool *version)
{
	bool plain = false;

	a->npos = a->nopt = 0;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *eq;
		const struct option_row *row;
		size_t len;

		if (plain || !is_option(word)) {
			a->pos[a->npos++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			plain = true;
			continue;
		}
		if (strcmp(word, "-h") == 0)
			word = "--help";
		if (strcmp(word, "-V") == 0)
			word = "--version";
		if (strncmp(word, "--", 2) != 0)
			return usage_error("%s: no such option; options begin with"
			    " two dashes", word);
		word += 2;
		eq = strchr(word, '=');
		len = eq != NULL ? (size_t)(eq - word) : strlen(word);
		row = find_option(global_options, word, len);
		if (row == NULL && a->cmd != NULL)
			row = find_option(a->cmd->options, word, len);
		for (size_t c = 0; row == NULL && a->cmd == NULL && c < ncommands; c++)
			row = find_option(commands[c].options, word, len);
		if (row == NULL && a->cmd != NULL)
			return usage_error("%s: no such option --%.*s; dpctl %s --help"
			    " lists its options", a->cmd->name, (int)len, word,
			    a->cmd->name);
		if (row == NULL)
			return usage_error("no such option --%.*s", (int)len, word);
		if (row->value == NULL && eq != NULL)
			return usage_error("--%s takes no value", row->name);
		if (row->value != NULL && eq == NULL && i + 1 == argc)
			return usage_error("--%s: its %s is missing", row->name,
			    row->value);
		if (strcmp(row->name, "help") == 0)
			*help = true;
		else if (strcmp(row->name, "version") == 0)
			*version = true;
		a->opt[a->nopt].name = row->name;
		a->opt[a->nopt++].value = row->value == NULL ? "" :
		    eq != NULL ? eq + 1 : argv[++i];
	}
	return EX_DONE;
}

int
args_parse(struct args *a, int argc, char *argv[], bool *help, bool *version)
{
	int used = 0, r;

	*a = (struct args){ 0 };
	*help = *version = false;
	a->pos = calloc((size_t)argc + 1, sizeof(*a->pos));
	a->opt = calloc((size_t)argc + 1, sizeof(*a->opt));
	if (a->pos == NULL || a->opt == NULL)
		return fail("out of memory");
	/* "dpctl ca issue --out x dir name": find the command, then its options */
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			say_init(a->json = true);
	if ((r = split(a, argc, argv, help, version)) != EX_DONE)
		return r;
	if (a->npos == 0)
		return *help || *version ? EX_DONE :
		    usage_error("a command is missing; dpctl help lists them");
	if ((a->cmd = find_command(a->pos, a->npos, &used)) == NULL)
		return *help || *version ? EX_DONE : unknown_command(a->pos, a->npos);
	if ((r = split(a, argc, argv, help, version)) != EX_DONE)
		return r;
	memmove(a->pos, a->pos + used, (size_t)(a->npos - used) * sizeof(*a->pos));
	a->npos -= used;
	a->socket = args_get(a, "socket", NULL);
	if (*help || *version)
		return EX_DONE;
	if (a->npos < a->cmd->min)
		return usage_error("%s: arguments missing; usage: dpctl %s %s",
		    a->cmd->name, a->cmd->name, a->cmd->usage);
	if (a->cmd->max >= 0 && a->npos > a->cmd->max)
		return usage_error("%s: \"%s\" is too much; usage: dpctl %s%s%s",
		    a->cmd->name, a->pos[a->cmd->max], a->cmd->name,
		    *a->cmd->usage != '\0' ? " " : "", a->cmd->usage);
	return EX_DONE;
}

void
args_fini(struct args *a)
{
	free(a->pos);
	free(a->opt);
	*a = (struct args){ 0 };
}

bool
args_has(const struct args *a, const char *name)
{
	return args_get(a, name, NULL) != NULL;
}

const char *
args_get(const struct args *a, const char *name, const char *els)
{
	for (int i = a->nopt - 1; i >= 0; i--)
		if (strcmp(a->opt[i].name, name) == 0)
			return a->opt[i].value;
	return els;
}

const char *
args_next(const struct args *a, const char *name, int *i)
{
	while (*i < a->nopt) {
		int at = (*i)++;

		if (strcmp(a->opt[at].name, name) == 0)
			return a->opt[at].value;
	}
	return NULL;
}

static int
parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char	 *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

int
args_int(const struct args *a, const char *name, int64_t min, int64_t max,
    int64_t els, int64_t *out)
{
	const char *text = args_get(a, name, NULL);

	*out = els;
	if (text != NULL && parse_int(text, min, max, out) < 0)
		return usage_error("--%s \"%s\": expected a whole number from %lld to"
		    " %lld", name, text, (long long)min, (long long)max);
	return EX_DONE;
}

int
parse_span(const char *text, int64_t *seconds)
{
	static const struct {
		char	unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 7 * 86400 }, { 'y', 365 * 86400 } };
	size_t	len = strlen(text);
	int64_t v, unit = 86400;
	char	number[16];

	if (len == 0 || len >= sizeof(number))
		return -1;
	memcpy(number, text, len + 1);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (number[len - 1] == units[i].unit) {
			unit = units[i].seconds;
			number[len - 1] = '\0';
		}
	if (parse_int(number, 1, INT64_C(3153600000) / unit, &v) < 0)
		return -1;
	*seconds = v * unit;
	return 0;
}
