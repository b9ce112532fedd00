/*
 * common/ipc.h - one channel between two processes of the suite.
 *
 * Shape:   SOCK_SEQPACKET; a message is one datagram (common/msg.h) with at
 *          most MSG_MAX_FDS descriptors. A table of handlers is the list of
 *          what this peer may say.
 * Ownership: ipc_new takes the socket. A descriptor in a message is closed
 *          after the handler unless ipc_take_fd took it. ipc_send takes the
 *          descriptors it is given, also when it fails.
 * Errors:  a type not listed, a wrong length, an unexpected or missing
 *          descriptor or a handler's negative result is a broken peer: the
 *          channel's broken() is called once with -EBADMSG (or the handler's
 *          error; -EMFILE when we could not take a descriptor; -ENOTCONN when
 *          the peer closed); the channel is dead then and broken() may free it.
 * Limits:  at most max_queue messages wait to be sent; then ipc_send gives
 *          -ENOBUFS and the caller decides (the rule is written at the call).
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include "common/loop.h"
#include "common/msg.h"
#include "common/rd.h"

#include <stddef.h>

struct ipc;

struct ipc_msg {
	uint16_t  type;
	uint32_t  id;
	struct rd rd; /* the payload; end with rd_done(&m->rd) */
	size_t	  len;
	int	  fds[MSG_MAX_FDS]; /* -1 where none; see ipc_take_fd */
};

struct ipc_handler {
	uint16_t type, nfds; /* nfds: descriptors that come along, exactly */
	uint32_t min, max;   /* payload bytes, checked before fn runs */
	int (*fn)(void *ctx, struct ipc_msg *m); /* negative: broken peer */
};

struct ipc_table {
	const struct ipc_handler *handlers;
	size_t			  n;
};

int  ipc_pair(int fds[2]); /* SEQPACKET, CLOEXEC */
int  ipc_new(struct loop *l, int take_fd, struct ipc_table table, void *ctx,
     void (*broken)(void *ctx, struct ipc *c, int r), size_t max_queue,
     struct ipc **out);
void ipc_free(struct ipc **c);
/* Replaces what the peer may say: for a channel whose peer has said hello. */
void ipc_set_table(struct ipc *c, struct ipc_table table, void *ctx);

int ipc_send(struct ipc *c, uint16_t type, uint32_t id, const void *payload,
    size_t len);
int ipc_send_fds(struct ipc *c, uint16_t type, uint32_t id, const void *payload,
    size_t len, int take_fd, int take_fd2); /* -1: none */
/* What may be lost, a notice: -ENOBUFS when half of the queue is full already. The
 * other half is for what may not, so that no flood of notices keeps out a PONG. */
int ipc_notify(struct ipc *c, uint16_t type, const void *payload, size_t len);
size_t ipc_queued(const struct ipc *c);
/* Called whenever the queue has become empty again; NULL: never. */
void ipc_on_drained(struct ipc *c, loop_fn fn, void *ctx);

int ipc_take_fd(struct ipc_msg *m, int i); /* now the caller's */

/*
 * Before there is a loop: one message sent or received on a blocking socket.
 * buf holds the payload, which m->rd borrows. timeout_ms < 0 waits for ever.
 * -ENOTCONN when the peer closed. All descriptors are the caller's.
 */
int ipc_send_now(int fd, uint16_t type, uint32_t id, const void *payload,
    size_t len, int borrowed_fd);
int ipc_recv_now(int fd, void *buf, size_t size, int timeout_ms,
    struct ipc_msg *m);

#endif
