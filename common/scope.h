/*
 * common/scope.h - which client addresses this distribution point serves.
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
bool scope_has(const struct scope *s, const uint8_t addr[16]);
void scope_addr(const struct sockaddr_storage *ss, uint8_t addr[16]);

#endif
