/*
 * dp-listen/show.h - `dp-listen --read FILE`: what a capture file says.
 *
 * One JSON object a line for each sight, in the file's order:
 *	{"by":"mdns","mac":"02:..","addr":"198.18.0.10","facts":{"name":["a"]}}
 * mac and addr are missing where they are not known; "asked" and "cut" are there
 * where they are true. What is addressed to a single host counts as to us. Link
 * types: Ethernet, and Linux's cooked ones (tcpdump -i any).
 * The file is opened first; then the process can do nothing but read it and write.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LISTEN_SHOW_H
#define DP_LISTEN_SHOW_H

/* The exit status. A last line on standard error tells packets, sights and what
 * was malformed. */
int show_file(const char *path);

#endif
