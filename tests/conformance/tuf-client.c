/*
 * tests/conformance/tuf-client.c - common/tuf.h behind the command line that the
 * public tuf-conformance suite drives.
 *
 * usage: tuf-client --metadata-dir DIR init ROOT
 *	  tuf-client --metadata-dir DIR --metadata-url URL refresh
 *	  tuf-client --metadata-dir DIR --metadata-url URL --target-name NAME ...
 *	      --target-base-url URL --target-dir DIR download
 * --time SECONDS (since the epoch) replaces the clock; faketime does as well.
 * Exit status 0, or 1 with one line of explanation.
 * Built by `make tuf-client`; the suite's --entrypoint is build/tests/tuf-client.
 * A test program: synchronous, unsandboxed, never installed.
 * SPDX-License-Identifier: ISC
 */
#include <curl/curl.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/size.h"
#include "common/tuf.h"

enum { NAMES_MAX = 64 };

struct client {
	const char *metadata_dir, *metadata_url;
	const char *target_dir, *target_url;
	const char *names[NAMES_MAX];
	size_t	    nnames;
	int64_t	    now;
	CURL	   *curl;
	struct tuf *tuf;
};

struct body {
	char  *bytes;
	size_t len, max;
};

/* ---- files -------------------------------------------------------------------- */

static int
read_file(const char *path, struct body *out)
{
	FILE *f = fopen(path, "rb");
	long  size;

	*out = (struct body){ 0 };
	if (f == NULL)
		return -errno;
	if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		err(1, "%s", path);
	rewind(f);
	if ((out->bytes = malloc((size_t)size + 1)) == NULL)
		err(1, "%s", path);
	out->len = fread(out->bytes, 1, (size_t)size, f);
	fclose(f);
	return 0;
}

/* Whole or not at all. */
static int
write_file(const char *path, const void *bytes, size_t len)
{
	char  tmp[PATH_MAX];
	FILE *f;
	int   ok;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	if ((f = fopen(tmp, "wb")) == NULL)
		return -errno;
	ok = fwrite(bytes, 1, len, f) == len;
	ok = fclose(f) == 0 && ok;
	if (!ok || rename(tmp, path) != 0) {
		unlink(tmp);
		return -EIO;
	}
	return 0;
}

static void
path_of(const char *dir, const char *name, const char *suffix,
    char out[PATH_MAX])
{
	char enc[TUF_PATH_LEN];

	if (tuf_role_encode(name, enc) < 0)
		errx(1, "name too long");
	snprintf(out, PATH_MAX, "%s/%s%s", dir, enc, suffix);
}

static int
keep(void *arg, const struct tuf_file *f)
{
	struct client *c = arg;
	char	       path[PATH_MAX];

	path_of(c->metadata_dir, f->role, ".json", path);
	return write_file(path, f->bytes, f->len);
}

/* ---- network -------------------------------------------------------------------- */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct body *b = arg;
	char	    *more;

	n *= size;
	if (n > b->max - b->len)
		return 0;
	if ((more = realloc(b->bytes, b->len + n + 1)) == NULL)
		return 0;
	b->bytes = more;
	memcpy(b->bytes + b->len, p, n);
	b->len += n;
	return n;
}

/* The status, or 0 when there was no answer; the caller frees out->bytes. */
static long
fetch(struct client *c, const char *base, const char *path, size_t max,
    struct body *out)
{
	char	 url[2 * PATH_MAX];
	size_t	 n = strlen(base);
	CURLcode rc;
	long	 status = 0;

	*out = (struct body){ .max = max };
	snprintf(url, sizeof(url), "%s%s%s", base,
	    n > 0 && base[n - 1] == '/' ? "" : "/", path);
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, out);
	rc = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	/* the page that explains a 404 may be longer than the file */
	if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && status != 200))
		return status;
	fprintf(stderr, "%s: %s\n", url, curl_easy_strerror(rc));
	return 0;
}

/* Runs the updater until it wants nothing more. */
static int
drive(struct client *c)
{
	struct tuf_want want;
	struct body	b;
	long		status;
	int		r;

	while ((r = tuf_next(c->tuf, &want)) == 1) {
		status = fetch(c, c->metadata_url, want.path, want.max, &b);
		if (status == 200)
			r = tuf_give(c->tuf, b.bytes != NULL ? b.bytes : "", b.len);
		else if (status == 404 || status == 403)
			r = tuf_missing(c->tuf);
		else
			errx(1, "%s: status %ld", want.path, status);
		free(b.bytes);
		if (r < 0)
			break;
	}
	if (r < 0)
		warnx("%s", tuf_error(c->tuf));
	return r;
}

/* ---- commands ------------------------------------------------------------------- */

static int
init(struct client *c, const char *root)
{
	char	    path[PATH_MAX];
	struct body b;

	if (read_file(root, &b) < 0)
		err(1, "%s", root);
	path_of(c->metadata_dir, "root", ".json", path);
	if (write_file(path, b.bytes, b.len) < 0)
		err(1, "%s", path);
	free(b.bytes);
	return 0;
}

/* "a%2Fb.json" back to "a/b"; NULL: no metadata file. */
static char *
role_of(const char *file)
{
	size_t	    len = strlen(file), n = 0;
	char	   *role = strdup(file);
	unsigned    c;

	if (role == NULL)
		err(1, NULL);
	if (len < 6 || strcmp(file + len - 5, ".json") != 0) {
		free(role);
		return NULL;
	}
	for (size_t i = 0; i < len - 5; i++)
		if (file[i] == '%' && sscanf(file + i + 1, "%2x", &c) == 1) {
			role[n++] = (char)c;
			i += 2;
		} else
			role[n++] = file[i];
	role[n] = '\0';
	return role;
}

static int
refresh(struct client *c)
{
	struct tuf_conf conf = { .now = c->now, .save = keep, .arg = c };
	DIR	       *d = opendir(c->metadata_dir);
	struct dirent  *e;

	if (d == NULL)
		err(1, "%s", c->metadata_dir);
	if (tuf_new(&c->tuf, &conf) < 0)
		err(1, NULL);
	while ((e = readdir(d)) != NULL) {
		char	    path[PATH_MAX], *role = role_of(e->d_name);
		struct body b;

		snprintf(path, sizeof(path), "%s/%s", c->metadata_dir, e->d_name);
		if (role == NULL)
			continue;
		if (read_file(path, &b) < 0)
			err(1, "%s", path);
		if (tuf_local(c->tuf, role, b.bytes, b.len) < 0)
			err(1, NULL);
		free(b.bytes);
		free(role);
	}
	closedir(d);
	return drive(c);
}

static bool
is_target(const struct tuf_target *t, const struct body *b)
{
	uint8_t	    sum[EVP_MAX_MD_SIZE];
	struct hash h;

	if (b->len != (size_t)t->length ||
	    (!t->has_sha256 && !t->has_sha512))
		return false;
	if (t->has_sha256 && (hash_of(&h, b->bytes, b->len) < 0 ||
	    !hash_eq(&h, &t->sha256)))
		return false;
	return !t->has_sha512 || (EVP_Digest(b->bytes, b->len, sum, NULL,
	    EVP_sha512(), NULL) == 1 &&
	    memcmp(sum, t->sha512, sizeof(t->sha512)) == 0);
}

static int
download(struct client *c, const char *name)
{
	char		  path[PATH_MAX], rel[TUF_PATH_LEN];
	struct tuf_target t;
	struct body	  b;
	long		  status;
	int		  r;

	while ((r = tuf_find(c->tuf, name, &t)) == -EAGAIN)
		if (drive(c) < 0)
			return -1;
	if (r < 0) {
		warnx("%s: %s", name, tuf_error(c->tuf));
		return -1;
	}
	path_of(c->target_dir, name, "", path);
	if (read_file(path, &b) == 0) {
		bool have = is_target(&t, &b);

		free(b.bytes);
		if (have)
			return 0;
	}
	if (tuf_target_path(c->tuf, &t, rel) < 0)
		errx(1, "%s: too long", name);
	status = fetch(c, c->target_url, rel, (size_t)t.length, &b);
	if (status != 200)
		errx(1, "%s: status %ld", rel, status);
	if (!is_target(&t, &b))
		errx(1, "%s: not the bytes that were signed for", name);
	if (write_file(path, b.bytes, b.len) < 0)
		err(1, "%s", path);
	free(b.bytes);
	return 0;
}

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "metadata-dir", required_argument, NULL, 'm' },
		{ "metadata-url", required_argument, NULL, 'u' },
		{ "target-name", required_argument, NULL, 'n' },
		{ "target-dir", required_argument, NULL, 'd' },
		{ "target-base-url", required_argument, NULL, 'b' },
		{ "time", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct client c = { .now = time(NULL) };
	const char   *command;
	int	      o, r = -1;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'm':
			c.metadata_dir = optarg;
			break;
		case 'u':
			c.metadata_url = optarg;
			break;
		case 'n':
			if (c.nnames == NAMES_MAX)
				errx(1, "more than %d names", NAMES_MAX);
			c.names[c.nnames++] = optarg;
			break;
		case 'd':
			c.target_dir = optarg;
			break;
		case 'b':
			c.target_url = optarg;
			break;
		case 't':
			c.now = strtoll(optarg, NULL, 10);
			break;
		default:
			return 1;
		}
	command = optind < argc ? argv[optind] : "";
	if (c.metadata_dir == NULL)
		errx(1, "--metadata-dir is needed");
	if (strcmp(command, "init") == 0 && optind + 2 == argc)
		return init(&c, argv[optind + 1]) == 0 ? 0 : 1;
	if (c.metadata_url == NULL)
		errx(1, "--metadata-url is needed");
	if ((c.curl = curl_easy_init()) == NULL || tuf_setup() < 0)
		errx(1, "out of memory");
	if (strcmp(command, "refresh") == 0)
		r = refresh(&c);
	else if (strcmp(command, "download") == 0 && c.nnames > 0 &&
	    c.target_dir != NULL && c.target_url != NULL) {
		r = refresh(&c);
		for (size_t i = 0; i < c.nnames && r == 0; i++)
			r = download(&c, c.names[i]);
	} else
		warnx("init ROOT, refresh, or download with its options");
	tuf_free(&c.tuf);
	curl_easy_cleanup(c.curl);
	return r == 0 ? 0 : 1;
}
