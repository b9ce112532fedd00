/*
 * dp-fetch/want.c - what the server asks for because a device waits.
 *
 * Runs in dp-fetch after sandbox_enter(). Believes neither the server nor the
 * device behind it: only names and hashes of a verified set are fetched.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "common/worker.h"
#include "dp-fetch/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TELL_BYTES (256U << 10)
#define TELL_MS	   20
#define WANTS_MAX  4096
#define QUEUE	   8192

struct want {
	struct want	 *next;
	struct fetch	 *f;
	uint32_t	  id;
	struct job_waiter w;
	bool		  started, verified;
	uint64_t	  told, told_ms;
};

static int on_want(void *ctx, struct ipc_msg *m);
static int on_want_stop(void *ctx, struct ipc_msg *m);

static const struct ipc_handler from_asker[] = {
	/* type		nfds min max		       fn */
	{ MSG_WANT,	 0,  3,	 2 + STORE_NAME_MAX, on_want },
	{ MSG_WANT_STOP, 0,  0,	 0,		       on_want_stop },
};

static void
want_free(struct want *w)
{
	struct want **p = &w->f->wants;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	job_leave(&w->w);
	free(w);
}

static void
answer_no(struct fetch *f, uint32_t id, uint16_t status, const char *text)
{
	uint8_t	  buf[600];
	char	  shortened[500];
	struct wr w = wr_to(buf, sizeof(buf));

	snprintf(shortened, sizeof(shortened), "%s", text);
	wr_u16(&w, status);
	wr_str(&w, shortened);
	if (f->asker != NULL) /* a server that takes no answer times out */
		(void)ipc_send(f->asker, MSG_WANT_NO, id, buf, w.len);
}

static void
on_opened(void *ctx, const struct target *t, int fd)
{
	struct want *w = ctx;
	uint8_t	     buf[HASH_LEN + 8];
	struct wr    out = wr_to(buf, sizeof(buf));
	int	     copy;

	if (w->started)
		return;
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return; /* then it hears of the end only */
	wr_bytes(&out, t->hash.b, HASH_LEN);
	wr_u64(&out, t->size);
	w->started = ipc_send_fds(w->f->asker, MSG_WANT_START, w->id, buf,
	    out.len, copy, -1) == 0;
}

static void
tell(struct want *w, uint64_t there)
{
	uint8_t	  buf[8];
	struct wr out = wr_to(buf, sizeof(buf));

	wr_u64(&out, there);
	if (ipc_send(w->f->asker, MSG_WANT_PROGRESS, w->id, buf, out.len) == 0)
		w->told = there; /* else the next one says it */
	w->told_ms = loop_now_ms(w->f->loop);
}

static void
on_progress(void *ctx, uint64_t there)
{
	struct want *w = ctx;

	if (w->started && there > w->told &&
	    (there - w->told >= TELL_BYTES ||
		loop_now_ms(w->f->loop) - w->told_ms >= TELL_MS))
		tell(w, there);
}

static void
on_verified(void *ctx)
{
	struct want *w = ctx;

	if (!w->started || w->verified)
		return;
	w->verified = true;
	(void)ipc_send(w->f->asker, MSG_WANT_DONE, w->id, NULL, 0);
}

static void
on_done(void *ctx, int r, const char *text)
{
	struct want *w = ctx;

	w->f->wants_answered++;
	if (r == 0)
		on_verified(w);
	if (!w->verified)
		answer_no(w->f, w->id,
		    r == -ENOENT	      ? 404
			: r == -ETIMEDOUT     ? 504
			: r == -ECONNREFUSED  ? 504
					      : 502,
		    r == 0 ? "no descriptor" : text);
	want_free(w);
}

/* A name of a set in force, or "sha256/<hex>". */
static const struct target *
find(struct fetch *f, const char *name, struct repo **repo)
{
	const struct target *t = NULL;
	struct hash	     h;
	bool		     by_hash = strncmp(name, "sha256/", 7) == 0;

	if (by_hash && hash_from_hex(&h, name + 7, strlen(name + 7)) < 0)
		return NULL;
	for (size_t i = 0; t == NULL && i < REPOS; i++) {
		*repo = &f->repos[i];
		t = by_hash ? set_find_hash((*repo)->now, &h)
			    : set_find((*repo)->now, name);
	}
	return t;
}

static int
on_want(void *ctx, struct ipc_msg *m)
{
	struct fetch	    *f = ctx;
	struct repo	    *repo;
	const struct target *t;
	struct want	    *w;
	char		     name[STORE_NAME_MAX + 1];
	size_t		     n = 0;

	rd_str(&m->rd, name, sizeof(name));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	for (w = f->wants; w != NULL; w = w->next)
		n++;
	if ((t = find(f, name, &repo)) == NULL) {
		answer_no(f, m->id, 404, "no signed set in force names it");
		return 0;
	}
	if (t->size > f->conf.max_object) {
		answer_no(f, m->id, 502, "larger than fetch.max-object");
		return 0;
	}
	if (n >= WANTS_MAX || (w = calloc(1, sizeof(*w))) == NULL) {
		answer_no(f, m->id, 502, "too much is asked for at once");
		return 0;
	}
	*w = (struct want){ .f = f, .id = m->id, .next = f->wants };
	w->w = (struct job_waiter){ .ctx = w, .opened = on_opened,
		.progress = on_progress, .verified = on_verified,
		.done = on_done };
	f->wants = w;
	if (job_want(f, repo, t, true, &w->w) < 0) {
		answer_no(f, m->id, 502, "no memory");
		want_free(w);
		return 0;
	}
	jobs_pump(f);
	return 0;
}

static int
on_want_stop(void *ctx, struct ipc_msg *m)
{
	struct fetch *f = ctx;

	for (struct want *w = f->wants; w != NULL; w = w->next)
		if (w->id == m->id) {
			want_free(w);
			break;
		}
	return 0; /* or it was answered on the way */
}

static void
asker_broken(void *ctx, struct ipc *c, int r)
{
	struct fetch *f = ctx;

	worker_accuse(PEER_SERVE, r);
	wants_end(f);
	ipc_free(&c);
	f->asker = NULL;
}

void
wants_peer(struct fetch *f, int take_fd)
{
	const struct ipc_table t = { from_asker, COUNT(from_asker) };
	int		       r;

	if (f->asker != NULL)
		asker_broken(f, f->asker, -ENOTCONN);
	r = ipc_new(f->loop, take_fd, t, f, asker_broken, QUEUE, &f->asker);
	if (r < 0)
		log_warn_err(r, "channel to the server");
}

void
wants_end(struct fetch *f)
{
	struct want *w;

	while ((w = f->wants) != NULL) {
		f->wants = w->next;
		job_leave(&w->w);
		free(w);
	}
}
