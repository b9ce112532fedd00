/*
 * common/report.h - what a report of a device is called.
 *
 * Path:    "/v1/reports/<device>/<sequence>". The device is the UUID of its
 *          certificate's "urn:dpoint:device:<uuid>", as RFC 9562 writes it, in
 *          small letters or capitals; the sequence is decimal, from 0 to
 *          REPORT_SEQUENCE_MAX, without sign or needless zero. Each device
 *          numbers its own reports, upwards; gaps mean nothing.
 * Shape:   pure. A device is 16 bytes here, and its text has small letters.
 * Errors:  -ENOENT not below REPORT_PATH, -EACCES a certificate that is no
 *          device's, -EINVAL no such thing.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stddef.h>
#include <stdint.h>

#define REPORT_PATH	    "/v1/reports/"
#define REPORT_SEQUENCE_MAX ((uint64_t)INT64_MAX)
#define REPORT_DEVICE_LEN   16
#define REPORT_DEVICE_TEXT  37 /* its NUL included */
#define REPORT_NAME_TEXT    (REPORT_DEVICE_TEXT + 20) /* "<device>/<sequence>" */
#define REPORT_BYTES_MAX    (1U << 20) /* whatever inbox.max-report says */

struct report_id {
	uint8_t	 device[REPORT_DEVICE_LEN];
	uint64_t sequence;
};

/* What becomes of a report that a device puts (MSG_REPORT_KEPT). */
enum report_kept {
	REPORT_KEPT,
	REPORT_REPEATED, /* was kept before, and may have gone on since */
	REPORT_FULL,	 /* no room; nothing is kept of it */
	REPORT_FAILED,	 /* the disk failed; nothing is known to be kept */
};

/* How an attempt to forward one has ended (MSG_REPORT_DONE). */
enum report_end {
	REPORT_FORWARDED, /* the server has it */
	REPORT_LATER,	  /* keep it, try again */
	REPORT_REFUSED,	  /* the server will never take it */
};

int  report_path_parse(const char *path, size_t len, struct report_id *out);
int  report_device_parse(const char *text, size_t len,
     uint8_t out[REPORT_DEVICE_LEN]);
int  report_device_of_uri(const char *uri, uint8_t out[REPORT_DEVICE_LEN]);
void report_device_text(const uint8_t device[REPORT_DEVICE_LEN],
    char out[REPORT_DEVICE_TEXT]);
/* "<device>/<sequence>" */
void report_name(const struct report_id *id, char out[REPORT_NAME_TEXT]);

#endif
