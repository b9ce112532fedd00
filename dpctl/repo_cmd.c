/*
 * dpctl/repo_cmd.c - dpctl repo init, delegate, publish, rotate, sign.
 *
 * Runs in dpctl, with the keys of whoever calls it.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/size.h"
#include "common/tuf.h"
#include "dpctl/repo.h"

#define KEY_OPTIONS \
	{ "keys", "DIR", "directory of the online keys (as given to repo init)" }, \
	{ "root-keys", "DIR", "directory of the root keys, for offline media" }
#define TYPE_OPTION \
	{ "type", "TYPE", "of new keys: ed25519, ecdsa or rsa (ed25519)" }

const struct option_row repo_key_options[] = {
	KEY_OPTIONS,
	{ NULL, NULL, NULL },
};

const struct option_row repo_init_options[] = {
	KEY_OPTIONS,
	TYPE_OPTION,
	{ "root-count", "N", "how many root keys (the threshold)" },
	{ "root-threshold", "N", "how many of them must sign a root (1)" },
	{ "expires", "ROLE=SPAN", "how long a role's signatures are good; repeatable" },
	{ "site", NULL, "a site repository: no roles but those of --group" },
	{ "group", "/GROUP", "with --site: a role for this group; repeatable" },
	{ NULL, NULL, NULL },
};

const struct option_row repo_delegate_options[] = {
	KEY_OPTIONS,
	TYPE_OPTION,
	{ "path", "PATTERN", "what it may sign for (ROLE/*, four levels); repeatable" },
	{ "expires", "ROLE=SPAN", "how long its signatures are good" },
	{ NULL, NULL, NULL },
};

const struct option_row repo_publish_options[] = {
	KEY_OPTIONS,
	{ "all", NULL, "sign every role anew, not only what changed or gets old" },
	{ "expires", "ROLE=SPAN", "from now on, how long a role is good; repeatable" },
	{ NULL, NULL, NULL },
};

const struct option_row repo_rotate_options[] = {
	KEY_OPTIONS,
	TYPE_OPTION,
	{ NULL, NULL, NULL },
};

static const char *const top_roles[] = { "targets", "snapshot", "timestamp" };
static const char *const usual_roles[] = { "packages", "updates", "policies", "tasks" };

/* ---- options ------------------------------------------------------------------------ */

static int
take_expires(struct repo *r, struct args *a)
{
	const char *v, *eq;
	char	    role[TUF_NAME_MAX + 1];
	int64_t	    seconds;

	for (int i = 0; (v = args_next(a, "expires", &i)) != NULL;) {
		eq = strrchr(v, '=');
		if (eq == NULL || eq == v || (size_t)(eq - v) >= sizeof(role) ||
		    parse_span(eq + 1, &seconds) < 0)
			return usage_error("--expires \"%s\": expected ROLE=TIME, like"
			    " timestamp=7d", v);
		snprintf(role, sizeof(role), "%.*s", (int)(eq - v), v);
		if (js_obj(r->conf, "expires") == NULL)
			json_object_set_new(r->conf, "expires", json_object());
		json_object_set_new(js_obj(r->conf, "expires"), role,
		    json_integer(seconds));
		repo_touch(r, role);
	}
	return EX_DONE;
}

static int
get_type(struct args *a, const char **out)
{
	*out = args_get(a, "type", "ed25519");
	return key_type_known(*out) ? EX_DONE :
	    usage_error("--type \"%s\": expected ed25519, ecdsa or rsa", *out);
}

/* ---- roles ---------------------------------------------------------------------------- */

/* A new key for role, in its own directory and among the keys of `into`. */
static int
new_signer(struct keyring *ring, const char *dir, const char *role, const char *type,
    json_t *into, json_t *keyids)
{
	const struct key *k;
	int		  st = key_make(ring, dir, role, type, &k);

	if (st != EX_DONE)
		return st;
	json_object_set(into, k->id, k->pub);
	json_array_append_new(keyids, json_string(k->id));
	return EX_DONE;
}

/* '*' never matches '/', so four depths are four patterns. */
static json_t *
usual_paths(const char *role)
{
	json_t *a = json_array();
	char	text[TUF_NAME_MAX + 16];
	int	n = snprintf(text, sizeof(text), "%s", role);

	for (int i = 0; i < 4 && (size_t)n < sizeof(text) - 3; i++) {
		memcpy(text + n, "/*", 3);
		n += 2;
		json_array_append_new(a, json_string(text));
	}
	return a;
}

/* paths are taken. */
static int
delegate(struct repo *r, const char *keys, const char *role, const char *type,
    json_t *paths)
{
	json_t *s = doc_signed(json_object_get(r->roles, "targets")), *d, *keyids;
	int	st;

	if (js_obj(s, "delegations") == NULL)
		json_object_set_new(s, "delegations", json_pack("{s:{}, s:[]}", "keys",
		    "roles"));
	d = js_obj(s, "delegations");
	keyids = json_array();
	if ((st = new_signer(&r->keys, keys, role, type, js_obj(d, "keys"), keyids)) !=
	    EX_DONE) {
		json_decref(keyids);
		json_decref(paths);
		return st;
	}
	json_array_append_new(js_arr(d, "roles"), json_pack("{s:s, s:o, s:i, s:b, s:o}",
	    "name", role, "keyids", keyids, "threshold", 1, "terminating", 1, "paths",
	    paths));
	json_object_set_new(r->roles, role, doc_new("targets", json_pack("{s:{}}",
	    "targets")));
	repo_touch(r, role);
	repo_touch(r, "targets");
	return EX_DONE;
}

/* The role of an administration group in a site repository. */
static int
delegate_group(struct repo *r, const char *keys, const char *group, const char *type)
{
	char role[TUF_NAME_MAX + 1], path[TUF_NAME_MAX + 16];

	snprintf(role, sizeof(role), "groups%s", strcmp(group, "/") == 0 ? "" : group);
	snprintf(path, sizeof(path), "%s/*", role);
	if (json_object_get(r->roles, role) != NULL)
		return EX_DONE;
	return delegate(r, keys, role, type, json_pack("[s]", path));
}

static int
make_root(struct repo *r, const char *root_dir, const char *dir, const char *type,
    int64_t count, int64_t threshold)
{
	json_t *keys = json_object(), *roles = json_object(), *ids = json_array();
	int	st = EX_DONE;

	for (int64_t i = 0; i < count && st == EX_DONE; i++)
		st = new_signer(&r->root_keys, root_dir, "root", type, keys, ids);
	json_object_set_new(roles, "root", json_pack("{s:o, s:I}", "keyids", ids,
	    "threshold", (json_int_t)threshold));
	for (size_t i = 0; i < COUNT(top_roles) && st == EX_DONE; i++) {
		ids = json_array();
		st = new_signer(&r->keys, dir, top_roles[i], type, keys, ids);
		json_object_set_new(roles, top_roles[i], json_pack("{s:o, s:i}", "keyids",
		    ids, "threshold", 1));
	}
	r->root = doc_new("root", json_pack("{s:b, s:o, s:o}", "consistent_snapshot", 1,
	    "keys", keys, "roles", roles));
	return st;
}

static int
make_roles(struct repo *r, struct args *a, const char *dir, const char *type)
{
	const char *group;
	int	    st = EX_DONE;

	json_object_set_new(r->roles, "targets", doc_new("targets", json_pack("{s:{}}",
	    "targets")));
	r->snapshot = doc_new("snapshot", json_pack("{s:{}}", "meta"));
	r->timestamp = doc_new("timestamp", json_pack("{s:{}}", "meta"));
	for (int i = 0; (group = args_next(a, "group", &i)) != NULL && st == EX_DONE;)
		st = delegate_group(r, dir, group, type);
	for (size_t i = 0; i < COUNT(usual_roles) && st == EX_DONE &&
	     !args_has(a, "site"); i++)
		st = delegate(r, dir, usual_roles[i], type, usual_paths(usual_roles[i]));
	return st;
}

/* ---- init ------------------------------------------------------------------------------- */

struct init {
	const char *keys, *root_keys, *type;
	int64_t	    count, threshold;
};

static int
init_args(struct args *a, struct init *in)
{
	const char *group;
	int	    st;

	in->keys = args_get(a, "keys", NULL);
	in->root_keys = args_get(a, "root-keys", NULL);
	if (in->keys == NULL || in->root_keys == NULL)
		return usage_error("repo init: --keys DIR and --root-keys DIR say where"
		    " the new keys go");
	if (strcmp(in->keys, in->root_keys) == 0)
		return usage_error("repo init: --keys and --root-keys are the same"
		    " directory; root keys belong on offline media");
	if ((st = get_type(a, &in->type)) != EX_DONE ||
	    (st = args_int(a, "root-threshold", 1, 16, 1, &in->threshold)) != EX_DONE ||
	    (st = args_int(a, "root-count", 1, 16, in->threshold, &in->count)) != EX_DONE)
		return st;
	if (in->count < in->threshold)
		return usage_error("--root-count %" PRId64 ": fewer than the threshold"
		    " %" PRId64, in->count, in->threshold);
	if (args_has(a, "group") && !args_has(a, "site"))
		return usage_error("repo init: --group is for --site");
	for (int i = 0; (group = args_next(a, "group", &i)) != NULL;)
		if ((st = group_check(group)) != EX_DONE)
			return st;
	return EX_DONE;
}

static int
remember_dir(struct repo *r, const char *option, const char *dir)
{
	char *full = realpath(dir, NULL);

	if (full == NULL)
		return fail_errno(errno, "%s", dir);
	json_object_set_new(r->conf, option, json_string(full));
	free(full);
	return EX_DONE;
}

static int
make_dirs(const char *dir, const struct init *in)
{
	char path[PATH_LEN];
	int  st;

	if ((st = dir_make(dir, 0755)) != EX_DONE ||
	    (st = path_join(path, dir, "metadata/1.root.json")) != EX_DONE)
		return st;
	if (access(path, F_OK) == 0)
		return fail("%s: a repository is there already", dir);
	if ((st = path_join(path, dir, "metadata")) != EX_DONE ||
	    (st = dir_make(path, 0755)) != EX_DONE ||
	    (st = path_join(path, dir, "targets")) != EX_DONE ||
	    (st = dir_make(path, 0755)) != EX_DONE ||
	    (st = dir_make_above(in->keys)) != EX_DONE ||
	    (st = dir_make(in->keys, 0700)) != EX_DONE ||
	    (st = dir_make_above(in->root_keys)) != EX_DONE)
		return st;
	return dir_make(in->root_keys, 0700);
}

int
cmd_repo_init(struct args *a)
{
	struct repo r = { .lock = -1 };
	struct init in = { 0 };
	int	    st, n = 0;

	if ((st = init_args(a, &in)) != EX_DONE ||
	    (st = make_dirs(a->pos[0], &in)) != EX_DONE)
		return st;
	if ((st = repo_begin(&r, a->pos[0])) != EX_DONE ||
	    (st = take_expires(&r, a)) != EX_DONE ||
	    (st = make_root(&r, in.root_keys, in.keys, in.type, in.count, in.threshold)) !=
	    EX_DONE || (st = make_roles(&r, a, in.keys, in.type)) != EX_DONE ||
	    (st = remember_dir(&r, "keys", in.keys)) != EX_DONE ||
	    (st = remember_dir(&r, "root-keys", in.root_keys)) != EX_DONE ||
	    (st = repo_save(&r)) != EX_DONE ||
	    (st = repo_publish(&r, true, &n)) != EX_DONE ||
	    /* the root last: it makes the directory a repository */
	    (st = repo_root_next(&r, r.root)) != EX_DONE)
		goto out;
	say(json_pack("{s:s, s:s, s:i}", "repository", a->pos[0], "root",
	    "metadata/1.root.json", "roles", (int)json_object_size(r.roles)),
	    "made the repository %s: agents trust %s/metadata/1.root.json; keep %s"
	    " offline", a->pos[0], a->pos[0], in.root_keys);
out:
	repo_close(&r);
	return st;
}

/* ---- delegate ------------------------------------------------------------------------------ */

int
cmd_repo_delegate(struct args *a)
{
	const char *role = a->pos[1], *type, *path, *keys;
	json_t	   *paths = json_array();
	struct repo r = { .lock = -1 };
	int	    st, n = 0;

	if ((st = role_check(role)) != EX_DONE || (st = get_type(a, &type)) != EX_DONE ||
	    (st = repo_open(&r, a, REPO_ONLINE_KEYS)) != EX_DONE ||
	    (st = take_expires(&r, a)) != EX_DONE)
		goto out;
	if (json_object_get(r.roles, role) != NULL || repo_signers(&r, role) != NULL) {
		st = fail("role %s: the repository has it already", role);
		goto out;
	}
	for (int i = 0; (path = args_next(a, "path", &i)) != NULL;)
		json_array_append_new(paths, json_string(path));
	if (json_array_size(paths) == 0) {
		json_decref(paths);
		paths = usual_paths(role);
	}
	keys = args_get(a, "keys", js_str(r.conf, "keys"));
	st = delegate(&r, keys, role, type, json_incref(paths));
	if (st == EX_DONE && (st = repo_save(&r)) == EX_DONE &&
	    (st = repo_publish(&r, false, &n)) == EX_DONE)
		say(json_pack("{s:s, s:O}", "role", role, "paths", paths),
		    "role %s may sign for what it was given", role);
out:
	json_decref(paths);
	repo_close(&r);
	return st;
}

/* ---- publish ------------------------------------------------------------------------------- */

static void
drop_target(struct repo *r, const char *name)
{
	const char *role;
	json_t	   *doc;

	json_object_foreach(r->roles, role, doc)
		if (json_object_del(js_obj(doc_signed(doc), "targets"), name) == 0)
			repo_touch(r, role);
}

static int
apply_pending(struct repo *r, int *n)
{
	const char *name, *role;
	json_t	   *p;

	json_object_foreach(js_obj(r->conf, "pending"), name, p) {
		drop_target(r, name);
		++*n;
		if (!json_is_object(p))
			continue;
		role = js_str(p, "role");
		if (role == NULL || js_obj(p, "target") == NULL ||
		    json_object_get(r->roles, role) == NULL)
			return fail("%s/repo.json: \"%s\" is for a role that is not there",
			    r->dir, name);
		json_object_set(js_obj(doc_signed(json_object_get(r->roles, role)),
		    "targets"), name, js_obj(p, "target"));
		repo_touch(r, role);
	}
	return EX_DONE;
}

static void
warn_of_root(const struct repo *r)
{
	int64_t left = doc_expires(r->root) - r->now;

	if (left < 30 * DAY)
		warn_line("the root %s in %" PRId64 " days: dpctl repo rotate root renews"
		    " it", left < 0 ? "expired; it did so" : "expires",
		    (left < 0 ? -left : left) / DAY);
}

int
cmd_repo_publish(struct args *a)
{
	struct repo r;
	int	    st, changes = 0, written = 0;

	if ((st = repo_open(&r, a, REPO_ONLINE_KEYS)) != EX_DONE ||
	    (st = take_expires(&r, a)) != EX_DONE ||
	    (st = apply_pending(&r, &changes)) != EX_DONE ||
	    (st = repo_publish(&r, args_has(a, "all"), &written)) != EX_DONE)
		goto out;
	json_object_del(r.conf, "pending");
	if ((st = repo_save(&r)) != EX_DONE)
		goto out;
	warn_of_root(&r);
	say(json_pack("{s:I, s:I, s:i, s:i}", "snapshot", (json_int_t)doc_version(
	    r.snapshot), "timestamp", (json_int_t)doc_version(r.timestamp), "changes",
	    changes, "files", written), "published snapshot %" PRId64 ": %d changes, %d"
	    " files of metadata", doc_version(r.snapshot), changes, written);
out:
	repo_close(&r);
	return st;
}

/* ---- rotate -------------------------------------------------------------------------------- */

/*
 * New keys in the place of those of signers that the ring holds; of all of them
 * when it holds none (they are lost). retired gets the old files' paths.
 */
static int
replace_keys(struct keyring *ring, const char *dir, const char *role, const char *type,
    json_t *signers, json_t *keys, json_t *retired)
{
	json_t *old = json_array_size(js_arr(signers, "keyids")) > 0 ?
	    json_deep_copy(js_arr(signers, "keyids")) : json_array();
	json_t *ids = json_array(), *v;
	size_t	i, held = 0;
	int	st = EX_DONE;

	json_array_foreach(old, i, v)
		held += keyring_find(ring, json_string_value(v)) != NULL;
	json_array_foreach(old, i, v) {
		const struct key *k = keyring_find(ring, json_string_value(v));

		if (held > 0 && k == NULL) {
			json_array_append(ids, v);
			continue;
		}
		if (k != NULL)
			json_array_append_new(retired, json_string(k->path));
		if ((st = new_signer(ring, dir, role, type, keys, ids)) != EX_DONE)
			break;
	}
	json_object_set_new(signers, "keyids", ids);
	json_decref(old);
	return st;
}

/* Keys that no role names any more leave the document. */
static void
drop_unused(json_t *keys, const json_t *const *lists, size_t n)
{
	const char *id;
	json_t	   *v, *k;
	void	   *next;
	size_t	    i;

	json_object_foreach_safe(keys, next, id, k) {
		bool used = false;

		for (size_t l = 0; l < n; l++)
			json_array_foreach(lists[l], i, v)
				used = used || strcmp(json_string_value(v), id) == 0;
		if (!used)
			json_object_del(keys, id);
	}
}

static void
drop_unused_root(json_t *root)
{
	json_t	     *roles = js_obj(doc_signed(root), "roles");
	const json_t *lists[] = { js_arr(js_obj(roles, "root"), "keyids"),
		js_arr(js_obj(roles, "targets"), "keyids"),
		js_arr(js_obj(roles, "snapshot"), "keyids"),
		js_arr(js_obj(roles, "timestamp"), "keyids") };

	drop_unused(js_obj(doc_signed(root), "keys"), lists, COUNT(lists));
}

static void
drop_unused_delegated(json_t *delegations)
{
	json_t	      *roles = js_arr(delegations, "roles"), *v;
	const json_t **lists = calloc(json_array_size(roles) + 1, sizeof(const json_t *));
	size_t	       i;

	if (lists == NULL)
		return; /* a key too many does no harm */
	json_array_foreach(roles, i, v)
		lists[i] = js_arr(v, "keyids");
	drop_unused(js_obj(delegations, "keys"), lists, i);
	free(lists);
}

static void
retire(const json_t *paths)
{
	char	to[PATH_LEN + 16];
	json_t *v;
	size_t	i;

	json_array_foreach(paths, i, v) {
		snprintf(to, sizeof(to), "%s.retired", json_string_value(v));
		if (rename(json_string_value(v), to) < 0)
			warn_line("%s: cannot be renamed to .retired: %s",
			    json_string_value(v), strerror(errno));
	}
}

static int
rotate_top(struct repo *r, struct args *a, const char *role, const char *type,
    json_t *retired)
{
	bool	    of_root = strcmp(role, "root") == 0;
	const char *option = of_root ? "root-keys" : "keys";
	json_t	   *root = json_deep_copy(r->root), *old;
	json_t	   *signers = js_obj(js_obj(doc_signed(root), "roles"), role);
	int	    st, n = 0;

	st = replace_keys(of_root ? &r->root_keys : &r->keys, args_get(a, option,
	    js_str(r->conf, option)), role, type, signers, js_obj(doc_signed(root), "keys"),
	    retired);
	if (st == EX_DONE) {
		drop_unused_root(root);
		st = repo_root_next(r, root);
	}
	if (st != EX_DONE || of_root) {
		json_decref(root);
		return st;
	}
	old = r->root;
	r->root = root;
	json_decref(old);
	repo_touch(r, role);
	return repo_publish(r, false, &n);
}

static int
rotate_delegated(struct repo *r, struct args *a, const char *role, const char *type,
    json_t *retired)
{
	json_t *d = js_obj(doc_signed(json_object_get(r->roles, "targets")), "delegations");
	int	st, n = 0;

	st = replace_keys(&r->keys, args_get(a, "keys", js_str(r->conf, "keys")), role,
	    type, repo_delegation(r, role), js_obj(d, "keys"), retired);
	if (st != EX_DONE)
		return st;
	drop_unused_delegated(d);
	repo_touch(r, role);
	repo_touch(r, "targets");
	return repo_publish(r, false, &n);
}

int
cmd_repo_rotate(struct args *a)
{
	const char *role = a->pos[1], *type;
	char	    path[PATH_LEN];
	json_t	   *retired = json_array();
	struct repo r = { .lock = -1 };
	bool	    delegated;
	int	    st;

	if ((st = get_type(a, &type)) != EX_DONE ||
	    (st = repo_open(&r, a, REPO_NO_KEYS)) != EX_DONE)
		goto out;
	delegated = repo_delegation(&r, role) != NULL;
	if (repo_signers(&r, role) == NULL) {
		st = fail("role %s: the repository has no such role", role);
		goto out;
	}
	repo_close(&r);
	if (!delegated && (st = path_join(path, a->pos[0], "waiting.root.json")) !=
	    EX_DONE)
		goto out;
	if (!delegated && access(path, F_OK) == 0) {
		st = fail("%s: a new root waits for signatures already; dpctl repo sign"
		    " finishes it, removing the file gives it up", path);
		goto out;
	}
	if ((st = repo_open(&r, a, delegated ? REPO_ONLINE_KEYS : REPO_ALL_KEYS)) != EX_DONE)
		goto out;
	st = delegated ? rotate_delegated(&r, a, role, type, retired) :
	    rotate_top(&r, a, role, type, retired);
	if (st == EX_DONE) {
		retire(retired);
		say(json_pack("{s:s, s:i}", "rotated", role, "keys",
		    (int)json_array_size(retired)), "role %s has new keys", role);
	}
out:
	json_decref(retired);
	repo_close(&r);
	return st;
}

/* ---- sign ---------------------------------------------------------------------------------- */

int
cmd_repo_sign(struct args *a)
{
	struct tuf_meta *m = NULL;
	struct repo	 r = { .lock = -1 };
	char		 path[PATH_LEN], why[256], *text = NULL;
	size_t		 len;
	int		 st;

	if ((st = repo_open(&r, a, REPO_ROOT_KEYS)) != EX_DONE ||
	    (st = path_join(path, r.dir, "waiting.root.json")) != EX_DONE)
		goto out;
	if (access(path, F_OK) < 0) {
		st = fail("%s: no root waits for signatures", r.dir);
		goto out;
	}
	if ((st = file_read(path, 1 << 20, &text, &len)) != EX_DONE)
		goto out;
	if (tuf_meta_parse(&m, TUF_ROOT, text, len, why, sizeof(why)) < 0)
		st = fail("%s: %s", path, why);
	else if (m->version != doc_version(r.root) + 1)
		st = fail("%s: version %" PRId64 " does not follow %" PRId64, path,
		    m->version, doc_version(r.root));
	else if ((st = repo_root_next(&r, m->doc)) == EX_DONE)
		say(json_pack("{s:I}", "root", (json_int_t)m->version), "published root %"
		    PRId64 "; dpctl repo publish signs the rest with the keys it names",
		    m->version);
out:
	tuf_meta_free(&m);
	free(text);
	repo_close(&r);
	return st;
}
