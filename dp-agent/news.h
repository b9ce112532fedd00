/*
 * dp-agent/news.h - metadata that a carousel brings: a refresh without a
 * connection.
 *
 * Shape:   a session's description offers a timestamp.json that is not the one
 *          in force: that is news. From then on the metadata this session sends
 *          is gathered (gather.h); when the timestamp is whole, and again when
 *          what lacked is, a refresh runs from these bytes alone
 *          (refresh_by_news). It is the refresh of every other source: the same
 *          signatures, versions, dates and trusted files.
 * What an insider's packets can bring about: a refresh from memory each
 *          NEWS_PAUSE_MS at most, and of one session ever more seldom as long as
 *          nothing good comes of it; no connection before a newer timestamp has
 *          proved right. The rounds by unicast keep their own time, whatever
 *          comes here, so that nobody's old timestamp holds a device back.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_NEWS_H
#define DP_AGENT_NEWS_H

#include "common/alc.h"
#include "common/hash.h"

#include <jansson.h>
#include <stdbool.h>

#define NEWS_WAIT_MS  2000 /* for what lacks; then by unicast */
#define NEWS_PAUSE_MS 250

struct mcast;
struct news;
struct offer;
struct session;

/* A session's part, all zero at first. */
struct news_source {
	bool	    has_timestamp; /* it offers one: */
	struct hash timestamp;
	unsigned    failures; /* in a row */
	uint64_t    after_ms; /* not before */
};

int  news_new(struct mcast *m, struct news **out);

void news_offered(struct session *s, const struct offer *o);
void news_gone(struct session *s); /* the session ends */
bool news_wants(const struct session *s); /* it is being listened to */
/* A symbol of the session that no cast waits for; as gather.h. */
uint8_t *news_place(struct session *s, const struct alc_head *h, size_t n);
void	 news_placed(struct session *s, const struct alc_head *h, size_t n);
/* Time has gone by. */
void news_look(struct news *w);

/* A metadata file, by its path below the metadata URL: 0, borrowed until the
 * next symbol; -EAGAIN: it may come; -ENOENT: it is not offered. */
int news_file(const struct news *w, const char *path, const void **bytes,
    size_t *len);

json_t *news_status(const struct news *w);

#endif
