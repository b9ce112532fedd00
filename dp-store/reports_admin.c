/*
 * dp-store/reports_admin.c - what an administrator is told of reports, and may change.
 *
 * Runs in dp-store: run_asked() in the inbox's thread, the rest in the loop. What
 * is long is done in slices, so that reports come and go meanwhile.
 * SPDX-License-Identifier: ISC
 */
#include "dp-store/reports_own.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum asking { LIST_DEVICES, LIST_REPORTS, DROP, RETRY };

struct row {
	uint8_t		    device[REPORT_DEVICE_LEN];
	struct inbox_device d;
	uint64_t	    sequence, received;
	size_t		    len;
	uint16_t	    status;
};

struct asked {
	struct job	    job;
	struct reports	   *rs;
	struct view	    view;
	struct admin_reply *reply;
	enum asking	    what;
	uint8_t		    device[REPORT_DEVICE_LEN]; /* or where a list is */
	bool		    begun, all;
	struct row	    rows[SLICE];
	size_t		    n, total;
	int		    r;
};

static int
row_device(void *ctx, const uint8_t *device, const struct inbox_device *d)
{
	struct asked *a = ctx;
	struct row   *row = &a->rows[a->n];

	memcpy(row->device, device, REPORT_DEVICE_LEN);
	row->d = *d;
	return ++a->n < SLICE ? 0 : 1;
}

static int
row_report(void *ctx, const struct report_id *id, const struct inbox_record *rec)
{
	struct asked *a = ctx;

	a->rows[a->n] = (struct row){ .sequence = id->sequence,
		.received = rec->received, .len = rec->len,
		.status = rec->status };
	return ++a->n < SLICE ? 0 : 1;
}

static void
run_asked(struct job *j)
{
	struct asked *a = (struct asked *)j;
	struct inbox *ib = a->rs->inbox;
	int	      r = inbox_begin(ib);

	a->n = 0;
	if (r == 0)
		switch (a->what) {
		case LIST_DEVICES:
			r = inbox_each_device(ib, a->device, &a->begun,
			    row_device, a);
			break;
		case LIST_REPORTS: /* the first of them */
			r = inbox_each_report(ib, a->device, false, row_report,
			    a);
			if (r == 0)
				r = inbox_each_report(ib, a->device, true,
				    row_report, a);
			break;
		case DROP:
			r = inbox_drop(ib, a->device, SLICE, &a->n);
			break;
		case RETRY:
			r = inbox_retry(ib, a->all ? NULL : a->device, SLICE,
			    &a->n);
			break;
		}
	if (r >= 0 && (a->what == DROP || a->what == RETRY))
		r = inbox_commit(ib);
	else
		inbox_abort(ib);
	a->r = r;
	reports_look(ib, &a->view);
}

static void
say_row(struct asked *a, const struct row *row)
{
	uint64_t now = inbox_now(a->rs->inbox);
	char	 device[REPORT_DEVICE_TEXT];
	json_t	*o;

	if (a->what == LIST_DEVICES) {
		report_device_text(row->device, device);
		admin_row(a->reply,
		    json_pack("{s:s,s:i,s:I,s:I,s:I}", "device", device,
			"reports", (int)row->d.reports, "bytes",
			(json_int_t)row->d.bytes, "highest",
			(json_int_t)row->d.highest, "used",
			(json_int_t)time(NULL) -
			    (json_int_t)(now - row->d.used)));
		return;
	}
	o = json_pack("{s:I,s:I,s:I,s:s}", "sequence",
	    (json_int_t)row->sequence, "bytes", (json_int_t)row->len, "age_s",
	    (json_int_t)(now > row->received ? now - row->received : 0), "state",
	    row->status == 0 ? "waits" : "refused");
	if (row->status != 0 && o != NULL)
		json_object_set_new(o, "status", json_integer(row->status));
	admin_row(a->reply, o);
}

static void
say_changed(struct asked *a)
{
	struct reports *rs = a->rs;
	char		device[REPORT_DEVICE_TEXT] = "all";

	if (!a->all)
		report_device_text(a->device, device);
	admin_row(a->reply,
	    json_pack("{s:s,s:I}", "device", device,
		a->what == DROP ? "dropped" : "queued", (json_int_t)a->total));
	if (a->what != DROP)
		return;
	log_warn("inbox: %zu reports of %s dropped by an administrator",
	    a->total, device);
	worker_event(rs->s->worker, "reports-dropped",
	    json_pack("{s:s,s:I}", "device", device, "reports",
		(json_int_t)a->total));
}

static void
done_asked(struct job *j)
{
	struct asked   *a = (struct asked *)j;
	struct reports *rs = a->rs;
	bool		changes = a->what == DROP || a->what == RETRY;

	reports_took(rs, &a->view);
	if (a->r >= 0) {
		a->total += a->n;
		for (size_t i = 0; !changes && i < a->n; i++)
			say_row(a, &a->rows[i]);
		if (a->what == DROP)
			rs->n.dropped_admin += a->n;
		if (a->n == SLICE && a->what != LIST_REPORTS &&
		    !rs->s->draining && (changes || !admin_gone(a->reply))) {
			reports_submit(rs, j, run_asked, done_asked);
			return;
		}
		if (changes)
			say_changed(a);
	}
	admin_end(a->reply, a->r == -ENOENT ? "nothing is known of that device"
		: a->r < 0		    ? strerror(-a->r)
					    : NULL);
	free(a);
	reports_give(rs);
}

static void
ask(struct store *s, struct admin_reply *reply, enum asking what,
    const char *device)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		admin_end(reply, "no memory");
		return;
	}
	a->rs = s->reports;
	a->reply = reply;
	a->what = what;
	a->all = what == RETRY && strcmp(device, "all") == 0;
	if (device != NULL && !a->all &&
	    report_device_parse(device, strlen(device), a->device) < 0) {
		admin_end(reply, "expected the UUID of a device");
		free(a);
		return;
	}
	reports_submit(s->reports, &a->job, run_asked, done_asked);
}

void
reports_list(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	ask(store, reply, argc > 1 ? LIST_REPORTS : LIST_DEVICES,
	    argc > 1 ? argv[1] : NULL);
}

void
reports_change(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	(void)argc;
	ask(store, reply, strcmp(argv[0], "inbox-drop") == 0 ? DROP : RETRY,
	    argv[1]);
}

static uint64_t
oldest_s(const struct reports *rs)
{
	uint64_t now = inbox_now(rs->inbox);

	return rs->oldest != 0 && now > rs->oldest ? now - rs->oldest : 0;
}

void
reports_stats(void *store, struct admin_reply *reply, int argc, char *argv[])
{
	const struct reports *rs = ((struct store *)store)->reports;
	uint64_t	      full = 0;
	uint64_t	      bytes = rs->sums.queued_bytes + rs->sums.aside_bytes;

	(void)argc;
	(void)argv;
	for (int i = 0; i < FULL_MAX; i++)
		full += rs->n.full[i];
	admin_row(reply,
	    json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
		"queued", (json_int_t)rs->sums.queued, "bytes",
		(json_int_t)bytes,
		"set_aside", (json_int_t)rs->sums.aside, "devices",
		(json_int_t)rs->sums.devices, "oldest_s",
		(json_int_t)oldest_s(rs), "kept", (json_int_t)rs->n.kept,
		"repeated", (json_int_t)rs->n.repeated, "full",
		(json_int_t)full, "forwarded", (json_int_t)rs->n.forwarded,
		"refused", (json_int_t)rs->n.refused, "expired",
		(json_int_t)rs->n.expired, "commits",
		(json_int_t)rs->n.commits));
	admin_end(reply, NULL);
}

void
reports_warnings(struct reports *rs, struct admin_reply *reply)
{
	if (rs->is_full)
		worker_warning(reply, "inbox: there is no room for reports; "
				      "devices are told to keep them");
	if (rs->sums.aside > 0)
		worker_warning(reply, "inbox: the server has refused %llu "
			"reports, which are set aside: inbox list, inbox retry, "
			"inbox drop", (unsigned long long)rs->sums.aside);
}

void
reports_metrics(struct reports *rs, struct admin_reply *reply)
{
	char label[32];

#define GAUGE(name, help, v) \
	worker_metric(reply, "dpoint_inbox_" name, "gauge", help, NULL, (double)(v))
#define COUNTER(name, help, labels, v)                                          \
	worker_metric(reply, "dpoint_inbox_" name "_total", "counter", help,    \
	    labels, (double)(v))
	GAUGE("reports", "Reports that wait for the server.", rs->sums.queued);
	GAUGE("bytes", "Bytes of reports kept, those set aside too.",
	    rs->sums.queued_bytes + rs->sums.aside_bytes);
	GAUGE("set_aside", "Reports the server has refused.", rs->sums.aside);
	GAUGE("devices", "Devices whose last sequence is remembered.",
	    rs->sums.devices);
	GAUGE("oldest_seconds", "Age of the oldest report kept.", oldest_s(rs));
	COUNTER("kept", "Reports acknowledged.", NULL, rs->n.kept);
	COUNTER("repeated", "Reports that were here before.", NULL,
	    rs->n.repeated);
	for (int i = 0; i < FULL_MAX; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"", report_full_names[i]);
		COUNTER("full", "Reports not taken for want of room.", label,
		    rs->n.full[i]);
	}
	COUNTER("failed", "Reports not taken for a failure of the disk.", NULL,
	    rs->n.failed);
	COUNTER("forwarded", "Reports that the server has.", NULL,
	    rs->n.forwarded);
	COUNTER("refused", "Reports that the server refused for good.", NULL,
	    rs->n.refused);
	COUNTER("dropped", "Reports dropped.", "reason=\"age\"", rs->n.expired);
	COUNTER("dropped", "Reports dropped.", "reason=\"refused\"",
	    rs->n.dropped_refused);
	COUNTER("dropped", "Reports dropped.", "reason=\"administrator\"",
	    rs->n.dropped_admin);
	COUNTER("forgotten", "Devices forgotten to make room for others.", NULL,
	    rs->n.forgotten);
	COUNTER("commits", "Times that reports were written and synced.", NULL,
	    rs->n.commits);
#undef GAUGE
#undef COUNTER
}
