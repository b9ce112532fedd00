/*
 * common/mcast_msg.c - notices and reports; see mcast_msg.h.
 *
 * Runs in the sender and in receivers. Believes nothing of a message before it
 * was opened, and only ranges afterwards: a receiver that was given a key can
 * still lie.
 * SPDX-License-Identifier: ISC
 */
#include "common/mcast_msg.h"

#include "common/rd.h"
#include "common/wr.h"

#include <errno.h>
#include <string.h>

#define HEAD_MAX	18
#define NOTICE_BODY_MAX (16 + 7 * MCAST_NOTICE_BLOCKS)
#define REPORT_BODY_MAX (23 + 5 * MCAST_REPORT_BLOCKS)
#define BODY_MAX	NOTICE_BODY_MAX
_Static_assert(16 + NOTICE_BODY_MAX + MCAST_TAG_LEN == MCAST_NOTICE_SIZE,
    "a notice's size");
_Static_assert(18 + REPORT_BODY_MAX + MCAST_TAG_LEN == MCAST_REPORT_SIZE,
    "a report's size");
_Static_assert(REPORT_BODY_MAX <= BODY_MAX, "one buffer for both");

#define NOTICE_FLAGS (MCAST_END | MCAST_ABORT)
#define REPORT_FLAGS (MCAST_DONE | MCAST_LEAVING)
#define SENT_MAX     255

static bool
has_magic(struct rd *r, const char *magic)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p != NULL && memcmp(p, magic, 4) == 0;
}

static int
notice_head(
    struct rd *r, uint16_t *tsi, uint16_t *generation, uint64_t *counter)
{
	bool ok = has_magic(r, "DPN1");

	*tsi = rd_u16(r);
	*generation = rd_u16(r);
	*counter = rd_u64(r);
	return ok && r->err == 0 && *counter > 0 ? 0 : -EBADMSG;
}

static int
report_head(struct rd *r, uint16_t *tsi, uint32_t *agent, uint64_t *counter)
{
	bool ok = has_magic(r, "DPR1");

	*tsi = rd_u16(r);
	*agent = rd_u32(r);
	*counter = rd_u64(r);
	return ok && r->err == 0 && *counter > 0 ? 0 : -EBADMSG;
}

int
mcast_notice_peek(const void *buf, size_t len, uint16_t *tsi,
    uint16_t *generation, uint64_t *counter)
{
	struct rd r = rd_from(buf, len);

	return notice_head(&r, tsi, generation, counter);
}

int
mcast_report_peek(const void *buf, size_t len, uint16_t *tsi, uint32_t *agent,
    uint64_t *counter)
{
	struct rd r = rd_from(buf, len);

	return report_head(&r, tsi, agent, counter);
}

/*
 * What follows the head, opened into body if there is a sealer. The bound comes
 * first: body holds the longest there is.
 */
static int
open_body(struct rd *r, struct mcast_sealer *s, uint64_t counter,
    const void *buf, size_t len, size_t max, uint8_t body[BODY_MAX])
{
	size_t head = len - r->left, tag = s != NULL ? MCAST_TAG_LEN : 0;
	int    rc;

	if (r->left < tag || r->left - tag > max)
		return -EBADMSG;
	if (s == NULL)
		return 0;
	if ((rc = mcast_unseal(s, counter, buf, head, r->p, r->left, body)) < 0)
		return rc;
	*r = rd_from(body, r->left - tag);
	return 0;
}

/* Seals what was written behind head, in place, when there is a sealer. */
static int
close_body(struct wr *w, size_t head, struct mcast_sealer *s, uint64_t counter,
    size_t *len)
{
	int r;

	if (w->err != 0)
		return w->err;
	if (s != NULL) {
		if (w->size - w->len < MCAST_TAG_LEN)
			return -EMSGSIZE;
		if ((r = mcast_seal(s, counter, w->buf, head, w->buf + head,
			 w->len - head, w->buf + head)) < 0)
			return r;
		w->len += MCAST_TAG_LEN;
	}
	*len = w->len;
	return 0;
}

int
mcast_notice_write(const struct mcast_notice *n, struct mcast_sealer *s,
    void *buf, size_t size, size_t *len)
{
	struct wr w = wr_to(buf, size);
	size_t	  head;

	if (n->n > MCAST_NOTICE_BLOCKS || (n->flags & ~NOTICE_FLAGS) != 0 ||
	    n->counter == 0 || (n->generation == 0) != (s == NULL))
		return -EINVAL;
	wr_bytes(&w, "DPN1", 4);
	wr_u16(&w, n->tsi);
	wr_u16(&w, n->generation);
	wr_u64(&w, n->counter);
	head = w.len;
	wr_u8(&w, n->flags);
	wr_u32(&w, n->time);
	wr_u32(&w, n->frontier);
	wr_u8(&w, n->proactive);
	wr_u16(&w, n->backoff_ms);
	wr_u32(&w, n->receivers);
	for (size_t i = 0; i < n->n; i++) {
		if (n->block[i].sent > SENT_MAX)
			return -EINVAL;
		wr_u32(&w, n->block[i].sbn);
		wr_u16(&w, n->block[i].sent);
		wr_u8(&w, n->block[i].heard);
	}
	return close_body(&w, head, s, n->counter, len);
}

int
mcast_notice_read(
    struct mcast_notice *n, struct mcast_sealer *s, const void *buf, size_t len)
{
	struct rd r = rd_from(buf, len);
	uint8_t	  body[BODY_MAX];
	int	  rc;

	if ((rc = notice_head(&r, &n->tsi, &n->generation, &n->counter)) < 0)
		return rc;
	if ((n->generation == 0) != (s == NULL))
		return -EBADMSG;
	if ((rc = open_body(
		 &r, s, n->counter, buf, len, NOTICE_BODY_MAX, body)) < 0)
		return rc;
	n->flags = rd_u8(&r);
	n->time = rd_u32(&r);
	n->frontier = rd_u32(&r);
	n->proactive = rd_u8(&r);
	n->backoff_ms = rd_u16(&r);
	n->receivers = rd_u32(&r);
	if ((n->flags & ~NOTICE_FLAGS) != 0)
		return -EBADMSG;
	for (n->n = 0; r.left > 0; n->n++) {
		struct mcast_notice_block *b = &n->block[n->n];

		b->sbn = rd_u32(&r);
		b->sent = rd_u16(&r);
		b->heard = rd_u8(&r);
		if (b->sent > SENT_MAX)
			return -EBADMSG;
	}
	return rd_done(&r);
}

int
mcast_report_write(const struct mcast_report *r, struct mcast_sealer *s,
    void *buf, size_t size, size_t *len)
{
	struct wr w = wr_to(buf, size);
	size_t	  head;

	if (r->n > MCAST_REPORT_BLOCKS || (r->flags & ~REPORT_FLAGS) != 0 ||
	    r->counter == 0)
		return -EINVAL;
	wr_bytes(&w, "DPR1", 4);
	wr_u16(&w, r->tsi);
	wr_u32(&w, r->agent);
	wr_u64(&w, r->counter);
	head = w.len;
	wr_u8(&w, r->flags);
	wr_u32(&w, r->echo);
	wr_u16(&w, r->held_ms);
	wr_u32(&w, r->seen);
	wr_u32(&w, r->received);
	wr_u32(&w, r->expected);
	wr_u32(&w, r->complete);
	for (size_t i = 0; i < r->n; i++) {
		if (r->block[i].deficit == 0)
			return -EINVAL;
		wr_u32(&w, r->block[i].sbn);
		wr_u8(&w, r->block[i].deficit);
	}
	return close_body(&w, head, s, r->counter, len);
}

int
mcast_report_read(struct mcast_report *out, struct mcast_sealer *s,
    const void *buf, size_t len)
{
	struct rd r = rd_from(buf, len);
	uint8_t	  body[BODY_MAX];
	int	  rc;

	if ((rc = report_head(&r, &out->tsi, &out->agent, &out->counter)) < 0)
		return rc;
	if ((rc = open_body(
		 &r, s, out->counter, buf, len, REPORT_BODY_MAX, body)) < 0)
		return rc;
	out->flags = rd_u8(&r);
	out->echo = rd_u32(&r);
	out->held_ms = rd_u16(&r);
	out->seen = rd_u32(&r);
	out->received = rd_u32(&r);
	out->expected = rd_u32(&r);
	out->complete = rd_u32(&r);
	if ((out->flags & ~REPORT_FLAGS) != 0)
		return -EBADMSG;
	for (out->n = 0; r.left > 0; out->n++) {
		struct mcast_report_block *b = &out->block[out->n];

		b->sbn = rd_u32(&r);
		b->deficit = rd_u8(&r);
		if (b->deficit == 0)
			return -EBADMSG;
	}
	return rd_done(&r);
}
