/*
 * dp-gateway/kinds.c - the kinds of listeners: key, and what takes a connection.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/forward.h"
#include "dp-gateway/push.h"
#include "dp-gateway/terminate.h"
#include "dp-gateway/uplink.h"

const struct listener_kind listener_kinds[] = {
	{ .name = "pass-through", .key = "gateway.listen",
	    .take = accept_device, .hello = accept_hello, .open = conn_pass,
	    .refuse = accept_refuse },
	{ .name = "terminating", .key = "gateway.terminate-listen",
	    .take = accept_device, .hello = terminate_hello,
	    .open = terminate_open },
	{ .name = "forward", .key = "gateway.proxy-listen",
	    .take = accept_device, .hello = forward_hello, .open = forward_open,
	    .refuse = forward_refuse, .is_forward = true },
	{ .name = "forward-tls", .key = "gateway.proxy-tls-listen",
	    .take = accept_device, .hello = terminate_hello,
	    .open = forward_tls_open, .is_forward = true },
	{ .name = "push", .key = "gateway.push-listen", .take = push_take },
	{ .name = "uplink", .key = "gateway.uplink-listen", .anywhere = true,
	    .take = uplink_take },
	{ .name = "dmz", .key = "gateway.dmz-listen", .anywhere = true,
	    .take = uplink_take_dmz },
	{ 0 }
};
