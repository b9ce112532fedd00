/*
 * What is taken keeps to its bounds; what is refused has a reason and leaves no
 * secret behind.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_api.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mcast_keys   k;
	struct mcast_answer a;
	char		    why[100] = "";

	if (mcast_keys_parse(&k, data, size, why, sizeof(why)) == 0) {
		if (k.ngenerations > MCAST_GENERATIONS ||
		    (!k.open && k.ngenerations == 0) || k.interval_s == 0)
			abort();
	} else if (why[0] == '\0' || k.ngenerations != 0)
		abort();
	why[0] = '\0';
	if (mcast_answer_parse(&a, data, size, why, sizeof(why)) == 0) {
		if (a.how > MCAST_COMES || a.in_ms > 600000 ||
		    memchr(a.why, 0, sizeof(a.why)) == NULL)
			abort();
	} else if (why[0] == '\0')
		abort();
	return 0;
}
