/*
 * dp-agent/wake.h - what the other end of the kept connection asks of a device.
 *
 * Shape:   pure; callers pass the time. push_parse() makes a message of an
 *          event's type and data; what is none of ours is PUSH_OTHER and no
 *          mistake. struct wakes says when a refresh is due for them:
 *
 *            wakes_add      a wake came
 *            wakes_due      when; UINT64_MAX: there is none
 *            wakes_begun    the refresh runs: it is for all that came before
 *
 *          So repeated wakes are one refresh, and one that comes while a refresh
 *          runs is the next. A wake that is for many is spread over
 *          spread_ms. A wake with an id that was just there is the same one.
 * Bounds:  WAKE_BURST refreshes at once, then one in WAKE_EVERY_MS: whoever
 *          holds the other end makes a device ask no oftener.
 * Errors:  -EBADMSG and why.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_WAKE_H
#define DP_AGENT_WAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAKE_BURST    8
#define WAKE_EVERY_MS 15000
#define WAKE_IDS      16 /* that are remembered */
#define WAKE_ID_LEN   64

enum push_kind {
	PUSH_REFRESH, /* wake for refresh, policy or task */
	PUSH_REPORT,  /* wake for report */
	PUSH_LEAVE,
	PUSH_OTHER, /* a wake for something else, or no event of ours */
};

struct push_message {
	enum push_kind kind;
	char	       what[32];	/* of a wake; or the event's type */
	char	       id[WAKE_ID_LEN]; /* of a wake; or "" */
	bool	       is_for_many; /* not for this device alone */
	uint64_t       delay_ms; /* of PUSH_LEAVE */
};

int push_parse(struct push_message *m, const char *type, const char *data,
    size_t len, char *why, size_t size);

/* Short, of ASCII's visible characters: nothing else goes into a header. */
bool push_id_is_good(const char *id);

/* All zero at first. */
struct wakes {
	uint64_t due_ms; /* 0: none */
	uint64_t full_ms; /* the refreshes so far are paid for then */
	char	 ids[WAKE_IDS][WAKE_ID_LEN];
	unsigned next_id;
	uint64_t came, repeated;
};

bool wakes_is_new(struct wakes *w, const struct push_message *m); /* counts it */
/* dice: 0 to UINT32_MAX, its place in the spread. */
void wakes_add(struct wakes *w, const struct push_message *m, uint64_t now,
    uint64_t spread_ms, uint32_t dice);
uint64_t wakes_due(const struct wakes *w);
void wakes_begun(struct wakes *w, uint64_t now);

#endif
