/*
 * dp-connect/special.h - addresses that a name must not lead to by accident.
 *
 * Pure. Who controls a name's answers chooses the address; with these it would
 * choose something on this machine or this link, or no host at all. addr: IPv4
 * mapped, as common/scope.h has it, so that both spellings of one are the same.
 * Sources: RFC 6890 (special-purpose registries), RFC 6052 (64:ff9b::/96).
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_CONNECT_SPECIAL_H
#define DP_CONNECT_SPECIAL_H

#include <stdint.h>

/* "a loopback address"; NULL: an ordinary one. */
const char *special_address(const uint8_t addr[16]);

#endif
