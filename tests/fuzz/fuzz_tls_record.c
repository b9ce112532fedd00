/*
 * A record that our key did not seal never opens, and is never read beyond.
 * SPDX-License-Identifier: ISC
 */
#include "common/tls_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t	 secret[32] = { 1, 2, 3 };
	static struct record_key k;
	static int		 ready;
	enum record_type	 type;
	uint8_t			*copy, *p;
	size_t			 len;
	int			 n = record_size(data, size);

	if (!ready && (record_setup() < 0 ||
		record_key_init(&k, SUITE_AES_128, secret, sizeof(secret)) < 0))
		abort();
	ready = 1;
	if (n <= 0 || (size_t)n > size)
		return 0;
	if ((copy = malloc((size_t)n)) == NULL)
		return 0;
	memcpy(copy, data, (size_t)n);
	if (record_open(&k, copy, (size_t)n, &type, &p, &len) == 0)
		abort();
	free(copy);
	return 0;
}
