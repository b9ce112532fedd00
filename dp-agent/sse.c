/*
 * dp-agent/sse.c - server-sent events; see sse.h.
 *
 * Runs in the network child. Believes nothing: the stream comes from whoever
 * holds the other end of the kept connection. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/sse.h"

#include <errno.h>
#include <string.h>

#define RETRY_DIGITS 12 /* more than any wait that makes sense */

static int
too_long(struct sse *s)
{
	s->err = -EMSGSIZE;
	return s->err;
}

/* The bytes of one line from *p on, to its end or to theirs. 1: it is whole. */
static int
take_line(struct sse *s, const uint8_t **p, size_t *n)
{
	for (; *n > 0; (*p)++, (*n)--) {
		char c = (char)**p;

		if (s->after_cr && c == '\n') {
			s->after_cr = false;
			continue;
		}
		s->after_cr = c == '\r';
		if (c == '\r' || c == '\n') {
			s->line[s->nline] = '\0';
			(*p)++, (*n)--;
			return 1;
		}
		if (s->nline == SSE_LINE_MAX)
			return too_long(s);
		s->line[s->nline++] = c;
	}
	return 0;
}

static int
take_word(struct sse *s, char out[SSE_WORD_MAX + 1], const char *value, size_t n)
{
	if (n > SSE_WORD_MAX)
		return too_long(s);
	memcpy(out, value, n);
	out[n] = '\0';
	return 0;
}

static int
add_data(struct sse *s, const char *value, size_t n)
{
	if (n + 1 > SSE_DATA_MAX - s->ndata)
		return too_long(s);
	memcpy(s->data + s->ndata, value, n);
	s->ndata += n;
	s->data[s->ndata++] = '\n';
	return 0;
}

/* 1: a number of milliseconds; else the field is left out. */
static int
take_retry(struct sse_item *out, const char *value, size_t n)
{
	uint64_t ms = 0;

	if (n == 0 || n > RETRY_DIGITS)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (value[i] < '0' || value[i] > '9')
			return 0;
		ms = ms * 10 + (uint64_t)(value[i] - '0');
	}
	out->kind = SSE_RETRY;
	out->retry_ms = ms;
	return 1;
}

/* An empty line: what was gathered is an event if it has data. */
static int
end_event(struct sse *s, struct sse_item *out)
{
	memcpy(s->id, s->next_id, sizeof(s->id));
	if (s->ndata == 0) {
		s->type[0] = '\0';
		return 0;
	}
	s->data[--s->ndata] = '\0'; /* its last LF */
	out->kind = SSE_EVENT;
	out->type = s->type[0] != '\0' ? s->type : "message";
	out->data = s->data;
	out->len = s->ndata;
	s->is_told = true;
	return 1;
}

static bool
is_field(const char *name, size_t n, const char *of)
{
	return n == strlen(of) && memcmp(name, of, n) == 0;
}

static int
field(struct sse *s, const char *line, size_t n, struct sse_item *out)
{
	const char *colon = memchr(line, ':', n), *value = "";
	size_t	    name = n, len = 0;

	if (colon != NULL) {
		name = (size_t)(colon - line);
		value = colon + 1;
		len = n - name - 1;
		if (len > 0 && *value == ' ') {
			value++;
			len--;
		}
	}
	if (is_field(line, name, "data"))
		return add_data(s, value, len);
	if (is_field(line, name, "event"))
		return take_word(s, s->type, value, len);
	if (is_field(line, name, "id"))
		return memchr(value, '\0', len) != NULL
		    ? 0
		    : take_word(s, s->next_id, value, len);
	if (is_field(line, name, "retry"))
		return take_retry(out, value, len);
	return 0;
}

static int
look_at_line(struct sse *s, struct sse_item *out)
{
	static const char bom[3] = "\xef\xbb\xbf";
	const char	 *line = s->line;
	size_t		  n = s->nline;

	if (!s->is_begun && n >= sizeof(bom) &&
	    memcmp(line, bom, sizeof(bom)) == 0) {
		line += sizeof(bom);
		n -= sizeof(bom);
	}
	s->is_begun = true;
	s->nline = 0;
	if (n == 0)
		return end_event(s, out);
	if (line[0] != ':')
		return field(s, line, n, out);
	out->kind = SSE_COMMENT;
	out->data = line + 1;
	out->len = n - 1;
	return 1;
}

void
sse_resume(struct sse *s, const char *id)
{
	(void)take_word(s, s->id, id, strnlen(id, SSE_WORD_MAX));
	memcpy(s->next_id, s->id, sizeof(s->id));
}

int
sse_next(struct sse *s, const uint8_t **p, size_t *n, struct sse_item *out)
{
	int r = s->err;

	if (s->is_told) {
		s->is_told = false;
		s->ndata = 0;
		s->type[0] = '\0';
	}
	*out = (struct sse_item){ .type = "", .id = s->id, .data = "" };
	while (r == 0 && (r = take_line(s, p, n)) == 1)
		r = look_at_line(s, out);
	return r;
}
