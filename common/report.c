/*
 * common/report.c - paths and names of reports; see report.h.
 *
 * Runs in dp-serve, dp-store and dp-fetch. Pure: believes nothing about the
 * text it is given.
 * SPDX-License-Identifier: ISC
 */
#include "common/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UUID_LEN (REPORT_DEVICE_TEXT - 1)

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
is_dash(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int
report_device_parse(const char *text, size_t len,
    uint8_t out[REPORT_DEVICE_LEN])
{
	size_t n = 0; /* digits */

	if (len != UUID_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = hex_digit(text[i]);

		if (is_dash(i) ? text[i] != '-' : d < 0)
			return -EINVAL;
		if (is_dash(i))
			continue;
		if (n % 2 == 0)
			out[n / 2] = (uint8_t)(d << 4);
		else
			out[n / 2] |= (uint8_t)d;
		n++;
	}
	return 0;
}

int
report_device_of_uri(const char *uri, uint8_t out[REPORT_DEVICE_LEN])
{
	static const char prefix[] = "urn:dpoint:device:";
	const size_t	  n = sizeof(prefix) - 1;

	if (strncmp(uri, prefix, n) != 0 ||
	    report_device_parse(uri + n, strlen(uri + n), out) < 0)
		return -EACCES;
	return 0;
}

static int
sequence_parse(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19 || (n > 1 && p[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(p[i] - '0'); /* 19 digits fit */
	}
	*out = v;
	return v > REPORT_SEQUENCE_MAX ? -EINVAL : 0;
}

int
report_path_parse(const char *path, size_t len, struct report_id *out)
{
	const size_t n = sizeof(REPORT_PATH) - 1;

	if (len < n || memcmp(path, REPORT_PATH, n) != 0)
		return -ENOENT;
	path += n;
	len -= n;
	if (len <= UUID_LEN || path[UUID_LEN] != '/' ||
	    report_device_parse(path, UUID_LEN, out->device) < 0)
		return -EINVAL;
	return sequence_parse(path + UUID_LEN + 1, len - UUID_LEN - 1,
	    &out->sequence);
}

void
report_device_text(const uint8_t device[REPORT_DEVICE_LEN],
    char out[REPORT_DEVICE_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t		  n = 0;

	for (size_t i = 0; i < UUID_LEN; i++) {
		if (is_dash(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = digits[n % 2 == 0 ? device[n / 2] >> 4
					   : device[n / 2] & 15];
		n++;
	}
	out[UUID_LEN] = '\0';
}

void
report_name(const struct report_id *id, char out[REPORT_NAME_TEXT])
{
	report_device_text(id->device, out);
	snprintf(out + UUID_LEN, REPORT_NAME_TEXT - UUID_LEN, "/%" PRIu64,
	    id->sequence & REPORT_SEQUENCE_MAX);
}
