/*
 * However a stream is cut, its items are the same; they keep to their bounds,
 * and what is made of them does too.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/sse.h"
#include "dp-agent/wake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint64_t hash;
	unsigned items;
	int	 r;
};

static void
mix(struct sum *s, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ b[i]) * 1099511628211ULL;
	s->hash = (s->hash ^ n) * 1099511628211ULL;
}

static void
look_at(const struct sse_item *i)
{
	struct push_message m;
	char		    why[200] = "";

	if (i->kind != SSE_EVENT)
		return;
	if (push_parse(&m, i->type, i->data, i->len, why, sizeof(why)) < 0) {
		if (why[0] == '\0')
			abort();
	} else if (m.what[0] == '\0' ||
	    memchr(m.what, '\0', sizeof(m.what)) == NULL ||
	    memchr(m.id, '\0', sizeof(m.id)) == NULL)
		abort();
}

static struct sum
run(const uint8_t *data, size_t size, size_t step)
{
	static struct sse s;
	struct sse_item	  i;
	struct sum	  sum = { 0 };

	memset(&s, 0, sizeof(s));
	for (size_t at = 0; at < size && sum.r == 0; at += step) {
		const uint8_t *p = data + at;
		size_t	       n = size - at < step ? size - at : step;

		while ((sum.r = sse_next(&s, &p, &n, &i)) == 1) {
			if (i.len > SSE_DATA_MAX || i.data[i.len] != '\0' ||
			    strlen(i.type) > SSE_WORD_MAX ||
			    strlen(i.id) > SSE_WORD_MAX)
				abort();
			mix(&sum, &i.kind, sizeof(i.kind));
			mix(&sum, i.type, strlen(i.type));
			mix(&sum, i.id, strlen(i.id));
			mix(&sum, i.data, i.len);
			mix(&sum, &i.retry_ms, sizeof(i.retry_ms));
			sum.items++;
			if (step == size)
				look_at(&i);
		}
		if (sum.r == 0 && n != 0)
			abort();
	}
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 2, 7 };
	struct sum	    whole = run(data, size, size), part;

	for (size_t i = 0; i < 3; i++) {
		part = run(data, size, steps[i]);
		if (part.hash != whole.hash || part.items != whole.items ||
		    part.r != whole.r)
			abort();
	}
	return 0;
}
