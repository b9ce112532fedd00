/*
 * common/agent_sight.h - tells network polling from where a device's agent spoke.
 *
 * Shape:   with who ends TLS of devices, and a channel to dp-scan where there is
 *          one. A device that has shown its certificate is said as a sight
 *          (SIGHT_AGENT) with its URI as FACT_AGENT and the address of its
 *          connection; never again for the same device and address within
 *          AGENT_SIGHT_MS, so that its requests cost a look into a table.
 * Bounds:  a table of AGENT_SIGHT_SLOTS, made with the first channel. A full set
 *          of eight forgets the oldest: then something is said twice. No more
 *          than AGENT_SIGHT_QUEUE messages wait.
 * Lost:    what dp-scan cannot take is not said, and not remembered as said: it
 *          comes with the device's next connection. A new channel begins with an
 *          empty table.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_AGENT_SIGHT_H
#define COMMON_AGENT_SIGHT_H

#include "common/ipc.h"
#include "common/sight.h"

#define AGENT_SIGHT_MS	  600000
#define AGENT_SIGHT_SLOTS 16384 /* 40 bytes each */
#define AGENT_SIGHT_QUEUE 256
#define AGENT_SIGHT_WIRE  86 /* bytes of a message, exactly: one sight */

struct agent_sight;

int  agent_sight_new(struct loop *l, struct agent_sight **out); /* -ENOMEM */
void agent_sight_free(struct agent_sight **a);
/* A channel to dp-scan in place of the last one. */
int  agent_sight_attach(struct agent_sight *a, int take_fd);
/* name: of a verified certificate; nothing is said of who is no device. addr: as
 * common/scope.h makes it; not said if it is link-local, since on which link is
 * not known here. now_ms: the loop's. */
void agent_sight_say(struct agent_sight *a, const char *name,
     const uint8_t addr[16], uint64_t now_ms);

/* For who gets it: whether it says a device's URI, an address, and no more. */
bool agent_sight_is(const struct sight *s);

#endif
