/*
 * dp-agent/net_refresh.c - metadata, from one source after the other, or from a
 * carousel.
 *
 * Runs in the network child. A whole refresh comes from one source: a
 * distribution point that is behind, or lies, is left for the next one.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROTATIONS_MAX 256 /* new roots in one refresh */

static void step(struct net *n);
static void next_source(struct net *n);

static int
begin(struct net *n)
{
	struct tuf_conf c = { .now = time(NULL), .save = kept_save, .arg = n,
		.max_rotations = ROTATIONS_MAX + (unsigned)n->roots.n };
	int		r;

	tuf_free(&n->tuf);
	n->all_roles = false;
	if ((r = tuf_new(&n->tuf, &c)) < 0)
		return r;
	return kept_local(n, n->tuf, NULL);
}

/* 1: the next root was kept; or that was no good, and all begins again without.
 * 0: it was not. */
static int
follow_kept(struct net *n)
{
	const struct saved *s;

	if (strcmp(n->want.role, "root") != 0 ||
	    (s = kept_root(n, tuf_version(n->tuf, "root") + 1)) == NULL)
		return 0;
	if (tuf_give(n->tuf, s->bytes, s->len) == 0)
		return 1;
	log_warn("kept roots: %s; followed again from the configured one",
	    tuf_error(n->tuf));
	state_fini(&n->roots);
	return begin(n) < 0 ? -ENOMEM : 1;
}

static void
give_up_source(struct net *n, const char *why)
{
	snprintf(n->error, sizeof(n->error), "%.250s: %.340s",
	    n->sources[n->source].url, why);
	source_failed(n, n->source, why);
	next_source(n);
}

static void
on_metadata(void *ctx, const struct download_result *res)
{
	struct net *n = ctx;

	n->download = NULL;
	if (res->r == 0) {
		n->bytes += res->len;
		n->sources[n->source].bytes += res->len;
		(void)tuf_give(n->tuf, res->bytes, res->len); /* step() sees */
	} else if (res->r == -ENOENT)
		(void)tuf_missing(n->tuf);
	else {
		give_up_source(n, res->text);
		return;
	}
	step(n);
}

static int
ask(struct net *n)
{
	char		     url[URL_LEN], path[TUF_PATH_LEN + 16];
	const char	    *urls[1] = { url };
	struct download_want w = { .urls = urls, .nurls = 1, .tls = &n->tls,
		.direct = n->sources[n->source].direct,
		.max = n->want.max, .fd = -1, .read_fd = -1,
		.done = on_metadata, .ctx = n };

	snprintf(path, sizeof(path), "metadata/%s", n->want.path);
	if (url_join(n->sources[n->source].url, path, true, url, sizeof(url)) < 0)
		return -EINVAL;
	return download_start(n->downloads, &w, &n->download);
}

static int
add_row(void *arg, const struct tuf_file *f)
{
	struct net *n = arg;
	char	    text[120];
	struct tm   tm;
	time_t	    t = (time_t)f->expires;
	size_t	    k;

	k = (size_t)snprintf(text, sizeof(text), "version %lld, expires ",
	    (long long)f->version);
	if (gmtime_r(&t, &tm) != NULL)
		strftime(text + k, sizeof(text) - k, "%Y-%m-%d", &tm);
	json_array_append_new(n->metadata,
	    json_pack("{s:s?,s:I,s:I,s:s,s:s}", "role", f->role, "version",
		(json_int_t)f->version, "expires", (json_int_t)f->expires, "text",
		text, "warning", f->expired ? "expired" : ""));
	return 0;
}

static int
hash_timestamp(void *out, const struct tuf_file *f)
{
	return strcmp(f->role, "timestamp") == 0
	    ? hash_of(out, f->bytes, f->len)
	    : 0;
}

/* The updater's set is in force: its list is this device's. */
static int
take_set(struct net *n)
{
	int r;

	json_decref(n->metadata);
	n->metadata = json_array();
	if ((r = tuf_files(n->tuf, add_row, n)) == 0 &&
	    (r = tuf_files(n->tuf, hash_timestamp, &n->timestamp)) == 0)
		r = targets_collect(n, n->tuf);
	return r;
}

static void
verified(struct net *n, const char *by)
{
	int r = take_set(n);

	kept_settle(n, n->tuf);
	tuf_free(&n->tuf);
	if (r < 0) {
		snprintf(n->error, sizeof(n->error), "list of files: %s",
		    strerror(-r));
		net_refreshed(n, false);
		return;
	}
	n->error[0] = '\0';
	n->refreshed = time(NULL);
	n->refreshed_by = by;
	net_refreshed(n, true);
}

/*
 * No source has answered since the start: what was kept, verified but perhaps
 * expired, says what should be here. root: the newest, which was followed.
 */
static int
take_kept(struct net *n, int64_t root)
{
	struct tuf_conf c = { .now = time(NULL), .offline = true };
	int		r;

	if (root == 0)
		return -ENOENT;
	if ((r = tuf_new(&n->tuf, &c)) == 0 &&
	    (r = kept_local(n, n->tuf, kept_root(n, root))) == 0 &&
	    (r = tuf_next(n->tuf, &n->want)) == 0) {
		tuf_load_all(n->tuf);
		if ((r = tuf_next(n->tuf, &n->want)) == 0)
			r = take_set(n);
	}
	tuf_free(&n->tuf);
	return r;
}

static void
failed(struct net *n)
{
	int64_t root = n->tuf != NULL ? tuf_version(n->tuf, "root") : 0;

	kept_settle(n, NULL); /* what came is not fetched again */
	tuf_free(&n->tuf);
	n->looks = n->refreshed == 0 && n->ntargets == 0 &&
	    take_kept(n, root) == 0;
	net_refreshed(n, n->looks);
}

/* As tuf_next(), with all roles and behind the kept roots; *broken: that failed
 * for want of memory. */
static int
next_want(struct net *n, bool *broken)
{
	int r, k = 1;

	do {
		r = tuf_next(n->tuf, &n->want);
		if (r == 0 && !n->all_roles) {
			n->all_roles = true;
			tuf_load_all(n->tuf);
			r = tuf_next(n->tuf, &n->want);
		}
	} while (r == 1 && (k = follow_kept(n)) == 1);
	*broken = k < 0;
	return k < 0 ? k : r;
}

static void
step(struct net *n)
{
	char why[600];
	bool broken;
	int  r = next_want(n, &broken);

	if (broken) {
		snprintf(n->error, sizeof(n->error), "metadata: %s",
		    strerror(-r));
		failed(n);
	} else if (r == 0) {
		source_worked(n, n->source);
		verified(n, "unicast");
	} else if (r < 0) {
		snprintf(why, sizeof(why), "%s", tuf_error(n->tuf));
		give_up_source(n, why);
	} else if ((r = ask(n)) < 0)
		give_up_source(n, strerror(-r));
}

static void
next_source(struct net *n)
{
	int r;

	if (source_pick(n, n->tried, &n->source) < 0) {
		failed(n);
		return;
	}
	n->tried |= 1U << n->source;
	if ((r = begin(n)) < 0) {
		snprintf(n->error, sizeof(n->error), "metadata: %s",
		    strerror(-r));
		failed(n);
		return;
	}
	step(n);
}

static void
round_begins(struct net *n, bool by_news)
{
	n->in_round = true;
	n->news_round = by_news;
	n->looks = false;
	n->error[0] = '\0';
}

void
refresh_start(struct net *n)
{
	round_begins(n, false);
	n->tried = 0;
	next_source(n);
}

int
refresh_by_news(struct net *n, const struct hash *timestamp, bool *is_proven,
    struct tuf_want *lacks, char *why, size_t size)
{
	struct hash has = { 0 };
	const void *bytes;
	size_t	    len;
	bool	    broken;
	int	    r = begin(n);

	*is_proven = false;
	while (r == 0 && (r = next_want(n, &broken)) == 1) {
		*lacks = n->want;
		r = news_file(n->mcast->news, n->want.path, &bytes, &len);
		if (r == 0)
			(void)tuf_give(n->tuf, bytes, len); /* next_want() sees */
		else if (r == -ENOENT && n->want.may_be_missing) {
			(void)tuf_missing(n->tuf);
			r = 0;
		} else
			r = -EAGAIN;
	}
	if (n->tuf != NULL && tuf_files(n->tuf, hash_timestamp, &has) == 0)
		*is_proven = hash_eq(&has, timestamp);
	if (r == 0 && hash_eq(&has, &n->timestamp))
		r = -EALREADY;
	if (r == 0) {
		round_begins(n, true);
		verified(n, "multicast");
		return 0;
	}
	snprintf(why, size, "%s",
	    r == -EALREADY ? "timestamp.json: brings nothing new"
		: n->tuf != NULL && tuf_error(n->tuf)[0] != '\0'
		? tuf_error(n->tuf)
		: strerror(-r));
	kept_settle(n, NULL); /* what is trusted stays trusted */
	tuf_free(&n->tuf);
	return r;
}
