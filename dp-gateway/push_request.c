/*
 * dp-gateway/push_request.c - what clients of the push channel ask: to be woken,
 * or that others are; see push.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes of a client what its verified
 * certificate says, and of its words the group it wants to be woken with.
 * SPDX-License-Identifier: ISC
 */
#include "common/http_status.h"
#include "common/value.h"
#include "common/wr.h"
#include "dp-gateway/push_conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEVICE "urn:dpoint:device:"

/* -- answers that end it -- */

static void
answer(struct push_conn *c, int status, const char *text, enum why why)
{
	char buf[1024];
	int  n = snprintf(buf, sizeof(buf),
	     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	     "%sConnection: close\r\n\r\n%s\n", status, http_status_phrase(status),
	     status == 200 ? "application/json" : "text/plain",
	     strlen(text) + 1, status == 405 ? "Allow: GET, POST\r\n" : "",
	     text);

	c->why = (uint8_t)why;
	free(c->head);
	c->head = NULL;
	if (!push_put(c, buf, (size_t)n))
		return;
	if (!c->blocked) {
		tls_goodbye(c->tls);
		(void)shutdown(c->fd, SHUT_WR);
	}
	push_state(c, S_LINGER); /* so that it gets to read this */
}

/* -- orders: control has all gateways carry them out -- */

void
push_woken(struct push *p, uint32_t id, const struct wake_result *r)
{
	struct push_conn *c = p->list[S_ASKS].first;
	char		  text[160];

	while (c != NULL && (uint32_t)c->id != id)
		c = c->next;
	if (c == NULL) /* it has left meanwhile */
		return;
	if (r == NULL) {
		answer(c, 404, "no such device waits here", WHY_CLOSED);
		return;
	}
	snprintf(text, sizeof(text),
	    "{\"devices\":%u,\"sent\":%u,\"waiting\":%u,\"took_ms\":%llu}",
	    r->devices, r->sent, r->waiting, (unsigned long long)r->took_ms);
	answer(c, 200, text, WHY_CLOSED);
}

void
push_unanswered(struct push_conn *c, enum why why)
{
	answer(c, 503, "cannot be done now", why);
}

static void
order(struct push_conn *c)
{
	struct head	 *h = c->head;
	struct ipc	 *control = worker_control(c->p->g->w);
	struct wake_order o;
	uint8_t		  buf[400];
	struct wr	  w = wr_to(buf, sizeof(buf));
	char		  why[WAKE_WHY], to[WAKE_TO_MAX];

	if (wake_order_parse(h->buf + h->req.head_len, (size_t)h->req.body_len,
		&o, why) < 0) {
		answer(c, 400, why, WHY_BAD_REQUEST);
		return;
	}
	wake_to_text(&o, to);
	wr_str(&w, to);
	wr_str(&w, wake_what_word(o.what));
	if (control == NULL || w.err != 0 ||
	    ipc_send(control, MSG_WAKE, (uint32_t)c->id, buf, w.len) < 0) {
		push_unanswered(c, WHY_CLOSED);
		return;
	}
	free(c->head);
	c->head = NULL;
	push_state(c, S_ASKS);
}

static bool
is_admin(const struct push_conn *c)
{
	const char *name = tls_peer_name(c->tls);
	char	    word[TLS_NAME_MAX];
	size_t	    pos = 0;

	while (name[0] != '\0' &&
	    value_word(c->p->g->conf.push_admins, &pos, word, sizeof(word)))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

/* -- requests -- */

struct push_conn *
push_device(struct device *d)
{
	return d == NULL ? NULL
			 : (struct push_conn *)((char *)d -
			       offsetof(struct push_conn, device));
}

/* It says up to which wake it has heard all, and gets those since then. */
static bool
resume(struct push_conn *c)
{
	const struct http_span *id = &c->head->req.f[HTTP_LAST_EVENT_ID];
	uint64_t		since;

	return push_id_parse(c->head->buf + id->off, id->len, &since) == 0 &&
	    push_missed(c, since);
}

static void
open_stream(struct push_conn *c, const char *group)
{
	struct push	 *p = c->p;
	struct push_conn *there =
	    push_device(registry_find(p->devices, tls_peer_name(c->tls)));
	struct device	 *old;
	char		  text[256], id[WAKE_ID_MAX];
	bool		  resumed;
	int		  n;

	if (there != NULL && push_is_storm(there)) {
		answer(c, 503, "another one has this certificate", WHY_CLONE);
		return;
	}
	if (registry_add(p->devices, &c->device, tls_peer_name(c->tls), group,
		&old) < 0) {
		answer(c, 503, "no memory", WHY_MEMORY);
		return;
	}
	if (old != NULL)
		push_replace(c, push_device(old));
	push_announce(c);
	resumed = resume(c);
	if (c->state == S_ENDED)
		return;
	p->n.resumed += resumed;
	free(c->head);
	c->head = NULL;
	(void)push_id_text(push_heard(p), false, id);
	n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
	    "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
	    "%sConnection: close\r\n\r\n%s", resumed
		? "Dpoint-Resumed: yes\r\n" : "",
	    c->waiting == NULL ? id : "");
	if (push_emit(c, text, (size_t)n) && c->waiting != NULL &&
	    c->state == S_OPEN && push_catch_up(c))
		(void)push_emit(c, id, strlen(id));
}

static bool
is_path(const struct head *h, const char *path)
{
	return h->req.path.len == strlen(path) &&
	    memcmp(h->buf + h->req.path.off, path, h->req.path.len) == 0;
}

static void
on_get(struct push_conn *c)
{
	struct head *h = c->head;
	char	     group[GROUP_LEN];

	if (strncmp(tls_peer_name(c->tls), DEVICE, strlen(DEVICE)) != 0)
		answer(c, 403, "the certificate names no device",
		    WHY_NO_DEVICE);
	else if (push_query_parse(h->buf + h->req.query.off, h->req.query.len,
		     group) < 0)
		answer(c, 400, "expected ?group=/NAME, or nothing",
		    WHY_BAD_REQUEST);
	else
		open_stream(c, group);
}

/* The head is whole; of a body perhaps not all. */
static void
on_request(struct push_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct head	 *h = c->head;
	bool		  is_push = is_path(h, "/v1/push");

	if (!is_push && !is_path(h, "/v1/wake"))
		answer(c, 404, "expected /v1/push or /v1/wake",
		    WHY_BAD_REQUEST);
	else if (is_push != (h->req.method == HTTP_GET))
		answer(c, 405, "expected GET /v1/push or POST /v1/wake",
		    WHY_BAD_REQUEST);
	else if (is_push)
		on_get(c);
	else if (!is_admin(c))
		answer(c, 403, "the certificate is not in gateway.push-admins",
		    WHY_NO_ADMIN);
	else if (h->req.body_len > WAKE_BODY_MAX)
		answer(c, 413, "expected a shorter order", WHY_BAD_REQUEST);
	else if (h->len >= h->req.head_len + h->req.body_len)
		order(c);
	else if (h->req.f[HTTP_EXPECT].len > 0 && !h->continued) {
		h->continued = true;
		(void)push_put(c, go_on, sizeof(go_on) - 1);
	}
}

void
push_read_request(struct push_conn *c)
{
	struct head *h;
	ssize_t	     n;
	int	     status;

	while (c->state == S_HEAD && !c->blocked) {
		if ((h = c->head) == NULL) {
			if ((h = c->head = malloc(sizeof(*h))) == NULL) {
				push_end(c, WHY_MEMORY);
				return;
			}
			http_request_begin(&h->req, HTTP_GET | HTTP_POST);
			h->len = 0;
			h->is_done = h->continued = false;
		}
		n = tls_read(c->tls, h->buf + h->len, sizeof(h->buf) - h->len);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			push_end(c, WHY_LEFT);
			return;
		}
		h->len += (size_t)n;
		status = h->is_done ? HTTP_REQUEST_DONE
				    : http_request_parse(&h->req, h->buf, h->len);
		h->is_done = status == HTTP_REQUEST_DONE;
		if (h->is_done)
			on_request(c);
		else if (status != HTTP_REQUEST_MORE)
			answer(c, status, "not a request that is understood here",
			    WHY_BAD_REQUEST);
	}
}
