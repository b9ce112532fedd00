/*
 * push-devices - many devices on a gateway's push channel, in one process.
 *
 * usage: push-devices -n N [-f FIRST] [-b SOURCE] [-g GROUPS] [-p AT-ONCE] [-r]
 *            [-w WINDOW] CA.crt CA.key ADDRESS PORT
 *
 * Makes a certificate for each of N devices, number FIRST and up, with the CA's
 * key; connects from SOURCE, AT-ONCE handshakes under way, with a receive buffer of WINDOW bytes; device i is of group
 * /g/(i mod GROUPS). Each connection is TLS 1.3 with that certificate. -r: who
 * is cut off comes back, resuming its session, once a second or so.
 * Words on standard input, each answered by one line with "key=value" words:
 *   held    waits until all are open; failed, seconds, own memory
 *   arm     forgets wakes so far; the clock starts
 *   woken   waits until each has a wake (10 s at most); how many have it, how
 *           many one too many; milliseconds since arm: median, last
 *   stats   open, lost and back again so far
 *   stop    takes nothing from now on; go: takes again
 * It ends at the end of standard input.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { IDLE, CONNECTING, SHAKING, ASKING, OPEN };

struct device {
	SSL	    *ssl;
	SSL_SESSION *session;
	X509	    *cert;
	int	     fd;
	enum state   state;
	unsigned     wakes;
	uint64_t     woken_us, retry_us;
};

static struct device *devices;
static int	      window;
static unsigned	      n, first, groups = 1, at_once = 64, under_way, open_now;
static unsigned	      failed, lost, back, next_one;
static bool	      reconnects, stopped;
static struct sockaddr_storage target, source;
static socklen_t      target_len;
static SSL_CTX	     *ctx;
static EVP_PKEY	     *key, *ca_key;
static X509	     *ca;
static int	      ep;
static uint64_t	      armed_us;

static void
die(const char *what)
{
	fprintf(stderr, "push-devices: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* -- certificates -- */

static X509 *
make_cert(unsigned number)
{
	X509	       *x = X509_new();
	X509_NAME      *name = X509_NAME_new();
	X509_EXTENSION *e;
	char		text[120];
	X509V3_CTX	v;

	snprintf(text, sizeof(text), "device %u", number);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)text, -1, -1, 0);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)number + 1000000);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, X509_get_subject_name(ca));
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509V3_set_ctx(&v, ca, x, NULL, NULL, 0);
	snprintf(text, sizeof(text),
	    "URI:urn:dpoint:device:00000000-0000-4000-8000-%012u", number);
	e = X509V3_EXT_conf_nid(NULL, &v, NID_subject_alt_name, text);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	e = X509V3_EXT_conf_nid(NULL, &v, NID_ext_key_usage, "clientAuth");
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_NAME_free(name);
	if (X509_sign(x, ca_key, EVP_sha256()) == 0)
		die("a certificate");
	return x;
}

static void
setup(const char *crt, const char *ca_key_file)
{
	FILE *f;

	if ((f = fopen(crt, "r")) == NULL ||
	    (ca = PEM_read_X509(f, NULL, NULL, NULL)) == NULL)
		die(crt);
	fclose(f);
	if ((f = fopen(ca_key_file, "r")) == NULL ||
	    (ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) == NULL)
		die(ca_key_file);
	fclose(f);
	key = EVP_EC_gen("P-256");
	ctx = SSL_CTX_new(TLS_client_method());
	if (key == NULL || ctx == NULL)
		die("OpenSSL");
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
		SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set1_groups_list(ctx, "X25519");
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
}

/* -- one device -- */

static void
watch(struct device *d, int op, uint32_t events)
{
	struct epoll_event e = { .events = events,
		.data.u32 = (uint32_t)(d - devices) };

	if (epoll_ctl(ep, op, d->fd, &e) < 0)
		die("epoll_ctl");
}

static void
cut(struct device *d)
{
	if (d->state == OPEN) {
		open_now--;
		lost++;
		if (reconnects) {
			SSL_SESSION_free(d->session);
			d->session = SSL_get1_session(d->ssl);
		}
	} else {
		under_way--;
		if (!reconnects)
			failed++;
	}
	if (d->ssl != NULL) {
		SSL_set_shutdown(d->ssl,
		    SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(d->ssl);
	}
	d->ssl = NULL;
	close(d->fd);
	d->state = IDLE;
	d->retry_us = now_us() + 500000 + (uint64_t)rand() % 1000000;
}

static void
begin(struct device *d)
{
	unsigned number = first + (unsigned)(d - devices);
	int	 one = 1;

	d->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		die("socket");
	setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (window > 0)
		setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &window,
		    sizeof(window));
	setsockopt(d->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
	    sizeof(one));
	if (source.ss_family != 0 &&
	    bind(d->fd, (struct sockaddr *)&source, target_len) < 0)
		die("bind");
	under_way++;
	d->state = CONNECTING;
	if (connect(d->fd, (struct sockaddr *)&target, target_len) < 0 &&
	    errno != EINPROGRESS) {
		cut(d);
		return;
	}
	if (d->cert == NULL)
		d->cert = make_cert(number);
	d->ssl = SSL_new(ctx);
	if (d->ssl == NULL || SSL_use_certificate(d->ssl, d->cert) != 1 ||
	    SSL_use_PrivateKey(d->ssl, key) != 1)
		die("SSL");
	SSL_set_fd(d->ssl, d->fd);
	SSL_set_connect_state(d->ssl);
	if (d->session != NULL)
		SSL_set_session(d->ssl, d->session);
	if (!reconnects) {
		X509_free(d->cert);
		d->cert = NULL;
	}
	watch(d, EPOLL_CTL_ADD, EPOLLOUT);
}

static void
ask(struct device *d)
{
	char text[160];
	int  len = snprintf(text, sizeof(text),
	     "GET /v1/push?group=/g/%u HTTP/1.1\r\nHost: gateway\r\n\r\n",
	     (first + (unsigned)(d - devices)) % groups);

	d->state = ASKING;
	if (SSL_write(d->ssl, text, len) != len) {
		cut(d);
		return;
	}
	watch(d, EPOLL_CTL_MOD, EPOLLIN);
}

static void
take(struct device *d)
{
	char buf[1024];
	int  r;

	while ((r = SSL_read(d->ssl, buf, sizeof(buf) - 1)) > 0) {
		buf[r] = '\0';
		if (d->state == ASKING) {
			if (strncmp(buf, "HTTP/1.1 200 ", 13) != 0) {
				fprintf(stderr, "push-devices: %.60s\n", buf);
				cut(d);
				return;
			}
			d->state = OPEN;
			under_way--;
			open_now++;
			back += d->retry_us != 0;
		}
		for (char *p = buf; (p = strstr(p, "event: wake\n")) != NULL; p++)
			if (d->wakes++ == 0)
				d->woken_us = now_us();
	}
	if (SSL_get_error(d->ssl, r) != SSL_ERROR_WANT_READ)
		cut(d);
}

static void
on_event(struct device *d)
{
	int r, e, err = 0;
	socklen_t len = sizeof(err);

	ERR_clear_error(); /* of another device's */
	if (d->state == CONNECTING) {
		getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err != 0) {
			cut(d);
			return;
		}
		d->state = SHAKING;
	}
	if (d->state == SHAKING) {
		if ((r = SSL_do_handshake(d->ssl)) == 1) {
			ask(d);
			return;
		}
		e = SSL_get_error(d->ssl, r);
		if (e == SSL_ERROR_WANT_READ)
			watch(d, EPOLL_CTL_MOD, EPOLLIN);
		else if (e != SSL_ERROR_WANT_WRITE)
			cut(d);
	} else if (!stopped)
		take(d);
}

/* -- all -- */

static void
begin_some(void)
{
	uint64_t now = now_us();

	while (next_one < n && under_way < at_once)
		begin(&devices[next_one++]);
	for (unsigned i = 0; reconnects && i < n && under_way < at_once; i++)
		if (devices[i].state == IDLE && devices[i].retry_us != 0 &&
		    devices[i].retry_us <= now)
			begin(&devices[i]);
}

static void
turn(int timeout_ms)
{
	struct epoll_event ev[256];
	int		   got;

	begin_some();
	got = epoll_wait(ep, ev, 256, timeout_ms);
	for (int i = 0; i < got; i++)
		if (devices[ev[i].data.u32].state != IDLE)
			on_event(&devices[ev[i].data.u32]);
}

static unsigned
rss_kb(void)
{
	char	 line[256];
	unsigned kb = 0;
	FILE	*f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "RssAnon: %u", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
say_woken(void)
{
	uint64_t *at = calloc(n + 1, sizeof(*at));
	unsigned  got = 0, more = 0;

	for (unsigned i = 0; at != NULL && i < n; i++) {
		if (devices[i].wakes > 0)
			at[got++] = devices[i].woken_us - armed_us;
		more += devices[i].wakes > 1;
	}
	qsort(at, got, sizeof(*at), by_value);
	printf("woken=%u more=%u median_ms=%.1f last_ms=%.1f\n", got, more,
	    got > 0 ? (double)at[got / 2] / 1000 : 0,
	    got > 0 ? (double)at[got - 1] / 1000 : 0);
	free(at);
}

static bool
all_woken(void)
{
	for (unsigned i = 0; i < n; i++)
		if (devices[i].state == OPEN && devices[i].wakes == 0)
			return false;
	return true;
}

static void
obey(const char *word)
{
	uint64_t start = now_us();

	if (strcmp(word, "held\n") == 0) {
		while (open_now + failed < n)
			turn(100);
		printf("open=%u failed=%u seconds=%.1f rss_kb=%u\n", open_now,
		    failed, (double)(now_us() - start) / 1e6, rss_kb());
	} else if (strcmp(word, "arm\n") == 0) {
		for (unsigned i = 0; i < n; i++)
			devices[i].wakes = 0;
		armed_us = start;
		printf("armed=%u\n", open_now);
	} else if (strcmp(word, "woken\n") == 0) {
		while (!all_woken() && now_us() - start < 60000000)
			turn(50);
		say_woken();
	} else if (strcmp(word, "stop\n") == 0 || strcmp(word, "go\n") == 0) {
		stopped = word[0] == 's';
		for (unsigned i = 0; i < n; i++)
			if (devices[i].state == OPEN)
				watch(&devices[i], EPOLL_CTL_MOD,
				    stopped ? 0 : EPOLLIN);
		printf("stopped=%d\n", stopped);
	} else
		printf("open=%u lost=%u back=%u\n", open_now, lost, back);
	fflush(stdout);
}

static void
parse_address(const char *text, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		ss->ss_family = AF_INET;
		v4->sin_port = htons(port);
		target_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		ss->ss_family = AF_INET6;
		v6->sin6_port = htons(port);
		target_len = sizeof(*v6);
	} else
		die(text);
}

int
main(int argc, char *argv[])
{
	struct rlimit rl;
	char	      line[64];
	size_t	      len = 0;
	ssize_t	      r;
	int	      c;

	while ((c = getopt(argc, argv, "n:f:b:g:p:w:r")) != -1)
		switch (c) {
		case 'n': n = (unsigned)atoi(optarg); break;
		case 'f': first = (unsigned)atoi(optarg); break;
		case 'b': parse_address(optarg, 0, &source); break;
		case 'g': groups = (unsigned)atoi(optarg); break;
		case 'p': at_once = (unsigned)atoi(optarg); break;
		case 'w': window = atoi(optarg); break;
		case 'r': reconnects = true; break;
		default: return 2;
		}
	if (argc - optind != 4 || n == 0 || groups == 0)
		return 2;
	setup(argv[optind], argv[optind + 1]);
	parse_address(argv[optind + 2], (uint16_t)atoi(argv[optind + 3]), &target);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	devices = calloc(n, sizeof(*devices));
	ep = epoll_create1(0);
	if (devices == NULL || ep < 0)
		die("start");
	fcntl(0, F_SETFL, O_NONBLOCK);
	for (;;) {
		turn(len == 0 ? 20 : 0);
		r = read(0, line + len, 1);
		if (r == 0)
			return 0;
		if (r < 0)
			continue;
		if (line[len++] == '\n') {
			line[len] = '\0';
			len = 0;
			obey(line);
		} else if (len == sizeof(line) - 1)
			return 2;
	}
}
