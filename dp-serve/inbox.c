/*
 * dp-serve/inbox.c - who may put a report, and the way to the store; see inbox.h.
 *
 * Runs in dp-serve behind its sandbox. Believes TLS about who a device is and
 * the store about what it keeps; believes nothing about a path but that
 * common/http_request.c let it pass.
 * SPDX-License-Identifier: ISC
 */
#include "dp-serve/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/wr.h"

#define HEAD	(REPORT_DEVICE_LEN + 8) /* of MSG_REPORT_PUT */
#define BUCKETS 1024			/* a power of two */

struct inbox {
	struct content	   *content;
	bool		    enabled;
	uint64_t	    max_report;
	struct upload	   *of[BUCKETS]; /* all, by device */
	struct upload	   *asked, **asked_end; /* in order of asking */
	uint32_t	    last_ticket;
	struct inbox_counts n;
};

const char *const inbox_refusals[REFUSED_MAX] = { "off", "device", "path",
	"length", "size", "busy", "under-way" };

static int
refuse(struct inbox *in, enum inbox_refusal why)
{
	static const int status[REFUSED_MAX] = { 404, 403, 400, 411, 413, 503,
		429 };

	in->n.refused[why]++;
	return status[why];
}

/* Where the one upload of a device is, or would be. */
static struct upload **
upload_of(struct inbox *in, const uint8_t device[REPORT_DEVICE_LEN])
{
	struct upload **p;
	uint32_t	h = 2166136261u; /* FNV-1a: the CA chose the devices */

	for (size_t i = 0; i < REPORT_DEVICE_LEN; i++)
		h = (h ^ device[i]) * 16777619u;
	p = &in->of[(h ^ h >> 16) & (BUCKETS - 1)];
	while (*p != NULL && memcmp((*p)->id.device, device, REPORT_DEVICE_LEN) != 0)
		p = &(*p)->beside;
	return p;
}

int
inbox_begin(struct inbox *in, const char *path, size_t len, const char *uri,
    bool has_length, uint64_t body_len, struct upload **out)
{
	uint8_t		 device[REPORT_DEVICE_LEN];
	struct report_id id;
	struct upload	*u, **at;

	*out = NULL;
	if (!in->enabled)
		return refuse(in, REFUSED_OFF);
	if (report_device_of_uri(uri, device) < 0)
		return refuse(in, REFUSED_DEVICE);
	if (report_path_parse(path, len, &id) < 0)
		return refuse(in, REFUSED_PATH);
	if (memcmp(id.device, device, sizeof(device)) != 0)
		return refuse(in, REFUSED_DEVICE);
	if (!has_length)
		return refuse(in, REFUSED_LENGTH);
	if (body_len > in->max_report)
		return refuse(in, REFUSED_SIZE);
	if (*(at = upload_of(in, device)) != NULL)
		return refuse(in, REFUSED_UNDER_WAY);
	if (in->n.bytes + body_len > UPLOAD_SUM ||
	    (u = calloc(1, sizeof(*u) + body_len)) == NULL)
		return refuse(in, REFUSED_BUSY);
	u->in = in;
	u->id = id;
	u->len = body_len;
	*at = u;
	in->n.bytes += body_len;
	*out = u;
	return 0;
}

static int
send_put(struct inbox *in, const struct upload *u)
{
	static uint8_t buf[MSG_MAX_PAYLOAD];
	const size_t   max = sizeof(buf) - HEAD;
	struct wr      w = wr_to(buf, sizeof(buf));
	size_t	       at = 0;
	int	       r = 0;

	for (; r == 0 && u->len - at > max; at += max)
		r = content_tell_store(in->content, MSG_REPORT_PART, u->ticket,
		    u->bytes + at, max);
	wr_bytes(&w, u->id.device, REPORT_DEVICE_LEN);
	wr_u64(&w, u->id.sequence);
	wr_bytes(&w, u->bytes + at, u->len - at);
	return r < 0 ? r : content_tell_store(in->content, MSG_REPORT_PUT,
			       u->ticket, buf, w.len);
}

void
inbox_put(struct upload *u)
{
	struct inbox *in = u->in;

	u->asked = true;
	if (++in->last_ticket == 0)
		in->last_ticket = 1;
	u->ticket = in->last_ticket;
	if (send_put(in, u) < 0) {
		u->ticket = 0;
		u->status = refuse(in, REFUSED_BUSY);
		return;
	}
	in->n.put++;
	*in->asked_end = u;
	in->asked_end = &u->next;
}

static void
unlink_asked(struct upload *u)
{
	struct inbox   *in = u->in;
	struct upload **p = &in->asked;

	if (u->ticket == 0)
		return;
	while (*p != u)
		p = &(*p)->next;
	if ((*p = u->next) == NULL)
		in->asked_end = p;
	u->ticket = 0;
	u->next = NULL;
}

static struct upload *
first_asked(struct inbox *in)
{
	struct upload *u = in->asked;

	if ((in->asked = u->next) == NULL)
		in->asked_end = &in->asked;
	u->ticket = 0;
	u->next = NULL;
	return u;
}

static void
release(struct upload *u)
{
	unlink_asked(u);
	*upload_of(u->in, u->id.device) = u->beside;
	u->in->n.bytes -= u->len;
	free(u);
}

static void
answered(struct upload *u, int status, uint64_t highest)
{
	unlink_asked(u);
	u->status = status;
	u->highest = highest;
	if (u->left)
		release(u);
	else
		u->woken(u);
}

static int
on_kept(void *ctx, struct ipc_msg *m)
{
	static const int status[] = { [REPORT_KEPT] = 201,
		[REPORT_REPEATED] = 200, [REPORT_FULL] = 507,
		[REPORT_FAILED] = 503 };
	struct inbox  *in = ctx;
	uint8_t	       kept = rd_u8(&m->rd);
	uint64_t       highest = rd_u64(&m->rd);
	struct upload *u = in->asked; /* answers come in order: mostly first */

	if (rd_done(&m->rd) < 0 || kept > REPORT_FAILED)
		return -EBADMSG;
	while (u != NULL && u->ticket != m->id)
		u = u->next;
	if (u != NULL)
		answered(u, status[kept], highest);
	return 0;
}

static void
on_lost(void *ctx)
{
	struct inbox *in = ctx;

	while (in->asked != NULL)
		answered(first_asked(in), 503, 0);
}

void
upload_free(struct upload **up)
{
	struct upload *u = *up;

	*up = NULL;
	if (u == NULL)
		return;
	if (u->ticket == 0)
		release(u);
	else
		u->left = true; /* its bytes are on their way: they still count */
}

void
inbox_set(struct inbox *in, bool enabled, uint64_t max_report)
{
	in->enabled = enabled;
	in->max_report = max_report;
}

int
inbox_new(struct content *c, struct inbox **out)
{
	static const struct content_reports ops = { on_kept, on_lost };
	struct inbox			   *in = calloc(1, sizeof(*in));

	*out = in;
	if (in == NULL)
		return -ENOMEM;
	in->content = c;
	in->asked_end = &in->asked;
	content_set_reports(c, &ops, in);
	return 0;
}

void
inbox_free(struct inbox **in)
{
	while (*in != NULL && (*in)->asked != NULL)
		release(first_asked(*in));
	free(*in);
	*in = NULL;
}

const struct inbox_counts *
inbox_counts(const struct inbox *in)
{
	return &in->n;
}
