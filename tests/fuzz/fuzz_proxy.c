/*
 * Two families, two addresses, a size, and three texts: what is built, and fits,
 * is read back by a reader of its own, word for word (the PROXY protocol, 2.2);
 * in less room nothing is built.
 * SPDX-License-Identifier: ISC
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT 2048

struct input {
	const uint8_t *p;
	size_t	       left;
};

static uint8_t
byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static void
address(struct input *in, uint8_t family, struct sockaddr_storage *out)
{
	struct sockaddr_in  *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	uint8_t		     raw[18];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = byte(in);
	memset(out, 0, sizeof(*out));
	if (family % 3 == 0) {
		out->ss_family = AF_INET;
		memcpy(&v4->sin_addr, raw, 4);
		memcpy(&v4->sin_port, raw + 16, 2);
	} else if (family % 3 == 1) {
		out->ss_family = AF_INET6;
		memcpy(&v6->sin6_addr, raw, 16);
		memcpy(&v6->sin6_port, raw + 16, 2);
	} else
		out->ss_family = AF_UNIX;
}

static void
text(struct input *in, char out[TEXT])
{
	size_t n = 0;
	char   c;

	while (n < TEXT - 1 && (c = (char)byte(in)) != '\0')
		out[n++] = c;
	out[n] = '\0';
}

static const uint8_t *
take(struct input *in, size_t n)
{
	const uint8_t *p = in->p;

	if (n > in->left)
		abort();
	in->p += n;
	in->left -= n;
	return p;
}

static size_t
number(struct input *in)
{
	const uint8_t *p = take(in, 2);

	return (size_t)p[0] << 8 | p[1];
}

/* The next one in it is of this type; what it holds. */
static struct input
tlv(struct input *in, uint8_t type)
{
	struct input v;

	if (*take(in, 1) != type)
		abort();
	v.left = number(in);
	v.p = take(in, v.left);
	return v;
}

static void
same(struct input v, const void *what, size_t n)
{
	if (v.left != n || memcmp(v.p, what, n) != 0)
		abort();
}

static void
read_back(struct input in, const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, const struct proxy_tls *tls)
{
	const struct sockaddr_in  *c4 = (const struct sockaddr_in *)client,
				  *h4 = (const struct sockaddr_in *)here;
	const struct sockaddr_in6 *c6 = (const struct sockaddr_in6 *)client,
				  *h6 = (const struct sockaddr_in6 *)here;
	struct input ssl;
	int	     v4;

	if (memcmp(take(&in, 12), "\r\n\r\n\0\r\nQUIT\n", 12) != 0 ||
	    *take(&in, 1) != 0x21)
		abort();
	v4 = *take(&in, 1) == 0x11;
	if (in.p[-1] != (v4 ? 0x11 : 0x21) ||
	    client->ss_family != (v4 ? AF_INET : AF_INET6) ||
	    number(&in) != in.left)
		abort();
	same((struct input){ take(&in, v4 ? 4 : 16), v4 ? 4 : 16 },
	    v4 ? (const void *)&c4->sin_addr : &c6->sin6_addr, v4 ? 4 : 16);
	same((struct input){ take(&in, v4 ? 4 : 16), v4 ? 4 : 16 },
	    v4 ? (const void *)&h4->sin_addr : &h6->sin6_addr, v4 ? 4 : 16);
	if (memcmp(take(&in, 2), v4 ? &c4->sin_port : &c6->sin6_port, 2) != 0 ||
	    memcmp(take(&in, 2), v4 ? &h4->sin_port : &h6->sin6_port, 2) != 0)
		abort();
	if (tls != NULL) {
		if (tls->alpn[0] != '\0')
			same(tlv(&in, 0x01), tls->alpn, strlen(tls->alpn));
		ssl = tlv(&in, 0x20);
		if (memcmp(take(&ssl, 5), "\x03\0\0\0\0", 5) != 0)
			abort();
		same(tlv(&ssl, 0x21), tls->version, strlen(tls->version));
		same(tlv(&ssl, 0x22), tls->name, strlen(tls->name));
		if (ssl.left != 0)
			abort();
	}
	if (in.left != 0)
		abort();
}

/* Into memory of just that size: a byte behind it is found by ASan. */
static void
fits(size_t size, const struct sockaddr_storage *client,
    const struct sockaddr_storage *here, const struct proxy_tls *tls,
    const uint8_t *whole, size_t n)
{
	uint8_t *out = malloc(size + (size == 0));

	if (out == NULL)
		return;
	if (proxy_build(client, here, tls, out, size) != (size < n ? 0 : n) ||
	    (size >= n && memcmp(out, whole, n) != 0))
		abort();
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char		name[TEXT], version[TEXT], alpn[TEXT];
	static uint8_t		whole[4 * TEXT];
	struct input		in = { data, size };
	struct sockaddr_storage client, here;
	struct proxy_tls	texts = { name, version, alpn };
	const struct proxy_tls *tls = byte(&in) % 2 ? &texts : NULL;
	uint8_t			family = byte(&in);
	size_t			n, room;

	address(&in, family, &client);
	address(&in, family / 3, &here);
	room = byte(&in);
	room = room << 8 | byte(&in);
	text(&in, name);
	text(&in, version);
	text(&in, alpn);
	n = proxy_build(&client, &here, tls, whole, sizeof(whole));
	if ((n == 0) != (client.ss_family != here.ss_family ||
			    client.ss_family == AF_UNIX))
		abort();
	if (n == 0)
		return 0;
	read_back((struct input){ whole, n }, &client, &here, tls);
	fits(n, &client, &here, tls, whole, n);
	fits(n - 1, &client, &here, tls, whole, n);
	fits(room % n, &client, &here, tls, whole, n);
	return 0;
}
