/*
 * dp-connect/special.c - which addresses are special; see special.h.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-connect/special.h"

#include "common/scope.h"
#include "common/size.h"

#include <stddef.h>

/* The first that has it counts: ::/96 has ::1. What NAT64 would translate to
 * one of them is one, too. */
static const struct {
	const char *what, *ranges;
} kinds[] = {
	{ "a loopback address", "127.0.0.0/8 ::1 64:ff9b::127.0.0.0/104" },
	{ "a link-local address",
	    "169.254.0.0/16 fe80::/10 64:ff9b::169.254.0.0/112" },
	{ "a multicast address", "224.0.0.0/4 ff00::/8 64:ff9b::224.0.0.0/100" },
	{ "no host's address",
	    "0.0.0.0/8 240.0.0.0/4 ::/96 64:ff9b::0.0.0.0/104 "
	    "64:ff9b::240.0.0.0/100" },
};

const char *
special_address(const uint8_t addr[16])
{
	static struct scope scopes[COUNT(kinds)];
	char		    err[SCOPE_ERR];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (scopes[i].n == 0)
			(void)scope_parse(kinds[i].ranges, &scopes[i], err);
		if (scope_has(&scopes[i], addr))
			return kinds[i].what;
	}
	return NULL;
}
