/*
 * common/supply.h - what worker_start() takes, from the parent's side.
 *
 * Order: supply_config, any number of supply_socket and MSG_PEER,
 *        supply_start.
 * Errors: 0 or a negative errno of the channel: end the worker then.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SUPPLY_H
#define COMMON_SUPPLY_H

#include "common/ipc.h"
#include "common/settings.h"

/* MSG_CONFIG and a MSG_FILE for each file of the role's sections. A file that
 * cannot be opened any more is logged and left out. */
int supply_config(struct ipc *c, const struct settings *s, enum peer_role role);
int supply_start(struct ipc *c, enum peer_role role);
int supply_socket(struct ipc *c, const char *key, const char *address,
    int borrowed_fd);

#endif
