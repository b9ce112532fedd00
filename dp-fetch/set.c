/*
 * dp-fetch/set.c - a verified snapshot, flattened; see set.h.
 *
 * Runs in dp-fetch. Believes common/tuf: what it gives is signed.
 * SPDX-License-Identifier: ISC
 */
#include "dp-fetch/set.h"

#include "common/size.h"
#include "common/store_client.h"
#include "common/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct building {
	struct tuf	       *tuf;
	struct set	       *set;
	const struct set_rules *rules;
	size_t			room_files, room_targets;
};

static enum priority
priority_of(const struct tuf_target *t, enum priority otherwise)
{
	const char *kind = tuf_target_kind(t);

	if (kind == NULL)
		return otherwise;
	if (tuf_kind_is_urgent(kind))
		return PRIO_POLICY;
	return strcmp(kind, "update") == 0 ? PRIO_UPDATE : PRIO_PACKAGE;
}

static int
grow(void *array, size_t n, size_t *room, size_t size)
{
	void **a = array, *more;

	if (n < *room)
		return 0;
	*room = *room == 0 ? 16 : *room * 2;
	if ((more = reallocarray(*a, *room, size)) == NULL)
		return -ENOMEM;
	*a = more;
	return 0;
}

/*
 * prefix/kind/path as dp-serve asks for it; -EINVAL where no request could mean
 * it: signers choose paths and the names of roles.
 */
static int
make_name(const char *prefix, const char *kind, const char *path, char **out)
{
	size_t len;
	int    r = asprintf(out, "%s/%s/%s", prefix, kind, path) < 0 ? -ENOMEM : 0;

	if (r == 0) {
		len = strlen(*out);
		r = url_path_canon(*out, &len);
		(*out)[len] = '\0';
		if (r == 0 && ((*out)[len - 1] == '/' || len > STORE_NAME_MAX))
			r = -EINVAL;
		if (r < 0)
			free(*out);
	}
	if (r < 0)
		*out = NULL;
	return r;
}

static int
add_file(struct building *b, const char *path, const void *bytes, size_t len)
{
	struct set	*s = b->set;
	struct set_file *f;
	int		 r;

	r = grow(&s->files, s->nfiles, &b->room_files, sizeof(*f));
	if (r < 0)
		return r;
	f = &s->files[s->nfiles];
	*f = (struct set_file){ .len = len };
	r = make_name(b->rules->prefix, "metadata", path, &f->name);
	if (r == -EINVAL)
		s->unnamed++;
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	s->nfiles++;
	if ((f->bytes = malloc(len + 1)) == NULL)
		return -ENOMEM;
	memcpy(f->bytes, bytes, len);
	return hash_of(&f->hash, bytes, len);
}

static int
on_file(void *arg, const struct tuf_file *f)
{
	struct building *b = arg;
	struct set	*s = b->set;

	if (s->expires == 0 || f->expires < s->expires) {
		s->expires = f->expires;
		snprintf(s->expires_role, sizeof(s->expires_role), "%s",
		    f->role);
	}
	/* roots come from the state, every one of them */
	return strcmp(f->role, "root") == 0
	    ? 0
	    : add_file(b, f->path, f->bytes, f->len);
}

static int
on_target(void *arg, const struct tuf_target *t)
{
	struct building *b = arg;
	struct set	*s = b->set;
	struct target	*to;
	char		 path[TUF_PATH_LEN];
	int		 r;

	if (!t->has_sha256 || t->length < 0 ||
	    tuf_target_path(b->tuf, t, path) < 0) {
		s->without_sha256++;
		return 0;
	}
	r = grow(&s->targets, s->ntargets, &b->room_targets, sizeof(*to));
	if (r < 0)
		return r;
	to = &s->targets[s->ntargets];
	*to = (struct target){ .hash = t->sha256, .size = (uint64_t)t->length,
		.prio = priority_of(t, b->rules->prio) };
	r = make_name(b->rules->prefix, "targets", path, &to->name);
	if (r == -EINVAL)
		s->unnamed++;
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	if ((to->path = strdup(path)) == NULL) {
		free(to->name);
		return -ENOMEM;
	}
	to->in_scope = b->rules->preload &&
	    tuf_target_in_scope(t, b->rules->group);
	if (to->in_scope && to->size > b->rules->max_size) {
		to->in_scope = false;
		s->too_large++;
	}
	s->ntargets++;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->name,
	    ((const struct target *)b)->name);
}

static int
make_id(struct set *s)
{
	struct hash_run *run;
	int		 r = hash_run_new(&run);

	for (size_t i = 0; r == 0 && i < s->nfiles; i++)
		if ((r = hash_run_add(run, s->files[i].name,
			 strlen(s->files[i].name) + 1)) == 0)
			r = hash_run_add(run, s->files[i].hash.b, HASH_LEN);
	for (size_t i = 0; r == 0 && i < s->ntargets; i++)
		if ((r = hash_run_add(run, &s->targets[i].in_scope, 1)) == 0)
			r = hash_run_add(run, s->targets[i].hash.b, HASH_LEN);
	if (r == 0)
		r = hash_run_end(run, &s->id);
	hash_run_free(&run);
	return r;
}

int
set_build(struct tuf *t, const struct state *roots,
    const struct set_rules *rules, struct set **out)
{
	struct building b = { .tuf = t, .rules = rules };
	char		path[64];
	int		r = 0;

	if ((*out = b.set = calloc(1, sizeof(*b.set))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < roots->n; i++) {
		const struct saved *f = &roots->of[i];

		if (f->kind != SAVED_ROOT)
			continue;
		snprintf(path, sizeof(path), "%llu.root.json",
		    (unsigned long long)f->version);
		r = add_file(&b, path, f->bytes, f->len);
	}
	if (r == 0)
		r = tuf_files(t, on_file, &b);
	if (r == 0)
		r = tuf_each(t, on_target, &b);
	if (r == 0 && b.set->ntargets > 0)
		qsort(b.set->targets, b.set->ntargets, sizeof(struct target),
		    by_name);
	if (r == 0)
		r = make_id(b.set);
	b.set->root = tuf_version(t, "root");
	b.set->timestamp = tuf_version(t, "timestamp");
	b.set->snapshot = tuf_version(t, "snapshot");
	b.set->targets_version = tuf_version(t, "targets");
	if (r != 0)
		set_free(out);
	return r;
}

void
set_forget_bytes(struct set *s)
{
	for (size_t i = 0; i < s->nfiles; i++) {
		free(s->files[i].bytes);
		s->files[i].bytes = NULL;
	}
}

void
set_free(struct set **sp)
{
	struct set *s = *sp;

	if (s == NULL)
		return;
	set_forget_bytes(s);
	for (size_t i = 0; i < s->nfiles; i++)
		free(s->files[i].name);
	for (size_t i = 0; i < s->ntargets; i++) {
		free(s->targets[i].name);
		free(s->targets[i].path);
	}
	free(s->files);
	free(s->targets);
	free(s);
	*sp = NULL;
}

const struct target *
set_find(const struct set *s, const char *name)
{
	const struct target key = { .name = (char *)name };

	return s == NULL || s->ntargets == 0
	    ? NULL
	    : bsearch(&key, s->targets, s->ntargets, sizeof(key), by_name);
}

const struct target *
set_find_hash(const struct set *s, const struct hash *h)
{
	for (size_t i = 0; s != NULL && i < s->ntargets; i++)
		if (hash_eq(&s->targets[i].hash, h))
			return &s->targets[i];
	return NULL;
}
