/*
 * dp-gateway/kinds.c - the kinds of listeners: key, and what takes a connection.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/gateway.h"

const struct listener_kind listener_kinds[] = {
	{ "gateway.listen", false, accept_device, accept_hello },
	{ 0 }
};
