/*
 * What a gateway says of a stream it opens: whatever stands in :authority, via and
 * dpoint-device, only what is listed is connected, whoever is on the way is found
 * there, no way grows without end, and a device is believed only by its whole name.
 * The input is three lines: authority, via, device.
 * SPDX-License-Identifier: ISC
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/mux.h"
#include "dp-gateway/via.h"

#define LIST "server.example:443 127.0.0.1:9000 [2001:db8::1]:1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *
line(const uint8_t *p, const uint8_t *end, char *out, size_t max)
{
	size_t n = 0;

	for (; p < end && *p != '\n'; p++)
		if (n < max - 1 && *p != '\0')
			out[n++] = (char)*p;
	out[n] = '\0';
	return p < end ? p + 1 : p;
}

static void
check_via(const char *via)
{
	char a[MUX_VIA_MAX], b[MUX_VIA_MAX];
	int  hops = 0;

	strcpy(a, via);
	while (via_add(a, "gw-a", b, sizeof(b)) == 0) {
		if (!via_has(b, "gw-a") || !via_has(b, "GW-A") ||
		    (via_has(a, "gw-b") && !via_has(b, "gw-b")) ||
		    ++hops > VIA_HOPS)
			abort();
		memcpy(a, b, sizeof(a));
	}
}

static void
check_authority(const char *authority)
{
	struct url at;

	if (!via_allows(LIST, authority, &at))
		return;
	if (!(at.port == 443 && strcmp(at.host, "server.example") == 0) &&
	    !(at.port == 9000 && strcmp(at.host, "127.0.0.1") == 0) &&
	    !(at.port == 1 && strcmp(at.host, "2001:db8::1") == 0))
		abort();
}

static void
check_device(const char *device)
{
	if (!via_believes("urn:dpoint:dp:1", device)) {
		if (via_believes(device, device))
			abort();
		return;
	}
	if (strlen(device) != 54 || strpbrk(device, " ,;\"\\\r\n") != NULL ||
	    !via_believes(device, device) || via_believes("", device) ||
	    via_believes("urn:dpoint:device:1", device))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	char authority[256], via[MUX_VIA_MAX], device[MUX_DEVICE_MAX];

	data = line(data, end, authority, sizeof(authority));
	data = line(data, end, via, sizeof(via));
	(void)line(data, end, device, sizeof(device));
	check_authority(authority);
	check_via(via);
	check_device(device);
	return 0;
}
