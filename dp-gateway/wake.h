/*
 * dp-gateway/wake.h - what a wake says and to whom, and events on the wire.
 *
 * Shape:   pure. An order is what somebody wants: whom to wake and for what. A
 *          struct wake is its event as text, made once and shared by all who
 *          get it.
 * Wire:    events are WHATWG HTML's server-sent ones:
 *
 *            id: 5f0c...
 *            event: wake
 *            data: {"id":"5f0c...","what":"refresh","group":"/hq"}
 *
 *          group is "all", a group, or not there when one device is meant.
 *          "id:" stands there if the device has been given all wakes up to that
 *          number then; it says so when it comes again (Last-Event-ID).
 *          :            a comment, so that what lies between stays open, and
 *          id: 5f0c...  the number by now
 *          event: leave
 *          data: {"in_ms":8210}   end, and come back after so long; "retry:"
 *                                 says the same to clients that know it.
 *
 *          An order is JSON: {"to":"all","what":"refresh"}, to as in
 *          wake_to_parse, what left out: refresh; nothing else may be in it.
 * Ownership: references; wake_unref ends one and leaves NULL behind.
 * Errors:  -EINVAL (why gets a reason), -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_GATEWAY_WAKE_H
#define DP_GATEWAY_WAKE_H

#include "common/group.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAKE_BODY_MAX  4096 /* bytes of an order */
#define WAKE_WHY       120
#define WAKE_LEAVE_MAX 96
#define WAKE_TO_MAX    (GROUP_LEN + 8)
#define WAKE_ID_MAX    32

enum wake_what { WAKE_REFRESH, WAKE_POLICY, WAKE_TASK, WAKE_REPORT, WAKE_WHATS };
enum wake_whom { WAKE_ALL, WAKE_GROUP, WAKE_DEVICE };

struct wake_order {
	enum wake_whom whom;
	enum wake_what what;
	char	       name[GROUP_LEN]; /* the group, or the device's URI */
};

/* "all", "group:/hq" (those below it, too), a device's URI or its UUID */
int wake_to_parse(const char *text, struct wake_order *out,
    char why[WAKE_WHY]);
void wake_to_text(const struct wake_order *o, char out[WAKE_TO_MAX]);
const char *wake_what_word(enum wake_what w);
int wake_what_parse(const char *word, struct wake_order *out,
    char why[WAKE_WHY]);
int wake_order_parse(const char *json, size_t len, struct wake_order *out,
    char why[WAKE_WHY]);

/* The group in the query of a device that connects: "group=/hq/berlin", with
 * percent-escapes; none: "/". -EINVAL */
int push_query_parse(const char *query, size_t len, char group[GROUP_LEN]);

struct wake {
	unsigned	  refs;
	uint64_t	  number;
	struct wake_order order;
	size_t		  len;
	char		  text[];
};

/* has_all: who gets it has been given all before it. */
int  wake_new(const struct wake_order *o, uint64_t number, bool has_all,
     struct wake **out);
void wake_unref(struct wake **w);
bool wake_is_for(const struct wake *w, const char *device, const char *group);

/* "id: ..." with the empty line behind it, after a comment if that is wanted. */
size_t push_id_text(uint64_t number, bool is_comment, char out[WAKE_ID_MAX]);
/* The number in a Last-Event-ID. -EINVAL: none that we gave. */
int push_id_parse(const char *text, size_t len, uint64_t *out);

size_t push_leave_text(uint64_t in_ms, char out[WAKE_LEAVE_MAX]);

#endif
