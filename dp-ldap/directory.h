/*
 * dp-ldap/directory.h - the parts of dp-ldap.
 *
 * Shape:   one struct directory: certificates and the password from the master,
 *          channels to the connector and to the keeper of the records, and at
 *          most one reading (reading.h) under way, of the servers in order. A
 *          directory is read at the start, at each interval, and when asked.
 *          computer.h makes sights of objects; tls_layer.h is TLS below libldap.
 * Ownership: directory_open() gives it, directory_close() ends it.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_LDAP_DIRECTORY_H
#define DP_LDAP_DIRECTORY_H

#include "common/sandbox.h"
#include "common/tls.h"
#include "common/worker.h"

struct directory;

extern const struct sandbox ldap_sandbox;

/* May end the process: the first configuration must do. */
struct directory *directory_open(struct worker *w);
int		  directory_run(struct directory *d);
void		  directory_close(struct directory **d);

#endif
