/*
 * dp-gateway/kinds.c - the kinds of listeners: key, and what takes a connection.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/push.h"
#include "dp-gateway/uplink.h"

const struct listener_kind listener_kinds[] = {
	{ "pass-through", "gateway.listen", false, accept_device, accept_hello },
	{ "push", "gateway.push-listen", false, push_take, NULL },
	{ "uplink", "gateway.uplink-listen", true, uplink_take, NULL },
	{ "dmz", "gateway.dmz-listen", true, uplink_take_dmz, NULL },
	{ 0 }
};
