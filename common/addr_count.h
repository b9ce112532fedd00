/*
 * common/addr_count.h - how many connections each client has.
 *
 * Clients are addresses, 16 bytes as common/scope.h makes them, or other names
 * of 16 bytes. Of an IPv6 address the first 64 bits count, since that is what
 * one client has for itself; of others all. Memory is bounded by the connections
 * counted.
 * Errors: -EUSERS when the address has max (0: no limit) already, -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ADDR_COUNT_H
#define COMMON_ADDR_COUNT_H

#include <stdint.h>

struct addr_count;

#define ADDR_COUNT_NET 8 /* significant bytes: of addresses; IPv4 has all */
#define ADDR_COUNT_ALL 16

int  addr_count_new(struct addr_count **out, unsigned bytes);
void addr_count_free(struct addr_count **t);
int  addr_count_add(struct addr_count *t, const uint8_t addr[16], uint64_t max);
void addr_count_drop(struct addr_count *t, const uint8_t addr[16]);

#endif
