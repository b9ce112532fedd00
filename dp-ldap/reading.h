/*
 * dp-ldap/reading.h - one reading of one server's computers.
 *
 * Shape:   reading_new takes a connected socket; TLS (from the first byte or
 *          after StartTLS, RFC 4511 4.14), bind, then pages of a search (RFC
 *          2696), each object a sight. done() once, from the loop; then
 *          reading_free. Referrals are counted and not followed.
 * Turns:   at most 64 objects a turn. reading_pause holds it back as long as
 *          who gets the sights cannot take more.
 * Errors:  done() gets 0, or a negative errno and a text: what, in which stage.
 *          -ETIMEDOUT: the server was silent for conf->timeout.
 * Limits:  conf->max_computers objects, a million left out; a message of 1 MiB;
 *          100 pages in a row without an object.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LDAP_READING_H
#define DP_LDAP_READING_H

#include "common/loop.h"
#include "common/settings.h"
#include "common/sight.h"
#include "common/tls_client.h"
#include "common/url.h"

struct reading;

struct reading_counts {
	uint32_t computers, left_out, referrals;
};

struct reading_ops {
	void (*sight)(void *ctx, const struct sight *s);
	void (*turn)(void *ctx); /* end of a turn that gave sights */
	void (*done)(void *ctx, int r, const char *text); /* does not free it */
};

/* conf, password (or NULL), tls (or NULL) and ops outlive it. */
int  reading_new(struct loop *l, int take_fd, const struct url *server,
     const struct directory_conf *conf, const char *password, struct tls *tls,
     const struct reading_ops *ops, void *ctx, struct reading **out);
void reading_free(struct reading **r); /* calls nobody */
void reading_pause(struct reading *r, bool pause);
const struct reading_counts *reading_counts(const struct reading *r);

#endif
