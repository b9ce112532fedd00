/*
 * dp-fetch/repo.c - keeps one repository: refresh, preload, publish.
 *
 * Runs in dp-fetch after sandbox_enter(). Believes common/tuf about what may be
 * trusted, and nothing that upstream says itself. A refresh goes step by step
 * (enum repo_step); only the last step changes what is served, in one
 * transaction of the store, so that half a refresh changes nothing.
 *
 * Trusted metadata is kept in this worker's table of the store as "<space>/0"
 * or "<space>/1" in chunks, and "<space>" says which of the two counts. With it
 * are the files of the set in force that are older, so that a start after half
 * a refresh knows what is served, and fetches it on demand.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/rd.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	   60000U
#define CHUNKS_MAX 4096U /* 245 MB: beyond any limit of common/tuf */
#define NAMES_BYTES 48000U
#define RETRY_MS   5000
#define ROOTS_SUM  (8U << 20) /* beyond it, no older roots are fetched */

struct preload {
	struct repo	 *repo;
	struct job_waiter w;
};

static void save_state(struct repo *r);
static void put_files(struct repo *r);
static void preload(struct repo *r);
static void publish(struct repo *r);
static void begin_metadata(struct repo *r);
static void next_metadata(struct repo *r);

const char *
repo_step_name(enum repo_step s)
{
	static const char *const names[] = { "off", "loading", "idle",
		"metadata", "saving", "storing", "targets", "publishing" };

	return names[s];
}

/* -- the end of a refresh, one way or the other -- */

static void
schedule(struct repo *r)
{
	uint64_t ms = r->f->conf.interval * 1000;

	ms = r->failures > 0 ? download_backoff_ms(r->failures, RETRY_MS, ms)
			     : download_backoff_ms(1, ms, ms);
	loop_timer_set(r->timer, ms);
}

static void
answer(struct repo *r, const char *error)
{
	struct repo_reply *p;

	while ((p = r->replies) != NULL) {
		r->replies = p->next;
		if (error == NULL)
			admin_row(p->reply,
			    json_pack("{s:s,s:I,s:I,s:i}", "repository",
				r->space, "timestamp",
				(json_int_t)r->now->timestamp, "targets_version",
				(json_int_t)r->now->targets_version, "targets",
				(int)r->now->ntargets));
		admin_end(p->reply, error);
		free(p);
	}
}

static void
drop_work(struct repo *r)
{
	download_cancel(&r->download);
	if (r->f->store != NULL)
		store_cancel(r->f->store, r);
	for (size_t i = 0; r->preloads != NULL && i < r->asked; i++)
		job_leave(&r->preloads[i].w);
	free(r->preloads);
	r->preloads = NULL;
	free(r->blob);
	r->blob = NULL;
	tuf_free(&r->tuf);
	r->waiting = r->asked = 0;
	r->at = 0;
	r->r = 0;
}

void
repo_check_expiry(struct repo *r)
{
	if (r->now == NULL || r->told_expired || r->now->expires > time(NULL))
		return;
	r->told_expired = true;
	log_warn("%s: %s metadata has expired; what was verified stays in "
		 "force, nothing new is accepted",
	    r->space, r->now->expires_role);
	worker_event(r->f->worker, "metadata-expired",
	    json_pack("{s:s,s:s,s:I}", "repository", r->space, "role",
		r->now->expires_role, "expires", (json_int_t)r->now->expires));
}

static void
refresh_failed(struct repo *r, const char *why)
{
	char copy[600];

	snprintf(copy, sizeof(copy), "%s", why);
	drop_work(r);
	if (r->next != r->now)
		set_free(&r->next);
	r->next = NULL;
	r->step = r->state_loaded ? REPO_IDLE : REPO_LOADING;
	r->failures++;
	r->f->refreshes_failed++;
	snprintf(r->error, sizeof(r->error), "%s", copy);
	log_warn("%s: refresh failed: %s", r->space, copy);
	worker_event(r->f->worker, "refresh-failed",
	    json_pack("{s:s,s:s}", "repository", r->space, "error", copy));
	answer(r, copy);
	repo_check_expiry(r);
	schedule(r);
}

static void
refresh_done(struct repo *r, bool is_new)
{
	drop_work(r);
	if (r->next != r->now) {
		set_free(&r->now);
		r->now = r->next;
	}
	r->next = NULL;
	set_forget_bytes(r->now);
	state_adopt(&r->state);
	r->step = REPO_IDLE;
	r->is_committed = true;
	r->failures = 0;
	r->told_expired = false;
	r->error[0] = '\0';
	r->last_ok = time(NULL);
	r->f->refreshes_ok++;
	if (is_new)
		log_info("%s: version %lld is in force, %zu targets", r->space,
		    (long long)r->now->timestamp, r->now->ntargets);
	worker_event(r->f->worker, "refresh-done",
	    json_pack("{s:s,s:I,s:b}", "repository", r->space, "version",
		(json_int_t)r->now->timestamp, "changed", (int)is_new));
	answer(r, NULL);
	schedule(r);
}

/* -- trusted metadata, to and from the store's table -- */

static void
state_key(const struct repo *r, uint8_t bank, size_t chunk, char out[64])
{
	snprintf(out, 64, "%s/%u/%zu", r->space, bank, chunk);
}

/* A whole set of what is kept, without upstream: of what is in force, or of
 * what is trusted. */
static int
offline_set(struct repo *r, bool in_force, struct set **out)
{
	const struct set_rules rules = { r->prefix, r->f->conf.group,
		strcmp(r->f->conf.preload, "scope") == 0,
		strcmp(r->space, "site") == 0 ? PRIO_POLICY : PRIO_PACKAGE,
		r->f->conf.max_object };
	struct tuf_conf conf = { .now = time(NULL), .offline = true };
	struct tuf_want want;
	struct tuf     *t = NULL;
	int		e = tuf_new(&t, &conf);

	for (size_t i = 0; e == 0 && i < r->state.n; i++) {
		const struct saved *f = &r->state.of[i];

		if (f->kind != SAVED_ROLE)
			continue;
		if (in_force)
			f = state_in_force(&r->state, f->role);
		e = tuf_local(t, f->role, f->bytes, f->len);
	}
	if (e == 0 && (e = tuf_next(t, &want)) == 0) {
		tuf_load_all(t);
		e = tuf_next(t, &want);
	}
	if (e == 0)
		e = set_build(t, &r->state, &rules, out);
	if (e == 0)
		set_forget_bytes(*out);
	else
		log_info("%s: what is kept is not whole: %s", r->space,
		    t != NULL && tuf_error(t)[0] != '\0' ? tuf_error(t)
							 : strerror(-e));
	tuf_free(&t);
	return e;
}

static bool
is_timestamp(const struct saved *f, const struct hash *h)
{
	struct hash of;

	return f != NULL && hash_of(&of, f->bytes, f->len) == 0 &&
	    hash_eq(&of, h);
}

/*
 * The names in the store are those of one set, whose timestamp.json tells which.
 * It may be what is trusted (a restart just after its names were committed),
 * or older (a refresh had brought half of the next one).
 */
static void
on_names_of(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;
	struct set  *set = NULL;

	if (a->fd >= 0)
		close(a->fd);
	if (a->r == -ENOTCONN)
		return;
	if (a->r == 0 || a->r == -ENODATA) {
		if (is_timestamp(state_find(&r->state, SAVED_ROLE, "timestamp"),
			&a->hash) &&
		    offline_set(r, false, &set) == 0)
			state_adopt(&r->state);
		else if (is_timestamp(state_in_force(&r->state, "timestamp"),
			     &a->hash))
			(void)offline_set(r, true, &set);
	} else if (a->r != -ENOENT)
		log_warn("%s: the names in force cannot be read: %s", r->space,
		    a->text);
	if (set != NULL) {
		set_free(&r->now);
		r->now = set;
	} else if (a->r != -ENOENT && r->now == NULL)
		log_warn("%s: the set in force is not among what is kept: until "
			 "the next refresh nothing is fetched on demand",
		    r->space);
	r->state_loaded = true;
	r->step = REPO_IDLE;
	loop_timer_set(r->timer, 0);
}

/* What the operator says, and nothing that was ever learned. */
static void
state_from_conf(struct repo *r)
{
	json_t	  *root = json_loadb(r->src.root, r->src.root_len, 0, NULL);
	json_int_t version = json_integer_value(json_object_get(
	    json_object_get(root, "signed"), "version"));

	json_decref(root);
	state_fini(&r->state);
	(void)state_put(&r->state, SAVED_CONFIG, "root", 0, r->src.root,
	    r->src.root_len);
	(void)state_put(&r->state, SAVED_ROLE, "root", (uint64_t)version,
	    r->src.root, r->src.root_len);
	if (version > 0)
		(void)state_put(&r->state, SAVED_ROOT, "root",
		    (uint64_t)version, r->src.root, r->src.root_len);
}

static bool
is_conf_root(const struct repo *r, const struct saved *f)
{
	return f != NULL && f->len == r->src.root_len &&
	    memcmp(f->bytes, r->src.root, f->len) == 0;
}

/* The trusted metadata is here, or none is; now what of it is in force. */
static void
loaded(struct repo *r)
{
	char name[64];
	int  e;

	free(r->blob);
	r->blob = NULL;
	if (!is_conf_root(r, state_find(&r->state, SAVED_CONFIG, "root")))
		state_from_conf(r); /* the first start, or the operator chose another */
	snprintf(name, sizeof(name), "%s/metadata/timestamp.json", r->prefix);
	e = store_lookup_name(r->f->store, name, on_names_of, r);
	if (e < 0 && e != -ENOTCONN)
		refresh_failed(r, "the store does not answer");
}

static void ask_chunk(struct repo *r);

static void
on_chunk(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;

	if (a->r == -ENOTCONN)
		return; /* begun again when the store is back */
	if (a->r < 0 || a->len > r->blob_len - r->blob_at) {
		log_warn("%s: kept metadata cannot be read: %s", r->space,
		    a->r < 0 ? a->text : "too long");
		loaded(r);
		return;
	}
	memcpy(r->blob + r->blob_at, a->bytes, a->len);
	r->blob_at += a->len;
	r->at++;
	if (r->at < r->blob_chunks) {
		ask_chunk(r);
		return;
	}
	state_fini(&r->state);
	if (r->blob_at != r->blob_len ||
	    state_decode(&r->state, r->blob, r->blob_len) < 0)
		log_warn("%s: kept metadata is damaged", r->space);
	loaded(r);
}

static void
ask_chunk(struct repo *r)
{
	char key[64];
	int  e;

	state_key(r, r->bank, r->at, key);
	if ((e = store_table_get(r->f->store, key, on_chunk, r)) < 0 &&
	    e != -ENOTCONN)
		refresh_failed(r, "the store does not answer");
}

static void
on_head(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;
	struct rd    rd;

	if (a->r == -ENOTCONN)
		return;
	if (a->r < 0) { /* nothing kept yet */
		if (a->r != -ENOENT)
			log_warn("%s: kept metadata cannot be read: %s",
			    r->space, a->text);
		loaded(r);
		return;
	}
	rd = rd_from(a->bytes, a->len);
	r->bank = rd_u8(&rd);
	r->blob_len = rd_u32(&rd);
	r->blob_chunks = (r->blob_len + CHUNK - 1) / CHUNK;
	r->blob_at = r->at = 0;
	if (rd_done(&rd) < 0 || r->bank > 1 || r->blob_chunks == 0 ||
	    r->blob_chunks > CHUNKS_MAX ||
	    (r->blob = malloc(r->blob_len)) == NULL) {
		log_warn("%s: kept metadata is damaged", r->space);
		loaded(r);
		return;
	}
	ask_chunk(r);
}

void
repo_store_ready(struct repo *r)
{
	if (r->step == REPO_OFF)
		return;
	if (r->state_loaded) {
		if (r->step == REPO_IDLE)
			loop_timer_set(r->timer, 0);
		return;
	}
	drop_work(r); /* a loading that a reload overtakes */
	r->step = REPO_LOADING;
	if (store_table_get(r->f->store, r->space, on_head, r) < 0)
		log_warn("%s: the store does not answer", r->space);
}

void
repo_store_lost(struct repo *r)
{
	if (r->step > REPO_IDLE)
		refresh_failed(r, "the store is away");
	else if (r->step == REPO_LOADING)
		drop_work(r);
}

/* -- a step whose answers all count -- */

static void
step_over(struct repo *r)
{
	if (r->waiting > 0)
		return;
	if (r->r < 0) {
		char copy[600];

		snprintf(copy, sizeof(copy), "%s", r->why);
		refresh_failed(r, copy);
		return;
	}
	if (r->step == REPO_SAVE) {
		free(r->blob);
		r->blob = NULL;
		if (r->next == NULL) /* metadata failed, what came is kept */
			refresh_failed(r, r->why);
		else
			put_files(r);
	} else if (r->step == REPO_PUT)
		preload(r);
	else if (r->step == REPO_TARGETS)
		publish(r);
}

static void
note_failure(struct repo *r, int e, const char *what, const char *text)
{
	if (r->r == 0)
		snprintf(r->why, sizeof(r->why), "%.200s: %.300s", what,
		    text[0] != '\0' ? text : strerror(-e));
	if (r->r == 0)
		r->r = e;
}

static void
on_saved_head(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;

	if (a->r == -ENOTCONN)
		return;
	r->waiting--;
	if (a->r < 0 && r->next != NULL)
		note_failure(r, a->r, "keeping metadata", a->text);
	else if (a->r == 0)
		r->state_changed = false;
	step_over(r);
}

static void
on_saved(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;
	uint8_t	     buf[5];
	struct wr    w = wr_to(buf, sizeof(buf));
	int	     e;

	if (a->r == -ENOTCONN)
		return;
	if (a->r < 0 && r->next != NULL)
		note_failure(r, a->r, "keeping metadata", a->text);
	if (--r->waiting > 0)
		return;
	if (r->r < 0) {
		step_over(r);
		return;
	}
	wr_u8(&w, r->bank);
	wr_u32(&w, (uint32_t)r->blob_len);
	r->waiting = 1;
	e = store_table_put(r->f->store, r->space, buf, w.len, on_saved_head, r);
	if (e < 0) {
		r->waiting = 0;
		note_failure(r, e, "keeping metadata", "");
		step_over(r);
	}
}

/* What is trusted now must be so after a restart, before anything of it shows. */
static void
save_state(struct repo *r)
{
	char   key[64];
	size_t n;
	int    e = 0;

	r->step = REPO_SAVE;
	r->waiting = 0;
	r->r = 0;
	if (!r->state_changed) {
		step_over(r);
		return;
	}
	r->bank = !r->bank;
	free(r->blob);
	r->blob = NULL;
	e = state_encode(&r->state, &r->blob, &r->blob_len);
	if (e == 0 && r->blob_len > (size_t)CHUNK * CHUNKS_MAX)
		e = -E2BIG;
	for (size_t at = 0; e == 0 && at < r->blob_len; at += n) {
		n = r->blob_len - at < CHUNK ? r->blob_len - at : CHUNK;
		state_key(r, r->bank, at / CHUNK, key);
		e = store_table_put(r->f->store, key, r->blob + at, n, on_saved,
		    r);
		r->waiting += e == 0;
	}
	if (e < 0) {
		refresh_failed(r, "trusted metadata cannot be kept");
		return;
	}
}

/* -- metadata -- */

static int
on_trusted(void *arg, const struct tuf_file *f)
{
	struct repo *r = arg;
	int	     e;

	e = state_trust(&r->state, f->role, (uint64_t)f->version, f->bytes,
	    f->len);
	if (e > 0)
		r->state_changed = true;
	if (e >= 0 && strcmp(f->role, "root") == 0)
		e = state_put(&r->state, SAVED_ROOT, "root",
		    (uint64_t)f->version, f->bytes, f->len);
	return e < 0 ? e : 0;
}

/* The metadata of one refresh comes from one upstream; else from the next. */
static void
source_failed(struct repo *r, const char *why)
{
	const char *url = r->src.urls[r->source];
	size_t	    n = strlen(r->why);
	bool	    is_named = strncmp(why, url, strlen(url)) == 0;

	snprintf(r->why + n, sizeof(r->why) - n, "%s%.100s%s%.400s",
	    n > 0 ? "; " : "", is_named ? "" : url, is_named ? "" : ": ", why);
	download_cancel(&r->download);
	tuf_free(&r->tuf);
	if (++r->source < r->src.nurls) {
		log_warn("%s: %s; the next upstream is asked", r->space,
		    r->why + n + (n > 0 ? 2 : 0));
		begin_metadata(r);
	} else if (r->state_changed)
		save_state(r); /* rollback protection survives, then fails */
	else
		refresh_failed(r, r->why);
}

static void
metadata_done(struct repo *r)
{
	const struct set_rules rules = { r->prefix, r->f->conf.group,
		strcmp(r->f->conf.preload, "scope") == 0,
		strcmp(r->space, "site") == 0 ? PRIO_POLICY : PRIO_PACKAGE,
		r->f->conf.max_object };
	int e = set_build(r->tuf, &r->state, &rules, &r->next);

	if (e < 0) {
		source_failed(r, strerror(-e));
		return;
	}
	if (r->next->without_sha256 > 0)
		log_warn("%s: %zu targets have no SHA-256 and are not served",
		    r->space, r->next->without_sha256);
	if (r->next->unnamed > 0)
		log_warn("%s: %zu files have names that no request can say and "
			 "are not served",
		    r->space, r->next->unnamed);
	if (r->next->too_large > 0)
		log_warn("%s: %zu targets are larger than fetch.max-object and "
			 "are not fetched",
		    r->space, r->next->too_large);
	tuf_free(&r->tuf);
	save_state(r);
}

static void
on_metadata(void *ctx, const struct download_result *res)
{
	struct repo *r = ctx;
	int	     e;

	r->download = NULL;
	if (res->r == -ENOENT)
		e = tuf_missing(r->tuf);
	else if (res->r == 0)
		e = tuf_give(r->tuf, res->bytes, res->len);
	else {
		source_failed(r, res->text);
		return;
	}
	if (e < 0)
		source_failed(r, tuf_error(r->tuf));
	else
		next_metadata(r);
}

static int
ask_metadata(struct repo *r, const char *name, size_t max,
    void (*done)(void *ctx, const struct download_result *res))
{
	char		     url[URL_LEN], path[TUF_PATH_LEN + 16];
	const char	    *list[] = { url };
	struct download_want want = { .urls = list, .nurls = 1,
		.tls = &r->src.tls, .fd = -1, .read_fd = -1, .max = max,
		.done = done, .ctx = r };
	int		     e;

	snprintf(path, sizeof(path), "metadata/%s", name);
	e = url_join(r->src.urls[r->source], path, true, url, sizeof(url));
	return e < 0 ? e
		     : download_start(r->f->downloads, &want, &r->download);
}

/*
 * Devices may have begun with an older root than we did, and need those between.
 * Nothing proves such a root to us: it is passed on when the next newer one
 * follows from it, which a device that trusts an older one yet checks itself.
 */
static const struct saved *
oldest_root(const struct state *s, size_t *sum)
{
	const struct saved *f = NULL;

	*sum = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->of[i].kind == SAVED_ROOT) {
			*sum += s->of[i].len;
			if (f == NULL || s->of[i].version < f->version)
				f = &s->of[i];
		}
	return f;
}

static bool
leads_to(const void *older, size_t len, const struct saved *newer)
{
	struct tuf_conf conf = { .now = time(NULL) };
	struct tuf_want want;
	struct tuf     *t = NULL;
	bool		is_so;

	is_so = tuf_new(&t, &conf) == 0 &&
	    tuf_local(t, "root", older, len) == 0 && tuf_next(t, &want) == 1 &&
	    tuf_give(t, newer->bytes, newer->len) == 0 &&
	    tuf_version(t, "root") == (int64_t)newer->version;
	tuf_free(&t);
	return is_so;
}

static void
on_older_root(void *ctx, const struct download_result *res)
{
	struct repo	   *r = ctx;
	size_t		    sum;
	const struct saved *next = oldest_root(&r->state, &sum);

	r->download = NULL;
	if (res->r == 0 && leads_to(res->bytes, res->len, next) &&
	    state_put(&r->state, SAVED_ROOT, "root", next->version - 1,
		res->bytes, res->len) > 0)
		r->state_changed = true;
	else {
		log_info("%s: %llu.root.json: %s; devices that begin before it "
			 "need the repository itself",
		    r->space, (unsigned long long)next->version - 1,
		    res->r < 0 ? res->text : "the next root does not follow "
					     "from it");
		r->roots_done = true; /* tried again at the next refresh */
	}
	next_metadata(r);
}

static bool
ask_older_root(struct repo *r)
{
	char		    name[64];
	size_t		    sum;
	const struct saved *next = oldest_root(&r->state, &sum);

	if (r->roots_done || next == NULL || next->version < 2 ||
	    sum > ROOTS_SUM)
		return false;
	snprintf(name, sizeof(name), "%llu.root.json",
	    (unsigned long long)next->version - 1);
	return ask_metadata(r, name, SOURCE_ROOT_MAX, on_older_root) == 0;
}

static void
next_metadata(struct repo *r)
{
	int e = tuf_next(r->tuf, &r->want);

	if (e == 0 && !r->all_roles) {
		r->all_roles = true;
		tuf_load_all(r->tuf);
		e = tuf_next(r->tuf, &r->want);
	}
	if (e < 0 && tuf_version(r->tuf, "root") == 0 &&
	    !is_conf_root(r, state_find(&r->state, SAVED_ROLE, "root"))) {
		log_warn("%s: the kept root: %s; begins with the configured one",
		    r->space, tuf_error(r->tuf));
		tuf_free(&r->tuf);
		state_from_conf(r);
		begin_metadata(r);
	} else if (e < 0)
		source_failed(r, tuf_error(r->tuf));
	else if (e == 1) {
		e = ask_metadata(r, r->want.path, r->want.max, on_metadata);
		if (e < 0)
			source_failed(r, strerror(-e));
	} else if (!ask_older_root(r))
		metadata_done(r);
}

static void
begin_metadata(struct repo *r)
{
	struct tuf_conf conf = { .now = r->last_try, .save = on_trusted,
		.arg = r };
	int		e = tuf_new(&r->tuf, &conf);

	r->all_roles = r->roots_done = false;
	for (size_t i = 0; e == 0 && i < r->state.n; i++)
		if (r->state.of[i].kind == SAVED_ROLE)
			e = tuf_local(r->tuf, r->state.of[i].role,
			    r->state.of[i].bytes, r->state.of[i].len);
	if (e < 0)
		refresh_failed(r, strerror(-e));
	else
		next_metadata(r);
}

static void
refresh(struct repo *r)
{
	r->step = REPO_META;
	r->source = 0;
	r->why[0] = '\0';
	r->last_try = time(NULL);
	begin_metadata(r);
}

static void
on_timer(void *ctx)
{
	struct repo *r = ctx;

	if (r->step == REPO_IDLE && store_client_connected(r->f->store) &&
	    !r->f->draining)
		refresh(r);
}

void
repo_refresh(struct repo *r, struct admin_reply *reply)
{
	struct repo_reply *p;
	char		   why[64];

	if (reply != NULL && r->step == REPO_OFF) {
		snprintf(why, sizeof(why), "%s.upstream is not given", r->space);
		admin_end(reply, why);
		return;
	}
	if (reply != NULL) {
		if ((p = malloc(sizeof(*p))) == NULL) {
			admin_end(reply, "no memory");
			return;
		}
		*p = (struct repo_reply){ r->replies, reply };
		r->replies = p;
	}
	if (r->step == REPO_IDLE)
		loop_timer_set(r->timer, 0);
}

/* -- metadata as objects -- */

static void
on_put(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;

	if (a->r == -ENOTCONN)
		return;
	r->waiting--;
	if (a->r < 0 && a->r != -EEXIST)
		note_failure(r, a->r, "storing metadata", a->text);
	step_over(r);
}

/* Too long for one message: written here, it is in memory anyway. */
static void
on_big_partial(void *ctx, const struct store_answer *a)
{
	struct repo	*r = ctx;
	struct set_file *f = NULL;
	size_t		 done = 0;
	ssize_t		 n = 1;
	int		 e = a->r;

	if (e == -ENOTCONN)
		return;
	for (size_t i = 0; e == 0 && i < r->next->nfiles; i++)
		if (hash_eq(&r->next->files[i].hash, &a->hash))
			f = &r->next->files[i];
	if (e == 0 && f == NULL)
		e = -EBADMSG;
	while (e == 0 && done < f->len) {
		n = pwrite(a->write_fd, (char *)f->bytes + done, f->len - done,
		    (off_t)done);
		if (n < 0 && errno != EINTR)
			e = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	if (a->write_fd >= 0)
		close(a->write_fd);
	if (a->fd >= 0)
		close(a->fd);
	if (e == 0)
		e = store_partial_done(r->f->store, &a->hash, on_put, r);
	if (e == 0)
		return;
	r->waiting--;
	if (e != -EEXIST)
		note_failure(r, e, "storing metadata", a->text);
	step_over(r);
}

static bool
has_file(const struct set *s, const struct hash *h)
{
	for (size_t i = 0; s != NULL && i < s->nfiles; i++)
		if (hash_eq(&s->files[i].hash, h))
			return true;
	return false;
}

static void
put_files(struct repo *r)
{
	int e = 0;

	r->step = REPO_PUT;
	r->waiting = 1; /* so that no answer ends the step before its end */
	for (size_t i = 0; e == 0 && i < r->next->nfiles; i++) {
		struct set_file *f = &r->next->files[i];

		if (r->is_committed && has_file(r->now, &f->hash))
			continue; /* pinned by its name since then */
		e = f->len <= STORE_PUT_MAX
		    ? store_put(r->f->store, &f->hash, f->bytes, f->len, on_put,
			  r)
		    : store_partial_open(r->f->store, &f->hash, f->len,
			  PRIO_METADATA, f->name, on_big_partial, r);
		r->waiting += e == 0;
	}
	r->waiting--;
	if (e < 0)
		note_failure(r, e, "storing metadata", "");
	step_over(r);
}

/* -- targets of the scope -- */

static void
on_preloaded(void *ctx, int e, const char *text)
{
	struct preload *p = ctx;
	struct repo    *r = p->repo;

	r->waiting--;
	if (e < 0)
		note_failure(r, e, "targets", text);
	step_over(r);
}

static void
want_missing(struct repo *r, const struct target *t)
{
	struct preload *p = &r->preloads[r->asked];
	int		e;

	*p = (struct preload){ .repo = r, .w = { .ctx = p,
					     .done = on_preloaded } };
	if ((e = job_want(r->f, r, t, false, &p->w)) < 0) {
		note_failure(r, e, t->name, "");
		return;
	}
	r->asked++;
	r->waiting++;
}

static void ask_have(struct repo *r);

static void
on_have(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;
	size_t	     i;

	if (a->r == -ENOTCONN)
		return;
	if (a->r < 0)
		note_failure(r, a->r, "asking the store", a->text);
	for (i = 0; a->r == 0 && i < a->len && r->at < r->next->ntargets;
	     r->at++)
		if (r->next->targets[r->at].in_scope && a->bytes[i++] == 0)
			want_missing(r, &r->next->targets[r->at]);
	if (a->r == 0 && r->at < r->next->ntargets && r->r == 0) {
		ask_have(r);
		return;
	}
	r->waiting--;
	jobs_pump(r->f);
	step_over(r);
}

static void
ask_have(struct repo *r)
{
	struct hash *h = malloc(STORE_HAVE_MAX * sizeof(*h));
	size_t	     n = 0;
	int	     e = -ENOMEM;

	for (size_t i = r->at; h != NULL && i < r->next->ntargets &&
	     n < STORE_HAVE_MAX;
	     i++)
		if (r->next->targets[i].in_scope)
			h[n++] = r->next->targets[i].hash;
	if (n > 0)
		e = store_have(r->f->store, h, n, on_have, r);
	free(h);
	if (n > 0 && e == 0)
		return;
	r->waiting--;
	if (n > 0 || h == NULL)
		note_failure(r, e, "asking the store", "");
	jobs_pump(r->f);
	step_over(r);
}

static void
preload(struct repo *r)
{
	r->step = REPO_TARGETS;
	r->at = r->asked = 0;
	r->waiting = 1; /* the question itself */
	r->preloads = calloc(r->next->ntargets + 1, sizeof(*r->preloads));
	if (r->preloads == NULL) {
		refresh_failed(r, "no memory");
		return;
	}
	ask_have(r);
}

/* -- visible at once and whole -- */

static void
on_committed(void *ctx, const struct store_answer *a)
{
	struct repo *r = ctx;

	if (a->r == -ENOTCONN)
		return;
	if (a->r < 0)
		refresh_failed(r, a->text);
	else
		refresh_done(r, true);
}

static int
add_name(struct repo *r, struct store_name *list, size_t *n, size_t *bytes,
    struct store_name name)
{
	size_t len = strlen(name.name) + 64;
	int    e = 0;

	if (*bytes + len > NAMES_BYTES) {
		e = store_names_add(r->f->store, list, *n);
		*n = *bytes = 0;
	}
	list[(*n)++] = name;
	*bytes += len;
	return e;
}

static void
on_begun(void *ctx, const struct store_answer *a)
{
	struct repo	  *r = ctx;
	struct store_name *list;
	struct set	  *s = r->next;
	size_t		   n = 0, bytes = 0;
	int		   e = 0;

	if (a->r == -ENOTCONN)
		return;
	if (a->r < 0) {
		refresh_failed(r, a->text);
		return;
	}
	list = calloc(NAMES_BYTES / 64 + 1, sizeof(*list));
	if (list == NULL)
		e = -ENOMEM;
	for (size_t i = 0; e == 0 && i < s->nfiles; i++)
		e = add_name(r, list, &n, &bytes,
		    (struct store_name){ s->files[i].name, s->files[i].hash,
			s->files[i].len, true, true });
	for (size_t i = 0; e == 0 && i < s->ntargets; i++)
		e = add_name(r, list, &n, &bytes,
		    (struct store_name){ s->targets[i].name, s->targets[i].hash,
			s->targets[i].size, s->targets[i].in_scope,
			s->targets[i].in_scope &&
			    s->targets[i].prio == PRIO_POLICY });
	if (e == 0 && n > 0)
		e = store_names_add(r->f->store, list, n);
	free(list);
	if (e == 0)
		e = store_names_commit(r->f->store, r->space, on_committed, r);
	if (e < 0 && e != -ENOTCONN)
		refresh_failed(r, strerror(-e));
}

static void
publish(struct repo *r)
{
	if (r->is_committed && r->now != NULL &&
	    hash_eq(&r->now->id, &r->next->id)) {
		refresh_done(r, false);
		return;
	}
	r->step = REPO_NAMES;
	if (store_names_begin(r->f->store, r->space, on_begun, r) < 0)
		refresh_failed(r, "the store does not answer");
}

/* -- life -- */

/* Transfers go on, unless they are from what is no more to be asked. */
void
repo_apply(struct repo *r, struct source **take)
{
	struct source old = r->src;
	bool	      other_root;

	if (source_same(&old, *take)) {
		source_free(take);
		return;
	}
	other_root = !source_same_root(&old, *take);
	if (r->step > REPO_IDLE)
		refresh_failed(r, "the configuration has changed");
	r->src = **take; /* before what borrows the old one begins again */
	jobs_again(r->f, r);
	**take = old;
	source_free(take);
	if (other_root)
		r->state_loaded = false;
	if (r->src.nurls == 0)
		r->step = REPO_OFF;
	else if (r->step == REPO_OFF || other_root)
		r->step = REPO_LOADING;
}

int
repo_init(struct repo *r, struct fetch *f, const char *space,
    const char *prefix, const struct repo_conf *conf)
{
	struct source *src;
	int	       e;

	*r = (struct repo){ .f = f, .space = space, .prefix = prefix };
	if ((e = loop_timer_new(f->loop, on_timer, r, &r->timer)) == 0 &&
	    (e = source_read(f, space, conf, &src)) == 0)
		repo_apply(r, &src);
	return e;
}

void
repo_end(struct repo *r)
{
	drop_work(r);
	if (r->next != r->now)
		set_free(&r->next);
	r->next = NULL;
	if (r->step > REPO_IDLE)
		r->step = REPO_IDLE;
	answer(r, "the worker is leaving");
}
