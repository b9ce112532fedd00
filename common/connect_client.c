/*
 * common/connect_client.c - requests to the connector and their answers; see
 * connect_client.h.
 *
 * Runs in every worker with a channel to the connector. Believes it about where
 * a socket leads; lengths and descriptors are checked by ipc all the same.
 * SPDX-License-Identifier: ISC
 */
#include "common/connect_client.h"

#include "common/ipc.h"
#include "common/size.h"
#include "common/url.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_QUEUE 1024

struct connect_client {
	struct loop			*loop;
	struct ipc			*ipc; /* NULL: not connected */
	const struct connect_client_ops *ops;
	void				*ctx;
};

static int on_connected(void *ctx, struct ipc_msg *m);
static int on_connect_no(void *ctx, struct ipc_msg *m);

static const struct ipc_handler handlers[] = {
	/* type		  nfds min max	fn */
	{ MSG_CONNECTED,  1,   2,  128, on_connected },
	{ MSG_CONNECT_NO, 0,   6,  512, on_connect_no },
};

static int
on_connected(void *ctx, struct ipc_msg *m)
{
	struct connect_client *c = ctx;
	char		       address[128];

	rd_str(&m->rd, address, sizeof(address));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	c->ops->answer(c->ctx, m->id, ipc_take_fd(m, 0), address);
	return 0;
}

static int
on_connect_no(void *ctx, struct ipc_msg *m)
{
	struct connect_client *c = ctx;
	char		       why[512];
	uint32_t	       e = rd_u32(&m->rd);

	rd_str(&m->rd, why, sizeof(why));
	if (rd_done(&m->rd) < 0)
		return -EBADMSG;
	c->ops->answer(c->ctx, m->id, e > 0 && e < 4096 ? -(int)e : -EIO, why);
	return 0;
}

static void
broken(void *ctx, struct ipc *ipc, int r)
{
	struct connect_client *c = ctx;

	ipc_free(&ipc);
	c->ipc = NULL;
	c->ops->lost(c->ctx, r);
}

int
connect_client_new(struct loop *l, int take_fd,
    const struct connect_client_ops *ops, void *ctx,
    struct connect_client **out)
{
	struct connect_client *c = calloc(1, sizeof(*c));
	int		       r = 0;

	*out = NULL;
	if (c == NULL) {
		if (take_fd >= 0)
			close(take_fd);
		return -ENOMEM;
	}
	*c = (struct connect_client){ .loop = l, .ops = ops, .ctx = ctx };
	if (take_fd >= 0 && (r = connect_client_attach(c, take_fd)) < 0)
		free(c);
	else
		*out = c;
	return r;
}

int
connect_client_attach(struct connect_client *c, int take_fd)
{
	if (c->ipc != NULL)
		broken(c, c->ipc, -ENOTCONN);
	return ipc_new(c->loop, take_fd,
	    (struct ipc_table){ handlers, COUNT(handlers) }, c, broken,
	    MAX_QUEUE, &c->ipc);
}

void
connect_client_free(struct connect_client **c)
{
	if (*c == NULL)
		return;
	ipc_free(&(*c)->ipc);
	free(*c);
	*c = NULL;
}

static int
ask(struct connect_client *c, uint16_t type, uint32_t ticket, const char *host,
    uint16_t port, uint64_t timeout_ms)
{
	uint8_t	  buf[2 + 4 + 2 + URL_HOST_LEN - 1]; /* the longest it takes */
	struct wr w = wr_to(buf, sizeof(buf));

	if (c->ipc == NULL)
		return -ENOTCONN;
	wr_u16(&w, port);
	wr_u32(&w, timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX);
	wr_str(&w, host);
	return w.err != 0 ? -EINVAL
			  : ipc_send(c->ipc, type, ticket, buf, w.len);
}

int
connect_client_ask(struct connect_client *c, uint32_t ticket, const char *host,
    uint16_t port, uint64_t timeout_ms)
{
	return ask(c, MSG_CONNECT, ticket, host, port, timeout_ms);
}

int
connect_client_begin(struct connect_client *c, uint32_t ticket,
    const char *host, uint16_t port, uint64_t timeout_ms)
{
	return ask(c, MSG_CONNECT_BEGIN, ticket, host, port, timeout_ms);
}
