/*
 * dp-agent/sse.h - a stream of server-sent events, as it comes.
 *
 * Source:  WHATWG HTML, "Server-sent events", parsing an event stream: lines end
 *          with LF, CR or CRLF, a byte order mark before the first is left out,
 *          an empty line ends an event, an event without data is none, an event
 *          that the end of the stream cuts is never seen.
 * Shape:   pure. What came is pulled out item by item, in whatever pieces it
 *          came:
 *
 *            while ((r = sse_next(&s, &p, &n, &item)) == 1)
 *                    look at item
 *
 *          until 0, all n bytes are taken.
 * Beyond the standard: a line has SSE_LINE_MAX bytes at most, the data of an
 *          event SSE_DATA_MAX, its type and id SSE_WORD_MAX. Comments are told,
 *          since they are signs of life. Bytes are not held to be UTF-8: who
 *          reads the data does.
 * Ownership: texts of an item are the stream's, until the next call; all end
 *          with a NUL that does not count, data may hold others.
 * Errors:  -EMSGSIZE a line or an event is longer; it stays so.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_SSE_H
#define DP_AGENT_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_LINE_MAX 4096
#define SSE_DATA_MAX 8192
#define SSE_WORD_MAX 63

enum sse_kind {
	SSE_EVENT,
	SSE_COMMENT, /* data: its text, behind the colon */
	SSE_RETRY,   /* retry_ms: how long to wait before connecting again */
};

struct sse_item {
	enum sse_kind kind;
	const char   *type; /* "message" if the stream gives none */
	const char   *id;   /* the last one given so far, or "": see struct sse */
	const char   *data;
	size_t	      len;
	uint64_t      retry_ms;
};

/* All zero at the start of a stream. */
struct sse {
	int	 err;
	bool	 is_begun; /* its first line is over */
	bool	 after_cr; /* an LF now belongs to that */
	bool	 is_told;  /* the data was an event's, and is forgotten */
	size_t	 nline, ndata;
	char	 type[SSE_WORD_MAX + 1];
	char	 id[SSE_WORD_MAX + 1]; /* in force since the last empty line */
	char	 next_id[SSE_WORD_MAX + 1];
	char	 line[SSE_LINE_MAX + 1];
	char	 data[SSE_DATA_MAX + 1]; /* each line of it ends with an LF */
};

/* At the start, where a stream before this one ended: the id it had given. */
void sse_resume(struct sse *s, const char *id);
int sse_next(struct sse *s, const uint8_t **p, size_t *n,
    struct sse_item *out);

#endif
