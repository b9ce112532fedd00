/*
 * common/curl_loop.c - libcurl on our loop; see curl_loop.h.
 *
 * Runs in dp-fetch and in the agent's network child, after sandbox_enter().
 * SPDX-License-Identifier: ISC
 */
#include "common/curl_loop.h"

#include "common/download.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct curl_loop {
	struct loop	  *loop;
	CURLM		  *multi;
	struct loop_timer *timer;
	loop_fn		   fn;
	void		  *ctx;
};

static void
on_timer(void *ctx)
{
	struct curl_loop *c = ctx;
	int		  running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	c->fn(c->ctx);
}

struct watch {
	struct curl_loop *c;
	curl_socket_t	  fd;
	struct loop_io	 *io;
};

static void
on_io(void *ctx, int events)
{
	struct watch	 *w = ctx;
	struct curl_loop *c = w->c;
	int		  running;

	curl_multi_socket_action(c->multi, w->fd,
	    (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		(events & LOOP_WRITE ? CURL_CSELECT_OUT : 0),
	    &running); /* may free w */
	c->fn(c->ctx);
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *sock)
{
	struct curl_loop *c = ctx;
	struct watch	 *w = sock;
	int		  events = (what & CURL_POLL_IN ? LOOP_READ : 0) |
	    (what & CURL_POLL_OUT ? LOOP_WRITE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			loop_io_free(&w->io);
		free(w);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w != NULL)
		return loop_io_set(w->io, events) < 0 ? -1 : 0;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return -1;
	w->c = c;
	w->fd = fd;
	if (loop_io_new(c->loop, fd, events, on_io, w, &w->io) < 0) {
		free(w);
		return -1;
	}
	curl_multi_assign(c->multi, fd, w);
	return 0;
}

static int
on_timeout(CURLM *multi, long ms, void *ctx)
{
	struct curl_loop *c = ctx;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(c->timer);
	else
		loop_timer_set(c->timer, (uint64_t)ms);
	return 0;
}

CURLM *
curl_loop_multi(struct curl_loop *c)
{
	return c->multi;
}

int
curl_loop_new(struct loop *l, loop_fn fn, void *ctx, struct curl_loop **out)
{
	struct curl_loop *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return -ENOMEM;
	*c = (struct curl_loop){ .loop = l, .fn = fn, .ctx = ctx };
	if ((c->multi = curl_multi_init()) == NULL ||
	    loop_timer_new(l, on_timer, c, &c->timer) < 0) {
		curl_loop_free(&c);
		return -ENOMEM;
	}
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	*out = c;
	return 0;
}

void
curl_loop_free(struct curl_loop **cp)
{
	struct curl_loop *c = *cp;

	if (c == NULL)
		return;
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	loop_timer_free(&c->timer);
	free(c);
	*cp = NULL;
}

int
curl_pin_host(CURL *e, const char *host, uint16_t port,
    struct curl_slist **list)
{
	char		   text[URL_HOST_LEN + 32];
	struct curl_slist *l;

	if (strchr(host, ':') != NULL)
		return 0; /* an address is looked up by nobody */
	snprintf(text, sizeof(text), "%s:%u:127.0.0.1", host, port);
	if ((l = curl_slist_append(*list, text)) == NULL)
		return -ENOMEM;
	*list = l;
	return curl_easy_setopt(e, CURLOPT_RESOLVE, l) == CURLE_OK ? 0 : -EINVAL;
}

int
curl_set_tls(CURL *e, const struct download_tls *t)
{
	struct curl_blob b = { .flags = CURL_BLOB_NOCOPY };

	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	if (t == NULL || t->ca == NULL)
		return 0; /* then nothing verifies */
	b.data = t->ca;
	b.len = t->ca_len;
	curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &b);
	if (t->cert == NULL)
		return 0;
	b.data = t->cert;
	b.len = t->cert_len;
	curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &b);
	curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, "PEM");
	b.data = t->key;
	b.len = t->key_len;
	curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &b);
	return curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, "PEM") == CURLE_OK
	    ? 0
	    : -EINVAL;
}
