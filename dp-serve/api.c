/*
 * dp-serve/api.c - /v1/; see api.h.
 *
 * Runs in dp-serve behind its sandbox. Believes the multicast sender about
 * answers, but not about message shapes; believes nothing about a path but that
 * http_request.c let it pass.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/size.h"
#include "common/tls.h"
#include "common/wr.h"
#include "dp-serve/blocks.h"

#define PENDING	  1024 /* questions under way; more: 503 */
#define ASK_MAX	  96   /* "/v1/multicast/<sha256>" */

struct call { /* a question to the multicast sender */
	struct call   *next;
	struct object *answer;
	uint32_t       id;
};

struct api {
	struct loop	 *loop;
	struct content	 *content;
	struct blocks	 *blocks;
	struct ipc	 *mcast;
	struct call	 *calls, **calls_end; /* in order of asking */
	unsigned	  ncalls;
	uint32_t	  last_id;
	bool		  multicast;
	struct hash	  crl;
	struct api_counts n;
};

static struct object *
take_call(struct api *a, uint32_t id)
{
	struct call  **p = &a->calls, *c;
	struct object *o;

	while ((c = *p) != NULL && c->id != id)
		p = &c->next;
	if (c == NULL)
		return NULL;
	if ((*p = c->next) == NULL)
		a->calls_end = p;
	a->ncalls--;
	o = c->answer;
	free(c);
	return o;
}

static void
tell_crl(struct api *a)
{
	if (a->mcast != NULL)
		(void)ipc_send(a->mcast, MSG_REVOCATIONS, 0, a->crl.b, HASH_LEN);
}

static int
on_answer(void *ctx, struct ipc_msg *m)
{
	struct api    *a = ctx;
	struct object *o;
	uint16_t       status = rd_u16(&m->rd);
	size_t	       len = m->rd.left;
	uint8_t	      *bytes;
	struct hash    tag;

	if (status != 200 && (status < 400 || status > 599 || len > 0))
		return -EBADMSG;
	if ((o = take_call(a, m->id)) == NULL)
		return -EBADMSG;
	if (status != 200)
		object_refuse(o, status);
	else if ((bytes = malloc(len + 1)) == NULL ||
	    hash_of(&tag, m->rd.p, len) < 0) {
		free(bytes);
		object_refuse(o, 503);
	} else {
		memcpy(bytes, m->rd.p, len);
		object_made(o, "application/json", &tag, bytes, len, len);
	}
	object_unref(&o);
	return 0;
}

static const struct ipc_handler from_mcast[] = {
	/* type		  nfds min max	fn */
	{ MSG_API_ANSWER, 0,   2, 8192, on_answer },
};

static void
mcast_broken(void *ctx, struct ipc *i, int r)
{
	struct api    *a = ctx;
	struct object *o;

	if (r != -ENOTCONN)
		log_warn_err(r, "mcast: bad message");
	ipc_free(&i);
	a->mcast = NULL;
	while (a->calls != NULL) {
		o = take_call(a, a->calls->id);
		object_refuse(o, 503);
		object_unref(&o);
	}
}

int
api_set_mcast(struct api *a, int take_fd)
{
	const struct ipc_table t = { from_mcast, COUNT(from_mcast) };
	int		       r;

	if (a->mcast != NULL)
		mcast_broken(a, a->mcast, -ENOTCONN);
	r = ipc_new(a->loop, take_fd, t, a, mcast_broken, PENDING, &a->mcast);
	if (r == 0)
		tell_crl(a);
	return r;
}

void
api_set(struct api *a, bool multicast, const struct hash *crl)
{
	a->multicast = multicast;
	if (hash_eq(&a->crl, crl))
		return;
	a->crl = *crl;
	tell_crl(a);
}

static int
ask_mcast(struct api *a, const char *path, size_t len, const char *device,
    struct object **out)
{
	uint8_t	     buf[ASK_MAX + TLS_NAME_MAX + 8];
	char	     text[ASK_MAX];
	struct wr    w = wr_to(buf, sizeof(buf));
	struct call *c;
	int	     r;

	if (device[0] == '\0')
		return -EACCES;
	if (!a->multicast)
		return -ENOENT;
	if (a->mcast == NULL || a->ncalls == PENDING)
		return -ENOBUFS;
	memcpy(text, path, len); /* shorter, as api_get has seen */
	text[len] = '\0';
	wr_str(&w, text);
	wr_str(&w, device);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return -ENOMEM;
	if (++a->last_id == 0)
		a->last_id = 1;
	c->id = a->last_id;
	if ((r = object_make(a->content, REACH_DEVICES, &c->answer)) < 0 ||
	    (r = ipc_send(a->mcast, MSG_API_GET, c->id, buf, w.len)) < 0) {
		object_unref(&c->answer);
		free(c);
		return r == -ENOMEM ? r : -ENOBUFS;
	}
	*a->calls_end = c;
	a->calls_end = &c->next;
	a->ncalls++;
	a->n.asked++;
	*out = object_ref(c->answer);
	return 0;
}

int
api_get(struct api *a, const char *path, size_t len, const char *device,
    struct object **out)
{
	static const char multicast[] = "/v1/multicast", list[] = "/v1/blocks/";
	const size_t	  n = sizeof(multicast) - 1, l = sizeof(list) - 1;
	struct hash	  h;

	*out = NULL;
	if (len >= n && memcmp(path, multicast, n) == 0 &&
	    (len == n || (path[n] == '/' &&
			     hash_from_hex(&h, path + n + 1, len - n - 1) == 0)))
		return ask_mcast(a, path, len, device, out);
	if (len > l && memcmp(path, list, l) == 0)
		return blocks_get(a->blocks, path + l, len - l,
		    device[0] != '\0', out);
	return -ENOENT;
}

int
api_new(struct loop *l, struct content *c, struct api **out)
{
	struct api *a = calloc(1, sizeof(*a));
	int	    r = -ENOMEM;

	*out = a;
	if (a == NULL)
		return r;
	a->loop = l;
	a->content = c;
	a->calls_end = &a->calls;
	if ((r = blocks_new(l, c, &a->n.lists, &a->n.hashed_bytes,
		 &a->blocks)) < 0)
		api_free(out);
	return r;
}

void
api_free(struct api **ap)
{
	struct api *a = *ap;

	if (a == NULL)
		return;
	if (a->mcast != NULL)
		mcast_broken(a, a->mcast, -ENOTCONN);
	blocks_free(&a->blocks);
	free(a);
	*ap = NULL;
}

const struct api_counts *
api_counts(const struct api *a)
{
	return &a->n;
}
