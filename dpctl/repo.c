/*
 * dpctl/repo.c - a repository as it lies in its directory: read, signed, written.
 *
 * Runs in dpctl. Believes the shape of metadata after common/tuf_meta checked it;
 * whether it verifies is for repo verify, the client's own eyes, to say.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/repo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/tuf.h"

enum { META_MAX = 64 << 20 };

/* ---- documents ------------------------------------------------------------------ */

json_t *
doc_new(const char *type, json_t *extra)
{
	json_t *s = json_pack("{s:s, s:s, s:i, s:s}", "_type", type, "spec_version",
	    "1.0.31", "version", 0, "expires", "1970-01-01T00:00:00Z");

	json_object_update(s, extra);
	json_decref(extra);
	return json_pack("{s:[], s:o}", "signatures", "signed", s);
}

json_t *
doc_signed(const json_t *doc)
{
	return json_object_get(doc, "signed");
}

int64_t
doc_version(const json_t *doc)
{
	return json_integer_value(json_object_get(doc_signed(doc), "version"));
}

int64_t
doc_expires(const json_t *doc)
{
	const char *text = js_str(doc_signed(doc), "expires");
	int64_t	    t = 0;

	return text != NULL && tuf_time_parse(text, &t) == 0 ? t : 0;
}

static void
doc_set_next(json_t *doc, int64_t expires)
{
	char text[TUF_TIME_LEN];

	tuf_time_print(expires, text);
	json_object_set_new(doc_signed(doc), "version", json_integer(doc_version(doc) + 1));
	json_object_set_new(doc_signed(doc), "expires", json_string(text));
	json_object_set_new(doc, "signatures", json_array());
}

/* Whether the signature that doc has of the key is good. */
static bool
has_good(const json_t *doc, const json_t *pubs, const char *id, const char *text,
    size_t len)
{
	struct tuf_key *k;
	json_t	       *sig;
	size_t		i;
	bool		good = false;

	json_array_foreach(json_object_get(doc, "signatures"), i, sig) {
		const char *by = js_str(sig, "keyid");

		if (by == NULL || strcmp(by, id) != 0 ||
		    tuf_key_new(&k, id, json_object_get(pubs, id)) < 0)
			continue;
		good = good || tuf_key_verify(k, js_str(sig, "sig"), text, len);
		tuf_key_free(&k);
	}
	return good;
}

int
doc_sign(json_t *doc, const json_t *signers, const struct keyring *ring,
    const json_t *pubs, int64_t *good)
{
	json_t *sigs = json_object_get(doc, "signatures"), *v;
	size_t	len, i;
	char   *text, *hex;
	int	st = EX_DONE;

	*good = 0;
	if (js_canon(doc_signed(doc), &text, &len) < 0)
		return fail("metadata that has no canonical form");
	json_array_foreach(json_object_get(signers, "keyids"), i, v) {
		const char	 *id = json_string_value(v);
		const struct key *k = keyring_find(ring, id);

		if (has_good(doc, pubs, id, text, len)) {
			++*good;
			continue;
		}
		if (k == NULL)
			continue;
		if ((st = key_sign(k, text, len, &hex)) != EX_DONE)
			break;
		json_array_append_new(sigs, json_pack("{s:s, s:s}", "keyid", id, "sig",
		    hex));
		free(hex);
		++*good;
	}
	free(text);
	return st;
}

static int
doc_write(const struct repo *r, const char *file, const json_t *doc)
{
	char  path[PATH_LEN];
	char *text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
	int   st;

	if (text == NULL)
		return fail("out of memory");
	if ((st = path_join(path, r->dir, "metadata/%s", file)) == EX_DONE &&
	    (st = dir_make_above(path)) == EX_DONE)
		st = file_write(path, 0644, text, strlen(text));
	free(text);
	return st;
}

static int
doc_read(const char *path, enum tuf_type type, json_t **out)
{
	struct tuf_meta *m = NULL;
	char		*text, why[256] = "";
	size_t		 len;
	int		 st = file_read(path, META_MAX, &text, &len);

	*out = NULL;
	if (st != EX_DONE)
		return st;
	if (tuf_meta_parse(&m, type, text, len, why, sizeof(why)) < 0)
		st = fail("%s: %s", path, why);
	else
		*out = json_incref(m->doc);
	tuf_meta_free(&m);
	free(text);
	return st;
}

/* ---- roles ----------------------------------------------------------------------- */

static bool
is_root_role(const char *role)
{
	return strcmp(role, "root") == 0 || strcmp(role, "timestamp") == 0 ||
	    strcmp(role, "snapshot") == 0 || strcmp(role, "targets") == 0;
}

json_t *
repo_delegation(const struct repo *r, const char *role)
{
	json_t *d = js_obj(doc_signed(json_object_get(r->roles, "targets")), "delegations");
	json_t *v;
	size_t	i;

	json_array_foreach(js_arr(d, "roles"), i, v)
		if (strcmp(js_str(v, "name"), role) == 0)
			return v;
	return NULL;
}

json_t *
repo_signers(const struct repo *r, const char *role)
{
	if (is_root_role(role))
		return js_obj(js_obj(doc_signed(r->root), "roles"), role);
	return repo_delegation(r, role);
}

static json_t *
repo_pubs(const struct repo *r, const char *role)
{
	if (is_root_role(role))
		return js_obj(doc_signed(r->root), "keys");
	return js_obj(js_obj(doc_signed(json_object_get(r->roles, "targets")),
	    "delegations"), "keys");
}

int64_t
repo_span(const struct repo *r, const char *role)
{
	static const struct {
		const char *role;
		int64_t	    days;
	} usual[] = { { "root", 365 }, { "targets", 365 }, { "snapshot", 30 },
		{ "timestamp", 7 } };
	json_t *v = json_object_get(js_obj(r->conf, "expires"), role);

	if (json_is_integer(v) && json_integer_value(v) > 0)
		return json_integer_value(v);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].role, role) == 0)
			return usual[i].days * DAY;
	return 180 * DAY;
}

void
repo_touch(struct repo *r, const char *role)
{
	json_object_set_new(r->changed, role, json_true());
}

/* ---- open and close ---------------------------------------------------------------- */

int
repo_begin(struct repo *r, const char *dir)
{
	*r = (struct repo){ .dir = dir, .lock = -1, .now = time(NULL) };
	r->conf = json_object();
	r->roles = json_object();
	r->changed = json_object();
	if ((r->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail_errno(errno, "%s", dir);
	if (flock(r->lock, LOCK_EX) < 0)
		return fail_errno(errno, "%s: lock", dir);
	return EX_DONE;
}

void
repo_close(struct repo *r)
{
	json_decref(r->conf);
	json_decref(r->root);
	json_decref(r->timestamp);
	json_decref(r->snapshot);
	json_decref(r->roles);
	json_decref(r->changed);
	keyring_fini(&r->keys);
	keyring_fini(&r->root_keys);
	if (r->lock >= 0)
		close(r->lock);
	*r = (struct repo){ .lock = -1 };
}

int
repo_save(struct repo *r)
{
	char  path[PATH_LEN];
	char *text = json_dumps(r->conf, JSON_INDENT(1) | JSON_SORT_KEYS);
	int   st;

	if (text == NULL)
		return fail("out of memory");
	if ((st = path_join(path, r->dir, "repo.json")) == EX_DONE)
		st = file_write(path, 0600, text, strlen(text));
	free(text);
	return st;
}

static int
load_conf(struct repo *r)
{
	char   path[PATH_LEN], why[256], *text;
	size_t len;
	int    st;

	if ((st = path_join(path, r->dir, "repo.json")) != EX_DONE)
		return st;
	if (access(path, F_OK) < 0)
		return EX_DONE;
	if ((st = file_read(path, META_MAX, &text, &len)) != EX_DONE)
		return st;
	json_decref(r->conf);
	if (js_parse(&r->conf, text, len, why, sizeof(why)) < 0)
		st = fail("%s: %s", path, why);
	else if (!json_is_object(r->conf))
		st = fail("%s: expected an object", path);
	free(text);
	return st;
}

static int
load_root(struct repo *r)
{
	char	path[PATH_LEN];
	int64_t last = 0;
	int	st;

	for (;; last++) {
		if ((st = path_join(path, r->dir, "metadata/%" PRId64 ".root.json",
		    last + 1)) != EX_DONE)
			return st;
		if (access(path, F_OK) < 0)
			break;
	}
	if (last == 0)
		return fail("%s: no repository there; dpctl repo init makes one", r->dir);
	if ((st = path_join(path, r->dir, "metadata/%" PRId64 ".root.json", last)) !=
	    EX_DONE)
		return st;
	return doc_read(path, TUF_ROOT, &r->root);
}

/*
 * Where the file of a role is, below metadata/; version 0: the unversioned name.
 * A web server undoes the escapes of a URL, so that what clients ask for as
 * "2.groups%2Fhq.json" is to lie at "2.groups/hq.json".
 */
static int
role_file(const char *role, int64_t version, char out[PATH_LEN])
{
	int n = version > 0
	    ? snprintf(out, PATH_LEN, "%" PRId64 ".%s.json", version, role)
	    : snprintf(out, PATH_LEN, "%s.json", role);

	return n >= PATH_LEN || !tuf_path_is_plain(out)
	    ? fail("role \"%.80s\": not a name that can be a file's", role)
	    : EX_DONE;
}

static int
load_role(struct repo *r, const char *role, int64_t version, enum tuf_type type,
    json_t **out)
{
	char file[PATH_LEN], path[PATH_LEN];
	int  st;

	if ((st = role_file(role, version, file)) != EX_DONE ||
	    (st = path_join(path, r->dir, "metadata/%s", file)) != EX_DONE)
		return st;
	return doc_read(path, type, out);
}

/* Every role that snapshot.json names. */
static int
load_roles(struct repo *r)
{
	json_t	   *meta = js_obj(doc_signed(r->snapshot), "meta"), *fact, *doc = NULL;
	const char *file;
	int	    st = EX_DONE;

	json_object_foreach(meta, file, fact) {
		size_t len = strlen(file);
		char   role[TUF_NAME_MAX + 6];

		if (len <= 5 || len >= sizeof(role) || strcmp(file + len - 5, ".json") != 0)
			return fail("snapshot.json: names \"%s\"", file);
		snprintf(role, sizeof(role), "%.*s", (int)(len - 5), file);
		st = load_role(r, role, json_integer_value(json_object_get(fact,
		    "version")), TUF_TARGETS, &doc);
		if (st != EX_DONE)
			return st;
		json_object_set_new(r->roles, role, doc);
	}
	return json_object_get(r->roles, "targets") != NULL ? EX_DONE :
	    fail("snapshot.json: names no targets.json");
}

static int
load_keys(struct repo *r, struct args *a, const char *option, struct keyring *ring)
{
	const char *dir = args_get(a, option, js_str(r->conf, option));

	if (dir == NULL)
		return usage_error("--%s: says where the keys are; %s/repo.json does not",
		    option, r->dir);
	return keyring_load(ring, dir);
}

int
repo_open(struct repo *r, struct args *a, enum repo_keys which)
{
	char path[PATH_LEN];
	int  st;

	if ((st = repo_begin(r, a->pos[0])) != EX_DONE || (st = load_conf(r)) != EX_DONE ||
	    (st = load_root(r)) != EX_DONE ||
	    (st = path_join(path, r->dir, "metadata/timestamp.json")) != EX_DONE ||
	    (st = doc_read(path, TUF_TIMESTAMP, &r->timestamp)) != EX_DONE ||
	    (st = load_role(r, "snapshot", json_integer_value(json_object_get(
	    js_obj(js_obj(doc_signed(r->timestamp), "meta"), "snapshot.json"),
	    "version")), TUF_SNAPSHOT, &r->snapshot)) != EX_DONE ||
	    (st = load_roles(r)) != EX_DONE)
		return st;
	if ((which == REPO_ALL_KEYS || which == REPO_ONLINE_KEYS) &&
	    (st = load_keys(r, a, "keys", &r->keys)) != EX_DONE)
		return st;
	if ((which == REPO_ALL_KEYS || which == REPO_ROOT_KEYS) &&
	    (st = load_keys(r, a, "root-keys", &r->root_keys)) != EX_DONE)
		return st;
	return EX_DONE;
}

/* ---- writing ----------------------------------------------------------------------- */

static int
sign_role(struct repo *r, const char *role, json_t *doc)
{
	json_t *signers = repo_signers(r, role);
	int64_t good, need = json_integer_value(json_object_get(signers, "threshold"));
	int	st;

	doc_set_next(doc, r->now + repo_span(r, role));
	if ((st = doc_sign(doc, signers, &r->keys, repo_pubs(r, role), &good)) != EX_DONE)
		return st;
	return good >= need ? EX_DONE : fail("role %s needs signatures of %" PRId64
	    " keys; the key directory holds %" PRId64 " of its keys", role, need, good);
}

static int
write_role(struct repo *r, const char *role, json_t *doc, int *written)
{
	char file[PATH_LEN];
	int  st;

	if ((st = sign_role(r, role, doc)) != EX_DONE ||
	    (st = role_file(role, strcmp(role, "timestamp") == 0 ? 0 : doc_version(doc),
	    file)) != EX_DONE)
		return st;
	++*written;
	return doc_write(r, file, doc);
}

/* Less than half of its time left. */
static bool
is_old(const struct repo *r, const char *role, const json_t *doc)
{
	return doc_expires(doc) - r->now < repo_span(r, role) / 2;
}

/* By the keys that are asked for at present: a rotation may have changed them. */
static bool
is_signed(const struct repo *r, const char *role, const json_t *doc)
{
	json_t *signers = repo_signers(r, role), *v;
	int64_t good = 0;
	size_t	len, i;
	char   *text;

	if (js_canon(doc_signed(doc), &text, &len) < 0)
		return false;
	json_array_foreach(json_object_get(signers, "keyids"), i, v)
		good += has_good(doc, repo_pubs(r, role), json_string_value(v), text, len);
	free(text);
	return good >= json_integer_value(json_object_get(signers, "threshold"));
}

/* Whether a role's file must be written anew. */
static bool
is_due(const struct repo *r, const char *role, const json_t *doc)
{
	return json_object_get(r->changed, role) != NULL || is_old(r, role, doc) ||
	    !is_signed(r, role, doc);
}

static json_t *
fact_of(const json_t *doc, bool with_hash)
{
	json_t	   *f = json_pack("{s:I}", "version", (json_int_t)doc_version(doc));
	char	   *text, hex[HASH_HEX];
	struct hash h;

	if (with_hash && (text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS)) != NULL) {
		if (hash_of(&h, text, strlen(text)) == 0) {
			hash_to_hex(&h, hex);
			json_object_set_new(f, "length",
			    json_integer((json_int_t)strlen(text)));
			json_object_set_new(f, "hashes", json_pack("{s:s}", "sha256", hex));
		}
		free(text);
	}
	return f;
}

int
repo_publish(struct repo *r, bool all, int *written)
{
	json_t	   *meta = js_obj(doc_signed(r->snapshot), "meta"), *doc;
	const char *role;
	char	    file[TUF_NAME_MAX + 8];
	int	    st, before = *written;

	json_object_foreach(r->roles, role, doc) {
		if (!all && !is_due(r, role, doc))
			continue;
		if ((st = write_role(r, role, doc, written)) != EX_DONE)
			return st;
		snprintf(file, sizeof(file), "%s.json", role);
		json_object_set_new(meta, file, fact_of(doc, false));
	}
	if (all || *written > before || is_due(r, "snapshot", r->snapshot)) {
		if ((st = write_role(r, "snapshot", r->snapshot, written)) != EX_DONE)
			return st;
		json_object_set_new(js_obj(doc_signed(r->timestamp), "meta"),
		    "snapshot.json", fact_of(r->snapshot, true));
	}
	return write_role(r, "timestamp", r->timestamp, written);
}

/* Signed by enough of the keys that the root `by` names for roots. */
static int
sign_root(const struct repo *r, json_t *root, const json_t *by, bool *enough)
{
	json_t *s = doc_signed(by), *signers = js_obj(js_obj(s, "roles"), "root");
	int64_t good, need = json_integer_value(json_object_get(signers, "threshold"));
	int	st = doc_sign(root, signers, &r->root_keys, js_obj(s, "keys"), &good);

	*enough = good >= need;
	return st;
}

int
repo_root_next(struct repo *r, json_t *root)
{
	char  file[64], path[PATH_LEN], *text;
	bool  by_old = true, by_new = false;
	int   st;

	if (doc_version(root) <= doc_version(r->root))
		doc_set_next(root, r->now + repo_span(r, "root"));
	if ((r->root != root && (st = sign_root(r, root, r->root, &by_old)) != EX_DONE) ||
	    (st = sign_root(r, root, root, &by_new)) != EX_DONE ||
	    (st = path_join(path, r->dir, "waiting.root.json")) != EX_DONE)
		return st;
	if (by_old && by_new) {
		snprintf(file, sizeof(file), "%" PRId64 ".root.json", doc_version(root));
		if ((st = doc_write(r, file, root)) == EX_DONE)
			unlink(path);
		return st;
	}
	if ((text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
		return fail("out of memory");
	st = file_write(path, 0644, text, strlen(text));
	free(text);
	return st != EX_DONE ? st : fail("the new root waits in %s for signatures of"
	    " other root keys: dpctl repo sign %s --root-keys DIR", path, r->dir);
}
