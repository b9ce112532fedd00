/*
 * dp-master/control_words.h - the text of the admin socket, both ways.
 *
 * Request: one line, words between blanks; "..." keeps blanks, and \" and \\
 *          inside it stand for themselves. Answer: a JSON object a row, or
 *          `key=value` words, a value quoted the same way where it needs to be.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MASTER_CONTROL_WORDS_H
#define DP_MASTER_CONTROL_WORDS_H

#include <jansson.h>
#include <stddef.h>

#define REQUEST_MAX 4096 /* bytes of a line, its newline included */
#define WORDS_MAX   12
#define WORD_MAX    511

struct words {
	int   argc;
	char *argv[WORDS_MAX + 1]; /* into text; NULL ends */
	char  text[REQUEST_MAX + 1];
};

/* Splits a line without its newline. 0, or -EINVAL and the reason. */
int words_parse(struct words *w, const char *line, size_t len,
    const char **reason);

/* One row as text, without newline; malloc'ed. NULL: no memory. */
char *row_text(const json_t *row);

#endif
