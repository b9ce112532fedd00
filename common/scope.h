/*
 * common/scope.h - address ranges, such as those of the clients that are served.
 *
 * Addresses are 16 bytes, IPv4 mapped as ::ffff:a.b.c.d, so that a rule for
 * IPv4 holds however the client came in. An empty scope is everyone.
 * Errors: -EINVAL, and err says what was expected.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SCOPE_H
#define COMMON_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SCOPE_MAX 128
#define SCOPE_ERR 160

struct scope {
	struct {
		uint8_t addr[16];
		uint8_t bits; /* of the 128 */
	} range[SCOPE_MAX];
	unsigned n;
};

int  scope_parse(const char *list, struct scope *out, char err[SCOPE_ERR]);
/* Whether the first bits of the 128 are the same: of one network. */
bool scope_same_network(const uint8_t a[16], const uint8_t b[16], unsigned bits);
bool scope_has(const struct scope *s, const uint8_t addr[16]);
void scope_addr(const struct sockaddr_storage *ss, uint8_t addr[16]);

#endif
