/*
 * common/tls_record.h - records of TLS 1.3, sealed and opened.
 *
 * OpenSSL shakes hands; a connection that has only to move records afterwards
 * needs two keys and two counters, not 14 KB of OpenSSL's state. This is RFC
 * 8446, section 5, and the key update of 4.6.3, over OpenSSL's AEADs.
 *
 * Shape:   a struct record_key is one direction of one connection, without any
 *          pointer; ciphers are the process's, keyed anew when another
 *          connection has its turn.
 * Errors:  -EBADMSG: it does not open, or is not what a peer may send;
 *          -EINVAL: a cipher suite this file does not know; -EIO: OpenSSL.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TLS_RECORD_H
#define COMMON_TLS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_HEAD  5
#define RECORD_PLAIN 16384 /* bytes of content, at most */
#define RECORD_MAX   (RECORD_HEAD + RECORD_PLAIN + 256)
#define RECORD_OVER  (RECORD_HEAD + 1 + 16) /* what sealing adds */

enum record_type { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

enum record_suite { /* as on the wire */
	SUITE_AES_128 = 0x1301,
	SUITE_AES_256 = 0x1302,
	SUITE_CHACHA = 0x1303
};

struct record_key {
	uint64_t seq;
	uint16_t suite;
	uint8_t	 secret_len;
	uint8_t	 secret[48], key[32], iv[12];
};

int record_setup(void); /* before the sandbox closes */

/* From a traffic secret; seq becomes 0. */
int record_key_init(struct record_key *k, uint16_t suite, const uint8_t *secret,
    size_t len);
int record_key_update(struct record_key *k);
/* Call before a key's memory is used for something else. */
void record_key_fini(struct record_key *k);

/* out has room for n + RECORD_OVER; n is at most RECORD_PLAIN. */
int record_seal(struct record_key *k, enum record_type type, const void *p,
    size_t n, uint8_t *out, size_t *out_len);

/* The bytes of the record at p, or 0 while its head is not whole, or
 * -EBADMSG. A record of so many bytes may then be opened, in place. */
int record_size(const uint8_t *p, size_t n);
int record_open(struct record_key *k, uint8_t *record, size_t n,
    enum record_type *type, uint8_t **plain, size_t *plain_len);

#endif
