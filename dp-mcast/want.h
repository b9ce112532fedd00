/*
 * dp-mcast/want.h - objects that devices said they lack, and what comes of it.
 *
 * Shape:   one struct want for each such object, at most WANTS; when there are
 *          more, the one that nobody asked about for longest is forgotten.
 *          Who asks is told what decide.c says of it; when it says multicast a
 *          session is started. Each decision for unicast is an event and is
 *          counted, once for all who then ask within WANT_UNICAST_MS.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_WANT_H
#define DP_MCAST_WANT_H

#include "common/hash.h"
#include "dp-mcast/decide.h"

#define WANTS		1024
#define WANT_UNICAST_MS 30000

struct mcast;
struct wants;

int  wants_new(struct mcast *m, struct wants **out);
void wants_free(struct wants **w);

/* Answers MSG_API_GET id with api_answer, now or when the store has answered. */
void wants_ask(struct wants *w, const struct hash *h, const char *device,
    uint32_t id);
/* A session of it has ended, and receivers lost so many percent of it. */
void wants_session_heard(
    struct wants *w, const struct hash *h, unsigned percent);
/* Its last session has ended. unheard: to the end, and nobody heard it, which
 * counts as lost if devices wait for it. */
void wants_session_over(struct wants *w, const struct hash *h, bool unheard);
/* Its sessions begin anew. Who lacked it was told that they ended, and goes on
 * without them. */
void wants_session_anew(struct wants *w, const struct hash *h);
/* An administrator does not want it sent, for WANT_UNICAST_MS. */
void wants_stop(struct wants *w, const struct hash *h);
/* The channel to the server was replaced: nobody waits for answers any more. */
void wants_forget_askers(struct wants *w);

uint64_t wants_unicast(const struct wants *w, enum reason r); /* decisions */
int	 wants_loss(const struct wants *w); /* -1: not known */
unsigned wants_count(const struct wants *w);

#endif
