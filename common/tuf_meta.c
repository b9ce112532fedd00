/*
 * common/tuf_meta.c - the shape and signatures of one metadata file; see
 * tuf_meta.h.
 *
 * Runs in whoever follows a TUF repository. Believes nothing: most bytes that
 * come here are not verified yet. Pure functions, no I/O, no clock.
 * SPDX-License-Identifier: ISC
 */
#include "common/tuf_meta.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/size.h"

enum {
	KEYS_MAX = 4096,	/* per file */
	SIGNERS_MAX = 1024,	/* key ids of a role; signatures of a file */
	BIN_BITS_MAX = 16,
};

static const char *const type_names[TUF_TYPES] = {
	[TUF_ROOT] = "root",
	[TUF_TIMESTAMP] = "timestamp",
	[TUF_SNAPSHOT] = "snapshot",
	[TUF_TARGETS] = "targets",
};

struct parse {
	struct tuf_meta *m;
	char		*why;
	size_t		 size;
};

/* ---- small parts ----------------------------------------------------------- */

static int bad(struct parse *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
bad(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->size, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/* n digits at *s, within bounds; advances. */
static int
digits(const char **s, int n, int min, int max, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EBADMSG;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return v < min || v > max ? -EBADMSG : 0;
}

static int
literal(const char **s, char c)
{
	return *(*s)++ == c ? 0 : -EBADMSG;
}

int
tuf_time_parse(const char *text, int64_t *out)
{
	struct tm   tm = { 0 };
	int	    year, month, hour = 0, minute = 0, sign;
	const char *s = text;

	/* each step fails on the closing NUL, so none reads past it */
	if (digits(&s, 4, 1970, 9999, &year) < 0 || literal(&s, '-') < 0 ||
	    digits(&s, 2, 1, 12, &month) < 0 || literal(&s, '-') < 0 ||
	    digits(&s, 2, 1, 31, &tm.tm_mday) < 0 || literal(&s, 'T') < 0 ||
	    digits(&s, 2, 0, 23, &tm.tm_hour) < 0 || literal(&s, ':') < 0 ||
	    digits(&s, 2, 0, 59, &tm.tm_min) < 0 || literal(&s, ':') < 0 ||
	    digits(&s, 2, 0, 60, &tm.tm_sec) < 0)
		return -EBADMSG;
	if (*s == '.') {
		if (s[1] < '0' || s[1] > '9')
			return -EBADMSG;
		for (s++; *s >= '0' && *s <= '9'; s++)
			;
	}
	sign = *s == '+' ? -1 : 1;
	if (*s == '+' || *s == '-') {
		s++;
		if (digits(&s, 2, 0, 23, &hour) < 0 || literal(&s, ':') < 0 ||
		    digits(&s, 2, 0, 59, &minute) < 0)
			return -EBADMSG;
	} else if (literal(&s, 'Z') < 0)
		return -EBADMSG;
	if (*s != '\0')
		return -EBADMSG;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*out = (int64_t)timegm(&tm) + sign * (hour * 3600 + minute * 60);
	return 0;
}

void
tuf_time_print(int64_t t, char out[TUF_TIME_LEN])
{
	time_t	  when = (time_t)t;
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, TUF_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, TUF_TIME_LEN, "?");
}

/* "1.0.31" or "1.0": numbers and dots, the first of them 1. */
static bool
spec_version_is_1(const char *s)
{
	return s != NULL && strncmp(s, "1.", 2) == 0 && s[2] >= '0' &&
	    s[2] <= '9' && s[strspn(s, "0123456789.")] == '\0';
}

static bool
is_hex(const char *s, size_t len)
{
	return strspn(s, "0123456789abcdef") == len && s[len] == '\0';
}

/* ---- facts about other files ------------------------------------------------ */

static int
hashes_parse(const json_t *hashes, struct tuf_fact *f)
{
	const char *key, *s;
	json_t	   *v;

	if (!json_is_object(hashes) || json_object_size(hashes) == 0)
		return -EBADMSG;
	f->has_hashes = true;
	json_object_foreach((json_t *)hashes, key, v) {
		if ((s = json_string_value(v)) == NULL)
			return -EBADMSG;
		if (strcmp(key, "sha256") == 0) {
			if (hash_from_hex(&f->sha256, s, strlen(s)) < 0)
				return -EBADMSG;
			f->has_sha256 = true;
		} else if (strcmp(key, "sha512") == 0) {
			struct hash half[2];

			if (strlen(s) != 128 || hash_from_hex(&half[0], s, 64) < 0 ||
			    hash_from_hex(&half[1], s + 64, 64) < 0)
				return -EBADMSG;
			memcpy(f->sha512, half, sizeof(f->sha512));
			f->has_sha512 = true;
		}
	}
	return 0;
}

/* Facts of a metadata file (version asked for) or of a target (length, hashes). */
static int
fact_parse(const json_t *o, bool target, struct tuf_fact *f)
{
	json_t *hashes = json_object_get(o, "hashes");

	*f = (struct tuf_fact){ .length = -1 };
	if (!target && js_int(o, "version", 1, INT64_MAX, &f->version) < 0)
		return -EBADMSG;
	if ((target || json_object_get(o, "length") != NULL) &&
	    js_int(o, "length", target ? 0 : 1, INT64_MAX, &f->length) < 0)
		return -EBADMSG;
	if (hashes == NULL)
		return target ? -EBADMSG : 0;
	return hashes_parse(hashes, f);
}

int
tuf_fact_check(const struct tuf_fact *f, const void *buf, size_t len, char *why,
    size_t size)
{
	struct parse p = { .why = why, .size = size };
	uint8_t	     sum[64];
	struct hash  h;
	int	     r;

	if (f->length >= 0 && (uint64_t)f->length != len)
		return bad(&p, "%zu bytes long, signed as %" PRId64, len, f->length);
	if (f->has_hashes && !f->has_sha256 && !f->has_sha512)
		return bad(&p, "signed with no hash that we know");
	if (f->has_sha256) {
		if ((r = hash_of(&h, buf, len)) < 0)
			return r;
		if (!hash_eq(&h, &f->sha256))
			return bad(&p, "its sha256 is not the signed one");
	}
	if (f->has_sha512) {
		if (EVP_Digest(buf, len, sum, NULL, EVP_sha512(), NULL) != 1)
			return -ENOMEM;
		if (memcmp(sum, f->sha512, sizeof(sum)) != 0)
			return bad(&p, "its sha512 is not the signed one");
	}
	return 0;
}

int
tuf_meta_fact(const struct tuf_meta *m, const char *file, struct tuf_fact *out)
{
	json_t *v = json_object_get(m->meta, file);

	return v == NULL ? -ENOENT : fact_parse(v, false, out);
}

int
tuf_meta_target(const struct tuf_meta *m, const char *path, struct tuf_fact *out,
    const json_t **custom)
{
	json_t *v = json_object_get(m->targets, path);

	if (v == NULL)
		return -ENOENT;
	*custom = js_obj(v, "custom");
	return fact_parse(v, true, out);
}

/* ---- keys and who may sign --------------------------------------------------- */

static int
keys_parse(struct parse *p, const json_t *keys)
{
	struct tuf_meta *m = p->m;
	const char	*id;
	json_t		*v;
	int		 r;

	if (keys == NULL)
		return bad(p, "no object \"keys\"");
	if (json_object_size(keys) > KEYS_MAX)
		return bad(p, "more than %d keys", KEYS_MAX);
	m->keys = calloc(json_object_size(keys) + 1, sizeof(struct tuf_key *));
	if (m->keys == NULL)
		return -ENOMEM;
	json_object_foreach((json_t *)keys, id, v) {
		r = tuf_key_new(&m->keys[m->nkeys], id, v);
		if (r == -EBADMSG)
			return bad(p, "a key without keytype, scheme and keyval");
		if (r < 0)
			return r;
		m->nkeys++;
	}
	return 0;
}

static struct tuf_key *
key_by_id(const struct tuf_meta *m, const char *id)
{
	for (size_t i = 0; i < m->nkeys; i++)
		if (strcmp(tuf_key_name(m->keys[i]), id) == 0)
			return m->keys[i];
	return NULL;
}

/* An id named twice is refused; an id without its key gives no signer. */
static int
signers_parse(struct parse *p, const json_t *role, struct tuf_signers *s)
{
	json_t *ids = js_arr(role, "keyids");
	size_t	n = json_array_size(ids);

	if (js_int(role, "threshold", 1, INT32_MAX, &s->threshold) < 0)
		return bad(p, "a role without a threshold of at least 1");
	if (ids == NULL || n > SIGNERS_MAX)
		return bad(p, "a role without a list \"keyids\" of at most %d",
		    SIGNERS_MAX);
	if ((s->keys = calloc(n + 1, sizeof(struct tuf_key *))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char     *id = json_string_value(json_array_get(ids, i));
		struct tuf_key *k;

		if (id == NULL)
			return bad(p, "a key id that is not a string");
		for (size_t j = 0; j < i; j++)
			if (json_equal(json_array_get(ids, j), json_array_get(ids, i)))
				return bad(p, "a role that names a key id twice");
		if ((k = key_by_id(p->m, id)) != NULL)
			s->keys[s->nkeys++] = k;
	}
	return 0;
}

/* Keys whose signature is good; one key under two ids is one key. */
static int64_t
count_good(const json_t *sigs, const struct tuf_signers *who,
    const struct tuf_key **good, const char *text, size_t len)
{
	size_t	n = 0, i, j, k;
	json_t *sig;

	json_array_foreach(sigs, i, sig) {
		const char *id = js_str(sig, "keyid"), *hex = js_str(sig, "sig");

		for (j = 0; j < who->nkeys; j++)
			if (strcmp(tuf_key_name(who->keys[j]), id) == 0)
				break;
		if (j == who->nkeys ||
		    !tuf_key_verify(who->keys[j], hex, text, len))
			continue;
		for (k = 0; k < n && !tuf_key_same(good[k], who->keys[j]); k++)
			;
		if (k == n)
			good[n++] = who->keys[j];
	}
	return (int64_t)n;
}

int
tuf_meta_verify(const struct tuf_meta *m, const struct tuf_signers *who,
    char *why, size_t size)
{
	const struct tuf_key **keys;
	int64_t		       good;
	size_t		       len;
	char		      *text;
	int		       r;

	if ((r = js_canon(js_obj(m->doc, "signed"), &text, &len)) < 0) {
		snprintf(why, size, r == -EBADMSG ?
		    "holds a number that has no canonical form" : "out of memory");
		return r;
	}
	if ((keys = calloc(who->nkeys + 1, sizeof(struct tuf_key *))) == NULL) {
		free(text);
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	good = count_good(js_arr(m->doc, "signatures"), who, keys, text, len);
	free(keys);
	free(text);
	if (good >= who->threshold)
		return 0;
	snprintf(why, size, "signed by %" PRId64 " of the %" PRId64
	    " keys it needs", good, who->threshold);
	return -EACCES;
}

/* ---- the four kinds of file --------------------------------------------------- */

static int
root_parse(struct parse *p, const json_t *s)
{
	struct tuf_meta *m = p->m;
	json_t		*roles = js_obj(s, "roles");
	int		 r;

	if (json_object_get(s, "consistent_snapshot") != NULL &&
	    js_bool(s, "consistent_snapshot", &m->consistent) < 0)
		return bad(p, "consistent_snapshot is neither true nor false");
	if ((r = keys_parse(p, js_obj(s, "keys"))) < 0)
		return r;
	for (int t = 0; t < TUF_TYPES; t++) {
		json_t *role = js_obj(roles, type_names[t]);

		if (role == NULL)
			return bad(p, "no role \"%s\"", type_names[t]);
		if ((r = signers_parse(p, role, &m->roles[t])) < 0)
			return r;
	}
	return 0;
}

static int
meta_parse(struct parse *p, const json_t *s)
{
	struct tuf_meta *m = p->m;
	struct tuf_fact	 f;
	const char	*name;
	json_t		*v;

	if ((m->meta = js_obj(s, "meta")) == NULL)
		return bad(p, "no object \"meta\"");
	json_object_foreach((json_t *)m->meta, name, v)
		if (fact_parse(v, false, &f) < 0)
			return bad(p, "a file under \"meta\" without a good version,"
			    " length or hash");
	if (m->type == TUF_TIMESTAMP &&
	    tuf_meta_fact(m, "snapshot.json", &f) < 0)
		return bad(p, "no snapshot.json under \"meta\"");
	return 0;
}

static bool
is_top_level(const char *name)
{
	for (int t = 0; t < TUF_TYPES; t++)
		if (strcmp(name, type_names[t]) == 0)
			return true;
	return false;
}

static bool
all_strings(const json_t *a)
{
	size_t	i;
	json_t *v;

	json_array_foreach(a, i, v)
		if (!json_is_string(v))
			return false;
	return true;
}

static int
delegation_parse(struct parse *p, const json_t *role, struct tuf_delegation *d)
{
	const char *name = js_str(role, "name");
	int	    r;

	if (name == NULL || *name == '\0' || strlen(name) > TUF_NAME_MAX ||
	    is_top_level(name))
		return bad(p, "a delegation without a name of its own");
	d->name = name;
	if ((r = signers_parse(p, role, &d->who)) < 0)
		return r;
	if (js_bool(role, "terminating", &d->terminating) < 0)
		return bad(p, "a delegation that does not say \"terminating\"");
	d->paths = js_arr(role, "paths");
	d->prefixes = js_arr(role, "path_hash_prefixes");
	if ((d->paths != NULL) == (d->prefixes != NULL) ||
	    !all_strings(d->paths) || !all_strings(d->prefixes))
		return bad(p, "a delegation without either paths or"
		    " path_hash_prefixes");
	return 0;
}

static int
bins_parse(struct parse *p, const json_t *bins)
{
	struct tuf_meta *m = p->m;
	const char	*prefix = js_str(bins, "name_prefix");
	int64_t		 bits;

	if (prefix == NULL || *prefix == '\0' || strlen(prefix) > TUF_NAME_MAX - 9)
		return bad(p, "succinct_roles without a name_prefix");
	if (js_int(bins, "bit_length", 1, BIN_BITS_MAX, &bits) < 0)
		return bad(p, "succinct_roles without a bit_length of 1 to %d",
		    BIN_BITS_MAX);
	m->bin_prefix = prefix;
	m->bin_bits = (unsigned)bits;
	return signers_parse(p, bins, &m->bin_who);
}

static int
delegations_parse(struct parse *p, const json_t *d)
{
	struct tuf_meta *m = p->m;
	json_t		*roles = js_arr(d, "roles");
	json_t		*bins = json_object_get(d, "succinct_roles");
	json_t		*seen;
	size_t		 n = json_array_size(roles);
	int		 r;

	if (!json_is_object(d) || (roles != NULL) == (bins != NULL))
		return bad(p, "delegations with neither or both of roles and"
		    " succinct_roles");
	if ((r = keys_parse(p, js_obj(d, "keys"))) < 0)
		return r;
	if (bins != NULL)
		return bins_parse(p, bins);
	m->delegations = calloc(n + 1, sizeof(*m->delegations));
	seen = json_object();
	r = m->delegations == NULL || seen == NULL ? -ENOMEM : 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct tuf_delegation *to = &m->delegations[i];

		m->ndelegations++;
		if ((r = delegation_parse(p, json_array_get(roles, i), to)) < 0)
			break;
		if (json_object_get(seen, to->name) != NULL)
			r = bad(p, "two delegations of one name");
		else if (json_object_set_new(seen, to->name, json_null()) != 0)
			r = -ENOMEM;
	}
	json_decref(seen);
	return r;
}

static int
targets_parse(struct parse *p, const json_t *s)
{
	struct tuf_meta *m = p->m;
	json_t		*d = json_object_get(s, "delegations");
	struct tuf_fact	 f;
	const char	*path;
	json_t		*v;

	if ((m->targets = js_obj(s, "targets")) == NULL)
		return bad(p, "no object \"targets\"");
	json_object_foreach((json_t *)m->targets, path, v)
		if (fact_parse(v, true, &f) < 0)
			return bad(p, "a target without a good length or hash");
	return d != NULL ? delegations_parse(p, d) : 0;
}

static int (*const parts[TUF_TYPES])(struct parse *, const json_t *) = {
	[TUF_ROOT] = root_parse,
	[TUF_TIMESTAMP] = meta_parse,
	[TUF_SNAPSHOT] = meta_parse,
	[TUF_TARGETS] = targets_parse,
};

static int
signatures_parse(struct parse *p)
{
	json_t *sigs = js_arr(p->m->doc, "signatures"), *seen, *sig;
	size_t	i;
	int	r = 0;

	if (sigs == NULL || json_array_size(sigs) > SIGNERS_MAX)
		return bad(p, "no list \"signatures\" of at most %d", SIGNERS_MAX);
	if ((seen = json_object()) == NULL)
		return -ENOMEM;
	json_array_foreach(sigs, i, sig) {
		const char *id = js_str(sig, "keyid");

		if (id == NULL || js_str(sig, "sig") == NULL)
			r = bad(p, "a signature without keyid and sig");
		else if (json_object_get(seen, id) != NULL)
			r = bad(p, "two signatures of one key id");
		else if (json_object_set_new(seen, id, json_null()) != 0)
			r = -ENOMEM;
		if (r < 0)
			break;
	}
	json_decref(seen);
	return r;
}

static int
common_parse(struct parse *p)
{
	struct tuf_meta *m = p->m;
	json_t		*s = js_obj(m->doc, "signed");
	const char	*type = js_str(s, "_type"), *expires = js_str(s, "expires");
	int		 r;

	if (s == NULL)
		return bad(p, "no object \"signed\"");
	if (type == NULL || strcmp(type, type_names[m->type]) != 0)
		return bad(p, "its _type is not \"%s\"", type_names[m->type]);
	if (!spec_version_is_1(js_str(s, "spec_version")))
		return bad(p, "its spec_version is not 1.x");
	if (js_int(s, "version", 1, INT64_MAX, &m->version) < 0)
		return bad(p, "no version of at least 1");
	if (expires == NULL || tuf_time_parse(expires, &m->expires) < 0)
		return bad(p, "no date \"expires\"");
	if ((r = signatures_parse(p)) < 0)
		return r;
	return parts[m->type](p, s);
}

int
tuf_meta_parse(struct tuf_meta **out, enum tuf_type type, const void *buf,
    size_t len, char *why, size_t size)
{
	struct parse p = { .why = why, .size = size };
	int	     r;

	*out = NULL;
	snprintf(why, size, "out of memory");
	if ((p.m = calloc(1, sizeof(*p.m))) == NULL)
		return -ENOMEM;
	p.m->type = type;
	if ((r = js_parse(&p.m->doc, buf, len, why, size)) == 0 &&
	    (r = common_parse(&p)) == 0)
		*out = p.m;
	else
		tuf_meta_free(&p.m);
	return r;
}

void
tuf_meta_free(struct tuf_meta **mp)
{
	struct tuf_meta *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->nkeys; i++)
		tuf_key_free(&m->keys[i]);
	free(m->keys);
	for (int t = 0; t < TUF_TYPES; t++)
		free(m->roles[t].keys);
	for (size_t i = 0; i < m->ndelegations; i++)
		free(m->delegations[i].who.keys);
	free(m->delegations);
	free(m->bin_who.keys);
	json_decref(m->doc);
	free(m);
	*mp = NULL;
}

/* ---- which delegation covers a path ------------------------------------------- */

static const char *
next_char(const char *s)
{
	do
		s++;
	while (((unsigned char)*s & 0xc0) == 0x80); /* a UTF-8 character whole */
	return s;
}

/* The code point at s, which is UTF-8 that jansson has checked. */
static uint32_t
code_point(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t	     c = u[0];

	if (c >= 0xf0)
		c &= 0x07;
	else if (c >= 0xe0)
		c &= 0x0f;
	else if (c >= 0xc0)
		c &= 0x1f;
	for (u++; (*u & 0xc0) == 0x80; u++)
		c = c << 6 | (*u & 0x3f);
	return c;
}

/*
 * The set after '[' at set: *end is behind its ']', or NULL when there is none
 * (then '[' stands for itself). A ']' that comes first belongs to the set.
 */
static bool
in_set(const char *set, uint32_t c, const char **end)
{
	bool	    negate = *set == '!', found = false;
	const char *s = set + negate, *first = s;

	for (; *s != '\0' && (*s != ']' || s == first); s = next_char(s)) {
		uint32_t lo = code_point(s), hi = lo;

		if (*next_char(s) == '-') {
			const char *to = next_char(next_char(s));

			if (*to != ']' && *to != '\0') {
				hi = code_point(to);
				s = to;
			}
		}
		found |= c >= lo && c <= hi;
	}
	*end = *s == ']' ? s + 1 : NULL;
	return found != negate;
}

/* Whether one character fits the head of the pattern; *rest is what follows. */
static bool
one_fits(const char *pattern, const char *path, const char **rest)
{
	*rest = next_char(pattern);
	if (*pattern == '[' && *path != '/') {
		const char *end;
		bool	    in = in_set(pattern + 1, code_point(path), &end);

		if (end != NULL) {
			*rest = end;
			return in;
		}
	}
	if (*pattern == '?')
		return *path != '/';
	return code_point(pattern) == code_point(path);
}

bool
tuf_glob(const char *pattern, const char *path)
{
	const char *star = NULL, *from = NULL, *rest;

	/* the last '*' takes one more character whenever the rest does not fit */
	while (*path != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			from = path;
		} else if (*pattern != '\0' && one_fits(pattern, path, &rest)) {
			pattern = rest;
			path = next_char(path);
		} else if (star != NULL && *from != '/') {
			pattern = star;
			path = from = next_char(from);
		} else
			return false;
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

bool
tuf_delegation_covers(const struct tuf_delegation *d, const char *path,
    const struct hash *of_path)
{
	char	hex[HASH_HEX];
	size_t	i;
	json_t *v;

	hash_to_hex(of_path, hex);
	json_array_foreach(d->paths, i, v)
		if (tuf_glob(json_string_value(v), path))
			return true;
	json_array_foreach(d->prefixes, i, v) {
		size_t n = json_string_length(v);

		if (n < sizeof(hex) && is_hex(json_string_value(v), n) &&
		    strncmp(json_string_value(v), hex, n) == 0)
			return true;
	}
	return false;
}

uint32_t
tuf_bin_of(const struct tuf_meta *m, const struct hash *of_path)
{
	return ((uint32_t)of_path->b[0] << 8 | of_path->b[1]) >> (16 - m->bin_bits);
}

void
tuf_bin_name(const struct tuf_meta *m, uint32_t n, char out[TUF_NAME_MAX + 1])
{
	/* as many digits as the highest bin needs */
	int width = (int)(m->bin_bits + 3) / 4;

	snprintf(out, TUF_NAME_MAX + 1, "%s-%0*" PRIx32, m->bin_prefix, width, n);
}
