/*
 * common/http_status.h - the reason phrase of an HTTP status.
 *
 * Returns: a constant; "Error" for a status that none of our answers has.
 * Source:  RFC 9110, section 15; RFC 6585 (429, 431); RFC 4918 (507).
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_HTTP_STATUS_H
#define COMMON_HTTP_STATUS_H

const char *http_status_phrase(int status);

#endif
