/*
 * common/identity.h - what a worker shows and trusts in TLS, from files that the
 * master sent.
 *
 * At the start and in reloads: each call makes a new set, or says in the log
 * what is wrong with these files and makes none.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IDENTITY_H
#define COMMON_IDENTITY_H

#include "common/hash.h"
#include "common/tls_client.h"
#include "common/worker.h"

/* For listeners: cert, key, client-ca and client-crl of a section. *crl, unless NULL: the hash of client-crl, zeros without.
 * -EINVAL: the operator's mistake; or another negative errno; *out is NULL. */
int identity_server(struct worker *w, const char *section,
    enum tls_client_cert client, struct tls **out, struct hash *crl);

/* The lists of client-crl by themselves, for connections that were let in by other
 * rules; NULL without it. Results as above. */
int identity_lists(struct worker *w, const char *section, struct tls **out,
    struct hash *crl);

/* For connections to servers, by "section.key": a certificate, its key, and the
 * servers' CA. Results as above. */
int identity_client(struct worker *w, const char *cert, const char *key,
    const char *ca, struct tls **out);

/*
 * Until when those of a section are good: warnings from a week before, of a list
 * from a day before, and samples of `name`, in seconds since 1970. tls may be NULL.
 */
void identity_warnings(const char *section, const struct tls *tls,
    struct admin_reply *reply);
void identity_metrics(const char *name, const struct tls *tls,
    struct admin_reply *reply);

#endif
