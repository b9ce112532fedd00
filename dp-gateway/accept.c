/*
 * dp-gateway/accept.c - from a listener to an admitted connection.
 *
 * Runs in dp-gateway behind its sandbox. Believes the kernel's addresses and
 * nothing that a client says. A ClientHello is looked at where it lies
 * (MSG_PEEK), so that the server gets it as it was sent.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/uplink.h"

#include "common/listen.h"
#include "dp-gateway/push.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS      64   /* of one turn of a listener */
#define SILENT_MS    1000 /* the slowest of lines has brought a hello by then */
#define LEAVE_MS     1000 /* from a SYN that was answered to the last of the three */

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	uint16_t port;

	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
	    offsetof(struct sockaddr_in6, sin6_port), "it is in one place");
	memcpy(&port, (const char *)ss + offsetof(struct sockaddr_in, sin_port),
	    sizeof(port));
	return ntohs(port);
}

/*
 * Who connects and says nothing is no device: they say hello at once. So when all
 * places are taken the oldest of these goes, and a flood of them keeps nobody out
 * who is through with his hello within SILENT_MS. Not those whose hands wait to
 * be shaken (shakes.h): it is we who are slow.
 */
static void
make_room(struct gateway *g)
{
	const uint64_t now = loop_now_ms(g->loop);
	struct conn   *c = g->list[P_HELLO].first;

	if (c != NULL && now - c->since_ms >= SILENT_MS)
		conn_end(c, WHY_HELLO_TIMEOUT);
	else
		push_make_room(g->push, now - SILENT_MS);
}

static bool
is_full(const struct gateway *g)
{
	return g->n >= g->conf.max_connections || g->fds + 2 > g->max_fds;
}

/* One that is refused before a byte of it is looked at. Links have descriptors of
 * their own, and a bound (uplink.c). */
static bool
is_refused(const struct listener *l, const uint8_t addr[16], enum why *why)
{
	struct gateway *g = l->g;

	if (!l->kind->anywhere && !scope_has(&g->scope, addr)) {
		*why = WHY_SCOPE;
		return true;
	}
	/* all of us, or what TLS needs to end here */
	if (g->refusing || (l->kind->refuse == NULL && g->tls == NULL)) {
		*why = WHY_DRAINING;
		return true;
	}
	if (l->kind->anywhere)
		return false;
	if (is_full(g))
		make_room(g);
	*why = WHY_FULL;
	return is_full(g);
}

static void
take(struct listener *l, int fd, const struct sockaddr_storage *ss)
{
	uint8_t	 addr[16];
	uint16_t port = port_of(ss);
	enum why why;

	scope_addr(ss, addr);
	l->g->accepted++;
	if (is_refused(l, addr, &why)) {
		if (l->kind->refuse != NULL)
			l->kind->refuse(fd, why);
		close(fd);
		conn_count(l->g, addr, port, NULL, why);
	} else
		l->kind->take(l, fd, addr, port);
}

void
accept_device(struct listener *l, int take_fd, const uint8_t addr[16],
    uint16_t port)
{
	struct conn *c;
	enum why     why;
	int	     r = conn_new(l->g, l->kind, take_fd, addr, port, &c);

	if (r == 0) {
		l->kind->hello(c, 0); /* mostly it is there already */
		return;
	}
	why = r == -EUSERS ? WHY_ADDRESS : WHY_MEMORY;
	if (l->kind->refuse != NULL)
		l->kind->refuse(take_fd, why);
	close(take_fd);
	conn_count(l->g, addr, port, NULL, why);
}

/* The one descriptor kept for this lets the newest be told, not left hanging. */
static int
accept_and_refuse(struct listener *l)
{
	struct gateway	       *g = l->g;
	struct sockaddr_storage ss = { 0 };
	socklen_t		len = sizeof(ss);
	uint8_t			addr[16];
	int			fd;

	if (g->spare >= 0)
		close(g->spare);
	fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		scope_addr(&ss, addr);
		g->accepted++;
		if (l->kind->refuse != NULL)
			l->kind->refuse(fd, WHY_DESCRIPTORS);
		close(fd);
		conn_count(g, addr, port_of(&ss), NULL, WHY_DESCRIPTORS);
	}
	g->spare = fcntl(g->epoll, F_DUPFD_CLOEXEC, 0);
	return fd;
}

/* Whether there may be more. */
static bool
accept_some(struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t		len;
	int			fd;

	for (int i = 0; i < ACCEPTS; i++) {
		len = sizeof(ss);
		fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			take(l, fd, &ss);
		else if (errno != EMFILE && errno != ENFILE)
			return false;
		else if (accept_and_refuse(l) < 0) {
			/* it would be ready for ever; a tick tries again */
			l->g->paused = loop_io_set(l->io, 0) == 0;
			return false;
		}
	}
	return true;
}

void
accept_resume(struct gateway *g)
{
	if (!g->paused)
		return;
	g->paused = false;
	for (struct listener *l = g->listeners; l != NULL; l = l->next)
		(void)loop_io_set(l->io, LOOP_READ);
}

static void
on_accept(void *ctx, int events)
{
	struct listener *l = ctx;

	(void)events;
	(void)accept_some(l);
	dial_pump(l->g);
	uplink_pump(l->g->uplinks);
	conn_tick_soon(l->g);
}

void
accept_hello(struct conn *c, uint32_t events)
{
	static const enum why whys[] = { [HELLO_NOT_TLS] = WHY_NOT_TLS,
		[HELLO_BAD] = WHY_BAD_HELLO, [HELLO_LONG] = WHY_LONG_HELLO };
	static struct hello   hello;
	static uint8_t	      buf[HELLO_MAX];
	enum hello_verdict    v = HELLO_MORE;
	enum why	      why;
	ssize_t		      n;

	n = recv(c->relay.fd[CLIENT], buf, sizeof(buf), MSG_PEEK);
	if (n == 0 || (n < 0 && errno != EAGAIN) ||
	    (n > 0 && (v = hello_parse(&hello, buf, (size_t)n)) == HELLO_MORE &&
		(events & EPOLLRDHUP))) {
		conn_end(c, WHY_LEFT);
		return;
	}
	if (v == HELLO_MORE) {
		conn_watch(c, CLIENT, EPOLLIN | EPOLLRDHUP | EPOLLET);
		return;
	}
	if (v != HELLO_WHOLE) {
		conn_end(c, whys[v]);
		return;
	}
	if (hello.sni[0] != '\0')
		c->sni = strdup(hello.sni); /* for the administrator's eyes */
	if ((why = admit(&c->g->conf, &hello)) != WHY_CLOSED)
		conn_end(c, why);
	else
		dial_queue(c);
}

/* An alert, where the client has said hello. */
void
accept_refuse(int fd, enum why why)
{
	uint8_t alert[ADMIT_ALERT];
	size_t	n = admit_alert(why, alert);

	if (n == 0)
		return;
	/* unread bytes would make the close a reset, the alert lost */
	(void)recv(fd, NULL, HELLO_MAX, MSG_TRUNC);
	(void)send(fd, alert, n, MSG_NOSIGNAL);
}

int
accept_listen(struct gateway *g, const struct listener_kind *kind, int take_fd,
    const char *address)
{
	struct listener *l = calloc(1, sizeof(*l));
	int		 r = -ENOMEM;

	/* inherited by every connection, which saves each the system calls */
	conn_socket(g, take_fd);
	(void)listen_admit(take_fd, true);
	if (l != NULL) {
		l->g = g;
		l->kind = kind;
		l->fd = take_fd;
		snprintf(l->address, sizeof(l->address), "%s", address);
		r = loop_io_new(g->loop, take_fd, LOOP_READ, on_accept, l,
		    &l->io);
	}
	if (r < 0) {
		close(take_fd);
		free(l);
		return r;
	}
	l->next = g->listeners;
	g->listeners = l;
	return 0;
}

static bool
has_address(const struct listener *list, const char *address)
{
	while (list != NULL && strcmp(list->address, address) != 0)
		list = list->next;
	return list != NULL;
}

static void
listener_end(struct listener *l)
{
	while (!l->g->draining && accept_some(l))
		; /* who has connected is not let down */
	loop_io_free(&l->io);
	close(l->fd);
	free(l);
}

void
accept_unlisten(struct listener **list)
{
	struct listener *l;

	while ((l = *list) != NULL) {
		*list = l->next;
		listener_end(l);
	}
}

/* A descriptor of a socket that stays just goes; so does that of one which left
 * and is back. */
void
accept_leave(struct gateway *g, struct listener *list)
{
	struct listener *l, *left = g->leaving;

	g->leaving = NULL;
	while ((l = list != NULL ? list : left) != NULL) {
		*(list != NULL ? &list : &left) = l->next;
		if (has_address(g->listeners, l->address)) {
			listener_end(l);
			continue;
		}
		if (l->leave_ms == 0)
			l->leave_ms = loop_now_ms(g->loop) + LEAVE_MS;
		(void)listen_admit(l->fd, false);
		l->next = g->leaving;
		g->leaving = l;
	}
	conn_tick_soon(g);
}

void
accept_tick(struct gateway *g)
{
	struct listener **at = &g->leaving, *l;

	while ((l = *at) != NULL)
		if (loop_now_ms(g->loop) >= l->leave_ms) {
			*at = l->next;
			listener_end(l);
		} else
			at = &l->next;
}
