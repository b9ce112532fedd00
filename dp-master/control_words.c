/*
 * dp-master/control_words.c - see control_words.h.
 *
 * Runs in the control half. Believes neither who asks nor who answers: bytes
 * below a blank are refused in requests and escaped in answers.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/control_words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
refuse(const char **reason, const char *text)
{
	*reason = text;
	return -EINVAL;
}

int
words_parse(struct words *w, const char *line, size_t len, const char **reason)
{
	char  *out = w->text, *word;
	size_t i = 0;
	bool   quoted;

	w->argc = 0;
	if (len >= REQUEST_MAX)
		return refuse(reason, "request is longer than 4095 bytes");
	for (;;) {
		while (i < len && (line[i] == ' ' || line[i] == '\t'))
			i++;
		if (i == len)
			break;
		if (w->argc == WORDS_MAX)
			return refuse(reason, "more than 12 words");
		word = out;
		quoted = false;
		for (; i < len; i++) {
			char ch = line[i];

			if ((unsigned char)ch < ' ' && ch != '\t')
				return refuse(reason,
				    "a control character in the request");
			if (ch == '"')
				quoted = !quoted;
			else if (!quoted && (ch == ' ' || ch == '\t'))
				break;
			else if (quoted && ch == '\\' && i + 1 < len &&
			    (line[i + 1] == '"' || line[i + 1] == '\\'))
				*out++ = line[++i];
			else
				*out++ = ch;
		}
		if (quoted)
			return refuse(reason, "a \" without its end");
		if (out - word > WORD_MAX)
			return refuse(reason, "a word longer than 511 bytes");
		*out++ = '\0';
		w->argv[w->argc++] = word;
	}
	w->argv[w->argc] = NULL;
	return w->argc > 0 ? 0 : refuse(reason, "an empty request; try help");
}

static void
put_value(FILE *f, const json_t *v)
{
	const char *s = json_string_value(v);
	char	   *text;

	if (s != NULL && s[0] != '\0' && s[strcspn(s, " \t\"\\=")] == '\0') {
		for (; *s != '\0'; s++) /* no second line, no terminal codes */
			fputc((unsigned char)*s < ' ' || *s == 127 ? '?' : *s,
			    f);
		return;
	}
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	fputs(text != NULL ? text : "?", f);
	free(text);
}

char *
row_text(const json_t *row)
{
	char	   *out = NULL;
	size_t	    size;
	const char *key, *sep = "";
	json_t	   *v;
	FILE	   *f = open_memstream(&out, &size);

	if (f == NULL)
		return NULL;
	json_object_foreach((json_t *)row, key, v) {
		fprintf(f, "%s%s=", sep, key);
		put_value(f, v);
		sep = " ";
	}
	return fclose(f) == 0 ? out : (free(out), NULL);
}
