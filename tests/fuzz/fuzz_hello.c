/*
 * Whatever arrives, and in whatever pieces: the verdict of the whole is that of
 * the first prefix that has one, and whole is what ends with its record; names are clean, the list of protocols is
 * walked to its end; and what is admitted is on the lists.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/admit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the record ends in which the message does; 0: that is not whole. */
static size_t
records_end(const uint8_t *data, size_t size, size_t message)
{
	size_t at = 0, have = 0, n;

	while (have < message) {
		if (size - at < 5)
			return 0;
		n = (size_t)data[at + 3] << 8 | data[at + 4];
		if (size - at - 5 < n)
			return 0;
		at += 5 + n;
		have += n;
	}
	return have == message ? at : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gateway_conf conf = { .sni = "a.example *.example.org none",
		.alpn = "h2 http/1.1 none" };
	static struct hello	   h, part;
	enum hello_verdict	   whole = hello_parse(&h, data, size),
			   first = HELLO_MORE;
	const uint8_t		  *p;
	size_t			   step = size > 512 ? size / 512 : 1, pos = 0,
		len;

	for (size_t n = 0; n < size && first == HELLO_MORE; n += step)
		first = hello_parse(&part, data, n);
	if (first != HELLO_MORE && first != whole)
		abort();
	if (whole != HELLO_WHOLE)
		return 0;
	if (records_end(data, size, 4 + ((size_t)h.msg[1] << 16 |
		(size_t)h.msg[2] << 8 | h.msg[3])) == 0)
		abort();
	if (h.sni[strspn(h.sni, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] !=
	    '\0')
		abort();
	while ((p = hello_alpn(&h, &pos, &len)) != NULL)
		if (len == 0 || p < h.msg || p + len > h.msg + sizeof(h.msg))
			abort();
	if (pos != h.alpn_len)
		abort();
	if (admit(&conf, &h) == WHY_CLOSED && h.sni[0] != '\0' &&
	    strcmp(h.sni, "a.example") != 0 &&
	    (strlen(h.sni) < 12 ||
		strcmp(h.sni + strlen(h.sni) - 12, ".example.org") != 0))
		abort();
	return 0;
}
