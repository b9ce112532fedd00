/*
 * dp-mcast/admin.c - what an administrator may ask and say, and the metrics.
 *
 * Runs in dp-mcast. Believes control: who asks has been checked.
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "dp-mcast/carousel.h"
#include "dp-mcast/mcast.h"
#include "dp-mcast/session.h"
#include "dp-mcast/want.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
cmd_list(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	static const char *const words[] = {
		[SHOW_RECEIVERS] = "--receivers",
		[SHOW_RECENT] = "--recent",
		[SHOW_HEAT] = "--heat",
	};
	struct mcast *m = ctx;
	size_t	      what = SHOW_SESSIONS;

	if (argc == 2)
		for (what = SHOW_RECEIVERS; what < COUNT(words) &&
		    strcmp(argv[1], words[what]) != 0; what++)
			;
	if (what == COUNT(words)) {
		admin_end(reply,
		    "usage: mcast-list [--receivers|--recent|--heat]");
		return;
	}
	sessions_list(m, reply, (enum sessions_shown)what);
	admin_end(reply, NULL);
}

static void
cmd_carousel(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct mcast *m = ctx;

	(void)argc;
	(void)argv;
	carousel_list(m->carousel, reply);
	admin_end(reply, NULL);
}

struct sending { /* one mcast-send */
	struct mcast	   *m;
	struct admin_reply *reply;
	char		    name[STORE_NAME_MAX + 1];
};

static void
on_found(void *ctx, const struct store_answer *a)
{
	struct sending *s = ctx;
	const char     *why = NULL;
	char		hex[HASH_HEX];
	int		fd = a->fd;

	if (a->r < 0)
		why = a->text;
	else if (session_find(s->m, &a->hash))
		why = "it is being sent";
	else if (s->m->is_open && (a->spaces & SPACES_CONTENT) == 0)
		why = "it is for devices only, and multicast.mode = open";
	else if (a->size == 0)
		why = "it is empty";
	else if (sessions_count(s->m) >= s->m->conf.sessions)
		why = "as many sessions as multicast.sessions run";
	else {
		fd = -1;
		if (session_start(s->m, &a->hash, s->name, a->size, a->fd) < 0)
			why = "no session could be started; see the log";
	}
	if (fd >= 0)
		close(fd);
	if (why == NULL) {
		hash_to_hex(&a->hash, hex);
		admin_row(s->reply,
		    json_pack("{s:s,s:s,s:I,s:i}", "name", s->name, "sha256",
			hex, "size", (json_int_t)a->size, "receivers",
			(int)keys_agents(s->m->keys)));
	}
	admin_end(s->reply, why);
	free(s);
}

static void
cmd_send(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct mcast   *m = ctx;
	struct sending *s = calloc(1, sizeof(*s));
	struct hash	h;
	int		r;

	(void)argc;
	if (s == NULL) {
		admin_end(reply, "no memory");
		return;
	}
	s->m = m;
	s->reply = reply;
	snprintf(s->name, sizeof(s->name), "%s", argv[1]);
	r = m->draining				      ? -ESHUTDOWN
	    : m->keys_read == false		      ? -EAGAIN
	    : hash_from_hex(&h, argv[1], strlen(argv[1])) == 0
	    ? store_lookup_hash(m->store, &h, on_found, s)
	    : store_lookup_name(m->store, s->name, on_found, s);
	if (r < 0) {
		admin_end(reply, strerror(-r));
		free(s);
	} else if (hash_from_hex(&h, argv[1], strlen(argv[1])) == 0)
		snprintf(s->name, sizeof(s->name), "%s",
		    carousel_name(m->carousel, &h));
}

static void
cmd_stop(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct mcast *m = ctx;
	unsigned      n = sessions_abort(m, argc > 1 ? argv[1] : NULL);

	if (n == 0 && argc > 1) {
		admin_end(reply, "no session sends it");
		return;
	}
	admin_row(reply, json_pack("{s:i}", "stopped", (int)n));
	admin_end(reply, NULL);
}

static void
cmd_stats(void *ctx, struct admin_reply *reply, int argc, char *argv[])
{
	struct mcast		*m = ctx;
	struct session_totals	 n = sessions_totals(m);
	struct carousel_counts	 c = carousel_counts(m->carousel);
	const struct generation *g;
	unsigned		 ngen = keys_generations(m->keys, &g);
	json_t			*row, *why = json_object(),
		       *dropped = json_object();
	uint64_t		 unicast = 0;

	(void)argc;
	(void)argv;
	for (int r = 0; r < REASON_KINDS; r++) {
		unicast += wants_unicast(m->wants, (enum reason)r);
		if (wants_unicast(m->wants, (enum reason)r) > 0)
			json_object_set_new(why, reason_word((enum reason)r),
			    json_integer((json_int_t)wants_unicast(m->wants,
				(enum reason)r)));
	}
	for (int d = 0; d < DROPPED_KINDS; d++)
		json_object_set_new(dropped, dropped_word((enum dropped)d),
		    json_integer((json_int_t)n.dropped[d]));
	row = json_pack("{s:s,s:i,s:i,s:I,s:i,s:i,s:I,s:i,s:i}", "mode",
	    m->conf.mode, "groups", (int)m->ngroups, "generation",
	    (int)(ngen > 0 ? g[0].id : 0), "rate", (json_int_t)m->rate,
	    "devices", (int)keys_agents(m->keys), "sessions",
	    (int)sessions_count(m), "finished", (json_int_t)n.finished,
	    "aborted", (int)n.aborted, "loss_percent", wants_loss(m->wants));
	json_object_update_new(row,
	    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "delivered_bytes",
		(json_int_t)n.delivered, "source_bytes", (json_int_t)n.source, "parity_bytes", (json_int_t)n.proactive,
		"repair_bytes", (json_int_t)n.repair, "wire_bytes",
		(json_int_t)n.wire, "refused_packets", (json_int_t)n.refused));
	json_object_update_new(row,
	    json_pack("{s:I,s:o,s:I,s:o}", "reports", (json_int_t)n.reports,
		"reports_dropped", dropped, "unicast", (json_int_t)unicast,
		"unicast_why", why));
	json_object_update_new(row,
	    json_pack("{s:i,s:I,s:I,s:I,s:i}", "carousel_objects",
		(int)c.objects, "carousel_bytes", (json_int_t)c.bytes,
		"carousel_wire_bytes", (json_int_t)c.wire, "carousel_passes",
		(json_int_t)c.passes, "carousel_left_out", (int)c.left_out));
	admin_row(reply, row);
	admin_end(reply, NULL);
}

const struct admin_command mcast_commands[] = {
	{ "mcast-list", 0, 1, false, cmd_list,
	    "[--receivers|--recent|--heat]",
	    "What is being sent, a session each." },
	{ "mcast-carousel", 0, 0, false, cmd_carousel, "",
	    "What is repeated: metadata, policies, tasks." },
	{ "mcast-send", 1, 1, true, cmd_send, "NAME",
	    "Send an object of the store now, whoever lacks it." },
	{ "mcast-stop", 0, 1, true, cmd_stop, "[NAME]",
	    "End a session, or all: its receivers go on by unicast." },
	{ "mcast-stats", 0, 0, false, cmd_stats, "",
	    "Bytes, reports and decisions since the start." },
	{ 0 }
};

void
mcast_metrics(void *ctx, struct worker *w, struct admin_reply *reply)
{
	struct mcast	     *m = ctx;
	struct session_totals n = sessions_totals(m);
	struct carousel_counts c = carousel_counts(m->carousel);
	const struct {
		const char *name, *type, *help, *labels;
		uint64_t    v;
	} rows[] = {
		{ "dpoint_mcast_groups", "gauge", "Groups that are sent to.",
		    NULL, m->ngroups },
		{ "dpoint_mcast_devices", "gauge",
		    "Devices that have registered.", NULL,
		    keys_agents(m->keys) },
		{ "dpoint_mcast_sessions", "gauge", "Objects being sent.", NULL,
		    sessions_count(m) },
		{ "dpoint_mcast_rate_bytes", "gauge",
		    "Ceiling of all sessions in bytes per second; 0: none.",
		    NULL, m->rate },
		{ "dpoint_mcast_sessions_total", "counter",
		    "Sessions that are over, by how they ended.",
		    "end=\"sent\"", n.finished },
		{ "dpoint_mcast_sessions_total", "counter", "",
		    "end=\"aborted\"", n.aborted },
		{ "dpoint_mcast_bytes_total", "counter",
		    "Bytes of symbols sent, by kind.", "kind=\"source\"",
		    n.source },
		{ "dpoint_mcast_bytes_total", "counter", "",
		    "kind=\"parity\"", n.proactive },
		{ "dpoint_mcast_bytes_total", "counter", "",
		    "kind=\"repair\"", n.repair },
		{ "dpoint_mcast_delivered_bytes_total", "counter",
		    "Bytes of objects that receivers reported to have.", NULL,
		    n.delivered },
		{ "dpoint_mcast_wire_bytes_total", "counter",
		    "Bytes of frames sent, by what they carried.",
		    "of=\"sessions\"", n.wire },
		{ "dpoint_mcast_wire_bytes_total", "counter", "",
		    "of=\"carousel\"", c.wire },
		{ "dpoint_mcast_refused_packets_total", "counter",
		    "Packets the kernel did not take.", NULL, n.refused },
		{ "dpoint_mcast_reports_total", "counter",
		    "Reports of receivers believed.", NULL, n.reports },
		{ "dpoint_mcast_carousel_objects", "gauge",
		    "Objects that are repeated.", NULL, c.objects },
	};
	char label[40];

	(void)w;
	for (size_t i = 0; i < COUNT(rows); i++)
		worker_metric(reply, rows[i].name, rows[i].type, rows[i].help,
		    rows[i].labels, (double)rows[i].v);
	for (int d = 0; d < DROPPED_KINDS; d++) {
		snprintf(label, sizeof(label), "reason=\"%s\"",
		    dropped_word((enum dropped)d));
		worker_metric(reply, "dpoint_mcast_reports_dropped_total",
		    "counter", "Reports not believed, by reason.", label,
		    (double)n.dropped[d]);
	}
	for (int r = REASON_BUSY; r < REASON_KINDS; r++) {
		if (r == REASON_COMING) /* is never the end of it */
			continue;
		snprintf(label, sizeof(label), "reason=\"%s\"",
		    reason_word((enum reason)r));
		worker_metric(reply, "dpoint_mcast_unicast_total", "counter",
		    "Decisions to leave an object to unicast, by reason.",
		    label, (double)wants_unicast(m->wants, (enum reason)r));
	}
}
