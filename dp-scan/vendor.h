/*
 * dp-scan/vendor.h - who made a network interface, by IEEE's lists.
 *
 * Shape:   Debian's ieee-data is mapped before the walls go up, and looked up in; where
 *          it is not installed every look-up finds nothing.
 * Ownership: names are borrowed from the mapping, without a NUL.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_VENDOR_H
#define DP_SCAN_VENDOR_H

#include <stddef.h>
#include <stdint.h>

#define VENDOR_DIR "/usr/share/ieee-data"

/* The number of assignments read. May be called once. */
size_t vendor_load(const char *dir);
/* NULL: not known, or an address that nobody was assigned (local). */
const char *vendor_of(const uint8_t mac[6], size_t *len);

#endif
