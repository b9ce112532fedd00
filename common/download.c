/*
 * common/download.c - transfers with libcurl; see download.h.
 *
 * Runs in dp-fetch and in the agent's network child, after sandbox_enter().
 * Believes the caller about lengths and hashes and nothing a server sends:
 * every byte is counted, and hashed before anybody is told it is good.
 * SPDX-License-Identifier: ISC
 */
#include "common/download.h"

#include "common/curl_loop.h"
#include "common/log.h"
#include "common/size.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURL_BUFFER   (512L << 10)
#define DISK_BUFFER   (256U << 10)
#define REHASH_SLICE  (4U << 20)
#define SPARE_MS      20000 /* an unused socket is closed after this */
#define BAD_ORIGIN_MS 30000 /* an address that failed is tried last */
#define CUTS_MAX      5
#define REDIRECTS_MAX 5
#define IDLE_CONNECTIONS 16L
#define CA_MAX	      (4 << 20)
#define PUT_SLICE     (16U << 10) /* sent before the budget is asked again */
#define PUT_ANSWER    (64U << 10) /* more of an answer nobody reads */
#define AGENT	      "dpoint/" DPOINT_VERSION

/* Where sockets lead: a server, or the proxy. */
struct origin {
	struct origin	 *next;
	char		  host[URL_HOST_LEN];
	uint16_t	  port;
	uint32_t	  ticket; /* asked for; 0: nothing */
	int		  spare;  /* connected and unused, or -1 */
	uint64_t	  spare_since, bad_until;
	struct loop_timer *spare_end;
};

enum state { REHASH, WAIT_SOCKET, ACTIVE };

struct download {
	struct download	     *next;
	struct downloads     *ds;
	struct download_want  want;
	char		     *urls[DOWNLOAD_URLS_MAX];
	bool		      tried[DOWNLOAD_URLS_MAX];
	size_t		      at; /* index of the address under way */
	enum state	      state;
	struct origin	     *origin;
	CURL		     *easy;
	struct curl_slist    *resolve, *headers;
	char		      location[URL_LEN]; /* redirected to; or "" */
	char		      etag[128];
	unsigned	      redirects, cuts, no_socket;
	bool		      began;	/* this attempt's answer was looked at */
	bool		      keep;	/* its body is the file's */
	bool		      dirty;	/* progress not told yet */
	bool		      resumed;	/* bytes before this download's own */
	bool		      missing_all; /* so far nothing but 404 and such */
	bool		      refused;	   /* no socket: on_slice goes on */
	size_t		      sent;	   /* of a body */
	unsigned	      status, retry_after_s; /* of the answer to it */
	uint64_t	      there, at_attempt; /* hashed bytes */
	uint8_t		     *buf;	/* towards the disk, or all of it */
	size_t		      nbuf, size;
	struct hash_run	     *run;
	struct loop_timer    *slice;
	int		      r;
	char		      error[512], curl_error[CURL_ERROR_SIZE];
};

struct downloads {
	struct loop		   *loop;
	struct downloads_conf	    conf;
	struct url		    proxy;
	const struct downloads_ops *ops;
	void			   *ctx;
	struct curl_loop	   *curl;
	CURLM			   *multi; /* curl's */
	struct loop_timer	   *reap, *held;
	struct download		   *list;
	struct origin		   *origins;
	uint32_t		    last_ticket;
};

static void attempt(struct download *d);
static void next_source(struct download *d);

/* -- small things -- */

uint64_t
download_backoff_ms(unsigned failures, uint64_t base_ms, uint64_t max_ms)
{
	uint64_t ms = base_ms;
	uint32_t x = 0;

	while (failures-- > 1 && ms < max_ms)
		ms *= 2;
	if (ms > max_ms)
		ms = max_ms;
	if (getrandom(&x, sizeof(x), 0) != sizeof(x))
		x = 1U << 31;
	return ms - ms / 4 + (ms / 2 * x >> 32);
}

bool
download_range_fits(const char *text, uint64_t from, uint64_t length)
{
	unsigned long long first, last, total;
	int		   n = 0;

	if (strncasecmp(text, "bytes ", 6) != 0 || text[6] < '0' ||
	    text[6] > '9' || sscanf(text + 6, "%20llu-%20llu/%n", &first, &last,
				 &n) != 2 ||
	    n == 0)
		return false;
	text += 6 + n;
	if (strcmp(text, "*") != 0) {
		if (sscanf(text, "%20llu%n", &total, &n) != 1 ||
		    text[n] != '\0' || total != length)
			return false;
	}
	return first == from && last >= first && last < length;
}

static void LOG_PRINTF(3, 4)
fail(struct download *d, int r, const char *fmt, ...)
{
	va_list ap;
	size_t	n;

	d->r = r;
	n = (size_t)snprintf(d->error, sizeof(d->error), "%.300s: ",
	    d->location[0] != '\0' ? d->location : d->urls[d->at]);
	va_start(ap, fmt);
	vsnprintf(d->error + n, sizeof(d->error) - n, fmt, ap);
	va_end(ap);
}

uint64_t
download_there(const struct download *d)
{
	return d->want.fd >= 0 ? d->there - d->nbuf : d->there;
}

static int
flush_disk(struct download *d)
{
	size_t	 done = 0;
	ssize_t	 n;
	uint64_t off = d->there - d->nbuf;

	if (d->want.fd < 0)
		return 0;
	for (; done < d->nbuf; done += (size_t)n) {
		n = pwrite(d->want.fd, d->buf + done, d->nbuf - done,
		    (off_t)(d->want.from + off + done));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0) {
			fail(d, -EIO, "writing: %s", strerror(errno));
			return -EIO;
		}
	}
	d->dirty = d->dirty || d->nbuf > 0;
	d->nbuf = 0;
	return 0;
}

static int
take_bytes(struct download *d, const uint8_t *p, size_t n)
{
	size_t	 size = d->size;
	uint8_t *more;

	if (hash_run_add(d->run, p, n) < 0) {
		fail(d, -ENOMEM, "hashing failed");
		return -ENOMEM;
	}
	if (d->want.fd >= 0) {
		if (d->nbuf + n > d->size && flush_disk(d) < 0)
			return d->r;
		size = DISK_BUFFER > n ? DISK_BUFFER : n;
	} else
		while (size < d->nbuf + n)
			size = size < 8192 ? 8192 : size * 2;
	if (size > d->size) {
		if ((more = realloc(d->buf, size)) == NULL) {
			fail(d, -ENOMEM, "no memory");
			return -ENOMEM;
		}
		d->buf = more;
		d->size = size;
	}
	memcpy(d->buf + d->nbuf, p, n);
	d->nbuf += n;
	d->there += n;
	d->dirty = true;
	return 0;
}

/* From the first byte again. */
static void
start_over(struct download *d)
{
	struct hash h;

	(void)hash_run_end(d->run, &h);
	d->nbuf = 0;
	d->there = 0;
	d->resumed = false;
	d->etag[0] = '\0';
}

/* -- the end of a download -- */

static void
leave_curl(struct download *d)
{
	if (d->easy != NULL) {
		curl_multi_remove_handle(d->ds->multi, d->easy);
		curl_easy_cleanup(d->easy);
		d->easy = NULL;
	}
	curl_slist_free_all(d->resolve);
	curl_slist_free_all(d->headers);
	d->resolve = d->headers = NULL;
}

void
download_cancel(struct download **dp)
{
	struct download	 *d = *dp;
	struct download **p;

	if (d == NULL)
		return;
	*dp = NULL;
	for (p = &d->ds->list; *p != d; p = &(*p)->next)
		;
	*p = d->next;
	leave_curl(d);
	if (d->run != NULL)
		(void)flush_disk(d);
	for (size_t i = 0; i < d->want.nurls; i++)
		free(d->urls[i]);
	hash_run_free(&d->run);
	loop_timer_free(&d->slice);
	free(d->buf);
	free(d);
}

static void
finish(struct download *d)
{
	struct download_result res = { .r = d->r, .text = d->error,
		.status = d->status, .retry_after_s = d->retry_after_s };
	void (*done)(void *, const struct download_result *) = d->want.done;
	void	*ctx = d->want.ctx;
	uint8_t *buf = NULL;
	char	 text[sizeof(d->error)];

	leave_curl(d);
	if (d->want.fd < 0) {
		buf = d->buf;
		res.bytes = buf != NULL ? buf : (const uint8_t *)"";
		res.len = d->nbuf;
		d->buf = NULL;
		d->nbuf = 0;
	} else
		res.there = d->there - d->nbuf;
	memcpy(text, d->error, sizeof(text));
	res.text = d->r == 0 ? "" : text;
	download_cancel(&d);
	done(ctx, &res);
	free(buf);
}

static void
check_hash(struct download *d)
{
	struct hash h;

	if (!d->want.has_hash) {
		d->r = 0;
		finish(d);
		return;
	}
	if (hash_run_end(d->run, &h) == 0 && hash_eq(&h, &d->want.hash)) {
		d->r = 0;
		finish(d);
		return;
	}
	fail(d, -EBADMSG, "the bytes do not have the signed SHA-256");
	d->nbuf = 0;
	d->there = 0;
	d->etag[0] = '\0';
	d->missing_all = false;
	if (d->resumed) { /* the old bytes may have been the wrong ones */
		d->resumed = false;
		attempt(d);
	} else
		next_source(d);
}

/* -- libcurl's callbacks: they only take notes -- */

static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct download *d = ctx;

	(void)p;
	if (d->ds->ops->received != NULL)
		d->ds->ops->received(d->ds->ctx, size * n);
	return size * n;
}

/* The header is whole: is its body the file's, from where, how much? */
static int
look_at_answer(struct download *d)
{
	struct curl_header *h;
	curl_off_t	    n = -1;
	long		    code = 0;
	uint64_t	    limit;

	d->began = true;
	curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n);
	if (code == 200 && d->want.whole > 0) {
		fail(d, -EPROTO, "does not serve ranges");
		return d->r;
	}
	if (code == 200 && d->there > 0)
		start_over(d); /* it does not do ranges, or the file changed */
	d->at_attempt = d->there;
	d->keep = code == 200 || code == 206;
	if (!d->keep)
		return 0;
	if (code == 206 &&
	    (curl_easy_header(d->easy, "Content-Range", 0, CURLH_HEADER, -1,
		 &h) != CURLHE_OK ||
		!d->want.has_length ||
		!download_range_fits(h->value, d->want.from + d->there,
		    d->want.whole > 0 ? d->want.whole : d->want.length))) {
		start_over(d);
		fail(d, -EBADMSG, "answered with a range nobody asked for");
		return d->r;
	}
	limit = (d->want.has_length ? d->want.length : d->want.max) - d->there;
	if (n >= 0 && (d->want.has_length ? (uint64_t)n != limit
					  : (uint64_t)n > limit)) {
		fail(d, d->want.has_length ? -EBADMSG : -EFBIG,
		    "announces %lld bytes, %s %llu are expected", (long long)n,
		    d->want.has_length ? "exactly" : "at most",
		    (unsigned long long)limit);
		return d->r;
	}
	if (curl_easy_header(d->easy, "ETag", 0, CURLH_HEADER, -1, &h) ==
		CURLHE_OK &&
	    h->value[0] == '"' && strlen(h->value) < sizeof(d->etag))
		memcpy(d->etag, h->value, strlen(h->value) + 1);
	return 0;
}

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct download *d = ctx;
	uint64_t	 limit;

	n *= size;
	if (d->ds->ops->received != NULL)
		d->ds->ops->received(d->ds->ctx, n);
	if (d->want.body != NULL) /* its status has said all */
		return (d->there += n) > PUT_ANSWER ? 0 : n;
	if (!d->began && look_at_answer(d) < 0)
		return 0;
	if (!d->keep)
		return n; /* an error's page */
	limit = (d->want.has_length ? d->want.length : d->want.max) - d->there;
	if (n > limit) {
		limit += d->there;
		fail(d, d->want.has_length ? -EBADMSG : -EFBIG,
		    "sends more than the %llu bytes expected",
		    (unsigned long long)limit);
		return 0;
	}
	return take_bytes(d, (const uint8_t *)p, n) < 0 ? 0 : n;
}

/* What goes out is of the same budget as what comes in. */
static size_t
on_send(char *p, size_t size, size_t n, void *ctx)
{
	struct download	 *d = ctx;
	struct downloads *ds = d->ds;
	uint64_t	  ms = ds->ops->hold != NULL ? ds->ops->hold(ds->ctx) : 0;

	if (ms > 0 && ms != UINT64_MAX) {
		loop_timer_set(ds->held, ms);
		return CURL_READFUNC_PAUSE;
	}
	n *= size;
	if (n > d->want.body_len - d->sent)
		n = d->want.body_len - d->sent;
	if (n > PUT_SLICE)
		n = PUT_SLICE;
	memcpy(p, d->want.body + d->sent, n);
	d->sent += n;
	if (ds->ops->received != NULL)
		ds->ops->received(ds->ctx, n);
	return n;
}

/* A kept connection may turn out to be dead after some of it was sent. */
static int
on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct download *d = ctx;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > d->want.body_len)
		return CURL_SEEKFUNC_FAIL;
	d->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool
spare_is_good(struct origin *o)
{
	char c;

	if (o->spare < 0)
		return false;
	if (recv(o->spare, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK))
		return true;
	close(o->spare);
	o->spare = -1;
	return false;
}

static curl_socket_t
on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct download *d = ctx;
	int		 fd, size = 256 << 10;

	(void)purpose;
	(void)address;
	if (!spare_is_good(d->origin)) {
		d->no_socket++;
		return CURL_SOCKET_BAD;
	}
	fd = d->origin->spare;
	d->origin->spare = -1;
	/* under a budget the kernel must not take in much more than we do */
	if (d->ds->ops->hold != NULL && d->ds->ops->hold(d->ds->ctx) != UINT64_MAX)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* -- one attempt -- */

static int
add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *l = curl_slist_append(*list, text);

	if (l == NULL)
		return -ENOMEM;
	*list = l;
	return 0;
}

static int
set_body(struct download *d)
{
	CURL *e = d->easy;

	d->sent = 0;
	d->status = d->retry_after_s = 0;
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(e, CURLOPT_READDATA, d);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, d);
	curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
	    (curl_off_t)d->want.body_len);
	/* one round trip is better than the chance to save a few bytes */
	if (add_header(&d->headers, "Expect:") < 0 ||
	    add_header(&d->headers, "Content-Type: application/octet-stream") <
		0)
		return -ENOMEM;
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, d->headers);
	return 0;
}

static int
make_easy(struct download *d, const char *url)
{
	struct downloads *ds = d->ds;
	CURL		 *e = d->easy = curl_easy_init();
	char		  text[160];

	if (e == NULL || curl_pin_host(e, d->origin->host, d->origin->port,
			     &d->resolve) < 0)
		return -ENOMEM;
	d->curl_error[0] = '\0';
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, d);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, d->curl_error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, AGENT);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, CURL_BUFFER);
	curl_easy_setopt(e, CURLOPT_PROXY,
	    d->want.direct ? "" : ds->conf.proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (ds->conf.proxy_auth[0] != '\0' && !d->want.direct)
		curl_easy_setopt(e, CURLOPT_PROXYUSERPWD, ds->conf.proxy_auth);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)ds->conf.connect_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
	    (long)((ds->conf.stall_ms + 999) / 1000));
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, d);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, d);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, d);
	if (d->want.body != NULL && set_body(d) < 0)
		return -ENOMEM;
	if (d->want.body == NULL && (d->there > 0 || d->want.whole > 0)) {
		size_t n = (size_t)snprintf(text, sizeof(text), "%" PRIu64 "-",
		    d->want.from + d->there);

		if (d->want.whole > 0)
			snprintf(text + n, sizeof(text) - n, "%" PRIu64,
			    d->want.from + d->want.length - 1);
		curl_easy_setopt(e, CURLOPT_RANGE, text);
		if (d->etag[0] != '\0') {
			snprintf(text, sizeof(text), "If-Range: %s", d->etag);
			if (add_header(&d->headers, text) < 0)
				return -ENOMEM;
			curl_easy_setopt(e, CURLOPT_HTTPHEADER, d->headers);
		}
	}
	return curl_set_tls(e, d->want.tls);
}

static void
go(struct download *d)
{
	struct downloads *ds = d->ds;
	int		  running;

	leave_curl(d);
	d->state = ACTIVE;
	d->began = d->keep = false;
	d->r = 0;
	d->error[0] = '\0';
	d->at_attempt = d->there;
	if (make_easy(d, d->location[0] != '\0' ? d->location
						: d->urls[d->at]) < 0 ||
	    curl_multi_add_handle(ds->multi, d->easy) != CURLM_OK) {
		fail(d, -ENOMEM, "no memory");
		d->state = WAIT_SOCKET;
		d->refused = true;
		loop_timer_set(d->slice, 0);
		return;
	}
	/* whether it takes the socket or a kept connection shows at once */
	curl_multi_socket_action(ds->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	loop_timer_set(ds->reap, 0);
}

static void
ask_socket(struct downloads *ds, struct origin *o)
{
	if (o->ticket != 0)
		return;
	if (++ds->last_ticket == 0)
		ds->last_ticket = 1;
	o->ticket = ds->last_ticket;
	if (ds->ops->connect(ds->ctx, o->ticket, o->host, o->port) < 0)
		downloads_socket(ds, o->ticket, -1, "the connector is away");
}

static struct origin *
origin_of(struct downloads *ds, const struct url *u)
{
	struct origin *o;

	for (o = ds->origins; o != NULL; o = o->next)
		if (o->port == u->port && strcmp(o->host, u->host) == 0)
			return o;
	return NULL;
}

static void
on_spare_end(void *ctx)
{
	struct origin *o = ctx;

	if (o->spare >= 0)
		close(o->spare);
	o->spare = -1;
}

static int
origin_get(struct download *d, const char *url, struct origin **out)
{
	struct downloads *ds = d->ds;
	struct url	  u;
	struct origin	 *o;

	if (url_parse(url, &u) < 0)
		return -EINVAL;
	if (ds->conf.proxy[0] != '\0' && !d->want.direct)
		u = ds->proxy;
	if ((*out = origin_of(ds, &u)) != NULL)
		return 0;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return -ENOMEM;
	if (loop_timer_new(ds->loop, on_spare_end, o, &o->spare_end) < 0) {
		free(o);
		return -ENOMEM;
	}
	memcpy(o->host, u.host, sizeof(o->host));
	o->port = u.port;
	o->spare = -1;
	o->next = ds->origins;
	ds->origins = *out = o;
	return 0;
}

/* The address d->at, or where it redirected to. */
static void
attempt(struct download *d)
{
	const char *url = d->location[0] != '\0' ? d->location : d->urls[d->at];
	int	    r = origin_get(d, url, &d->origin);

	if (r < 0) {
		fail(d, r, "no address that can be used");
		next_source(d);
		return;
	}
	if (spare_is_good(d->origin)) {
		go(d);
		return;
	}
	leave_curl(d);
	d->state = WAIT_SOCKET;
	d->refused = false;
	ask_socket(d->ds, d->origin);
}

static void
next_source(struct download *d)
{
	uint64_t now = loop_now_ms(d->ds->loop);
	size_t	 best = d->want.nurls;

	for (size_t i = d->want.nurls; i-- > 0;) {
		struct origin *o = NULL;

		if (d->tried[i] || origin_get(d, d->urls[i], &o) < 0)
			continue;
		if (best == d->want.nurls || o->bad_until <= now)
			best = i;
	}
	d->location[0] = d->etag[0] = '\0';
	d->redirects = d->cuts = d->no_socket = 0;
	if (best == d->want.nurls) {
		if (d->r == 0)
			fail(d, -EINVAL, "no address that can be used");
		if (d->missing_all)
			d->r = -ENOENT;
		leave_curl(d);
		(void)flush_disk(d); /* if it fails, that is the reason */
		finish(d);
		return;
	}
	d->tried[best] = true;
	d->at = best;
	d->resumed = d->resumed || d->there > 0; /* may be of another's making */
	attempt(d);
}

void
downloads_socket(struct downloads *ds, uint32_t ticket, int take_fd,
    const char *why)
{
	struct origin	*o;
	struct download *d;

	for (o = ds->origins; o != NULL && o->ticket != ticket; o = o->next)
		;
	if (o == NULL || ticket == 0) {
		if (take_fd >= 0)
			close(take_fd);
		return;
	}
	o->ticket = 0;
	if (take_fd >= 0) {
		if (o->spare >= 0)
			close(o->spare);
		o->spare = take_fd;
		o->bad_until = 0;
		loop_timer_set(o->spare_end, SPARE_MS);
	} else
		o->bad_until = loop_now_ms(ds->loop) + BAD_ORIGIN_MS;
	for (d = ds->list; d != NULL; d = d->next)
		if (d->state == WAIT_SOCKET && d->origin == o && !d->refused) {
			if (take_fd < 0) {
				fail(d, -ECONNREFUSED, "%s", why);
				d->missing_all = false;
				d->refused = true;
			} else if (o->spare >= 0) {
				go(d);
				continue;
			} else
				break;
			loop_timer_set(d->slice, 0); /* on_slice: next */
		}
	if (take_fd < 0)
		return;
	for (d = ds->list; d != NULL; d = d->next)
		if (d->state == WAIT_SOCKET && d->origin == o && !d->refused) {
			ask_socket(ds, o);
			break;
		}
}

void
downloads_sockets_lost(struct downloads *ds)
{
	for (struct origin *o = ds->origins; o != NULL; o = o->next)
		if (o->ticket != 0)
			downloads_socket(ds, o->ticket, -1,
			    "the connector is away");
}

/* Slices of the prefix; or, waiting for a socket in vain, the next address. */
static void
on_slice(void *ctx)
{
	struct download *d = ctx;
	static uint8_t	 buf[256 << 10];
	ssize_t		 n = 1;

	if (d->state == WAIT_SOCKET) {
		next_source(d);
		return;
	}
	if (d->state != REHASH)
		return;
	for (size_t done = 0; done < REHASH_SLICE && d->there < d->want.start;
	    done += (size_t)n) {
		uint64_t left = d->want.start - d->there;

		n = pread(d->want.read_fd, buf,
		    left < sizeof(buf) ? (size_t)left : sizeof(buf),
		    (off_t)d->there);
		if (n <= 0 || hash_run_add(d->run, buf, (size_t)n) < 0) {
			start_over(d);
			d->want.start = 0;
			break;
		}
		d->there += (uint64_t)n;
	}
	if (d->there < d->want.start) {
		loop_timer_set(d->slice, 0);
		return;
	}
	d->resumed = d->there > 0;
	d->dirty = true;
	if (d->want.has_length && d->there == d->want.length && d->there > 0) {
		struct hash h;

		if (hash_run_end(d->run, &h) == 0 &&
		    hash_eq(&h, &d->want.hash)) {
			finish(d);
			return;
		}
		start_over(d);
	}
	next_source(d);
}

/* -- what libcurl reports -- */

static void
redirected(struct download *d)
{
	char	  *to = NULL;
	struct url u;

	curl_easy_getinfo(d->easy, CURLINFO_REDIRECT_URL, &to);
	if (to == NULL || strlen(to) >= sizeof(d->location) ||
	    url_parse(to, &u) < 0)
		fail(d, -EPROTO, "redirects to nowhere");
	else if (++d->redirects > REDIRECTS_MAX)
		fail(d, -EPROTO, "redirects more than %d times", REDIRECTS_MAX);
	else if (!d->ds->ops->may_follow(d->ds->ctx, &u))
		fail(d, -EPROTO,
		    "redirects to %.200s port %u, which the configuration does "
		    "not name",
		    u.host, u.port);
	else if (!u.tls && strncmp(d->urls[d->at], "https:", 6) == 0)
		fail(d, -EPROTO, "redirects from https to http");
	else {
		memcpy(d->location, to, strlen(to) + 1);
		attempt(d);
		return;
	}
	d->missing_all = false;
	next_source(d);
}

static void
failed(struct download *d, CURLcode rc)
{
	bool brought = d->there > d->at_attempt;

	if (rc == CURLE_COULDNT_CONNECT && d->no_socket > 0 &&
	    d->no_socket <= 3) {
		attempt(d); /* a kept connection was dead: with a new socket */
		return;
	}
	d->missing_all = false;
	if (d->r == 0) {
		fail(d, rc == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EPROTO,
		    "%s",
		    d->curl_error[0] != '\0' ? d->curl_error
					     : curl_easy_strerror(rc));
		if (brought && ++d->cuts <= CUTS_MAX && d->want.has_length) {
			d->no_socket = 0;
			attempt(d);
			return;
		}
		if (!brought)
			d->origin->bad_until = loop_now_ms(d->ds->loop) +
			    BAD_ORIGIN_MS;
	}
	if (!d->want.has_length)
		start_over(d); /* no way to tell what the rest belongs to */
	next_source(d);
}

/* Whoever put it decides what an answer means, if there is one. */
static void
put_ended(struct download *d, CURLcode rc, long code)
{
	struct downloads *ds = d->ds;
	curl_off_t	  wait_s = 0;
	long		  head = 0;

	curl_easy_getinfo(d->easy, CURLINFO_RETRY_AFTER, &wait_s);
	curl_easy_getinfo(d->easy, CURLINFO_REQUEST_SIZE, &head);
	if (ds->ops->received != NULL && head > 0)
		ds->ops->received(ds->ctx, (size_t)head);
	/* an answer is one once all the body has gone out, or if it refuses */
	if (code >= 200 && (d->sent == d->want.body_len || code >= 300)) {
		d->status = (unsigned)code;
		d->retry_after_s = wait_s > 0 && wait_s < UINT32_MAX
		    ? (unsigned)wait_s : 0;
		if (code < 300)
			d->r = 0;
		else
			fail(d, -EPROTO, "HTTP status %ld", code);
		finish(d);
		return;
	}
	failed(d, rc == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : rc);
}

static void
completed(struct download *d, CURLcode rc)
{
	long code = 0;

	curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &code);
	if (d->want.body != NULL) {
		put_ended(d, rc, code);
		return;
	}
	if (rc == CURLE_OK && !d->began && look_at_answer(d) < 0)
		rc = CURLE_WRITE_ERROR;
	if (d->r == -EIO || flush_disk(d) < 0) {
		finish(d); /* another source would not help */
		return;
	}
	if (rc != CURLE_OK) {
		failed(d, rc);
		return;
	}
	if (code >= 300 && code < 400 && code != 304) {
		redirected(d);
		return;
	}
	if (code == 416 && d->there > 0) {
		start_over(d);
		attempt(d);
		return;
	}
	if (!d->keep) {
		fail(d, -EPROTO, "HTTP status %ld", code);
		if (code != 404 && code != 403 && code != 410)
			d->missing_all = false;
		next_source(d);
		return;
	}
	if (d->want.has_length && d->there < d->want.length) {
		fail(d, -EBADMSG, "ends after %llu of %llu bytes",
		    (unsigned long long)d->there,
		    (unsigned long long)d->want.length);
		d->missing_all = false;
		next_source(d);
		return;
	}
	check_hash(d);
}

static void
on_held(void *ctx)
{
	struct downloads *ds = ctx;
	uint64_t	  ms = ds->ops->hold(ds->ctx);

	if (ms == UINT64_MAX)
		ms = 0;
	for (struct download *d = ds->list; d != NULL; d = d->next)
		if (d->state == ACTIVE && d->easy != NULL)
			curl_easy_pause(d->easy,
			    ms == 0 ? CURLPAUSE_CONT
				: d->want.body != NULL ? CURLPAUSE_ALL
						       : CURLPAUSE_RECV);
	if (ms > 0)
		loop_timer_set(ds->held, ms);
}

/* After libcurl worked: budget, progress, ends. */
static void
after(void *ctx)
{
	struct downloads *ds = ctx;
	struct download	 *d;
	CURLMsg		 *m;
	uint64_t	  ms;
	int		  left;

	if (ds->ops->hold != NULL && (ms = ds->ops->hold(ds->ctx)) > 0 &&
	    ms != UINT64_MAX)
		on_held(ds);
	while ((m = curl_multi_info_read(ds->multi, &left)) != NULL) {
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
			(char **)&d) != CURLE_OK)
			continue;
		curl_multi_remove_handle(ds->multi, m->easy_handle);
		completed(d, rc);
	}
again:
	for (d = ds->list; d != NULL; d = d->next)
		if (d->dirty && d->want.progress != NULL && d->state == ACTIVE) {
			d->dirty = false;
			d->want.progress(d->want.ctx, download_there(d));
			goto again; /* it may have freed any of them */
		}
}

/* -- life -- */

int
downloads_setup(void)
{
	SSL_CTX *ctx;
	CURL	*e;

	if (hash_setup() < 0 || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		return -ENOMEM;
	/* a first context loads what OpenSSL loads lazily */
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		return -ENOMEM;
	SSL_CTX_free(ctx);
	if ((e = curl_easy_init()) == NULL)
		return -ENOMEM;
	curl_easy_cleanup(e);
	return 0;
}

int
download_read_ca(const char *path, char **out, size_t *len)
{
	struct stat st;
	char	   *buf = NULL;
	ssize_t	    n = 0;
	int	    r = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	*out = NULL;
	*len = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > CA_MAX)
		r = -EFBIG;
	else if ((buf = malloc((size_t)st.st_size + 1)) == NULL)
		r = -ENOMEM;
	while (r == 0 && *len < (size_t)st.st_size) {
		n = read(fd, buf + *len, (size_t)st.st_size - *len);
		if (n <= 0)
			r = n < 0 ? -errno : -EIO; /* it shrinks under us */
		else
			*len += (size_t)n;
	}
	close(fd);
	if (buf == NULL || r < 0) {
		free(buf);
		*len = 0;
		return r;
	}
	buf[*len] = '\0';
	*out = buf;
	return 0;
}

void
downloads_set(struct downloads *ds, const struct downloads_conf *conf)
{
	ds->conf = *conf;
	if (conf->proxy[0] != '\0' && url_parse(conf->proxy, &ds->proxy) < 0)
		ds->conf.proxy[0] = '\0'; /* conf_set let no such thing pass */
}

int
downloads_new(struct loop *l, const struct downloads_conf *conf,
    const struct downloads_ops *ops, void *ctx, struct downloads **out)
{
	struct downloads *ds = calloc(1, sizeof(*ds));

	*out = NULL;
	if (ds == NULL)
		return -ENOMEM;
	ds->loop = l;
	ds->ops = ops;
	ds->ctx = ctx;
	downloads_set(ds, conf);
	if (curl_loop_new(l, after, ds, &ds->curl) < 0 ||
	    loop_timer_new(l, after, ds, &ds->reap) < 0 ||
	    loop_timer_new(l, on_held, ds, &ds->held) < 0) {
		downloads_free(&ds);
		return -ENOMEM;
	}
	ds->multi = curl_loop_multi(ds->curl);
	curl_multi_setopt(ds->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	*out = ds;
	return 0;
}

void
downloads_free(struct downloads **dsp)
{
	struct downloads *ds = *dsp;
	struct origin	 *o;

	if (ds == NULL)
		return;
	while (ds->list != NULL) {
		struct download *d = ds->list;

		download_cancel(&d);
	}
	curl_loop_free(&ds->curl);
	while ((o = ds->origins) != NULL) {
		ds->origins = o->next;
		on_spare_end(o);
		loop_timer_free(&o->spare_end);
		free(o);
	}
	loop_timer_free(&ds->reap);
	loop_timer_free(&ds->held);
	free(ds);
	*dsp = NULL;
}

int
download_start(struct downloads *ds, const struct download_want *want,
    struct download **out)
{
	struct download *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (d == NULL)
		return -ENOMEM;
	d->ds = ds;
	d->want = *want;
	d->want.nurls = 0;
	d->missing_all = true;
	d->next = ds->list;
	ds->list = d;
	for (; d->want.nurls < want->nurls && d->want.nurls < DOWNLOAD_URLS_MAX;
	    d->want.nurls++)
		if ((d->urls[d->want.nurls] = strdup(
			 want->urls[d->want.nurls])) == NULL)
			break;
	if (d->want.nurls == 0 || hash_run_new(&d->run) < 0 ||
	    loop_timer_new(ds->loop, on_slice, d, &d->slice) < 0) {
		download_cancel(&d);
		return -ENOMEM;
	}
	d->state = REHASH; /* of nothing, most often */
	loop_timer_set(d->slice, 0);
	*out = d;
	return 0;
}
