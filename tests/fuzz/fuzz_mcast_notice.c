/*
 * Any notice: stay in bounds, and what is accepted is written back to the same
 * bytes; under a key, one that we did not seal is never accepted.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mcast_sealer *opens;
	static struct mcast_notice  m;
	static const uint8_t	    secret[MCAST_SECRET_LEN] = { 1, 2, 3 };
	uint8_t			    buf[2048];
	struct mcast_key	    k;
	size_t			    n;

	if (opens == NULL)
		must(mcast_seal_setup() == 0 &&
		     mcast_key_session(&k, secret, secret, 1, 1) == 0 &&
		     mcast_sealer_new(&opens, MCAST_OPENS) == 0 &&
		     mcast_sealer_key(opens, &k) == 0);
	must(mcast_notice_read(&m, opens, data, size) < 0);
	if (mcast_notice_read(&m, NULL, data, size) == 0)
		must(mcast_notice_write(&m, NULL, buf, sizeof(buf), &n) == 0 &&
		     n == size && memcmp(buf, data, n) == 0);
	return 0;
}
