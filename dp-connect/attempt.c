/*
 * dp-connect/attempt.c - from a host and a port to one connected socket.
 *
 * Runs in dp-connect after sandbox_enter(). Believes nothing that the resolver
 * says beyond the shape libevent gives it: an answer is an address to try, and
 * who answers there is proven by TLS or by hashes elsewhere. Addresses of both
 * families alternate; when one does not answer within STAGGER_MS the next is
 * tried beside it, and the first that connects wins (RFC 8305).
 * SPDX-License-Identifier: ISC
 */
#include "dp-connect/connect.h"

#include "common/log.h"
#include "common/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER_MS 250
#define ADDR_MAX   8

struct try {
	struct attempt	       *a;
	struct sockaddr_storage sa;
	socklen_t		len;
	int			fd;
	struct loop_io	       *io;
};

struct attempt {
	struct attempt		  *next;
	struct attempts		  *all;
	void			  *asker;
	uint32_t		   id;
	uint16_t		   port;
	char			   host[256], error[160];
	int			   r;
	attempt_filter		   filter;
	struct evdns_getaddrinfo_request *dns;
	bool			   in_dns; /* inside evdns_getaddrinfo */
	struct loop_timer	  *stagger, *limit;
	struct try		   tries[ADDR_MAX];
	size_t			   ntries, started;
};

struct attempts {
	struct loop	  *loop;
	struct evdns_base *dns;
	attempt_fn	   done;
	struct attempt	  *list;
	int		   routes[2]; /* UDP, IPv4 and IPv6; see is_own() */
};

static void start_next(void *ctx);

static void
try_end(struct try *t)
{
	loop_io_free(&t->io);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* It is in no list any more. */
static void
dispose(struct attempt *a)
{
	if (a->dns != NULL)
		evdns_getaddrinfo_cancel(a->dns);
	for (size_t i = 0; i < a->ntries; i++)
		try_end(&a->tries[i]);
	loop_timer_free(&a->stagger);
	loop_timer_free(&a->limit);
	free(a);
}

static void
attempt_free(struct attempt *a)
{
	struct attempt **p = &a->all->list;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	dispose(a);
}

static void
finish(struct attempt *a, int take_fd, const char *text)
{
	a->all->done(a->asker, a->id, take_fd, a->r, text);
	attempt_free(a);
}

static void
address_text(const struct try *t, char out[80])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (t->sa.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&t->sa)->sin6_addr,
		    ip, sizeof(ip));
	else
		inet_ntop(AF_INET, &((const struct sockaddr_in *)&t->sa)->sin_addr,
		    ip, sizeof(ip));
	snprintf(out, 80, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, t->a->port);
}

/* One address failed: the next, or the end when none is left or under way. */
static void
try_failed(struct try *t, int e)
{
	struct attempt *a = t->a;
	char		addr[80];

	address_text(t, addr);
	a->r = -e;
	snprintf(a->error, sizeof(a->error), "%s: %s", addr, strerror(e));
	try_end(t);
	if (a->started < a->ntries) {
		loop_timer_set(a->stagger, 0);
		return;
	}
	for (size_t i = 0; i < a->ntries; i++)
		if (a->tries[i].fd >= 0)
			return;
	finish(a, -1, a->error);
}

static void
on_writable(void *ctx, int events)
{
	struct try *t = ctx;
	socklen_t   len = sizeof(int);
	char	    addr[80];
	int	    e = 0, fd;

	(void)events;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e != 0) {
		try_failed(t, e);
		return;
	}
	address_text(t, addr);
	loop_io_free(&t->io);
	fd = t->fd;
	t->fd = -1;
	finish(t->a, fd, addr);
}

static void
start_next(void *ctx)
{
	struct attempt *a = ctx;
	struct try     *t = &a->tries[a->started++];
	int		e = 0;

	t->fd = socket(t->sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (t->fd < 0 ||
	    (connect(t->fd, (struct sockaddr *)&t->sa, t->len) < 0 &&
		errno != EINPROGRESS))
		e = errno;
	else if (loop_io_new(a->all->loop, t->fd, LOOP_WRITE, on_writable, t,
		     &t->io) < 0)
		e = ENOMEM;
	if (e != 0)
		try_failed(t, e);
	else if (a->started < a->ntries)
		loop_timer_set(a->stagger, STAGGER_MS);
}

static void
on_limit(void *ctx)
{
	struct attempt *a = ctx;

	if (a->r == 0)
		a->r = -ETIMEDOUT;
	finish(a, -1,
	    a->error[0] != '\0' ? a->error
		: a->ntries > 0 ? "no answer in time"
				: "no answer from the resolver in time");
}

/* Whether this machine has it: then packets to it would come from it, too. No
 * packet is sent: connecting a UDP socket only asks the kernel for the route. */
static bool
is_own(const struct attempts *all, const struct sockaddr_storage *to,
    socklen_t len, const uint8_t addr[16])
{
	const struct sockaddr	anew = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage from = { 0 };
	socklen_t		n = sizeof(from);
	uint8_t			source[16];
	int			fd = all->routes[to->ss_family == AF_INET6];

	(void)connect(fd, &anew, sizeof(anew));
	if (connect(fd, (const struct sockaddr *)to, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&from, &n) < 0)
		return false; /* there is no way there at all */
	scope_addr(&from, source);
	return memcmp(source, addr, 16) == 0;
}

static bool
is_refused(struct attempt *a, const struct try *t)
{
	char	    text[80];
	uint8_t	    addr[16];
	const char *why;

	if (a->filter == NULL)
		return false;
	scope_addr(&t->sa, addr);
	why = a->filter(a->asker, addr, a->port,
	    is_own(a->all, &t->sa, t->len, addr));
	if (why == NULL)
		return false;
	address_text(t, text);
	a->r = -EACCES;
	snprintf(a->error, sizeof(a->error), "it leads to %s, %s", text, why);
	return true;
}

static void
add_family(struct attempt *a, const struct evutil_addrinfo *ai, int family,
    size_t slot)
{
	for (; ai != NULL; ai = ai->ai_next) {
		struct try *t;

		if (ai->ai_family != family)
			continue;
		while (slot < ADDR_MAX && a->tries[slot].len > 0)
			slot += 1;
		if (slot >= ADDR_MAX)
			return;
		t = &a->tries[slot];
		memcpy(&t->sa, ai->ai_addr, ai->ai_addrlen);
		t->len = (socklen_t)ai->ai_addrlen;
		if (family == AF_INET)
			((struct sockaddr_in *)&t->sa)->sin_port = htons(a->port);
		else
			((struct sockaddr_in6 *)&t->sa)->sin6_port =
			    htons(a->port);
		t->a = a;
		if (is_refused(a, t))
			t->len = 0;
		else
			slot += 2; /* the other family's turn */
	}
}

/* IPv6 first, alternating; gaps that one family leaves are closed. */
static void
take_addresses(struct attempt *a, const struct evutil_addrinfo *ai)
{
	add_family(a, ai, AF_INET6, 0);
	add_family(a, ai, AF_INET, 1);
	for (size_t i = 0; i < ADDR_MAX; i++) {
		if (a->tries[i].len == 0)
			continue;
		if (i != a->ntries) {
			a->tries[a->ntries] = a->tries[i];
			a->tries[i].len = 0;
		}
		a->ntries++;
	}
}

static void
on_resolved(int r, struct evutil_addrinfo *ai, void *ctx)
{
	struct attempt *a = ctx;

	if (r == EVUTIL_EAI_CANCEL)
		return;
	a->dns = NULL;
	if (r == 0)
		take_addresses(a, ai);
	if (ai != NULL)
		evutil_freeaddrinfo(ai);
	if (a->ntries == 0 && a->r == -EACCES)
		loop_timer_set(a->limit, 0);
	else if (a->ntries == 0) {
		a->r = -EHOSTUNREACH;
		snprintf(a->error, sizeof(a->error), "resolver: %s",
		    r != 0 ? evutil_gai_strerror(r) : "no address");
		loop_timer_set(a->limit, 0); /* a->in_dns may hold us */
	} else {
		a->r = 0;
		a->error[0] = '\0';
		loop_timer_set(a->stagger, 0);
	}
}

static size_t
count_of(const struct attempts *all, const void *asker)
{
	size_t n = 0;

	for (const struct attempt *a = all->list; a != NULL; a = a->next)
		n += a->asker == asker;
	return n;
}

int
attempt_start(struct attempts *all, void *asker, uint32_t id, const char *host,
    uint16_t port, uint32_t timeout_ms, attempt_filter filter)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
	struct attempt	      *a;
	struct evdns_getaddrinfo_request *req;

	if (count_of(all, asker) >= ATTEMPTS_MAX)
		return -EBUSY;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return -ENOMEM;
	a->all = all;
	a->asker = asker;
	a->id = id;
	a->port = port;
	a->filter = filter;
	snprintf(a->host, sizeof(a->host), "%s", host);
	for (size_t i = 0; i < ADDR_MAX; i++)
		a->tries[i].fd = -1;
	a->next = all->list;
	all->list = a;
	if (loop_timer_new(all->loop, start_next, a, &a->stagger) < 0 ||
	    loop_timer_new(all->loop, on_limit, a, &a->limit) < 0) {
		attempt_free(a);
		return -ENOMEM;
	}
	loop_timer_set(a->limit, timeout_ms);
	a->in_dns = true;
	req = evdns_getaddrinfo(all->dns, a->host, NULL, &hints, on_resolved, a);
	if (a->in_dns && a->ntries == 0 && a->error[0] == '\0')
		a->dns = req;
	a->in_dns = false;
	return 0;
}

int
attempt_begin(const char *address, uint16_t port)
{
	struct sockaddr_in  v4 = { .sin_family = AF_INET,
		 .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int  zero = 0, fd, e;

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return -EINVAL;
	fd = socket(is_v4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	/* what is sent acknowledges the SYN-ACK, too: a segment less */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof(zero));
	if ((is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
		   : connect(fd, (struct sockaddr *)&v6, sizeof(v6))) < 0 &&
	    (e = errno) != EINPROGRESS) {
		close(fd);
		return -e;
	}
	return fd;
}

void
attempts_cancel(struct attempts *all, const void *asker)
{
	struct attempt **p = &all->list, *a;

	while ((a = *p) != NULL)
		if (a->asker == asker) {
			*p = a->next;
			dispose(a);
		} else
			p = &a->next;
}

int
attempts_new(struct loop *l, attempt_fn done, struct attempts **out)
{
	struct attempts *a = calloc(1, sizeof(*a));
	int		 r;

	*out = NULL;
	if (a == NULL)
		return -ENOMEM;
	*a = (struct attempts){ .loop = l, .done = done };
	a->routes[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	a->routes[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if ((a->dns = evdns_base_new(loop_base(l), 0)) == NULL) {
		for (int i = 0; i < 2; i++)
			if (a->routes[i] >= 0)
				close(a->routes[i]);
		free(a);
		return -ENOMEM;
	}
	evdns_base_set_option(a->dns, "timeout:", "2");
	evdns_base_set_option(a->dns, "attempts:", "2");
	evdns_base_set_option(a->dns, "randomize-case:", "0");
	r = evdns_base_resolv_conf_parse(a->dns, DNS_OPTIONS_ALL,
	    "/etc/resolv.conf");
	if (r != 0)
		log_warn("/etc/resolv.conf: %s; names of /etc/hosts and "
			 "addresses still work",
		    r == 1 ? "cannot be read" : "gives no name server");
	(void)evdns_base_load_hosts(a->dns, "/etc/hosts");
	*out = a;
	return 0;
}
