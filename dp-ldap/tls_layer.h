/*
 * dp-ldap/tls_layer.h - our TLS below libldap.
 *
 * libldap brings TLS of its own, which takes its certificates from files; here
 * there are none. So liblber's stack of layers (Sockbuf_IO of lber.h) gets one
 * that reads and writes by common/tls.h, after hands are shaken.
 * Ownership: the connection stays the caller's, longer than the LDAP handle.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LDAP_TLS_LAYER_H
#define DP_LDAP_TLS_LAYER_H

#include "common/tls.h"

#include <ldap.h>

int tls_layer_add(LDAP *ld, struct tls_conn *conn); /* -ENOMEM */

#endif
