/*
 * dp-agent/stream.c - one HTTP request, its answer as it comes; see stream.h.
 *
 * Runs in the network child behind its sandbox. Believes of the other end what
 * its certificate proves to libcurl.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/stream.h"

#include "common/curl_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BUFFER 4096L /* events are small, and connections are kept for hours */

struct stream {
	struct stream_want want;
	struct curl_loop  *curl;
	CURL		  *easy;
	struct curl_slist *resolve, *headers;
	int		   fd;	 /* -1: libcurl's now */
	size_t		   head; /* bytes of it so far */
	size_t		   sent; /* of the body */
	bool		   good; /* the head was one that was wished for */
	bool		   told; /* and opened() was called */
	bool		   resumed;
	int		   r;	 /* what bytes() said, or what the head was */
	char		   why[300], curl_error[CURL_ERROR_SIZE];
};

static bool
is_type(const char *given, const char *type)
{
	size_t n = strlen(type);

	return given != NULL && strncasecmp(given, type, n) == 0 &&
	    given[n + strspn(given + n, " \t")] == (given[n] == '\0' ? '\0' : ';');
}

/* The head is whole. */
static int
judge(struct stream *s)
{
	const char *type = NULL;
	long	    status = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) /* another one follows */
		return 0;
	curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
	if (s->want.type != NULL ? status == 200 && is_type(type, s->want.type)
				 : status < 300) {
		s->good = true;
		return 0;
	}
	s->r = -EACCES;
	if (s->want.type != NULL && status == 200)
		snprintf(s->why, sizeof(s->why), "answers with %.100s, not %s",
		    type != NULL ? type : "no content type", s->want.type);
	else
		snprintf(s->why, sizeof(s->why), "answers with HTTP status %ld",
		    status);
	return s->r;
}

static bool
is_resumed(const char *p, size_t n)
{
	static const char yes[] = "dpoint-resumed: yes\r\n";

	return n == strlen(yes) && strncasecmp(p, yes, n) == 0;
}

static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct stream *s = ctx;

	n *= size;
	s->head += n;
	if (s->head > STREAM_HEAD_MAX) {
		s->r = -EPROTO;
		snprintf(s->why, sizeof(s->why), "answers without an end");
		return 0;
	}
	if (is_resumed(p, n))
		s->resumed = true;
	if (!s->good && n <= 2 && (p[0] == '\r' || p[0] == '\n') && judge(s) < 0)
		return 0;
	return n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct stream *s = ctx;

	n *= size;
	if (s->want.bytes != NULL && n > 0 &&
	    (s->r = s->want.bytes(s->want.ctx, (const uint8_t *)p, n)) < 0)
		return 0;
	return n;
}

static size_t
on_send(char *p, size_t size, size_t n, void *ctx)
{
	struct stream *s = ctx;
	size_t	       left = s->want.len - s->sent;

	n *= size;
	if (n > left)
		n = left;
	memcpy(p, (const char *)s->want.body + s->sent, n);
	s->sent += n;
	return n;
}

static curl_socket_t
on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct stream *s = ctx;
	int	       fd = s->fd;

	(void)purpose;
	(void)address;
	s->fd = -1;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

void
stream_end(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	if (s->easy != NULL) {
		curl_multi_remove_handle(curl_loop_multi(s->curl), s->easy);
		curl_easy_cleanup(s->easy);
	}
	curl_loop_free(&s->curl);
	curl_slist_free_all(s->resolve);
	curl_slist_free_all(s->headers);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static void
ended(struct stream *s, CURLcode rc)
{
	struct stream_want w = s->want;
	char		   why[sizeof(s->why)];
	long		   status = 0;
	int		   r = s->r;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (r == 0 && rc != CURLE_OK) {
		r = -EPROTO;
		snprintf(s->why, sizeof(s->why), "%.250s",
		    s->curl_error[0] != '\0' ? s->curl_error
					     : curl_easy_strerror(rc));
	}
	memcpy(why, s->why, sizeof(why));
	stream_end(&s);
	w.ended(w.ctx, r, status, why);
}

bool
stream_resumed(const struct stream *s)
{
	return s->resumed;
}

/* After libcurl worked. */
static void
after(void *ctx)
{
	struct stream *s = ctx;
	CURLMsg	      *m;
	int	       left;

	if (s->good && !s->told) {
		s->told = true;
		if (s->want.opened != NULL)
			s->want.opened(s->want.ctx);
	}
	while ((m = curl_multi_info_read(curl_loop_multi(s->curl), &left)) !=
	    NULL)
		if (m->msg == CURLMSG_DONE) {
			ended(s, m->data.result);
			return;
		}
}

static int
add_header(struct stream *s, const char *name, const char *value)
{
	char		   text[160];
	struct curl_slist *l;

	snprintf(text, sizeof(text), "%s: %s", name, value);
	if ((l = curl_slist_append(s->headers, text)) == NULL)
		return -ENOMEM;
	s->headers = l;
	return 0;
}

static int
set_method(struct stream *s)
{
	CURL *e = s->easy;
	int   r;

	if (s->want.body == NULL) {
		if ((r = add_header(s, "Accept", s->want.type)) < 0 ||
		    (r = add_header(s, "Cache-Control", "no-store")) < 0 ||
		    (s->want.last_id[0] != '\0' &&
			(r = add_header(s, "Last-Event-ID", s->want.last_id)) <
			    0))
			return r;
	} else {
		/* a few bytes are sent without asking whether they may be */
		if ((r = add_header(s, "Expect", "")) < 0 ||
		    (r = add_header(s, "Content-Type", "application/json")) < 0)
			return r;
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, on_send);
		curl_easy_setopt(e, CURLOPT_READDATA, s);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
		    (curl_off_t)s->want.len);
	}
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->headers);
	return 0;
}

static int
set_all(struct stream *s)
{
	CURL *e = s->easy;
	int   r;

	if ((r = curl_pin_host(e, s->want.host, s->want.port, &s->resolve)) < 0 ||
	    (r = curl_set_tls(e, s->want.tls)) < 0)
		return r;
	curl_easy_setopt(e, CURLOPT_URL, s->want.url);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->curl_error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "dpoint/" DPOINT_VERSION);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, BUFFER);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, s->want.proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (s->want.proxy_auth[0] != '\0')
		curl_easy_setopt(e, CURLOPT_PROXYUSERPWD, s->want.proxy_auth);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s);
	return set_method(s);
}

int
stream_start(struct loop *l, int take_fd, const struct stream_want *w,
    struct stream **out)
{
	struct stream *s = calloc(1, sizeof(*s));
	int	       r;

	*out = NULL;
	if (s == NULL) {
		close(take_fd);
		return -ENOMEM;
	}
	s->want = *w;
	s->fd = take_fd;
	if ((r = curl_loop_new(l, after, s, &s->curl)) < 0 ||
	    (r = (s->easy = curl_easy_init()) == NULL ? -ENOMEM : 0) < 0 ||
	    (r = set_all(s)) < 0)
		goto out;
	/* its timer is set now, and all else comes from the loop */
	if (curl_multi_add_handle(curl_loop_multi(s->curl), s->easy) == CURLM_OK) {
		*out = s;
		return 0;
	}
	r = -ENOMEM;
out:
	stream_end(&s);
	return r;
}
