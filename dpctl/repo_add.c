/*
 * dpctl/repo_add.c - targets: names, files, what is meant for whom.
 *
 * Runs in dpctl. Believes nothing of what was typed; a file is hashed while it
 * is copied, so that what is signed is what lies there.
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "common/size.h"
#include "common/tuf.h"
#include "dpctl/repo.h"

enum { TARGET_NAME_MAX = 512, CHUNK = 1 << 18 };

const struct option_row repo_add_options[] = {
	{ "name", "NAME", "the target's name (DIRECTORY-OF-ROLE/basename of FILE)" },
	{ "prefix", "PREFIX", "put before the basename of each FILE instead" },
	{ "kind", "KIND", "package, update, policy or task; decides the role" },
	{ "group", "/GROUP", "administration group it is meant for; repeatable" },
	{ "role", "ROLE", "the role that signs for it" },
	{ "target-version", "TEXT", "version, for people and agents" },
	{ "link", NULL, "hard-link instead of copying: FILE must not change later" },
	{ NULL, NULL, NULL },
};

static const struct {
	const char *kind, *role;
} kinds[] = { { "package", "packages" }, { "update", "updates" },
	{ "policy", "policies" }, { "task", "tasks" } };

/* ---- names ------------------------------------------------------------------- */

/* Segments between slashes: none empty, none beginning with a dot. */
static bool
good_path(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len == 0 || len > max || s[0] == '/' || s[len - 1] == '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 127 || s[i] == '\\' ||
		    ((i == 0 || s[i - 1] == '/') && (s[i] == '.' || s[i] == '/')))
			return false;
	return true;
}

int
target_name_check(const char *name)
{
	return good_path(name, TARGET_NAME_MAX) ? EX_DONE :
	    usage_error("target name \"%.80s\": expected a relative path of up to %d bytes"
	    " without blanks, \"\\\", empty parts, or parts that begin with \".\"", name,
	    TARGET_NAME_MAX);
}

int
group_check(const char *group)
{
	return strcmp(group, "/") == 0 ||
	    (group[0] == '/' && good_path(group + 1, TUF_NAME_MAX - 16)) ? EX_DONE :
	    usage_error("--group \"%.80s\": expected a path like /hq/berlin", group);
}

int
role_check(const char *role)
{
	return good_path(role, TUF_NAME_MAX - 16) ? EX_DONE :
	    usage_error("role \"%.80s\": expected a name without blanks", role);
}

int
target_file(const struct repo *r, const char *name, const char *sha256,
    char out[PATH_LEN])
{
	const char *base = strrchr(name, '/');

	base = base != NULL ? base + 1 : name;
	return path_join(out, r->dir, "targets/%.*s%s.%s", (int)(base - name), name,
	    sha256, base);
}

/* ---- which role, which name ------------------------------------------------------ */

static bool
role_covers(const struct repo *r, const char *role, const char *name)
{
	json_t *v;
	size_t	i;

	if (strcmp(role, "targets") == 0)
		return true;
	json_array_foreach(js_arr(repo_delegation(r, role), "paths"), i, v)
		if (tuf_glob(json_string_value(v), name))
			return true;
	return false;
}

/* "packages/x*" gives "packages/": where a role's targets usually lie. */
static int
usual_dir(const struct repo *r, const char *role, char out[TARGET_NAME_MAX])
{
	const char *p = json_string_value(json_array_get(js_arr(repo_delegation(r, role),
	    "paths"), 0));
	size_t n = p != NULL ? strcspn(p, "*?[") : 0;

	while (n > 0 && p[n - 1] != '/')
		n--;
	return snprintf(out, TARGET_NAME_MAX, "%.*s", (int)n, p != NULL ? p : "") <
	    TARGET_NAME_MAX ? EX_DONE : fail("role %s: its path is too long", role);
}

/* The role asked for, that of the kind, the group's, or the top. */
static int
choose_role(const struct repo *r, struct args *a, const char *name, const char **out)
{
	const char *role = args_get(a, "role", NULL), *kind = args_get(a, "kind", NULL);
	const char *other;
	json_t	   *doc;

	if (kind != NULL && strspn(kind, "abcdefghijklmnopqrstuvwxyz-") != strlen(kind))
		return usage_error("--kind \"%s\": expected a word of small letters", kind);
	for (size_t i = 0; kind != NULL && role == NULL && i < COUNT(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0 &&
		    json_object_get(r->roles, kinds[i].role) != NULL)
			role = kinds[i].role;
	/* a name alone decides as well: whoever is delegated that path */
	if (role == NULL && name != NULL)
		json_object_foreach(r->roles, other, doc)
			if (strcmp(other, "targets") != 0 && role_covers(r, other, name))
				role = other;
	if (role == NULL)
		role = "targets";
	if (json_object_get(r->roles, role) == NULL)
		return fail("--role %s: the repository has no such role; dpctl repo"
		    " delegate adds one", role);
	if (name != NULL && !role_covers(r, role, name))
		return fail("target \"%s\": role %s may not sign for that path", name, role);
	*out = role;
	return EX_DONE;
}

static json_t *
make_custom(struct args *a)
{
	const char *kind = args_get(a, "kind", NULL), *group;
	const char *version = args_get(a, "target-version", NULL);
	json_t	   *d = json_object(), *groups = json_array();

	for (int i = 0; (group = args_next(a, "group", &i)) != NULL;)
		json_array_append_new(groups, json_string(group));
	if (kind != NULL)
		json_object_set_new(d, "kind", json_string(kind));
	if (version != NULL)
		json_object_set_new(d, "version", json_string(version));
	if (json_array_size(groups) > 0)
		json_object_set(d, "groups", groups);
	json_decref(groups);
	return json_pack("{s:o}", "dpoint", d);
}

/* ---- files ------------------------------------------------------------------------- */

struct copy {
	int	     from, to;	/* to -1: hash only */
	struct hash  hash;
	int64_t	     length;
};

static int
copy_bytes(struct copy *c, const char *path, int64_t total)
{
	struct progress  p;
	struct hash_run *run = NULL;
	char		*buf = malloc(CHUNK);
	const char	*base = strrchr(path, '/');
	ssize_t		 n = 0;
	int		 e = buf == NULL || hash_run_new(&run) < 0 ? ENOMEM : 0;
	bool		 writing = false;

	progress_begin(&p, base != NULL ? base + 1 : path, total, true);
	while (e == 0 && (n = read(c->from, buf, CHUNK)) != 0) {
		if (n < 0) {
			e = errno == EINTR ? 0 : errno;
			continue;
		}
		if (hash_run_add(run, buf, (size_t)n) < 0)
			e = ENOMEM;
		for (ssize_t at = 0; e == 0 && c->to >= 0 && at < n;) {
			ssize_t w = write(c->to, buf + at, (size_t)(n - at));

			if (w < 0 && errno != EINTR) {
				e = errno;
				writing = true;
			}
			at += w > 0 ? w : 0;
		}
		progress_at(&p, c->length += n);
	}
	progress_end(&p);
	if (e == 0 && (hash_run_end(run, &c->hash) < 0))
		e = ENOMEM;
	if (e == 0 && c->to >= 0 && fsync(c->to) < 0) {
		e = errno;
		writing = true;
	}
	hash_run_free(&run);
	free(buf);
	return e == 0 ? EX_DONE : fail_errno(e, writing ?
	    "%s: cannot copy it to targets/" : "%s", path);
}

/* Hashed on the way into targets/; under its name only when whole. */
static int
store_file(struct repo *r, const char *path, const char *name, bool hard_link,
    struct copy *c)
{
	char	    tmp[PATH_LEN], to[PATH_LEN], hex[HASH_HEX];
	struct stat st;
	int	    s;

	*c = (struct copy){ .to = -1 };
	if ((s = path_join(tmp, r->dir, "targets/.new.XXXXXX")) != EX_DONE)
		return s;
	if ((c->from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
		return fail_errno(errno, "%s", path);
	if (fstat(c->from, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(c->from);
		return fail("%s: not a file", path);
	}
	if (!hard_link && (c->to = mkostemp(tmp, O_CLOEXEC)) < 0) {
		s = fail_errno(errno, "%s", tmp);
		close(c->from);
		return s;
	}
	s = copy_bytes(c, path, st.st_size);
	if (s == EX_DONE && !hard_link && fchmod(c->to, 0644) < 0)
		s = fail_errno(errno, "%s", tmp);
	hash_to_hex(&c->hash, hex);
	if (s == EX_DONE && (s = target_file(r, name, hex, to)) == EX_DONE &&
	    (s = dir_make_above(to)) == EX_DONE) {
		if (hard_link && link(path, to) < 0 && errno != EEXIST)
			s = fail_errno(errno, "%s: cannot link to %s", path, to);
		else if (!hard_link && rename(tmp, to) < 0)
			s = fail_errno(errno, "%s", to);
	}
	if (s != EX_DONE && c->to >= 0)
		unlink(tmp);
	if (c->to >= 0)
		close(c->to);
	close(c->from);
	return s;
}

/* ---- commands ------------------------------------------------------------------------ */

static void
pend(struct repo *r, const char *name, json_t *entry)
{
	if (js_obj(r->conf, "pending") == NULL)
		json_object_set_new(r->conf, "pending", json_object());
	json_object_set_new(js_obj(r->conf, "pending"), name, entry);
}

static int
add_one(struct repo *r, struct args *a, const char *path)
{
	const char *name = args_get(a, "name", NULL), *role = NULL;
	const char *base = strrchr(path, '/'), *prefix = args_get(a, "prefix", NULL);
	char	    dir[TARGET_NAME_MAX], full[2 * TARGET_NAME_MAX], hex[HASH_HEX];
	char	    size[SIZE_TEXT];
	struct copy c;
	int	    st;

	if ((st = choose_role(r, a, name, &role)) != EX_DONE)
		return st;
	if (name == NULL) {
		if (prefix == NULL && (st = usual_dir(r, role, dir)) != EX_DONE)
			return st;
		snprintf(full, sizeof(full), "%s%s", prefix != NULL ? prefix : dir, base != NULL ? base + 1 : path);
		name = full;
		if (!role_covers(r, role, name))
			return fail("target \"%s\": role %s may not sign for that path",
			    name, role);
	}
	if ((st = target_name_check(name)) != EX_DONE ||
	    (st = store_file(r, path, name, args_has(a, "link"), &c)) != EX_DONE)
		return st;
	hash_to_hex(&c.hash, hex);
	pend(r, name, json_pack("{s:s, s:{s:I, s:{s:s}, s:o}}", "role", role, "target",
	    "length", (json_int_t)c.length, "hashes", "sha256", hex, "custom",
	    make_custom(a)));
	say(json_pack("{s:s, s:s, s:I, s:s}", "added", name, "role", role, "length",
	    (json_int_t)c.length, "sha256", hex), "added %s (%s, %s), sha256 %.12s...",
	    name, role, size_text((double)c.length, size), hex);
	return EX_DONE;
}

int
cmd_repo_add(struct args *a)
{
	const char *group;
	struct repo r;
	int	    st = EX_DONE, saved;

	for (int i = 0; (group = args_next(a, "group", &i)) != NULL;)
		if ((st = group_check(group)) != EX_DONE)
			return st;
	if (a->npos > 2 && args_has(a, "name"))
		return usage_error("repo add: --name is for one file");
	if (args_has(a, "prefix") && args_has(a, "name"))
		return usage_error("repo add: --name and --prefix exclude each other");
	if (args_has(a, "name") &&
	    (st = target_name_check(args_get(a, "name", ""))) != EX_DONE)
		return st;
	if ((st = repo_open(&r, a, REPO_NO_KEYS)) == EX_DONE) {
		for (int i = 1; i < a->npos && st == EX_DONE; i++)
			st = add_one(&r, a, a->pos[i]);
		/* what was added before one failed stays added */
		saved = repo_save(&r);
		st = st != EX_DONE ? st : saved;
	}
	repo_close(&r);
	return st;
}

static const char *
role_of(const struct repo *r, const char *name)
{
	const char *role;
	json_t	   *doc;

	json_object_foreach(r->roles, role, doc)
		if (json_object_get(js_obj(doc_signed(doc), "targets"), name) != NULL)
			return role;
	return NULL;
}

int
cmd_repo_remove(struct args *a)
{
	struct repo r;
	const char *role;
	json_t	   *pending;
	int	    st = repo_open(&r, a, REPO_NO_KEYS);

	for (int i = 1; i < a->npos && st == EX_DONE; i++) {
		pending = json_object_get(js_obj(r.conf, "pending"), a->pos[i]);
		role = role_of(&r, a->pos[i]);
		if (role == NULL && !json_is_object(pending)) {
			st = fail("target \"%s\": the repository has none of that name",
			    a->pos[i]);
			break;
		}
		if (role == NULL)
			json_object_del(js_obj(r.conf, "pending"), a->pos[i]);
		else
			pend(&r, a->pos[i], json_null());
		say(json_pack("{s:s}", "removed", a->pos[i]),
		    "removed %s with the next publish", a->pos[i]);
	}
	if (st == EX_DONE)
		st = repo_save(&r);
	repo_close(&r);
	return st;
}

static void
list_target(const char *name, const char *role, const json_t *t, const char *state)
{
	json_t	   *d = js_obj(js_obj(t, "custom"), "dpoint"), *groups, *v;
	const char *kind = js_str(d, "kind");
	int64_t	    len = json_integer_value(json_object_get(t, "length"));
	char	    size[SIZE_TEXT], text[512] = "", shown[TARGET_NAME_MAX + 1];
	size_t	    i, n = 0;

	groups = js_arr(d, "groups");
	json_array_foreach(groups, i, v)
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
			    i > 0 ? "," : "", json_string_value(v));
	snprintf(shown, sizeof(shown), "%s", name);
	tame(shown);
	tame(text);
	say(json_pack("{s:s, s:s, s:s, s:O, s:s}", "name", name, "role", role, "state",
	    state, "target", t, "kind", kind != NULL ? kind : ""),
	    "%-9s %-10s %-8s %11s  %s%s%s", state, role, kind != NULL ? kind : "-",
	    size_text((double)len, size), shown, *text != '\0' ? "  for " : "", text);
}

int
cmd_repo_list(struct args *a)
{
	struct repo r;
	const char *role, *name;
	json_t	   *doc, *t, *p;
	int	    st = repo_open(&r, a, REPO_NO_KEYS);

	if (st != EX_DONE)
		goto out;
	json_object_foreach(r.roles, role, doc) {
		json_object_foreach(js_obj(doc_signed(doc), "targets"), name, t) {
			p = json_object_get(js_obj(r.conf, "pending"), name);
			list_target(name, role, t, p == NULL ? "published" :
			    json_is_null(p) ? "removed" : "replaced");
		}
	}
	json_object_foreach(js_obj(r.conf, "pending"), name, p)
		if (json_is_object(p) && js_str(p, "role") != NULL)
			list_target(name, js_str(p, "role"), js_obj(p, "target"), "added");
out:
	repo_close(&r);
	return st;
}
