/*
 * dp-master/control_sandbox.h - see control_sandbox.c.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MASTER_CONTROL_SANDBOX_H
#define DP_MASTER_CONTROL_SANDBOX_H

#include "common/sandbox.h"

extern const struct sandbox control_sandbox;

#endif
