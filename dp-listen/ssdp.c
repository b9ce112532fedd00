/*
 * dp-listen/ssdp.c - see ssdp.h.
 *
 * Runs in dp-listen. Believes nothing. Pure.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/ssdp.h"

#include "common/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct text {
	const char *p; /* no NUL at its end */
	size_t	    len;
};

enum field { LOCATION, SERVER, USER_AGENT, NT, ST, NTS, USN, FRIENDLY, FIELDS };

static const char *const fields[FIELDS] = {
	[LOCATION] = "location", [SERVER] = "server",
	[USER_AGENT] = "user-agent", [NT] = "nt", [ST] = "st", [NTS] = "nts",
	[USN] = "usn", [FRIENDLY] = "cpfn.upnp.org",
};

static struct text
trim(struct text t)
{
	while (t.len > 0 && (*t.p == ' ' || *t.p == '\t'))
		t.p++, t.len--;
	while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* Up to the first c, or all of it; *t keeps what is behind c. */
static struct text
cut(struct text *t, char c)
{
	const char *at = memchr(t->p, c, t->len);
	struct text head = { t->p, at != NULL ? (size_t)(at - t->p) : t->len };

	t->p += head.len + (at != NULL);
	t->len -= head.len + (at != NULL);
	return head;
}

static bool
is(struct text t, const char *s)
{
	return t.len == strlen(s) && strncasecmp(t.p, s, t.len) == 0;
}

static bool
starts(struct text t, const char *s)
{
	return t.len >= strlen(s) && strncasecmp(t.p, s, strlen(s)) == 0;
}

static struct text
line(struct text *t)
{
	struct text l = cut(t, '\n');

	if (l.len > 0 && l.p[l.len - 1] == '\r')
		l.len--;
	return l;
}

static void
read_fields(struct text t, struct text out[FIELDS])
{
	while (t.len > 0) {
		struct text l = line(&t), name;

		if (l.len == 0)
			break;
		name = cut(&l, ':');
		for (size_t i = 0; i < FIELDS; i++)
			if (out[i].len == 0 && is(trim(name), fields[i]))
				out[i] = trim(l);
	}
}

/* "OS/version UPnP/1.1 product/version", parted by blanks or commas; of an OS
 * whose name has blanks all of it. */
static void
add_product(struct sight *s, struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		struct text rest = { t.p + i, t.len - i };
		size_t	    n = i;

		if (!starts(rest, "upnp/") || (i > 0 && isalnum((uint8_t)t.p[i - 1])))
			continue;
		while (n > 0 && strchr(" ,\t", t.p[n - 1]) != NULL)
			n--;
		sight_add(s, FACT_OS, t.p, n);
		while (rest.len > 0 && strchr(" ,\t", *rest.p) == NULL)
			rest.p++, rest.len--;
		while (rest.len > 0 && strchr(" ,\t", *rest.p) != NULL)
			rest.p++, rest.len--;
		sight_add(s, FACT_MODEL, rest.p, rest.len);
		return;
	}
	sight_add(s, FACT_MODEL, t.p, t.len);
}

/* The port of http://host:port/ or http://[v6]:port/; 0: none that we can read */
static unsigned
port_of(struct text url)
{
	struct text host;
	unsigned    port = 0;

	if (!starts(url, "http://"))
		return 0;
	url.p += 7, url.len -= 7;
	host = cut(&url, '/');
	if (host.len > 0 && *host.p == '[')
		(void)cut(&host, ']');
	(void)cut(&host, ':');
	for (size_t i = 0; i < host.len && i < 6; i++) {
		if (!isdigit((uint8_t)host.p[i]))
			return 0;
		port = port * 10 + ((unsigned)host.p[i] - '0');
	}
	return host.len == 0 ? 80 : port < 65536 ? port : 0;
}

/* Types of devices and services; what stands for all of a host says nothing. */
static void
add_service(struct sight *s, const struct text f[FIELDS])
{
	struct text type = f[NT].len > 0 ? f[NT] : f[ST];
	struct text usn = f[USN], uuid = cut(&usn, ':');
	char	    text[SIGHT_TEXT + 64];

	if (!starts(type, "urn:") || type.len > SIGHT_TEXT - 64)
		return;
	if (is(uuid, "uuid")) /* "uuid:X::type" */
		uuid = cut(&usn, ':');
	else
		uuid.len = 0;
	if (uuid.len > 40)
		uuid.len = 40;
	sight_add(s, FACT_SERVICE, text,
	    (size_t)snprintf(text, sizeof(text), "%.*s %u %s%.*s", (int)type.len,
		type.p, port_of(f[LOCATION]), uuid.len > 0 ? "uuid:" : "",
		(int)uuid.len, uuid.p));
}

int
ssdp_read(const struct packet *p, struct rd r, const struct told *to)
{
	struct text  t = { (const char *)r.p, r.left }, start = line(&t);
	struct text  f[FIELDS] = { { NULL, 0 } };
	struct sight s;
	bool	     is_answer = starts(start, "http/1.1 200");

	for (size_t i = 0; i < FIELDS; i++)
		f[i].p = "";
	if (!is_answer && !is(start, "notify * http/1.1") &&
	    !is(start, "m-search * http/1.1"))
		return -EBADMSG;
	read_fields(t, f);
	if (is(f[NTS], "ssdp:byebye"))
		return 0;
	packet_sight(p, SIGHT_SSDP, &s);
	s.asked = is_answer && p->to_us;
	if (starts(start, "m-search")) {
		add_product(&s, f[USER_AGENT]);
		sight_add(&s, FACT_NAME, f[FRIENDLY].p, f[FRIENDLY].len);
	} else {
		add_product(&s, f[SERVER]);
		add_service(&s, f);
	}
	to->fn(to->ctx, &s);
	return 0;
}
