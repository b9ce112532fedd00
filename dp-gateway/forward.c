/*
 * dp-gateway/forward.c - from the head of a CONNECT to its answer; see forward.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes nothing that a client says;
 * dp-connect about names that led where they must not (-EACCES).
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/forward.h"

#include "common/http_request.h"
#include "common/http_status.h"
#include "dp-gateway/target.h"
#include "dp-gateway/terminate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define UNREAD_MAX (64 << 10) /* of a request that is refused */

static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";

static const uint16_t statuses[WHY_KINDS] = {
	[WHY_SCOPE] = 403,
	[WHY_DRAINING] = 503,
	[WHY_FULL] = 503,
	[WHY_ADDRESS] = 503,
	[WHY_DESCRIPTORS] = 503,
	[WHY_MEMORY] = 503,
	[WHY_HELLO_TIMEOUT] = 408,
	[WHY_BAD_REQUEST] = 400,
	[WHY_LONG_REQUEST] = 431,
	[WHY_METHOD] = 405,
	[WHY_PROXY_FROM] = 403,
	[WHY_TARGET_HOST] = 403,
	[WHY_TARGET_PORT] = 403,
	[WHY_TARGET_ADDRESS] = 403,
	[WHY_TARGET_AWAY] = 502,
	[WHY_TARGET_LATE] = 504,
	[WHY_NO_DEVICE] = 403,
	[WHY_DEVICE] = 503,
};

size_t
forward_answer(enum why why, char out[FORWARD_ANSWER])
{
	int n;

	if (statuses[why] == 0)
		return 0;
	n = snprintf(out, FORWARD_ANSWER,
	    "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
	    statuses[why], http_status_phrase(statuses[why]),
	    statuses[why] == 405 ? "Allow: CONNECT\r\n" : "",
	    strlen(why_text(why)) + 1, why_text(why));
	return (size_t)n;
}

void
forward_refuse(int fd, enum why why)
{
	char   answer[FORWARD_ANSWER];
	size_t n = forward_answer(why, answer);

	if (n == 0)
		return;
	/* unread bytes would make the close a reset, the answer lost */
	(void)recv(fd, NULL, UNREAD_MAX, MSG_TRUNC);
	(void)send(fd, answer, n, MSG_NOSIGNAL);
}

static enum why
why_of_status(int status)
{
	switch (status) {
	case 405: /* GET, say */
	case 501: /* no method at all */
		return WHY_METHOD;
	case 414:
	case 431:
		return WHY_LONG_REQUEST;
	default:
		return WHY_BAD_REQUEST;
	}
}

/* WHY_CLOSED: it may; c->sni is what it asked for as soon as that is known. */
static enum why
forward_admit(struct conn *c, const struct http_request *req, const char *buf)
{
	char	   text[TARGET_TEXT];
	struct url at;
	enum why   why = target_admit(c->g->conf.proxy_allow,
	      buf + req->host.off, req->host.len, req->port, &at);

	if (at.host[0] != '\0') {
		target_text(&at, text);
		free(c->sni); /* its device's name, which TLS has as well */
		if ((c->sni = strdup(text)) == NULL)
			return WHY_MEMORY;
	}
	return c->term == NULL && !scope_has(&c->g->proxy_from, c->addr)
	    ? WHY_PROXY_FROM : why;
}

void
forward_hello(struct conn *c, uint32_t events)
{
	static char	    buf[HTTP_REQUEST_HEAD_MAX];
	struct http_request req;
	int		    fd = c->relay.fd[CLIENT], status = HTTP_REQUEST_MORE;
	ssize_t		    n;
	enum why	    why;

	http_request_begin(&req, HTTP_CONNECT);
	n = recv(fd, buf, sizeof(buf), MSG_PEEK);
	if (n > 0)
		status = http_request_parse(&req, buf, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN) ||
	    (status == HTTP_REQUEST_MORE && (events & EPOLLRDHUP)))
		conn_end(c, WHY_LEFT);
	else if (status == HTTP_REQUEST_MORE)
		conn_watch(c, CLIENT, EPOLLIN | EPOLLRDHUP | EPOLLET);
	else if (status != HTTP_REQUEST_DONE)
		conn_end(c, why_of_status(status));
	else {
		why = forward_admit(c, &req, buf);
		if (why == WHY_CLOSED &&
		    recv(fd, NULL, req.head_len, MSG_TRUNC) != req.head_len)
			why = WHY_LEFT;
		if (why == WHY_CLOSED)
			dial_queue(c);
		else
			conn_end(c, why);
	}
}

/* A socket that has sent nothing yet has room for this. */
void
forward_open(struct conn *c)
{
	conn_phase(c, P_OPEN); /* who speaks first is theirs to know */
	if (send(c->relay.fd[CLIENT], yes, sizeof(yes) - 1, MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(yes) - 1)
		conn_end(c, WHY_CLIENT_RESET);
	else
		conn_carry(c, CLIENT, EPOLLIN);
}

/* -- where TLS ends here -- */

struct forward_head {
	struct http_request req; /* as far as it has come */
	size_t		    len;
	char		    buf[];
};

static int
keep(struct conn *c, const struct http_request *req, const char *p, size_t n)
{
	struct forward_head *h = malloc(sizeof(*h) + n);

	free(c->term->head);
	c->term->head = h;
	if (h == NULL)
		return -ENOMEM;
	h->req = *req;
	h->len = n;
	memcpy(h->buf, p, n);
	return 0;
}

/* The request is whole; n bytes have come along with it. */
static void
asked(struct conn *c, const struct http_request *req, const char *buf, size_t n)
{
	enum why why = forward_admit(c, req, buf);

	if (why == WHY_CLOSED && keep(c, req, buf + req->head_len, n) < 0)
		why = WHY_MEMORY;
	if (why != WHY_CLOSED) {
		conn_end(c, why);
		return;
	}
	conn_watch(c, CLIENT, EPOLLET); /* only that it leaves */
	if (c->phase != P_ENDED)
		dial_queue(c);
}

void
forward_tls_head(struct conn *c)
{
	static char		   buf[HTTP_REQUEST_HEAD_MAX];
	const struct forward_head *h = c->term->head;
	struct end		  *e = &c->term->ends.of[CLIENT];
	struct http_request	   req;
	int			   status = HTTP_REQUEST_MORE;
	size_t			   len = 0;
	ssize_t			   n;

	http_request_begin(&req, HTTP_CONNECT);
	if (h != NULL) {
		req = h->req;
		memcpy(buf, h->buf, len = h->len);
	}
	while (status == HTTP_REQUEST_MORE &&
	    (n = end_read(e, buf + len, sizeof(buf) - len)) > 0)
		status = http_request_parse(&req, buf, len += (size_t)n);
	if (status == HTTP_REQUEST_DONE)
		asked(c, &req, buf, len - req.head_len);
	else if (status != HTTP_REQUEST_MORE)
		conn_end(c, why_of_status(status));
	else if (n != -EAGAIN)
		conn_end(c, n == -ENOMEM ? WHY_MEMORY
			: n == -EPROTO	 ? WHY_BAD_REQUEST
					 : WHY_LEFT);
	else if (keep(c, &req, buf, len) < 0)
		conn_end(c, WHY_MEMORY);
	else
		conn_watch(c, CLIENT, EPOLLIN | EPOLLRDHUP);
}

void
forward_tls_open(struct conn *c)
{
	struct ends	    *e = &c->term->ends;
	struct forward_head *h = c->term->head;
	int		     r;

	conn_phase(c, P_OPEN);
	ends_set(e, SERVER, c->relay.fd[SERVER], NULL);
	e->moved_ms[CLIENT] = e->moved_ms[SERVER] = c->since_ms;
	r = end_write(&e->of[SERVER], h->buf, h->len);
	c->relay.bytes[CLIENT] = h->len;
	free(h);
	c->term->head = NULL;
	if (r < 0) {
		conn_end(c, WHY_SERVER_RESET);
		return;
	}
	if ((r = end_flush(&e->of[CLIENT])) == 0 &&
	    (r = end_write(&e->of[CLIENT], yes, sizeof(yes) - 1)) == 0)
		r = end_flush(&e->of[CLIENT]);
	/* it has been sent its handshake and now this, which fit into any
	 * socket that takes something */
	if (r < 0)
		conn_end(c, WHY_CLIENT_RESET);
	else
		conn_carry(c, CLIENT, EPOLLIN);
}

void
forward_tls_refuse(struct end *e, enum why why)
{
	char   answer[FORWARD_ANSWER];
	size_t n = forward_answer(why, answer);

	if (n == 0)
		return;
	(void)recv(e->fd, NULL, UNREAD_MAX, MSG_TRUNC); /* as above */
	(void)end_write(e, answer, n);
}
