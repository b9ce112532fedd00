/*
 * common/listen.c - listening sockets; see listen.h.
 *
 * Runs in the parents of the suite. Believes the administrator's text, which
 * conf.c has looked at.
 * SPDX-License-Identifier: ISC
 */
#include "common/listen.h"

#include "common/log.h"
#include "common/mcast_group.h"
#include "common/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096
#define WAIT_MS 50
#define GROUP_BUFFER (4 << 20) /* bytes on the way out, and reports come in */

/* "1.2.3.4:80" or "[::1]:80" */
static int
address_parse(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	char		 host[128];
	const char	*colon = strrchr(text, ':');
	size_t		 n;

	if (colon == NULL || (n = (size_t)(colon - text)) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
		hints.ai_family = AF_INET6;
	} else
		hints.ai_family = AF_INET;
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return -EINVAL;
	memcpy(ss, ai->ai_addr, ai->ai_addrlen);
	*len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

/* For another of ours to be bound beside it: of the same user only. */
static int
reuse(int fd)
{
	int one = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
}

int
listen_admit(int fd, bool newcomers)
{
	/* of the TCP header, where a socket's filter begins */
	static struct sock_filter no_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* flags */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),  /* SYN and ACK */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	const struct sock_fprog prog = { sizeof(no_syn) / sizeof(no_syn[0]),
		no_syn };
	int none = 0, r;

	r = newcomers
	    ? setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none))
	    : setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
	return r < 0 && !(newcomers && errno == ENOENT) ? -errno : 0;
}

static int
tcp_open(const struct sockaddr_storage *ss, socklen_t len, bool beside, int *out)
{
	int fd, r, one = 1;

	if ((fd = socket(ss->ss_family,
		 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (ss->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
		 IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    (beside && reuse(fd) < 0) ||
	    bind(fd, (const struct sockaddr *)ss, len) < 0 ||
	    (beside ? listen_admit(fd, false) : reuse(fd)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

int
listen_tcp(const char *text, bool beside, unsigned *patience_ms, int *out)
{
	struct sockaddr_storage ss;
	socklen_t		len;
	int			r;

	*out = -1;
	if ((r = address_parse(text, &ss, &len)) < 0 ||
	    (r = tcp_open(&ss, len, beside, out)) != -EADDRINUSE ||
	    *patience_ms == 0)
		return r;
	log_info("%s is taken: waiting for it", text);
	do {
		usleep(WAIT_MS * 1000);
		r = tcp_open(&ss, len, beside, out);
		*patience_ms -= *patience_ms < WAIT_MS ? *patience_ms : WAIT_MS;
	} while (r == -EADDRINUSE && *patience_ms > 0);
	return r;
}

int
listen_unix(const char *path, int type, mode_t mode, int *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int		   fd, r;

	*out = -1;
	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if ((unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
	    chmod(path, mode) < 0 || listen(fd, 128) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

/* -- groups -- */

struct sending { /* the words of listen_group */
	struct mcast_group	group;
	unsigned		ifindex, ttl, loop;
	struct sockaddr_storage source;
	socklen_t		source_len; /* 0: as routes say */
};

/* Takes it if it is of the group's family. */
static void
source_parse(const char *word, struct sending *s)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)&s->source;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->source;

	if (s->group.family == AF_INET) {
		if (inet_pton(AF_INET, word, &v4->sin_addr) != 1)
			return;
		v4->sin_family = AF_INET;
		s->source_len = sizeof(*v4);
		return;
	}
	if (inet_pton(AF_INET6, word, &v6->sin6_addr) != 1)
		return;
	v6->sin6_family = AF_INET6;
	if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
		v6->sin6_scope_id = s->ifindex;
	s->source_len = sizeof(*v6);
}

static int
sending_parse(const char *text, struct sending *s)
{
	char   word[MCAST_GROUP_TEXT + 64], err[MCAST_ERR];
	size_t pos = 0;
	int    n = 0;

	memset(s, 0, sizeof(*s));
	if (!value_word(text, &pos, word, sizeof(word)) ||
	    mcast_group_parse(word, &s->group, err) < 0 ||
	    sscanf(text + pos, " %u %u%n", &s->ttl, &s->loop, &n) != 2)
		return -EINVAL;
	pos += (size_t)n;
	if (s->group.iface[0] != '\0' &&
	    (s->ifindex = if_nametoindex(s->group.iface)) == 0)
		return -ENODEV;
	while (value_word(text, &pos, word, sizeof(word)))
		if (s->source_len == 0)
			source_parse(word, s);
	return 0;
}

static int
set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v)) < 0 ? -errno : 0;
}

static int
group_options(int fd, const struct sending *s)
{
	struct ip_mreqn via = { .imr_ifindex = (int)s->ifindex };
	int		r;

	if (s->group.family == AF_INET) {
		if (s->source_len > 0)
			via.imr_address =
			    ((const struct sockaddr_in *)&s->source)->sin_addr;
		if ((s->ifindex > 0 || s->source_len > 0) &&
		    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via,
			sizeof(via)) < 0)
			return -errno;
		if ((r = set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL,
			 (int)s->ttl)) < 0)
			return r;
		return set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, (int)s->loop);
	}
	if ((r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) < 0 ||
	    (s->ifindex > 0 &&
		(r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF,
		     (int)s->ifindex)) < 0) ||
	    (r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS,
		 (int)s->ttl)) < 0)
		return r;
	return set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, (int)s->loop);
}

/* The address that packets to the group would have, asked of the kernel. */
static int
find_source(struct sending *s)
{
	struct sockaddr_storage to;
	socklen_t		len;
	int			fd, r;

	if ((fd = socket(s->group.family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	len = mcast_group_addr(&s->group, MCAST_PORT, s->ifindex, &to);
	if ((r = group_options(fd, s)) == 0) {
		s->source_len = sizeof(s->source);
		if (connect(fd, (struct sockaddr *)&to, len) < 0 ||
		    getsockname(fd, (struct sockaddr *)&s->source,
			&s->source_len) < 0)
			r = -errno;
	}
	close(fd);
	return r;
}

static void
set_buffer(int fd, int force, int name)
{
	/* not root: what net.core.[rw]mem_max allows */
	if (set_int(fd, SOL_SOCKET, force, GROUP_BUFFER) < 0)
		(void)set_int(fd, SOL_SOCKET, name, GROUP_BUFFER);
}

int
listen_group(const char *text, int *out)
{
	struct sending s;
	int	       fd, r;

	*out = -1;
	if ((r = sending_parse(text, &s)) < 0 ||
	    (s.source_len == 0 && (r = find_source(&s)) < 0))
		return r;
	if (s.source.ss_family == AF_INET)
		((struct sockaddr_in *)&s.source)->sin_port =
		    htons(MCAST_NOTICE_PORT);
	else
		((struct sockaddr_in6 *)&s.source)->sin6_port =
		    htons(MCAST_NOTICE_PORT);
	if ((fd = socket(s.group.family,
		 SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	/* for the groups beside it, and for a reload: of the same user only */
	if ((r = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) == 0 &&
	    (r = group_options(fd, &s)) == 0 &&
	    bind(fd, (struct sockaddr *)&s.source, s.source_len) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		*out = fd;
	return r;
}
