/*
 * dp-agent/keeper.c - what the network child may ask of the parent.
 *
 * Runs in the parent. Believes nothing: the table bounds every message, keep.c
 * checks every path, key and hash again.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/agent.h"

#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS_MAX 32 /* a child has 16 transfers at most */

/* A question that is answered when a file has been hashed. */
struct request {
	struct request	*next;
	struct agent	*a;
	struct keep_job *job;
	uint32_t	 id;
	bool		 looks; /* only whether it is there */
	struct hash	 hash;
	uint64_t	 size;
	char		 path[KEEP_PATH_LEN], kind[64], version[128];
};

static void
rd_hash(struct rd *r, struct hash *h)
{
	const uint8_t *p = rd_bytes(r, HASH_LEN);

	if (p != NULL)
		memcpy(h->b, p, HASH_LEN);
}

static int
on_kept_get(void *ctx, struct ipc_msg *m)
{
	struct agent *a = ctx;
	char	      key[256];
	int	      fd;

	rd_str(&m->rd, key, sizeof(key));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	fd = keep_state_open(a->keep, key);
	if (fd == -EINVAL)
		return -EBADMSG;
	return fd < 0
	    ? ipc_send(a->keeper, MSG_KEPT_NONE, m->id, NULL, 0)
	    : ipc_send_fds(a->keeper, MSG_KEPT, m->id, NULL, 0, fd, -1);
}

static int
on_kept_put(void *ctx, struct ipc_msg *m)
{
	struct agent *a = ctx;
	char	      key[256];
	int	      r;

	rd_str(&m->rd, key, sizeof(key));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	r = keep_state_put(a->keep, key, m->fds[0]);
	if (r == -EINVAL)
		return -EBADMSG;
	if (r == 0)
		return 0;
	log_warn_err(r, "%s/tuf/%s: not kept", a->conf.state_dir, key);
	/* what was not kept could be rolled back: it is not used either */
	return strcmp(key, "status.json") == 0 ||
		strcmp(key, "link.json") == 0 ||
		strcmp(key, "report.json") == 0 || strcmp(key, "delegated") == 0
	    ? 0
	    : r;
}

static int
answer_no(struct agent *a, uint32_t id, int r)
{
	uint8_t	  buf[300];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u32(&w, (uint32_t)-r);
	wr_str(&w, strerror(-r));
	return ipc_send(a->keeper, MSG_STORE_NO, id, buf, w.len);
}

/* The request of this message, its path read by the caller. */
static int
request_new(struct agent *a, uint32_t id, struct request **out)
{
	struct request *q;
	unsigned	n = 0;

	for (q = a->requests; q != NULL; q = q->next)
		n++;
	if (n >= REQUESTS_MAX)
		return -EBADMSG;
	if ((*out = q = calloc(1, sizeof(*q))) == NULL)
		return -ENOMEM;
	q->a = a;
	q->id = id;
	q->next = a->requests;
	a->requests = q;
	return 0;
}

static void
request_free(struct request *q)
{
	struct request **at = &q->a->requests;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	keep_cancel(&q->job);
	free(q);
}

/* A child that does not take its answers is of no use. */
static void
answered(struct request *q, int r)
{
	struct agent *a = q->a;

	request_free(q);
	if (r < 0) {
		log_warn_err(r, "network child: answer not sent, killed");
		children_kill(a);
	}
}

static int
answer_open(struct request *q, bool is_here)
{
	struct agent *a = q->a;
	uint8_t	      buf[8];
	struct wr     w = wr_to(buf, sizeof(buf));
	uint64_t      there;
	int	      r, wfd, rfd;

	if (is_here)
		return ipc_send(a->keeper, MSG_TARGET_HERE, q->id, NULL, 0);
	if (q->looks)
		return answer_no(a, q->id, -ENOENT);
	r = q->size > a->conf.max_object
	    ? -EFBIG
	    : keep_part_open(a->keep, &q->hash, q->size, &wfd, &rfd, &there);
	if (r < 0)
		return answer_no(a, q->id, r);
	wr_u64(&w, there);
	return ipc_send_fds(a->keeper, MSG_TARGET_PART, q->id, buf, w.len, wfd,
	    rfd);
}

static void
on_looked(void *ctx, int r)
{
	struct request *q = ctx;

	q->job = NULL;
	answered(q, answer_open(q, r == 1));
}

static int
on_target_open(void *ctx, struct ipc_msg *m)
{
	struct agent   *a = ctx;
	struct request *q;
	int		r;

	if ((r = request_new(a, m->id, &q)) < 0)
		return r;
	q->looks = m->type == MSG_TARGET_LOOK;
	rd_hash(&m->rd, &q->hash);
	q->size = rd_u64(&m->rd);
	rd_str(&m->rd, q->path, sizeof(q->path));
	if (rd_done(&m->rd) < 0 || q->size > INT64_MAX)
		r = -EBADMSG;
	else if (!keep_path_is_good(q->path))
		r = answer_no(a, q->id, -EINVAL);
	else if ((r = keep_has(a->keep, q->path, &q->hash, q->size, on_looked,
		      q, &q->job)) == -EINPROGRESS)
		return 0;
	else
		r = answer_open(q, r == 1);
	request_free(q);
	return r;
}

static int
on_target_sync(void *ctx, struct ipc_msg *m)
{
	struct agent *a = ctx;
	struct hash   h = { 0 };
	uint64_t      durable;

	rd_hash(&m->rd, &h);
	durable = rd_u64(&m->rd);
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	keep_part_sync(a->keep, &h, durable);
	return 0;
}

static void
hide_controls(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

static int
answer_done(struct request *q, int r)
{
	struct agent *a = q->a;

	if (r < 0) {
		hook_forget(a, q->path);
		log_warn_err(r, "%s: not placed", q->path);
		return answer_no(a, q->id, r);
	}
	log_info("%s: verified and placed", q->path);
	hook_add(a, &q->hash, q->path, q->kind, q->version);
	return ipc_send(a->keeper, MSG_STORE_OK, q->id, NULL, 0);
}

static void
on_placed(void *ctx, int r)
{
	struct request *q = ctx;

	q->job = NULL;
	answered(q, answer_done(q, r));
}

static int
on_target_done(void *ctx, struct ipc_msg *m)
{
	struct agent   *a = ctx;
	struct request *q;
	int		r;

	if ((r = request_new(a, m->id, &q)) < 0)
		return r;
	rd_hash(&m->rd, &q->hash);
	rd_str(&m->rd, q->path, sizeof(q->path));
	rd_str(&m->rd, q->kind, sizeof(q->kind));
	rd_str(&m->rd, q->version, sizeof(q->version));
	hide_controls(q->kind);
	hide_controls(q->version);
	if (rd_done(&m->rd) < 0)
		r = -EBADMSG;
	else if (!keep_path_is_good(q->path))
		r = answer_no(a, q->id, -EINVAL);
	else if ((r = hook_note(a, &q->hash, q->path, q->kind, q->version)) == 0 &&
	    (r = keep_place(a->keep, &q->hash, q->path, on_placed, q,
		 &q->job)) == -EINPROGRESS)
		return 0;
	else
		r = answer_done(q, r);
	request_free(q);
	return r;
}

static int
on_target_bad(void *ctx, struct ipc_msg *m)
{
	struct agent *a = ctx;
	struct hash   h = { 0 };

	rd_hash(&m->rd, &h);
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	keep_part_drop(a->keep, &h);
	return 0;
}

static void
tell_unmarked(void *ctx, const char *path, bool removed)
{
	(void)ctx;
	log_info("%s: no longer meant for this device%s", path,
	    removed ? ", removed" : "");
}

static int
on_round(void *ctx, struct ipc_msg *m)
{
	struct agent *a = ctx;
	uint8_t	      known = rd_u8(&m->rd);
	uint32_t      wanted = rd_u32(&m->rd), here = rd_u32(&m->rd);
	uint64_t      bytes = rd_u64(&m->rd);
	char	      error[600];

	rd_str(&m->rd, error, sizeof(error));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	if (known)
		keep_unmarked(a->keep, a->conf.remove, tell_unmarked, a);
	keep_marks_clear(a->keep);
	if (known && here == wanted)
		keep_parts_clear(a->keep);
	if (!a->once) {
		hooks_retry(a);
		children_hear(a);
	}
	if (error[0] != '\0')
		log_warn("round: %s", error);
	if (known)
		log_info("round: %u of %u files verified and in place, %llu "
			 "bytes received",
		    here, wanted, (unsigned long long)bytes);
	a->failures = 0;
	if (a->once) {
		a->result = known && here == wanted ? 0 : 1;
		if (a->result != 0 && loop_now_ms(a->loop) < a->deadline_ms)
			return 0; /* the child tries again by itself */
		a->round_over = true;
		children_stop(a);
	}
	return 0;
}

static const struct ipc_handler from_net[] = {
	/* type		    nfds min max   fn */
	{ MSG_KEPT_GET,	    0, 3,  202,	 on_kept_get },
	{ MSG_KEPT_PUT,	    1, 3,  202,	 on_kept_put },
	{ MSG_TARGET_OPEN,  0, 43, 1066, on_target_open },
	{ MSG_TARGET_LOOK,  0, 43, 1066, on_target_open },
	{ MSG_TARGET_SYNC,  0, 40, 40,	 on_target_sync },
	{ MSG_TARGET_DONE,  0, 39, 1254, on_target_done },
	{ MSG_TARGET_BAD,   0, 32, 32,	 on_target_bad },
	{ MSG_ROUND,	    0, 19, 618,	 on_round },
};

static void
net_broken(void *ctx, struct ipc *c, int r)
{
	struct agent *a = ctx;

	(void)c;
	keeper_close(a);
	if (r == -ENOTCONN)
		return; /* its end is noticed by its pidfd */
	log_warn_err(r, "network child: given up");
	children_kill(a);
}

void
keeper_close(struct agent *a)
{
	struct request *q;

	while ((q = a->requests) != NULL) {
		a->requests = q->next;
		keep_cancel(&q->job);
		free(q);
	}
	ipc_free(&a->keeper);
}

int
keeper_open(struct agent *a, int take_fd)
{
	keeper_close(a);
	return ipc_new(a->loop, take_fd,
	    (struct ipc_table){ from_net, COUNT(from_net) }, a, net_broken,
	    1024, &a->keeper);
}
