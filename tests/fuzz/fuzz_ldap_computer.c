/*
 * tests/fuzz/fuzz_ldap_computer.c - whatever stands in a directory: pieces of
 * the input are a name, then values of attributes.
 * SPDX-License-Identifier: ISC
 */
#include "dp-ldap/computer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A byte chooses, a byte is the length in units of 4. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct computer c;
	char		       dn[2048];
	uint8_t		       buf[SIGHT_WIRE_MAX];
	struct wr	       w = wr_to(buf, sizeof(buf));
	struct sight	       s;
	struct rd	       r;
	size_t		       known = 0, n = size < 255 ? size : 255;

	while (computer_attributes[known] != NULL)
		known++;
	memcpy(dn, data, n);
	dn[n] = '\0';
	computer_begin(&c, dn);
	for (size_t at = n; at + 2 < size; at += 2 + n) {
		n = (size_t)data[at + 1] * 4;
		if (n > size - at - 2)
			n = size - at - 2;
		computer_value(&c, data[at] < 200
		    ? computer_attributes[data[at] % known] : "other",
		    data + at + 2, n);
	}
	computer_end(&c);
	sight_write(&c.sight, &w);
	r = rd_from(buf, w.len);
	if (w.err != 0 || sight_read(&r, &s) != 0 || rd_done(&r) != 0)
		abort();
	return 0;
}
