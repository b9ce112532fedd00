/*
 * dp-gateway/uplink_admin.c - rows, metrics and warnings about uplinks; see uplink.h.
 *
 * Runs in dp-gateway behind its sandbox. Believes control: who asks has been
 * checked.
 * SPDX-License-Identifier: ISC
 */
#include "dp-gateway/link_impl.h"

#include <stdio.h>

void
uplinks_rows(struct uplinks *u, struct admin_reply *reply)
{
	char		 process[16];
	struct mux_stats st;
	uint64_t	 now = uplinks_now(u);

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (k->ended)
			continue;
		st = (struct mux_stats){ 0 };
		process[0] = '\0';
		if (k->mux != NULL)
			mux_stats(k->mux, &st);
		if (k->process != 0) /* a word: rows that differ in it are two */
			snprintf(process, sizeof(process), "%u.", k->process);
		admin_row(reply,
		    json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I}",
			"uplink", k->at, "name", k->peer, "end",
			k->near ? "near" : "far", "process", process, "state",
			link_is_up(k)	 ? "up"
			    : k->up	 ? "ending"
			    : k->shaking ? "handshake"
					 : "settings",
			"streams", (int)st.streams, "queued",
			(json_int_t)st.queued, "received", (json_int_t)st.in,
			"sent", (json_int_t)st.out, "rtt_ms",
			(json_int_t)st.rtt_ms, "age_s",
			(json_int_t)((now - k->since_ms) / 1000)));
	}
	for (struct dialler *d = &u->up; d != NULL; d = dialler_next(d))
		if (d->redial.n > 0 && d->link == NULL)
			admin_row(reply,
			    json_pack("{s:s,s:s,s:s,s:I,s:s}", "uplink",
				d->redial.of[d->redial.next].host, "end",
				d->near ? "near" : "far", "state",
				d->redial.down ? "down" : "connecting",
				"failures", (json_int_t)d->redial.failures,
				"why", d->redial.why));
}

void
uplinks_metrics(struct uplinks *u, struct admin_reply *reply)
{
	struct mux_stats st, sum = { 0 };
	uint64_t	 n[2] = { 0, 0 }, in = u->in, out = u->out;
	char		 label[64];

	for (struct link *k = u->first; k != NULL; k = k->next) {
		if (!k->ended)
			n[k->near] += link_is_up(k);
		if (k->ended || k->mux == NULL)
			continue;
		mux_stats(k->mux, &st);
		sum.streams += st.streams;
		sum.queued += st.queued;
		in += st.in;
		out += st.out;
		sum.rtt_ms = st.rtt_ms > sum.rtt_ms ? st.rtt_ms : sum.rtt_ms;
	}
	worker_metric(reply, "dpoint_gateway_uplinks", "gauge",
	    "Uplinks that are up, by which end we are.", "end=\"near\"",
	    (double)n[1]);
	worker_metric(reply, "dpoint_gateway_uplinks", "gauge", "",
	    "end=\"far\"", (double)n[0]);
	worker_metric(reply, "dpoint_gateway_uplink_streams", "gauge",
	    "Connections of devices in uplinks.", NULL, (double)sum.streams);
	worker_metric(reply, "dpoint_gateway_uplink_queue_bytes", "gauge",
	    "Bytes from uplinks that wait for slow connections.", NULL,
	    (double)sum.queued);
	worker_metric(reply, "dpoint_gateway_uplink_rtt_seconds", "gauge",
	    "The longest answer to a PING now.", NULL,
	    (double)sum.rtt_ms / 1000);
	worker_metric(reply, "dpoint_gateway_uplink_bytes_total", "counter",
	    "Bytes of streams, by direction.", "direction=\"received\"",
	    (double)in);
	worker_metric(reply, "dpoint_gateway_uplink_bytes_total", "counter", "",
	    "direction=\"sent\"", (double)out);
	worker_metric(reply, "dpoint_gateway_uplink_established_total",
	    "counter", "Uplinks that came up.", NULL, (double)u->ups);
	for (unsigned e = MUX_DONE; e < ENDS; e++) {
		snprintf(label, sizeof(label), "reason=\"%s\"", link_end_word(e));
		worker_metric(reply, "dpoint_gateway_uplink_ended_total",
		    "counter", "Uplinks that ended or never came up, by reason.",
		    label, (double)u->ends[e]);
	}
}

void
uplinks_warnings(const struct uplinks *u, struct admin_reply *reply)
{
	bool near = false;

	for (const struct link *k = u->first; k != NULL; k = k->next)
		near = near || (k->near && link_is_up(k));
	for (const struct link *k = u->first; k != NULL; k = k->next)
		if (link_has_refused(k))
			worker_warning(reply, "gateway: the far end %s refuses "
			    "devices: %s", k->at, why_word(k->refused));
	if (u->g->conf.dmz_listen[0] != '\0' && !near)
		worker_warning(reply, "gateway: no far end has dialled us");
	for (const struct dialler *d = &u->up; d != NULL; d = dialler_next(d))
		if (d->redial.down)
			worker_warning(reply, "gateway: no uplink to %s port %u: %s",
			    d->redial.of[d->redial.next].host,
			    d->redial.of[d->redial.next].port, d->redial.why);
}
