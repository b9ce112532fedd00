/*
 * tests/bench/hload.c - a small single-threaded load generator for HTTP and TLS.
 *
 * usage: hload get [-c N] [-d SECONDS | -n REQUESTS] [-s] [TLS] HOST:PORT PATH
 *	  hload hs [-c N] [-d SECONDS] [TLS] HOST:PORT
 *	  hload idle -c N [-d SECONDS] [TLS] HOST:PORT PATH
 *
 * get:	 keep-alive GETs over N connections, bodies dropped; with -n also the
 *	 seconds until the first and the last request were done.
 * hs:	 full TLS 1.3 handshakes. One counts when the server's end of file has
 *	 come, so that its side is complete, the client's certificate included.
 * idle: N TLS connections, one GET on each, then silence for SECONDS; prints
 *	 "held=N" as soon as all have had their answer.
 * TLS:	 -A ca.pem (verify), -C cert.pem -K key.pem (client certificate).
 *
 * TLS 1.3 with TLS_AES_128_GCM_SHA256 and no resumption. HOST is an IPv4
 * address of the loopback; connections come from 16 addresses, since one has
 * too few ports. A benchmark's tool: what goes wrong at the start ends it.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { FREE, CONNECTING, SHAKING, SENDING, HEAD, BODY, WAIT_EOF, HELD };

struct conn {
	int	   fd;
	enum state st;
	unsigned   events;
	size_t	   sent, head_len;
	long long  left; /* bytes of the body still to come */
	SSL	  *ssl;
	char	   head[8192];
};

static enum { GET, HS, IDLE_MODE } mode;
static bool		  use_tls, announced;
static long		  nconn = 64, max_requests, started, done, failed, held;
static long		  live;
static long long	  bytes;
static double		  duration = 5, began, first, last;
static struct sockaddr_in dst;
static SSL_CTX		 *ctx;
static char		  request[4096], buf[256 << 10];
static size_t		  request_len;
static int		  ep;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool
over(void)
{
	if (max_requests > 0)
		return started >= max_requests;
	return now() - began >= duration;
}

static void
want(struct conn *c, unsigned events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (c->events == events)
		return;
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
	c->events = events;
}

static void
conn_open(struct conn *c)
{
	static unsigned	   source;
	struct sockaddr_in src = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
	int		   one = 1;

	started++;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		err(1, "socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	src.sin_addr.s_addr = htonl(0x7f000002 + source++ % 16);
	if (bind(c->fd, (struct sockaddr *)&src, sizeof(src)) != 0)
		err(1, "bind");
	if (connect(c->fd, (struct sockaddr *)&dst, sizeof(dst)) != 0 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	c->st = CONNECTING;
	c->events = EPOLLOUT;
	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
	live++;
}

static void
conn_close(struct conn *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	c->st = FREE;
	live--;
}

static void
conn_fail(struct conn *c, const char *why)
{
	if (failed++ < 3)
		warn("%s: %s", why, ERR_peek_error() == 0 ? "-" :
		    ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	conn_close(c);
	if (failed > 1000)
		errx(1, "too many failures");
	if (!over())
		conn_open(c);
}

/* Bytes, 0 for "later", -1 for the end, -2 for an alert. */
static long
conn_read(struct conn *c, void *p, size_t n)
{
	long r;
	int  e;

	if (c->ssl == NULL) {
		r = recv(c->fd, p, n, 0);
		if (r > 0)
			return r;
		return r < 0 && errno == EAGAIN ? 0 : -1;
	}
	if ((r = SSL_read(c->ssl, p, (int)n)) > 0)
		return r;
	e = SSL_get_error(c->ssl, (int)r);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return 0;
	if (e == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) !=
	    SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return -2;
	ERR_clear_error();
	return -1;
}

/* Each step: true to go on at once, false to wait for the next event. */
static bool
step_connecting(struct conn *c)
{
	int	  e = 0;
	socklen_t n = sizeof(e);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n);
	if (e != 0) {
		errno = e;
		conn_fail(c, "connect");
		return false;
	}
	c->sent = 0;
	c->st = SENDING;
	if (use_tls) {
		if ((c->ssl = SSL_new(ctx)) == NULL)
			errx(1, "SSL_new");
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
		SSL_set_tlsext_host_name(c->ssl, "localhost");
		c->st = SHAKING;
	}
	return true;
}

static bool
step_shaking(struct conn *c)
{
	int r = SSL_do_handshake(c->ssl);

	if (r != 1) {
		switch (SSL_get_error(c->ssl, r)) {
		case SSL_ERROR_WANT_READ:
			want(c, EPOLLIN);
			return false;
		case SSL_ERROR_WANT_WRITE:
			want(c, EPOLLOUT);
			return false;
		default:
			conn_fail(c, "handshake");
			return false;
		}
	}
	if (mode != HS) {
		c->st = SENDING;
		return true;
	}
	want(c, EPOLLIN);
	SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
	c->st = WAIT_EOF;
	return true;
}

static bool
step_wait_eof(struct conn *c)
{
	long r = conn_read(c, buf, sizeof(buf));

	if (r >= 0)
		return r > 0;
	if (r == -2) {
		conn_fail(c, "alert after the handshake");
		return false;
	}
	done++;
	conn_close(c);
	if (!over())
		conn_open(c);
	return false;
}

static bool
step_sending(struct conn *c)
{
	size_t n = request_len - c->sent;
	long   r = c->ssl != NULL ? SSL_write(c->ssl, request + c->sent, (int)n) :
				    send(c->fd, request + c->sent, n, MSG_NOSIGNAL);

	if (r <= 0) {
		conn_fail(c, "send");
		return false;
	}
	c->sent += (size_t)r;
	if (c->sent < request_len)
		return true;
	c->st = HEAD;
	c->head_len = 0;
	want(c, EPOLLIN);
	return false;
}

static bool
finished(struct conn *c)
{
	last = now() - began;
	if (done++ == 0)
		first = last;
	if (mode == IDLE_MODE) {
		c->st = HELD;
		held++;
		return false;
	}
	if (over()) {
		conn_close(c);
		return false;
	}
	started++;
	c->st = SENDING;
	c->sent = 0;
	return true;
}

static bool
step_head(struct conn *c)
{
	char *end, *length;
	long  r = conn_read(c, c->head + c->head_len,
	     sizeof(c->head) - 1 - c->head_len);

	if (r == 0)
		return false;
	if (r < 0) {
		conn_fail(c, "the end inside a head");
		return false;
	}
	c->head_len += (size_t)r;
	c->head[c->head_len] = '\0';
	bytes += r;
	if ((end = strstr(c->head, "\r\n\r\n")) == NULL) {
		if (c->head_len == sizeof(c->head) - 1)
			conn_fail(c, "a head without end");
		return c->st == HEAD;
	}
	length = strcasestr(c->head, "\r\ncontent-length:");
	if (strncmp(c->head + 9, "200", 3) != 0 || length == NULL) {
		fprintf(stderr, "%.60s\n", c->head);
		conn_fail(c, "not the answer wanted");
		return false;
	}
	c->left = atoll(length + 17) -
	    (long long)(c->head_len - (size_t)(end + 4 - c->head));
	if (c->left <= 0)
		return finished(c);
	c->st = BODY;
	return true;
}

static bool
step_body(struct conn *c)
{
	for (int i = 0; i < 16; i++) { /* then the others' turn */
		long r = conn_read(c, buf, sizeof(buf));

		if (r == 0)
			return false;
		if (r < 0) {
			conn_fail(c, "the end inside a body");
			return false;
		}
		bytes += r;
		c->left -= r;
		if (c->left <= 0)
			return finished(c);
	}
	return false;
}

static void
drive(struct conn *c)
{
	bool go = true;

	while (go) {
		switch (c->st) {
		case CONNECTING: go = step_connecting(c); break;
		case SHAKING: go = step_shaking(c); break;
		case SENDING: go = step_sending(c); break;
		case HEAD: go = step_head(c); break;
		case BODY: go = step_body(c); break;
		case WAIT_EOF: go = step_wait_eof(c); break;
		case HELD:
			if (conn_read(c, buf, sizeof(buf)) < 0) {
				held--;
				conn_fail(c, "an idle connection was closed");
			}
			return;
		case FREE: return;
		}
	}
}

static void
make_ctx(const char *ca, const char *cert, const char *key)
{
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		errx(1, "SSL_CTX_new");
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (ca != NULL) {
		if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
			errx(1, "%s: not a CA", ca);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	if (cert != NULL &&
	    (SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    key == NULL ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))
		errx(1, "%s: not a certificate with its key", cert);
}

static void
run(void)
{
	struct conn	  *conns = calloc((size_t)nconn, sizeof(*conns));
	struct epoll_event ev[256];
	long		   opened = 0, batch;

	if (conns == NULL)
		err(1, "calloc");
	began = now();
	do {
		/* idle: a few at a time, so that no backlog overflows */
		batch = mode == IDLE_MODE ? 64 : nconn;
		for (; opened < nconn && batch > 0 && live - held < 256 &&
		     !(max_requests > 0 && started >= max_requests); batch--)
			conn_open(&conns[opened++]);
		int n = epoll_wait(ep, ev, 256, 100);

		for (int i = 0; i < n; i++)
			drive(ev[i].data.ptr);
		if (mode == IDLE_MODE && !announced && held == nconn) {
			announced = true;
			printf("held=%ld\n", held);
			fflush(stdout);
			began = now();
		}
		if (mode == IDLE_MODE && !announced && now() - began > 60)
			errx(1, "only %ld of %ld stand after 60 s", held, nconn);
	} while (live > 0 && (max_requests > 0 || now() - began < duration ||
	    (mode == IDLE_MODE && !announced)));
}

static int
usage(void)
{
	fprintf(stderr, "usage: hload get|hs|idle [-c N] [-d SECONDS] "
	    "[-n REQUESTS] [-s] [-A CA] [-C CERT -K KEY] HOST:PORT [PATH]\n");
	return 2;
}

int
main(int argc, char *argv[])
{
	const char *ca = NULL, *cert = NULL, *key = NULL;
	char	   *colon;
	double	    took;
	int	    o;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return usage();
	mode = strcmp(argv[1], "hs") == 0 ? HS :
	    strcmp(argv[1], "idle") == 0 ? IDLE_MODE : GET;
	use_tls = mode != GET;
	argc--;
	argv++;
	while ((o = getopt(argc, argv, "c:d:n:sA:C:K:")) != -1) {
		switch (o) {
		case 'c': nconn = atol(optarg); break;
		case 'd': duration = atof(optarg); break;
		case 'n': max_requests = atol(optarg); break;
		case 's': use_tls = true; break;
		case 'A': ca = optarg; break;
		case 'C': cert = optarg; break;
		case 'K': key = optarg; break;
		default: return usage();
		}
	}
	if (nconn < 1 || argc - optind != (mode == HS ? 1 : 2) ||
	    (colon = strchr(argv[optind], ':')) == NULL)
		return usage();
	if (mode != HS)
		request_len = (size_t)snprintf(request, sizeof(request),
		    "GET %.2000s HTTP/1.1\r\nHost: %.100s\r\n\r\n",
		    argv[optind + 1], argv[optind]);
	*colon = '\0';
	dst.sin_family = AF_INET;
	dst.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, argv[optind], &dst.sin_addr) != 1)
		return usage();
	if (use_tls)
		make_ctx(ca, cert, key);
	if ((ep = epoll_create1(0)) < 0)
		err(1, "epoll_create1");
	run();
	took = now() - began;
	printf("done=%ld failed=%ld rate=%.1f mbps=%.2f first=%.3f last=%.3f "
	       "seconds=%.3f\n", done, failed, (double)done / took,
	    (double)bytes / took / 1e6, first, last, took);
	return failed > 0 ? 1 : 0;
}
