/*
 * common/tuf.c - the TUF client workflow as a state machine; see tuf.h.
 *
 * Runs in whoever follows a repository. Believes the trusted root it was given
 * and what that root's keys lead to; nothing else that it is handed.
 * SPDX-License-Identifier: ISC
 */
#include "common/tuf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/group.h"
#include "common/tuf_key.h"
#include "common/tuf_meta.h"

enum { WHY = 160 };

/* Whether role, reached through one delegation, was found to be signed for it. */
struct edge {
	const struct role *from;
	int		   err; /* 0: verified */
	char		  *why;
};

struct role {
	char		*name;
	struct tuf_meta *meta; /* NULL: not loaded */
	void		*bytes;
	size_t		 len;
	struct edge	*edges; /* targets roles: by whom they were reached */
	size_t		 nedges;
};

struct local {
	char  *role;
	void  *bytes;
	size_t len;
};

enum step { START, NEW_ROOTS, TIMESTAMP, SNAPSHOT, TARGETS, READY };

struct tuf {
	struct tuf_conf conf;
	enum step	step;
	int		err; /* final */
	char		error[WHY + TUF_PATH_LEN];
	unsigned	rotations;

	struct role   root, timestamp, snapshot;
	struct role **targets; /* [0] is the top-level one */
	size_t	      ntargets, nloaded;
	json_t	     *index; /* name -> place in targets */

	struct role		 *wanted; /* delegated role to fetch, with ... */
	const struct role	 *wanted_by;
	const struct tuf_signers *wanted_who;

	bool   all;	  /* tuf_load_all */
	size_t at_role, at_child; /* how far it has come */

	struct local *local;
	size_t	      nlocal;
};

/* ---- errors, names ------------------------------------------------------------ */

static void note(struct tuf *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct tuf *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->error, sizeof(t->error), fmt, ap);
	va_end(ap);
}

/* A macro, so that an analyzer sees which errno comes out. */
#define fail(t, r, ...) (note((t), __VA_ARGS__), (r))

const char *
tuf_error(const struct tuf *t)
{
	return t->error;
}

int
tuf_role_encode(const char *role, char out[TUF_PATH_LEN])
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_.-~";
	size_t n = 0;

	for (; *role != '\0'; role++) {
		if (n + 4 > TUF_PATH_LEN)
			return -E2BIG;
		if (strchr(plain, *role) != NULL)
			out[n++] = *role;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X",
			    (unsigned char)*role);
	}
	out[n] = '\0';
	return 0;
}

/* The file of a role below the metadata URL; version 0: the unversioned name. */
static void
file_name(const char *role, int64_t version, char out[TUF_PATH_LEN])
{
	char name[TUF_PATH_LEN];

	/* TUF_NAME_MAX bytes become three times as many: it fits */
	if (tuf_role_encode(role, name) < 0)
		name[0] = '\0';
	if (version > 0)
		snprintf(out, TUF_PATH_LEN, "%" PRId64 ".%.*s.json", version,
		    3 * TUF_NAME_MAX, name);
	else
		snprintf(out, TUF_PATH_LEN, "%.*s.json", 3 * TUF_NAME_MAX, name);
}

static int64_t
path_version(const struct tuf *t, const struct role *role, int64_t version)
{
	if (role == &t->timestamp)
		return 0;
	return role == &t->root || t->root.meta->consistent ? version : 0;
}

/* ---- memory -------------------------------------------------------------------- */

int
tuf_setup(void)
{
	js_setup();
	tzset(); /* gmtime and timegm would read /etc/localtime later */
	return tuf_key_setup();
}

static size_t
or_default(size_t v, size_t other)
{
	return v != 0 ? v : other;
}

static struct role *
role_new(const char *name)
{
	struct role *r = calloc(1, sizeof(*r));

	if (r != NULL && (r->name = strdup(name)) == NULL) {
		free(r);
		r = NULL;
	}
	return r;
}

static void
role_fini(struct role *r)
{
	tuf_meta_free(&r->meta);
	free(r->bytes);
	for (size_t i = 0; i < r->nedges; i++)
		free(r->edges[i].why);
	free(r->edges);
	free(r->name);
}

static struct role *
targets_find(const struct tuf *t, const char *name)
{
	json_t *at = json_object_get(t->index, name);

	return at != NULL ? t->targets[json_integer_value(at)] : NULL;
}

/* The targets role of that name, made when it is new. */
static int
targets_role(struct tuf *t, const char *name, struct role **out)
{
	struct role **more;

	if ((*out = targets_find(t, name)) != NULL)
		return 0;
	if (t->ntargets >= t->conf.max_roles)
		return fail(t, -E2BIG, "more than %u targets roles",
		    t->conf.max_roles);
	more = reallocarray(t->targets, t->ntargets + 1, sizeof(struct role *));
	if (more == NULL)
		return fail(t, -ENOMEM, "out of memory");
	t->targets = more;
	if ((*out = role_new(name)) == NULL)
		return fail(t, -ENOMEM, "out of memory");
	if (json_object_set_new(t->index, name,
	    json_integer((json_int_t)t->ntargets)) != 0) {
		role_fini(*out);
		free(*out);
		return fail(t, -ENOMEM, "out of memory");
	}
	t->targets[t->ntargets++] = *out;
	return 0;
}

int
tuf_new(struct tuf **out, const struct tuf_conf *conf)
{
	struct role *top;
	struct tuf  *t;

	if ((*out = t = calloc(1, sizeof(*t))) == NULL)
		return -ENOMEM;
	t->conf = *conf;
	t->conf.max_root = or_default(conf->max_root, 512000);
	t->conf.max_timestamp = or_default(conf->max_timestamp, 16384);
	t->conf.max_snapshot = or_default(conf->max_snapshot, 2000000);
	t->conf.max_targets = or_default(conf->max_targets, 5000000);
	t->conf.max_rotations = (unsigned)or_default(conf->max_rotations, 256);
	t->conf.max_delegations = (unsigned)or_default(conf->max_delegations, 32);
	t->conf.max_roles = (unsigned)or_default(conf->max_roles, 4096);
	t->root.name = strdup("root");
	t->timestamp.name = strdup("timestamp");
	t->snapshot.name = strdup("snapshot");
	t->index = json_object();
	if (t->root.name == NULL || t->timestamp.name == NULL ||
	    t->snapshot.name == NULL || t->index == NULL ||
	    targets_role(t, "targets", &top) < 0) {
		tuf_free(out);
		return -ENOMEM;
	}
	return 0;
}

void
tuf_free(struct tuf **tp)
{
	struct tuf *t = *tp;

	if (t == NULL)
		return;
	role_fini(&t->root);
	role_fini(&t->timestamp);
	role_fini(&t->snapshot);
	for (size_t i = 0; i < t->ntargets; i++) {
		role_fini(t->targets[i]);
		free(t->targets[i]);
	}
	free(t->targets);
	for (size_t i = 0; i < t->nlocal; i++) {
		free(t->local[i].role);
		free(t->local[i].bytes);
	}
	free(t->local);
	json_decref(t->index);
	free(t);
	*tp = NULL;
}

static void *
copy(const void *bytes, size_t len)
{
	void *p = malloc(len > 0 ? len : 1);

	return p != NULL ? memcpy(p, bytes, len) : NULL;
}

int
tuf_local(struct tuf *t, const char *role, const void *bytes, size_t len)
{
	struct local *more, one;

	if (t->step != START)
		return -EINVAL;
	more = reallocarray(t->local, t->nlocal + 1, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	t->local = more;
	one = (struct local){ strdup(role), copy(bytes, len), len };
	if (one.role == NULL || one.bytes == NULL) {
		free(one.role);
		free(one.bytes);
		return -ENOMEM;
	}
	t->local[t->nlocal++] = one;
	return 0;
}

static const struct local *
local_find(const struct tuf *t, const char *role)
{
	for (size_t i = 0; i < t->nlocal; i++)
		if (strcmp(t->local[i].role, role) == 0)
			return &t->local[i];
	return NULL;
}

/* ---- one file: what a new one must pass ------------------------------------------ */

static bool
has_expired(const struct tuf *t, const struct tuf_meta *m)
{
	return m->expires <= t->conf.now;
}

static int
check_expiry(struct tuf *t, const char *file, const struct tuf_meta *m)
{
	char date[TUF_TIME_LEN];

	if (t->conf.offline || !has_expired(t, m))
		return 0;
	tuf_time_print(m->expires, date);
	return fail(t, -ETIME, "%s: version %" PRId64 " expired on %s", file,
	    m->version, date);
}

/* Parses and checks the signatures; *out is the caller's. */
static int
open_meta(struct tuf *t, const char *file, enum tuf_type type,
    const struct tuf_signers *who, const void *bytes, size_t len,
    struct tuf_meta **out)
{
	char why[WHY];
	int  r = tuf_meta_parse(out, type, bytes, len, why, sizeof(why));

	if (r == 0 && who != NULL &&
	    (r = tuf_meta_verify(*out, who, why, sizeof(why))) < 0)
		tuf_meta_free(out);
	return r < 0 ? fail(t, r, "%s: %s", file, why) : 0;
}

static void
file_of(const struct tuf *t, const struct role *role, char path[TUF_PATH_LEN],
    struct tuf_file *out)
{
	file_name(role->name, path_version(t, role, role->meta->version), path);
	*out = (struct tuf_file){
		.role = role->name,
		.path = path,
		.bytes = role->bytes,
		.len = role->len,
		.version = role->meta->version,
		.expires = role->meta->expires,
		.expired = has_expired(t, role->meta),
	};
}

/* The role is m from now on; m is taken, even on failure. */
static int
install(struct tuf *t, struct role *role, struct tuf_meta *m, const void *bytes,
    size_t len, bool fetched)
{
	void	       *kept = copy(bytes, len);
	char		path[TUF_PATH_LEN];
	struct tuf_file f;
	int		r;

	if (kept == NULL) {
		tuf_meta_free(&m);
		return fail(t, -ENOMEM, "out of memory");
	}
	tuf_meta_free(&role->meta);
	free(role->bytes);
	role->meta = m;
	role->bytes = kept;
	role->len = len;
	if (!fetched || t->conf.save == NULL)
		return 0;
	file_of(t, role, path, &f);
	if ((r = t->conf.save(t->conf.arg, &f)) < 0)
		return fail(t, r, "%s: cannot be kept: %s", path, strerror(-r));
	return 0;
}

/* ---- root ------------------------------------------------------------------------ */

static int
start(struct tuf *t)
{
	const struct local *l = local_find(t, "root");
	struct tuf_meta	   *m;
	char		    why[WHY];
	int		    r;

	if (l == NULL)
		return fail(t, -ENOENT, "root.json: no trusted root was given");
	r = open_meta(t, "root.json", TUF_ROOT, NULL, l->bytes, l->len, &m);
	if (r < 0)
		return r;
	if ((r = tuf_meta_verify(m, &m->roles[TUF_ROOT], why, sizeof(why))) < 0) {
		tuf_meta_free(&m);
		return fail(t, r, "root.json: %s", why);
	}
	t->step = NEW_ROOTS;
	return install(t, &t->root, m, l->bytes, l->len, false);
}

static int
give_root(struct tuf *t, const char *file, const void *bytes, size_t len)
{
	struct tuf_meta *m;
	char		 why[WHY];
	int		 r;

	/* by the keys of the old one, then by its own */
	r = open_meta(t, file, TUF_ROOT, &t->root.meta->roles[TUF_ROOT], bytes,
	    len, &m);
	if (r < 0)
		return r;
	if ((r = tuf_meta_verify(m, &m->roles[TUF_ROOT], why, sizeof(why))) < 0)
		r = fail(t, r, "%s: by its own keys: %s", file, why);
	else if (m->version != t->root.meta->version + 1)
		r = fail(t, -ESTALE, "%s: is version %" PRId64, file, m->version);
	if (r < 0) {
		tuf_meta_free(&m);
		return r;
	}
	t->rotations++;
	return install(t, &t->root, m, bytes, len, true);
}

/* ---- timestamp --------------------------------------------------------------------- */

/* 1: the trusted one stays, since the new one has its version. */
static int
accept_timestamp(struct tuf *t, const void *bytes, size_t len, bool fetched)
{
	const struct tuf_meta *old = t->timestamp.meta;
	struct tuf_fact	       was, is;
	struct tuf_meta	      *m;
	int		       r;

	r = open_meta(t, "timestamp.json", TUF_TIMESTAMP,
	    &t->root.meta->roles[TUF_TIMESTAMP], bytes, len, &m);
	if (r < 0)
		return r;
	if (old != NULL) {
		tuf_meta_fact(old, "snapshot.json", &was);
		tuf_meta_fact(m, "snapshot.json", &is);
		if (m->version == old->version)
			r = 1;
		else if (m->version < old->version)
			r = fail(t, -ESTALE, "timestamp.json: version %" PRId64
			    " is older than the trusted %" PRId64, m->version,
			    old->version);
		else if (is.version < was.version)
			r = fail(t, -ESTALE, "timestamp.json: names snapshot version %"
			    PRId64 ", older than the trusted %" PRId64, is.version,
			    was.version);
	}
	/* an expired local one still tells what may not be rolled back */
	if (r == 0 && fetched)
		r = check_expiry(t, "timestamp.json", m);
	if (r != 0) {
		tuf_meta_free(&m);
		return r;
	}
	return install(t, &t->timestamp, m, bytes, len, fetched);
}

static int
give_timestamp(struct tuf *t, const void *bytes, size_t len)
{
	int r = accept_timestamp(t, bytes, len, true);

	if (r == 1)
		r = check_expiry(t, "timestamp.json", t->timestamp.meta);
	if (r == 0)
		t->step = SNAPSHOT;
	return r;
}

/* ---- snapshot ---------------------------------------------------------------------- */

static int
check_rollback(struct tuf *t, const char *file, const struct tuf_meta *old,
    const struct tuf_meta *new)
{
	struct tuf_fact was, is;
	char		name[TUF_PATH_LEN];
	const char     *key;
	json_t	       *v;

	json_object_foreach((json_t *)old->meta, key, v) {
		if (tuf_role_encode(key, name) < 0)
			name[0] = '\0';
		tuf_meta_fact(old, key, &was);
		if (tuf_meta_fact(new, key, &is) < 0)
			return fail(t, -ESTALE, "%s: no longer lists %.256s", file,
			    name);
		if (is.version < was.version)
			return fail(t, -ESTALE, "%s: lists version %" PRId64
			    " of %.256s, older than the trusted %" PRId64, file,
			    is.version, name, was.version);
	}
	return 0;
}

/* As the timestamp describes it, and in time. */
static int
check_final_snapshot(struct tuf *t, const char *file, const struct tuf_meta *m,
    const void *bytes, size_t len)
{
	struct tuf_fact f;
	char		why[WHY];
	int		r;

	tuf_meta_fact(t->timestamp.meta, "snapshot.json", &f);
	if (m->version != f.version)
		return fail(t, -ESTALE, "%s: is version %" PRId64
		    ", the timestamp names %" PRId64, file, m->version, f.version);
	if ((r = tuf_fact_check(&f, bytes, len, why, sizeof(why))) < 0)
		return fail(t, r, "%s: %s", file, why);
	return check_expiry(t, file, m);
}

static int
give_snapshot(struct tuf *t, const char *file, const void *bytes, size_t len)
{
	struct tuf_fact	 f;
	struct tuf_meta *m;
	char		 why[WHY];
	int		 r;

	tuf_meta_fact(t->timestamp.meta, "snapshot.json", &f);
	if ((r = tuf_fact_check(&f, bytes, len, why, sizeof(why))) < 0)
		return fail(t, r, "%s: %s", file, why);
	r = open_meta(t, file, TUF_SNAPSHOT,
	    &t->root.meta->roles[TUF_SNAPSHOT], bytes, len, &m);
	if (r < 0)
		return r;
	if (t->snapshot.meta != NULL)
		r = check_rollback(t, file, t->snapshot.meta, m);
	if (r == 0)
		r = check_final_snapshot(t, file, m, bytes, len);
	if (r < 0) {
		tuf_meta_free(&m);
		return r;
	}
	t->step = TARGETS;
	return install(t, &t->snapshot, m, bytes, len, true);
}

/* The local one is final, or guards against rollback, or is ignored. */
static int
local_snapshot(struct tuf *t)
{
	const struct local *l = local_find(t, "snapshot");
	struct tuf_meta	   *m;
	int		    r;

	if (l == NULL)
		return fail(t, -ENOENT, "snapshot.json: not in the local state");
	r = open_meta(t, "snapshot.json", TUF_SNAPSHOT,
	    &t->root.meta->roles[TUF_SNAPSHOT], l->bytes, l->len, &m);
	if (r < 0)
		return r;
	r = install(t, &t->snapshot, m, l->bytes, l->len, false);
	if (r < 0)
		return r;
	return check_final_snapshot(t, "snapshot.json", m, l->bytes, l->len);
}

/* ---- targets, top-level and delegated ------------------------------------------------ */

static int
snapshot_fact(struct tuf *t, const char *role, struct tuf_fact *f)
{
	char key[TUF_NAME_MAX + sizeof(".json")], file[TUF_PATH_LEN];

	snprintf(key, sizeof(key), "%.*s.json", TUF_NAME_MAX, role);
	if (tuf_meta_fact(t->snapshot.meta, key, f) == 0)
		return 0;
	file_name(role, 0, file);
	return fail(t, -ENOENT, "%s: not listed in the snapshot", file);
}

static int
accept_targets(struct tuf *t, struct role *role, const struct tuf_signers *who,
    const char *file, const void *bytes, size_t len, bool fetched)
{
	struct tuf_fact	 f;
	struct tuf_meta *m;
	char		 why[WHY];
	int		 r;

	if ((r = snapshot_fact(t, role->name, &f)) < 0)
		return r;
	if ((r = tuf_fact_check(&f, bytes, len, why, sizeof(why))) < 0)
		return fail(t, r, "%s: %s", file, why);
	if ((r = open_meta(t, file, TUF_TARGETS, who, bytes, len, &m)) < 0)
		return r;
	if (m->version != f.version)
		r = fail(t, -ESTALE, "%s: is version %" PRId64
		    ", the snapshot names %" PRId64, file, m->version, f.version);
	else
		r = check_expiry(t, file, m);
	if (r < 0) {
		tuf_meta_free(&m);
		return r;
	}
	return install(t, role, m, bytes, len, fetched);
}

static int
local_targets(struct tuf *t, struct role *role, const struct tuf_signers *who)
{
	const struct local *l = local_find(t, role->name);
	char		    file[TUF_PATH_LEN];

	file_name(role->name, 0, file);
	if (l == NULL)
		return fail(t, -ENOENT, "%s: not in the local state", file);
	return accept_targets(t, role, who, file, l->bytes, l->len, false);
}

static struct edge *
edge_find(const struct role *role, const struct role *from)
{
	for (size_t i = 0; i < role->nedges; i++)
		if (role->edges[i].from == from)
			return &role->edges[i];
	return NULL;
}

/* Remembers how the way from a delegator to a role came out; gives r back. */
static int
edge_add(struct tuf *t, struct role *role, const struct role *from, int r)
{
	struct edge *more;

	more = reallocarray(role->edges, role->nedges + 1, sizeof(*more));
	if (more == NULL)
		return fail(t, -ENOMEM, "out of memory");
	role->edges = more;
	more[role->nedges] = (struct edge){ .from = from, .err = r };
	if (r < 0 && (more[role->nedges].why = strdup(t->error)) == NULL)
		return fail(t, -ENOMEM, "out of memory");
	role->nedges++;
	return r;
}

/*
 * The role that a loaded delegator delegates to: 0 when it is loaded and signed
 * as this delegator asks, -EAGAIN when it must be fetched (t->wanted is set),
 * else why it cannot be trusted.
 */
static int
follow(struct tuf *t, const struct role *from, const char *name,
    const struct tuf_signers *who, struct role **out)
{
	struct tuf_fact	   f;
	const struct edge *e;
	struct role	  *role;
	char		   why[WHY], file[TUF_PATH_LEN];
	int		   r;

	if ((r = targets_role(t, name, &role)) < 0)
		return r;
	*out = role;
	if ((e = edge_find(role, from)) != NULL)
		return e->err < 0 ? fail(t, e->err, "%s", e->why) : 0;
	if (role->meta != NULL) {
		r = tuf_meta_verify(role->meta, who, why, sizeof(why));
		file_name(name, 0, file);
		if (r < 0)
			note(t, "%s: %s", file, why);
		return edge_add(t, role, from, r);
	}
	if ((r = snapshot_fact(t, name, &f)) < 0)
		return edge_add(t, role, from, r);
	if ((r = local_targets(t, role, who)) == 0 || t->conf.offline)
		return edge_add(t, role, from, r);
	t->wanted = role;
	t->wanted_by = from;
	t->wanted_who = who;
	return -EAGAIN;
}

/* Walks on over all delegations of all roles: 0 at the end, -EAGAIN, error. */
static int
load_rest(struct tuf *t)
{
	char	     name[TUF_NAME_MAX + 1];
	struct role *role;
	int	     r;

	for (; t->at_role < t->ntargets; t->at_role++, t->at_child = 0) {
		const struct role     *from = t->targets[t->at_role];
		const struct tuf_meta *m = from->meta;

		if (m == NULL)
			continue;
		for (; t->at_child < m->ndelegations; t->at_child++) {
			const struct tuf_delegation *d =
			    &m->delegations[t->at_child];

			if ((r = follow(t, from, d->name, &d->who, &role)) < 0)
				return r;
		}
		for (; m->bin_prefix != NULL &&
		    t->at_child < (size_t)1 << m->bin_bits; t->at_child++) {
			tuf_bin_name(m, (uint32_t)t->at_child, name);
			if ((r = follow(t, from, name, &m->bin_who, &role)) < 0)
				return r;
		}
	}
	return 0;
}

void
tuf_load_all(struct tuf *t)
{
	t->all = true;
	t->at_role = t->at_child = 0;
}

/* ---- the machine ----------------------------------------------------------------------- */

/* Goes as far as local files lead; 0, or an error that is final. */
static int
advance(struct tuf *t)
{
	const struct local *l;
	int		    r;

	if (t->step == START && (r = start(t)) < 0)
		return r;
	if (t->step == NEW_ROOTS &&
	    (t->conf.offline || t->rotations == t->conf.max_rotations)) {
		if ((r = check_expiry(t, "root.json", t->root.meta)) < 0)
			return r;
		t->step = TIMESTAMP;
	}
	if (t->step == TIMESTAMP && t->timestamp.meta == NULL) {
		l = local_find(t, "timestamp");
		r = l != NULL ?
		    accept_timestamp(t, l->bytes, l->len, false) :
		    fail(t, -ENOENT, "timestamp.json: not in the local state");
		if (t->conf.offline) {
			if (r < 0)
				return r;
			t->step = SNAPSHOT;
		}
	}
	if (t->step == SNAPSHOT && t->snapshot.meta == NULL) {
		if ((r = local_snapshot(t)) == 0)
			t->step = TARGETS;
		else if (t->conf.offline)
			return r;
	}
	if (t->step == TARGETS) {
		r = local_targets(t, t->targets[0],
		    &t->root.meta->roles[TUF_TARGETS]);
		if (r == 0)
			t->step = READY;
		else if (t->conf.offline)
			return r;
	}
	return 0;
}

static int
want_fact(struct tuf *t, struct tuf_want *want, const struct role *role,
    const struct tuf_fact *f, size_t max)
{
	file_name(role->name, path_version(t, role, f->version), want->path);
	want->role = role->name;
	want->max = max;
	if (f->length < 0)
		return 1;
	if ((uint64_t)f->length > max)
		return fail(t, -E2BIG, "%s: %" PRId64 " bytes long, more than the %zu"
		    " allowed here", want->path, f->length, max);
	want->max = (size_t)f->length;
	return 1;
}

static int
wanted(struct tuf *t, struct tuf_want *want)
{
	struct tuf_fact f;
	int		r;

	*want = (struct tuf_want){ 0 };
	switch (t->step) {
	case NEW_ROOTS:
		file_name("root", t->root.meta->version + 1, want->path);
		want->role = "root";
		want->max = t->conf.max_root;
		want->may_be_missing = true;
		return 1;
	case TIMESTAMP:
		file_name("timestamp", 0, want->path);
		want->role = "timestamp";
		want->max = t->conf.max_timestamp;
		return 1;
	case SNAPSHOT:
		tuf_meta_fact(t->timestamp.meta, "snapshot.json", &f);
		return want_fact(t, want, &t->snapshot, &f, t->conf.max_snapshot);
	case TARGETS:
		if ((r = snapshot_fact(t, "targets", &f)) < 0)
			return r;
		return want_fact(t, want, t->targets[0], &f, t->conf.max_targets);
	case START:
	case READY:
		break;
	}
	if (t->wanted == NULL && t->all && (r = load_rest(t)) < 0 && r != -EAGAIN)
		return r;
	if (t->wanted == NULL)
		return 0;
	if ((r = snapshot_fact(t, t->wanted->name, &f)) < 0)
		return r;
	return want_fact(t, want, t->wanted, &f, t->conf.max_targets);
}

int
tuf_next(struct tuf *t, struct tuf_want *want)
{
	int r;

	if (t->err < 0)
		return t->err;
	if ((r = advance(t)) < 0 || (r = wanted(t, want)) < 0)
		t->err = r;
	else
		t->error[0] = '\0'; /* of local files that were passed over */
	return r;
}

/* A delegated role came or did not; only tuf_load_all makes that final. */
static int
settle(struct tuf *t, int r)
{
	r = edge_add(t, t->wanted, t->wanted_by, r);
	t->wanted = NULL;
	return r == -ENOMEM || t->all ? r : 0;
}

int
tuf_give(struct tuf *t, const void *bytes, size_t len)
{
	struct tuf_want w;
	int		r;

	if (t->err < 0)
		return t->err;
	if ((r = wanted(t, &w)) == 0)
		return -EINVAL;
	if (r > 0 && len > w.max)
		r = fail(t, -E2BIG, "%s: longer than the %zu bytes it may have",
		    w.path, w.max);
	if (r > 0) {
		switch (t->step) {
		case NEW_ROOTS:
			r = give_root(t, w.path, bytes, len);
			break;
		case TIMESTAMP:
			r = give_timestamp(t, bytes, len);
			break;
		case SNAPSHOT:
			r = give_snapshot(t, w.path, bytes, len);
			break;
		case TARGETS:
			r = accept_targets(t, t->targets[0],
			    &t->root.meta->roles[TUF_TARGETS], w.path, bytes, len,
			    true);
			if (r == 0)
				t->step = READY;
			break;
		case READY:
			r = accept_targets(t, t->wanted, t->wanted_who, w.path,
			    bytes, len, true);
			break;
		case START:
			r = -EINVAL;
			break;
		}
	}
	if (t->step == READY && t->wanted != NULL)
		r = settle(t, r);
	if (r < 0)
		t->err = r;
	return r;
}

int
tuf_missing(struct tuf *t)
{
	struct tuf_want w;
	int		r;

	if (t->err < 0)
		return t->err;
	if ((r = wanted(t, &w)) == 0)
		return -EINVAL;
	if (r > 0 && t->step == NEW_ROOTS) {
		if ((r = check_expiry(t, "root.json", t->root.meta)) == 0)
			t->step = TIMESTAMP;
	} else if (r > 0)
		r = fail(t, -ENOENT, "%s: the repository does not have it", w.path);
	if (t->step == READY && t->wanted != NULL)
		r = settle(t, r);
	if (r < 0)
		t->err = r;
	return r;
}

/* ---- targets ----------------------------------------------------------------------------- */

/* Roles still to visit, last first. */
struct walk {
	struct visit {
		const struct role	 *from;
		const char		 *name;
		const struct tuf_signers *who;
	}	*todo;
	size_t	 ntodo, size;
	char	 bin[TUF_NAME_MAX + 1];
	const char **seen; /* names of roles visited */
	size_t	 nseen;
};

static int
push(struct walk *w, const struct role *from, const char *name,
    const struct tuf_signers *who)
{
	if (w->ntodo == w->size) {
		size_t	      size = w->size * 2 + 16;
		struct visit *more = reallocarray(w->todo, size, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		w->todo = more;
		w->size = size;
	}
	w->todo[w->ntodo++] = (struct visit){ from, name, who };
	return 0;
}

/* What a role delegates of a path, so that the first comes off first. */
static int
push_delegations(struct tuf *t, struct walk *w, const struct role *role,
    const char *path, const struct hash *of_path)
{
	const struct tuf_meta *m = role->meta;
	size_t		       n;
	int		       r;

	if (m->bin_prefix != NULL) {
		struct role *bin;

		tuf_bin_name(m, tuf_bin_of(m, of_path), w->bin);
		/* the name must outlive the walk: the role's own does */
		if ((r = targets_role(t, w->bin, &bin)) < 0)
			return r;
		return push(w, role, bin->name, &m->bin_who);
	}
	for (n = 0; n < m->ndelegations; n++)
		if (m->delegations[n].terminating &&
		    tuf_delegation_covers(&m->delegations[n], path, of_path)) {
			w->ntodo = 0;
			n++;
			break;
		}
	while (n-- > 0)
		if (tuf_delegation_covers(&m->delegations[n], path, of_path) &&
		    (r = push(w, role, m->delegations[n].name,
		    &m->delegations[n].who)) < 0)
			return r;
	return 0;
}

static bool
was_seen(const struct walk *w, const char *name)
{
	for (size_t i = 0; i < w->nseen; i++)
		if (strcmp(w->seen[i], name) == 0)
			return true;
	return false;
}

static int
target_in(const struct role *role, const char *path, struct tuf_target *out)
{
	const struct tuf_meta *m = role->meta;
	struct tuf_fact	       f;
	const json_t	      *custom;

	if (m == NULL || tuf_meta_target(m, path, &f, &custom) < 0)
		return -ENOENT;
	*out = (struct tuf_target){
		/* jansson keeps the key at one place for the object's life */
		.path = json_object_iter_key(json_object_iter_at(
		    (json_t *)m->targets, path)),
		.role = role->name,
		.length = f.length,
		.has_sha256 = f.has_sha256,
		.has_sha512 = f.has_sha512,
		.sha256 = f.sha256,
		.custom = custom,
	};
	memcpy(out->sha512, f.sha512, sizeof(out->sha512));
	return 0;
}

/* Pre-order, depth first, each role once. */
static int
search(struct tuf *t, struct walk *w, const char *path,
    const struct hash *of_path, struct tuf_target *out)
{
	struct role *role = t->targets[0];
	int	     r;

	for (;;) {
		if (target_in(role, path, out) == 0)
			return out->has_sha256 || out->has_sha512 ? 0 :
			    fail(t, -EBADMSG, "the target is signed with no hash"
			    " that we know");
		w->seen[w->nseen++] = role->name;
		if ((r = push_delegations(t, w, role, path, of_path)) < 0)
			return r;
		while (w->ntodo > 0 && was_seen(w, w->todo[w->ntodo - 1].name))
			w->ntodo--;
		if (w->ntodo == 0)
			return fail(t, -ENOENT, "no role signs for the target");
		if (w->nseen > t->conf.max_delegations)
			return fail(t, -E2BIG, "no role signs for the target among"
			    " the first %u", t->conf.max_delegations);
		w->ntodo--;
		r = follow(t, w->todo[w->ntodo].from, w->todo[w->ntodo].name,
		    w->todo[w->ntodo].who, &role);
		if (r < 0)
			return r;
	}
}

int
tuf_find(struct tuf *t, const char *path, struct tuf_target *out)
{
	struct walk w = { 0 };
	struct hash of_path;
	int	    r;

	if (t->err < 0)
		return t->err;
	if (t->step != READY)
		return -EINVAL;
	*out = (struct tuf_target){ 0 };
	t->wanted = NULL;
	t->error[0] = '\0';
	w.seen = calloc(t->conf.max_delegations + 2, sizeof(*w.seen));
	r = w.seen == NULL ? -ENOMEM : hash_of(&of_path, path, strlen(path));
	if (r == 0)
		r = search(t, &w, path, &of_path, out);
	if (r == -ENOMEM)
		note(t, "out of memory");
	free(w.todo);
	free(w.seen);
	return r;
}

int
tuf_each(struct tuf *t, int (*fn)(void *arg, const struct tuf_target *),
    void *arg)
{
	struct tuf_target found;
	const char	 *path;
	json_t		 *v;
	int		  r;

	if (t->err < 0)
		return t->err;
	if (t->step != READY)
		return -EINVAL;
	for (size_t i = 0; i < t->ntargets; i++) {
		const struct role *role = t->targets[i];

		if (role->meta == NULL)
			continue;
		json_object_foreach((json_t *)role->meta->targets, path, v) {
			r = tuf_find(t, path, &found);
			if (r == -ENOMEM)
				return r;
			/* another role may come first, or this one not at all */
			if (r == 0 && found.role == role->name &&
			    (r = fn(arg, &found)) != 0)
				return r;
		}
	}
	t->wanted = NULL;
	t->error[0] = '\0';
	return 0;
}

/* A path in metadata is URL text already; what no URL may hold is escaped. */
static bool
fits_url(const char *s)
{
	if (*s == '%')
		return s[1] != '\0' && s[2] != '\0' &&
		    strspn(s + 1, "0123456789abcdefABCDEF") >= 2;
	return *s > ' ' && *s < 0x7f && strchr("\"#<>?[\\]^`{|}", *s) == NULL;
}

int
tuf_target_path(const struct tuf *t, const struct tuf_target *target,
    char out[TUF_PATH_LEN])
{
	const char *slash = strrchr(target->path, '/');
	const char *name = slash != NULL ? slash + 1 : target->path;
	char	    hex[2 * 64 + 2] = "";
	size_t	    n = 0;

	if (t->root.meta->consistent) {
		const uint8_t *b = target->has_sha256 ? target->sha256.b :
		    target->sha512;
		size_t	       len = target->has_sha256 ? HASH_LEN : 64;

		for (size_t i = 0; i < len; i++)
			snprintf(hex + 2 * i, 3, "%02x", b[i]);
		hex[2 * len] = '.';
	}
	for (const char *s = target->path; *s != '\0' || s == name; s++) {
		if (s == name)
			n += (size_t)snprintf(out + n, TUF_PATH_LEN - n, "%s", hex);
		if (*s == '\0')
			break;
		if (n + 4 > TUF_PATH_LEN)
			return -E2BIG;
		if (fits_url(s))
			out[n++] = *s;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X",
			    (unsigned char)*s);
		if (n + sizeof(hex) > TUF_PATH_LEN)
			return -E2BIG;
	}
	out[n] = '\0';
	return 0;
}

bool
tuf_path_is_plain(const char *path)
{
	for (const char *s = path;; s++) {
		size_t n = strcspn(s, "/");

		if (n == 0 || (n == 1 && *s == '.') ||
		    (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		for (; n > 0; n--, s++)
			if ((unsigned char)*s < ' ' || *s == 0x7f || *s == '\\')
				return false;
		if (*s == '\0')
			return true;
	}
}

const char *
tuf_target_kind(const struct tuf_target *target)
{
	return js_str(js_obj(target->custom, "dpoint"), "kind");
}

bool
tuf_kind_is_urgent(const char *kind)
{
	return kind != NULL &&
	    (strcmp(kind, "policy") == 0 || strcmp(kind, "task") == 0 ||
		strcmp(kind, "assignment") == 0);
}

/* below: an agent of a group further down counts as well. */
static bool
is_meant(const struct tuf_target *target, const char *group, bool below)
{
	json_t *groups = json_object_get(js_obj(target->custom, "dpoint"), "groups");
	size_t	i;
	json_t *g;

	if (groups == NULL || (json_is_array(groups) && json_array_size(groups) == 0))
		return true;
	json_array_foreach(groups, i, g) {
		const char *s = json_string_value(g);

		if (s != NULL && *s == '/' && (group_holds(s, group) ||
		    (below && group_holds(group, s))))
			return true;
	}
	return false;
}

bool
tuf_target_for(const struct tuf_target *target, const char *group)
{
	return is_meant(target, group, false);
}

bool
tuf_target_in_scope(const struct tuf_target *target, const char *scope)
{
	return is_meant(target, scope, true);
}

/* ---- what is in force ---------------------------------------------------------------------- */

int
tuf_files(struct tuf *t, int (*fn)(void *arg, const struct tuf_file *), void *arg)
{
	const struct role *top[] = { &t->root, &t->timestamp, &t->snapshot };
	char		   path[TUF_PATH_LEN];
	struct tuf_file	   f;
	int		   r = 0;

	if (t->root.meta == NULL)
		return 0;
	for (size_t i = 0; i < 3 + t->ntargets && r == 0; i++) {
		const struct role *role = i < 3 ? top[i] : t->targets[i - 3];

		if (role->meta == NULL)
			continue;
		file_of(t, role, path, &f);
		r = fn(arg, &f);
	}
	return r;
}

int64_t
tuf_version(const struct tuf *t, const char *name)
{
	const struct role *top[] = { &t->root, &t->timestamp, &t->snapshot };
	const struct role *role = targets_find(t, name);

	for (size_t i = 0; i < 3; i++)
		if (strcmp(name, top[i]->name) == 0)
			role = top[i];
	return role != NULL && role->meta != NULL ? role->meta->version : 0;
}
