/*
 * common/state.c - trusted metadata to bytes and back; see state.h.
 *
 * Runs in dp-fetch and in the agent's network child. Believes nothing of what it
 * decodes: signatures are checked again by whoever uses it.
 * SPDX-License-Identifier: ISC
 */
#include "common/state.h"

#include "common/rd.h"
#include "common/size.h"
#include "common/wr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_VERSION 1

static struct saved *
find(const struct state *s, enum saved_kind kind, const char *role,
    uint64_t version)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->of[i].kind == kind && strcmp(s->of[i].role, role) == 0 &&
		    (kind != SAVED_ROOT || s->of[i].version == version))
			return &s->of[i];
	return NULL;
}

const struct saved *
state_find(const struct state *s, enum saved_kind kind, const char *role)
{
	return find(s, kind, role, 0);
}

int
state_put(struct state *s, enum saved_kind kind, const char *role,
    uint64_t version, const void *bytes, size_t len)
{
	struct saved *f = find(s, kind, role, version), *more;
	uint8_t	     *copy;

	if (len > UINT32_MAX || strlen(role) >= sizeof(f->role))
		return -E2BIG;
	if (f != NULL && f->len == len && memcmp(f->bytes, bytes, len) == 0)
		return 0;
	if ((copy = malloc(len + 1)) == NULL)
		return -ENOMEM;
	memcpy(copy, bytes, len);
	if (f == NULL) {
		more = reallocarray(s->of, s->n + 1, sizeof(*more));
		if (more == NULL) {
			free(copy);
			return -ENOMEM;
		}
		s->of = more;
		f = &s->of[s->n++];
		*f = (struct saved){ .kind = (uint8_t)kind };
		snprintf(f->role, sizeof(f->role), "%s", role);
	}
	free(f->bytes);
	f->bytes = copy;
	f->len = (uint32_t)len;
	f->version = version;
	return 1;
}

const struct saved *
state_in_force(const struct state *s, const char *role)
{
	const struct saved *f = find(s, SAVED_SET, role, 0);

	return f != NULL ? f : find(s, SAVED_ROLE, role, 0);
}

int
state_trust(struct state *s, const char *role, uint64_t version,
    const void *bytes, size_t len)
{
	struct saved *old = find(s, SAVED_ROLE, role, 0);
	int	      r;

	if (old == NULL || find(s, SAVED_SET, role, 0) != NULL ||
	    (old->len == len && memcmp(old->bytes, bytes, len) == 0))
		return state_put(s, SAVED_ROLE, role, version, bytes, len);
	old->kind = SAVED_SET;
	r = state_put(s, SAVED_ROLE, role, version, bytes, len);
	if (r < 0) /* then nothing has moved */
		old->kind = SAVED_ROLE;
	return r;
}

void
state_adopt(struct state *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->of[i].kind == SAVED_SET)
			free(s->of[i].bytes);
		else
			s->of[n++] = s->of[i];
	s->n = n;
}

int
state_encode(const struct state *s, uint8_t **out, size_t *len)
{
	size_t	  size = 1;
	struct wr w;

	for (size_t i = 0; i < s->n; i++)
		if (size_add(&size, size,
			15 + strlen(s->of[i].role) + (size_t)s->of[i].len) < 0)
			return -EOVERFLOW;
	if ((*out = malloc(size)) == NULL)
		return -ENOMEM;
	w = wr_to(*out, size);
	wr_u8(&w, STATE_VERSION);
	for (size_t i = 0; i < s->n; i++) {
		wr_u8(&w, s->of[i].kind);
		wr_str(&w, s->of[i].role);
		wr_u64(&w, s->of[i].version);
		wr_u32(&w, s->of[i].len);
		wr_bytes(&w, s->of[i].bytes, s->of[i].len);
	}
	*len = w.len;
	return w.err;
}

int
state_decode(struct state *s, const uint8_t *buf, size_t len)
{
	struct rd      r = rd_from(buf, len);
	char	       role[sizeof(((struct saved *)0)->role)];
	const uint8_t *bytes;
	uint64_t       version;
	uint32_t       n;
	uint8_t	       kind;
	int	       put = 0;

	*s = (struct state){ 0 };
	if (rd_u8(&r) != STATE_VERSION)
		return -EBADMSG;
	while (r.left > 0 && put >= 0) {
		kind = rd_u8(&r);
		rd_str(&r, role, sizeof(role));
		version = rd_u64(&r);
		n = rd_u32(&r);
		bytes = rd_bytes(&r, n);
		if (r.err < 0 || kind >= SAVED_KINDS)
			put = -EBADMSG;
		else
			put = state_put(s, (enum saved_kind)kind, role, version,
			    bytes, n);
	}
	if (put >= 0 && rd_done(&r) == 0)
		return 0;
	state_fini(s);
	return put < 0 ? put : -EBADMSG;
}

void
state_fini(struct state *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->of[i].bytes);
	free(s->of);
	*s = (struct state){ 0 };
}
