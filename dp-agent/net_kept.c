/*
 * dp-agent/net_kept.c - trusted metadata, kept by the parent.
 *
 * Runs in the network child. What the updater says is trusted of a top-level
 * role goes to the parent at once, so that no later start can be rolled back
 * behind it. Of root every version is kept, and each start follows them anew
 * from the configured one: what an earlier child kept is believed no more than
 * what a source sends. Delegated roles cannot be rolled back while
 * snapshot.json is not; they are kept to save the line, all of them in one file
 * that is written when a refresh is over. What is beyond the limits of a file
 * is fetched each time.
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
#define FILES_MAX     4096	/* roles, or roots */
#define ROW	      15	/* bytes beside name and file of each */

/* Keys of the parent's, and of the first ones the roles. */
enum { ROOTS = KEPT_ROLES, DELEGATED, KEYS };
static const char *const keys[KEYS] = { "timestamp", "snapshot", "targets",
	"roots", "delegated" };

static int
role_index(const char *role)
{
	for (int i = 0; i < KEPT_ROLES; i++)
		if (strcmp(role, keys[i]) == 0)
			return i;
	return -1;
}

static bool
is_delegated(const char *role)
{
	return role_index(role) < 0 && strcmp(role, "root") != 0;
}

/* The last answer starts a round. */
void
kept_ask(struct net *n)
{
	uint8_t buf[32];

	for (uint32_t i = 0; i < KEYS; i++) {
		struct wr w = wr_to(buf, sizeof(buf));

		wr_str(&w, keys[i]);
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
	off_t	      len = lseek(m->fds[0], 0, SEEK_END);
	struct state *s = m->id == ROOTS ? &n->roots : &n->delegated;
	char	     *buf;

	if (m->id >= KEYS || len < 0 || len > KEPT_MAX)
		return -EBADMSG;
	if ((buf = malloc((size_t)len + 1)) == NULL)
		return -ENOMEM;
	if (pread(m->fds[0], buf, (size_t)len, 0) != len)
		free(buf);
	else if (m->id < KEPT_ROLES) {
		free(n->kept[m->id].bytes);
		n->kept[m->id] = (struct kept){ buf, (size_t)len };
	} else {
		state_fini(s);
		if (state_decode(s, (uint8_t *)buf, (size_t)len) < 0)
			log_warn("kept %s: unreadable, fetched again",
			    keys[m->id]);
		free(buf);
	}
	return kept_on_none(n);
}

int
kept_local(struct net *n, struct tuf *t, const struct saved *root)
{
	int r = root != NULL
	    ? tuf_local(t, "root", root->bytes, root->len)
	    : tuf_local(t, "root", n->conf_root, n->conf_root_len);

	for (int i = 0; r == 0 && i < KEPT_ROLES; i++)
		if (n->kept[i].bytes != NULL)
			r = tuf_local(t, keys[i], n->kept[i].bytes,
			    n->kept[i].len);
	for (size_t i = 0; r == 0 && i < n->delegated.n; i++)
		if (is_delegated(n->delegated.of[i].role))
			r = tuf_local(t, n->delegated.of[i].role,
			    n->delegated.of[i].bytes, n->delegated.of[i].len);
	return r;
}

const struct saved *
kept_root(const struct net *n, int64_t version)
{
	for (size_t i = 0; i < n->roots.n; i++)
		if (n->roots.of[i].kind == SAVED_ROOT &&
		    n->roots.of[i].version == (uint64_t)version)
			return &n->roots.of[i];
	return NULL;
}

/* Adds a file if there is room. 1: it is new or other than before. */
static int
add(struct state *s, enum saved_kind kind, const struct tuf_file *f)
{
	const struct saved *old = kind == SAVED_ROLE
	    ? state_find(s, kind, f->role)
	    : NULL;
	size_t size = 1 + ROW + strlen(f->role) + f->len;

	for (size_t i = 0; i < s->n; i++)
		if (&s->of[i] != old)
			size += ROW + strlen(s->of[i].role) + s->of[i].len;
	if (size > KEPT_MAX || (s->n == FILES_MAX && old == NULL))
		return 0;
	return state_put(s, kind, f->role, (uint64_t)f->version, f->bytes,
	    f->len);
}

static int
put(struct net *n, const char *key, const struct state *s)
{
	uint8_t *bytes = NULL;
	size_t	 len;
	int	 r = state_encode(s, &bytes, &len);

	if (r == 0)
		r = net_keep(n, key, bytes, len);
	free(bytes);
	return r;
}

int
kept_save(void *arg, const struct tuf_file *f)
{
	struct net *n = arg;
	int	    i = role_index(f->role);
	char	   *copy;

	if (is_delegated(f->role)) {
		if (add(&n->delegated, SAVED_ROLE, f) > 0)
			n->delegated_changed = true;
		return 0;
	}
	if (i < 0)
		return add(&n->roots, SAVED_ROOT, f) > 0
		    ? put(n, keys[ROOTS], &n->roots)
		    : 0;
	if ((copy = malloc(f->len)) != NULL) {
		memcpy(copy, f->bytes, f->len);
		free(n->kept[i].bytes);
		n->kept[i].bytes = copy;
		n->kept[i].len = f->len;
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

	if (!is_delegated(f->role))
		return 0;
	if ((r = add(&s->now, SAVED_ROLE, f)) > 0 &&
	    state_find(s->old, SAVED_ROLE, f->role) == NULL)
		s->changed = true;
	return r < 0 ? r : 0;
}

void
kept_settle(struct net *n, struct tuf *whole)
{
	struct settling s = { .old = &n->delegated };
	int		r = 0;

	if (whole != NULL && (r = tuf_files(whole, settle_one, &s)) == 0) {
		if (s.changed || s.now.n != n->delegated.n)
			n->delegated_changed = true;
		state_fini(&n->delegated);
		n->delegated = s.now;
	} else
		state_fini(&s.now);
	if (r == 0 && n->delegated_changed)
		r = put(n, keys[DELEGATED], &n->delegated);
	if (r < 0)
		log_warn_err(r, "delegated roles: not kept");
	else
		n->delegated_changed = false;
}
