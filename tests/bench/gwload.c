/*
 * tests/bench/gwload.c - both ends of connections through a relay.
 *
 * usage: gwload up [-T TICKETS] TLS PORT
 *	  gwload idle -c N TLS HOST:PORT
 *	  gwload rate -c THREADS -d SECONDS TLS HOST:PORT
 *	  gwload echo -n N -t TURN TLS HOST:PORT...
 *	  gwload bulk -b MIB TLS HOST:PORT
 *	  gwload storm -c N TLS HOST:PORT
 *
 * up:	 the server; several may share a port. A connection's first byte says
 *	 what it is for: "E" echoes what follows, "D" and 15 digits sends so many
 *	 bytes, "C" begins a CONNECT of HTTP/1.1, which is answered before.
 * idle: N connections, each after one 1 KiB echo; prints "held=N", then keeps
 *	 them until standard input ends. At each line there all echo once more,
 *	 "alive=N".
 * rate: connect, handshake, echo of one byte, close, for SECONDS.
 * echo: 1 KiB to and fro N times on one connection to each target, which take
 *	 turns of TURN: median of all, median of the turns' 99th percentiles, 99th
 *	 percentile of all; a line for each target.
 * bulk: MIB from the server over one connection.
 * storm: N connections, one after the other, with a ticket each; "first=SECONDS".
 *	 At a line on standard input all are cut and come back one after the other,
 *	 at the next all are cut and come back at once: "serial=" and "storm=",
 *	 with the seconds until the last has had its echo, "resumed=" and "failed=".
 * HOST:PORT: after "CONNECT:" the client begins with a CONNECT.
 * TLS:	 -A ca.pem -C cert.pem -K key.pem, at both ends: mutual TLS 1.3 with
 *	 TLS_AES_128_GCM_SHA256 and no resumption; the client names "localhost".
 *
 * Addresses are of the loopback; clients come from 16 of them, since one has too
 * few ports. A benchmark's tool: what goes wrong at the start ends it.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KIB	1024
#define SOURCES 16
#define THREADS 8

static SSL_CTX		 *ctx;
static struct sockaddr_in to;
static unsigned		  count = 1000, threads = THREADS, mib = 256, source;
static unsigned		  turn = 200; /* echoes */
static double		  seconds = 2, end_at;
static unsigned long	  done, failed;
static size_t		  tickets;
static bool		  connects; /* the target wants to be asked so */
static char		  block[64 * KIB];

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* -- the server: one thread, one epoll set -- */

struct session {
	int	 fd;
	SSL	*ssl;
	bool	 shaken, echoes, connects, writing;
	char	 word[16];
	int	 have; /* of word, or of the blank line that ends a CONNECT */
	long long left;
};

static void
session_watch(int ep, struct session *s, bool writing)
{
	struct epoll_event e = { .events = writing ? EPOLLOUT : EPOLLIN,
		.data.ptr = s };

	if (s->writing != writing)
		epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &e);
	s->writing = writing;
}

static void
session_end(struct session *s)
{
	ERR_clear_error();
	SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	close(s->fd);
	free(s);
}

/* Bytes read; 0: none now; negative: it is over. */
static int
session_read(struct session *s, void *buf, int n)
{
	int r = SSL_read(s->ssl, buf, n);

	if (r > 0)
		return r;
	return SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* As session_read; true once the head of the request is through. */
static int
session_head(struct session *s)
{
	static const char end[] = "\r\n\r\n", ok[] = "HTTP/1.1 200 OK\r\n\r\n";
	char		  c;
	int		  r;

	while ((r = session_read(s, &c, 1)) > 0) {
		s->have = c == end[s->have] ? s->have + 1 : c == end[0];
		if (end[s->have] != '\0')
			continue;
		s->have = 0;
		s->connects = false;
		return SSL_write(s->ssl, ok, sizeof(ok) - 1) > 0 ? 1 : -1;
	}
	return r;
}

/* As session_read; sends what "D" asked for. */
static int
session_send(int ep, struct session *s)
{
	int r;

	for (int i = 0; i < 32 && s->left > 0; i++) {
		r = SSL_write(s->ssl, block, s->left < (long long)sizeof(block)
			? (int)s->left : (int)sizeof(block));
		if (r <= 0) {
			session_watch(ep, s, true);
			return SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_WRITE
			    ? 0 : -1;
		}
		s->left -= r;
	}
	session_watch(ep, s, s->left > 0);
	return s->left > 0 ? 0 : 1;
}

static int
session_turn(int ep, struct session *s)
{
	static char buf[64 * KIB];
	int	    r;

	ERR_clear_error();
	if (!s->shaken) {
		if ((r = SSL_accept(s->ssl)) != 1)
			return SSL_get_error(s->ssl, r) == SSL_ERROR_WANT_READ
			    ? 0 : -1;
		s->shaken = true;
	}
	for (;;) {
		if (s->left > 0) {
			if ((r = session_send(ep, s)) <= 0)
				return r;
		} else if (s->echoes) {
			if ((r = session_read(s, buf, sizeof(buf))) <= 0)
				return r;
			if (SSL_write(s->ssl, buf, r) != r)
				return -1;
		} else if (s->connects) {
			if ((r = session_head(s)) <= 0)
				return r;
		} else {
			if ((r = session_read(s, s->word + s->have, 1)) <= 0)
				return r;
			s->have++;
			s->echoes = s->word[0] == 'E';
			s->connects = s->word[0] == 'C';
			s->have -= s->connects;
			if (s->have == sizeof(s->word)) {
				s->left = strtoll(s->word + 1, NULL, 10);
				s->have = 0;
			}
		}
	}
}

static void
serve(const char *port)
{
	struct epoll_event ev[256], e = { .events = EPOLLIN };
	struct session	  *s;
	int		   one = 1, fd, n, ep = epoll_create1(0),
		     l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    listen(l, 8192) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, l, &e) < 0)
		err(1, "port %s", port);
	for (;;) {
		n = epoll_wait(ep, ev, 256, -1);
		for (int i = 0; i < n; i++) {
			if ((s = ev[i].data.ptr) != NULL) {
				if (session_turn(ep, s) < 0)
					session_end(s);
				continue;
			}
			while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				if ((s = calloc(1, sizeof(*s))) == NULL)
					err(1, "calloc");
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				    sizeof(one));
				s->fd = fd;
				s->ssl = SSL_new(ctx);
				SSL_set_fd(s->ssl, fd);
				e.data.ptr = s;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
				e.data.ptr = NULL;
			}
		}
	}
}

/* -- the clients: plain blocking ones -- */

static void
parse_target(char *text)
{
	const size_t n = strlen("CONNECT:");
	char	    *colon;

	connects = strncmp(text, "CONNECT:", n) == 0;
	text += connects ? n : 0;
	if ((colon = strchr(text, ':')) == NULL)
		errx(2, "%s: expected HOST:PORT", text);
	*colon = '\0';
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, text, &to.sin_addr) != 1)
		errx(2, "%s: expected an IPv4 address", text);
}

struct client {
	int  fd;
	SSL *ssl;
};

static void
client_close(struct client *c)
{
	SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->fd);
}

static bool
ask_connect(struct client *c)
{
	static const char ask[] = "CONNECT localhost:443 HTTP/1.1\r\n"
				  "Host: localhost:443\r\n\r\n";
	char		  head[1024];
	int		  n = 0, r;

	if (SSL_write(c->ssl, ask, sizeof(ask) - 1) <= 0)
		return false;
	for (; n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0; n += r)
		if (n == sizeof(head) || (r = SSL_read(c->ssl, head + n, 1)) <= 0)
			return false;
	return memcmp(head, "HTTP/1.1 200", 12) == 0;
}

static bool
client_open(struct client *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int		   one = 1;

	ERR_clear_error();
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 +
	    __atomic_fetch_add(&source, 1, __ATOMIC_RELAXED) % SOURCES);
	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(c->fd);
		return false;
	}
	c->ssl = SSL_new(ctx);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_tlsext_host_name(c->ssl, "localhost");
	if (SSL_connect(c->ssl) == 1 && (!connects || ask_connect(c)))
		return true;
	client_close(c);
	return false;
}

static bool
echo(struct client *c, int n)
{
	char buf[KIB];
	int  got = 0, r;

	if (SSL_write(c->ssl, block, n) != n)
		return false;
	for (; got < n; got += r)
		if ((r = SSL_read(c->ssl, buf, n - got)) <= 0)
			return false;
	return true;
}

static void
one_done(bool ok)
{
	__atomic_fetch_add(ok ? &done : &failed, 1, __ATOMIC_RELAXED);
}

static struct client *held;
static unsigned	      nheld;

static void *
hold_some(void *arg)
{
	struct client c;
	bool	      ok;

	(void)arg;
	for (unsigned i = 0; i < count / THREADS; i++) {
		ok = client_open(&c) && SSL_write(c.ssl, "E", 1) == 1 &&
		    echo(&c, KIB);
		if (ok)
			held[__atomic_fetch_add(&nheld, 1, __ATOMIC_RELAXED)] = c;
		one_done(ok);
	}
	return NULL;
}

static void
use_all(void)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < nheld; i++)
		alive += echo(&held[i], KIB);
	printf("alive=%u\n", alive);
	fflush(stdout);
}

static void *
come_and_go(void *arg)
{
	struct client c;

	(void)arg;
	while (now() < end_at) {
		if (!client_open(&c)) {
			one_done(false);
			usleep(1000);
			continue;
		}
		one_done(SSL_write(c.ssl, "E", 1) == 1 && echo(&c, 1));
		client_close(&c);
	}
	return NULL;
}

static void
in_threads(unsigned n, void *(*fn)(void *))
{
	pthread_t t[256];
	double	  began = now();

	end_at = began + seconds;
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, fn, NULL) != 0)
			errx(1, "pthread_create");
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	printf("held=%lu done=%lu failed=%lu rate=%.1f\n", done, done, failed,
	    (double)done / (now() - began));
	fflush(stdout);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct target {
	struct client c;
	double	     *all, *p99; /* seconds: of each echo; of each turn's */
	unsigned      n;
};

static double
quantile(double *values, unsigned n, double p)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[(size_t)(n * p)];
}

static void
echo_turn(struct target *g, unsigned nth)
{
	double *t = g->all + g->n, began;

	for (unsigned i = 0; i < turn; i++) {
		began = now();
		if (!echo(&g->c, KIB))
			errx(1, "echo: the connection is cut");
		t[i] = now() - began;
	}
	if (nth == 0) /* to warm up */
		return;
	g->n += turn;
	g->p99[nth - 1] = quantile(t, turn, 0.99);
}

/* In turns, so that what else happens on the machine happens to all. */
static void
measure_echo(char *targets[], unsigned n)
{
	struct target *all = calloc(n, sizeof(*all)), *g;
	unsigned       turns = count / turn;

	for (g = all; g < all + n; g++) {
		parse_target(targets[g - all]);
		g->all = calloc((size_t)count + turn, sizeof(*g->all));
		g->p99 = calloc((size_t)turns + 1, sizeof(*g->p99));
		if (g->all == NULL || g->p99 == NULL || !client_open(&g->c) ||
		    SSL_write(g->c.ssl, "E", 1) != 1)
			errx(1, "echo: no connection");
	}
	for (unsigned i = 0; i <= turns; i++)
		for (g = all; g < all + n; g++)
			echo_turn(g, i);
	for (g = all; g < all + n; g++) {
		printf("p50=%.1f p99=%.1f all99=%.1f\n",
		    quantile(g->all, g->n, 0.5) * 1e6,
		    quantile(g->p99, turns, 0.5) * 1e6,
		    quantile(g->all, g->n, 0.99) * 1e6);
		client_close(&g->c);
		free(g->all);
		free(g->p99);
	}
	free(all);
}

static void
measure_bulk(void)
{
	static char   buf[256 * KIB];
	long long     left = (long long)mib << 20;
	double	      began;
	struct client c;
	char	      word[32];
	int	      r;

	if (!client_open(&c))
		errx(1, "bulk: no connection");
	snprintf(word, sizeof(word), "D%015lld", left);
	began = now();
	if (SSL_write(c.ssl, word, 16) != 16)
		errx(1, "bulk");
	for (; left > 0; left -= r)
		if ((r = SSL_read(c.ssl, buf, sizeof(buf))) <= 0)
			errx(1, "bulk: cut");
	printf("mbps=%.1f\n", (double)((long long)mib << 20) / (now() - began) / 1e6);
	client_close(&c);
}

/* -- storm -- */

struct peer {
	struct client c;
	SSL_SESSION  *session; /* the newest ticket's */
	bool	      asked, done;
};
static struct peer *peers;

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct peer *p = SSL_get_app_data(ssl);

	if (p == NULL)
		return 0;
	SSL_SESSION_free(p->session);
	p->session = session;
	return 1;
}

static void
peer_cut(struct peer *p)
{
	struct linger now_ = { 1, 0 };

	if (p->c.ssl == NULL)
		return;
	/* or OpenSSL holds the session to be bad */
	SSL_set_shutdown(p->c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(p->c.ssl);
	setsockopt(p->c.fd, SOL_SOCKET, SO_LINGER, &now_, sizeof(now_));
	close(p->c.fd);
	p->c.ssl = NULL;
	p->asked = p->done = false;
}

static void
peer_begin(struct peer *p)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int		   one = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source++ % SOURCES);
	p->c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(p->c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
	    sizeof(one));
	if (p->c.fd < 0 || bind(p->c.fd, (struct sockaddr *)&from,
		sizeof(from)) < 0 ||
	    (connect(p->c.fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		errno != EINPROGRESS))
		err(1, "storm");
	p->c.ssl = SSL_new(ctx);
	SSL_set_fd(p->c.ssl, p->c.fd);
	SSL_set_tlsext_host_name(p->c.ssl, "localhost");
	SSL_set_app_data(p->c.ssl, p);
	if (p->session != NULL)
		SSL_set_session(p->c.ssl, p->session);
	SSL_set_connect_state(p->c.ssl);
}

/* 1: it has had its echo; 0: not yet; -1: it failed. */
static int
peer_turn(struct peer *p)
{
	char buf[4];
	int  r;

	ERR_clear_error();
	if (!p->asked) {
		if ((r = SSL_write(p->c.ssl, "Ex", 2)) == 2)
			p->asked = true;
	}
	if (p->asked && (r = SSL_read(p->c.ssl, buf, sizeof(buf))) > 0) {
		p->done = true;
		return 1;
	}
	r = SSL_get_error(p->c.ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* All come, so many at a time. */
static void
come(const char *what, unsigned at_once)
{
	struct epoll_event ev[256], e = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	double		   began;
	unsigned	   next = 0, under_way = 0, resumed = 0, bad = 0;
	int		   n, r, ep = epoll_create1(0);

	for (unsigned i = 0; i < count; i++)
		peer_cut(&peers[i]);
	sleep(1); /* until the other end has noticed */
	began = now();
	while (next < count || under_way > 0) {
		while (next < count && under_way < at_once) {
			e.data.ptr = &peers[next];
			peer_begin(&peers[next]);
			epoll_ctl(ep, EPOLL_CTL_ADD, peers[next++].c.fd, &e);
			under_way++;
		}
		if (now() - began > 120)
			errx(1, "%s: %u of %u are not back", what, under_way,
			    count);
		n = epoll_wait(ep, ev, 256, 1000);
		for (int i = 0; i < n; i++) {
			struct peer *p = ev[i].data.ptr;

			if (p->done || (r = peer_turn(p)) == 0)
				continue;
			under_way--;
			bad += r < 0;
			p->done = true;
			resumed += SSL_session_reused(p->c.ssl) == 1;
		}
	}
	printf("%s=%.2f resumed=%u failed=%u\n", what, now() - began, resumed,
	    bad);
	fflush(stdout);
	close(ep);
}

static void
storm(void)
{
	char line[16];

	if ((peers = calloc(count, sizeof(*peers))) == NULL)
		errx(1, "calloc");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
		SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	come("first", 1);
	if (read(0, line, sizeof(line)) > 0)
		come("serial", 1);
	if (read(0, line, sizeof(line)) > 0)
		come("storm", count);
	(void)!read(0, line, sizeof(line));
}

static void
make_context(bool is_server, const char *ca, const char *cert, const char *key)
{
	ctx = SSL_CTX_new(TLS_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		errx(1, "TLS: %s, %s or %s", ca, cert, key);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, tickets);
	SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"gwload", 6);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (is_server
		? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
}

int
main(int argc, char *argv[])
{
	const char *mode = argc > 1 ? argv[1] : "", *ca = "", *cert = "",
		   *key = "";
	char	    line[16];
	int	    c;

	signal(SIGPIPE, SIG_IGN);
	argc--;
	argv++;
	while ((c = getopt(argc, argv, "c:d:n:b:t:T:A:C:K:")) != -1)
		switch (c) {
		case 'c':
			count = threads = (unsigned)atoi(optarg);
			break;
		case 'n':
			count = (unsigned)atoi(optarg);
			break;
		case 't':
			turn = (unsigned)atoi(optarg);
			break;
		case 'd':
			seconds = atof(optarg);
			break;
		case 'b':
			mib = (unsigned)atoi(optarg);
			break;
		case 'T':
			tickets = (size_t)atoi(optarg);
			break;
		case 'A':
			ca = optarg;
			break;
		case 'C':
			cert = optarg;
			break;
		case 'K':
			key = optarg;
			break;
		default:
			return 2;
		}
	if (optind >= argc)
		errx(2, "usage: gwload up|idle|rate|echo|bulk|storm ...");
	memset(block, 'x', sizeof(block));
	make_context(strcmp(mode, "up") == 0, ca, cert, key);
	if (strcmp(mode, "up") == 0)
		serve(argv[optind]);
	if (strcmp(mode, "echo") == 0) {
		measure_echo(argv + optind, (unsigned)(argc - optind));
		return 0;
	}
	parse_target(argv[optind]);
	if (strcmp(mode, "bulk") == 0)
		measure_bulk();
	else if (strcmp(mode, "rate") == 0)
		in_threads(threads < 256 ? threads : 256, come_and_go);
	else if (strcmp(mode, "storm") == 0)
		storm();
	else if (strcmp(mode, "idle") == 0) {
		if ((held = calloc(count, sizeof(*held))) == NULL)
			err(1, "calloc");
		in_threads(THREADS, hold_some);
		while (read(0, line, sizeof(line)) > 0)
			use_all();
	} else
		errx(2, "%s: no such mode", mode);
	return 0;
}
