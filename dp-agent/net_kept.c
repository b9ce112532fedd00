/*
 * dp-agent/net_kept.c - trusted metadata, kept by the parent.
 *
 * Runs in the network child. What the updater says is trusted of a top-level
 * role goes to the parent at once, so that no later start can be rolled back
 * behind it. Delegated roles cannot be rolled back while snapshot.json is not;
 * they are kept to save the line, all of them in one file that is written when
 * a refresh is over. What is beyond its limits is fetched each time.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/net.h"

#include "common/log.h"
#include "common/wr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAX      (8 << 20) /* bytes of one file; the parent takes no more */
#define DELEGATED_MAX 4096	/* roles */
#define ROW	      15	/* bytes of a role in the file, beside the names */

static const char *const top[ROLES] = { "root", "timestamp", "snapshot",
	"targets" };

static int
top_index(const char *role)
{
	for (int i = 0; i < ROLES; i++)
		if (strcmp(role, top[i]) == 0)
			return i;
	return -1;
}

/* The last answer starts a round. */
void
kept_ask(struct net *n)
{
	uint8_t buf[32];

	for (uint32_t i = 0; i <= ROLES; i++) {
		struct wr w = wr_to(buf, sizeof(buf));

		wr_str(&w, i < ROLES ? top[i] : "delegated");
		if (ipc_send(n->keeper, MSG_KEPT_GET, i, buf, w.len) == 0)
			n->kept_left++;
	}
}

int
kept_on_none(struct net *n)
{
	if (n->kept_left == 0)
		return -EBADMSG;
	if (--n->kept_left == 0)
		refresh_start(n);
	return 0;
}

int
kept_on_file(struct net *n, struct ipc_msg *m)
{
	off_t len = lseek(m->fds[0], 0, SEEK_END);
	char *buf;

	if (m->id > ROLES || len < 0 || len > KEPT_MAX)
		return -EBADMSG;
	if ((buf = malloc((size_t)len + 1)) == NULL)
		return -ENOMEM;
	if (pread(m->fds[0], buf, (size_t)len, 0) != len)
		free(buf);
	else if (m->id < ROLES) {
		free(n->kept[m->id].bytes);
		n->kept[m->id] = (struct kept){ buf, (size_t)len };
	} else {
		state_fini(&n->delegated);
		if (state_decode(&n->delegated, (uint8_t *)buf, (size_t)len) < 0)
			log_warn("kept delegated roles: unreadable, fetched "
				 "again");
		free(buf);
	}
	return kept_on_none(n);
}

int
kept_local(struct net *n, struct tuf *t)
{
	/* save() is told of newer roots only: none is kept before the first */
	int r = n->without_kept || n->kept[0].bytes == NULL
	    ? tuf_local(t, top[0], n->conf_root, n->conf_root_len)
	    : tuf_local(t, top[0], n->kept[0].bytes, n->kept[0].len);

	for (int i = 1; r == 0 && i < ROLES; i++)
		if (n->kept[i].bytes != NULL)
			r = tuf_local(t, top[i], n->kept[i].bytes,
			    n->kept[i].len);
	for (size_t i = 0; r == 0 && i < n->delegated.n; i++)
		if (top_index(n->delegated.of[i].role) < 0)
			r = tuf_local(t, n->delegated.of[i].role,
			    n->delegated.of[i].bytes, n->delegated.of[i].len);
	return r;
}

/* Adds a delegated role if there is room. 1: it is new or other than before. */
static int
add(struct state *s, const struct tuf_file *f)
{
	size_t size = 1 + ROW + strlen(f->role) + f->len;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->of[i].role, f->role) != 0)
			size += ROW + strlen(s->of[i].role) + s->of[i].len;
	if (size > KEPT_MAX ||
	    (s->n == DELEGATED_MAX && state_find(s, SAVED_ROLE, f->role) == NULL))
		return 0;
	return state_put(s, SAVED_ROLE, f->role, (uint64_t)f->version, f->bytes,
	    f->len);
}

int
kept_save(void *arg, const struct tuf_file *f)
{
	struct net *n = arg;
	int	    i = top_index(f->role);
	char	   *copy;

	if (i < 0) {
		if (add(&n->delegated, f) > 0)
			n->delegated_changed = true;
		return 0;
	}
	if ((copy = malloc(f->len)) != NULL) {
		memcpy(copy, f->bytes, f->len);
		free(n->kept[i].bytes);
		n->kept[i] = (struct kept){ copy, f->len };
	} /* else the parent has it; this process begins behind it */
	return net_keep(n, f->role, f->bytes, f->len);
}

struct settling {
	const struct state *old;
	struct state	    now;
	bool		    changed;
};

static int
settle_one(void *arg, const struct tuf_file *f)
{
	struct settling *s = arg;
	int		 r;

	if (top_index(f->role) >= 0)
		return 0;
	if ((r = add(&s->now, f)) > 0 &&
	    state_find(s->old, SAVED_ROLE, f->role) == NULL)
		s->changed = true;
	return r < 0 ? r : 0;
}

void
kept_settle(struct net *n, struct tuf *whole)
{
	struct settling s = { .old = &n->delegated };
	uint8_t	       *bytes = NULL;
	size_t		len;
	int		r = 0;

	if (whole != NULL && (r = tuf_files(whole, settle_one, &s)) == 0) {
		if (s.changed || s.now.n != n->delegated.n)
			n->delegated_changed = true;
		state_fini(&n->delegated);
		n->delegated = s.now;
	} else
		state_fini(&s.now);
	if (r == 0 && n->delegated_changed &&
	    (r = state_encode(&n->delegated, &bytes, &len)) == 0)
		r = net_keep(n, "delegated", bytes, len);
	if (r < 0)
		log_warn_err(r, "delegated roles: not kept");
	else
		n->delegated_changed = false;
	free(bytes);
}
