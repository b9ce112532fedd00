/*
 * dp-master/master.h - the root half: what it keeps, and its few parts.
 *
 * Shape:   one struct master; a slot per worker role; a struct conf_set is one
 *          loaded configuration with the listening sockets it asks for.
 * Ownership: main.c makes and ends the master; slots own their process, channel
 *          and pending channel ends.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MASTER_MASTER_H
#define DP_MASTER_MASTER_H

#include "common/ipc.h"
#include "common/loop.h"
#include "common/settings.h"

#include <stdbool.h>
#include <sys/types.h>

struct listener {
	char	 key[64], address[SETTINGS_LISTEN_LEN];
	unsigned readers; /* bits 1 << role */
	unsigned nth;	  /* of several on one address, or 0 */
	int	 fd;
};

struct conf_set {
	struct settings		 s;
	struct settings_sources *src;
	struct listener		 listeners[SETTINGS_LISTEN_MAX * GATEWAYS_MAX];
	size_t			 nlisteners;
};

struct master;

struct slot {
	struct master	  *m;
	enum peer_role	   role;
	enum worker_state  state;
	uid_t		   uid;
	pid_t		   pid; /* 0: none */
	int		   pidfd;
	struct loop_io	  *exit_watch;
	struct ipc	  *ch;
	bool		   hello; /* channel registered, configuration sent */
	bool		   supplied; /* once at least, since its hello */
	struct loop_timer *timer; /* restart, or the end of a closed channel */
	uint64_t	   backoff_ms, ready_at;
	uint32_t	   restarts, status;
	unsigned	   owed; /* MSG_STARTs it has not answered yet */
	int		   pending[PEER_MAX]; /* channel ends made before its hello */
};

struct master {
	struct loop	  *loop;
	const char	  *file;
	struct conf_set	  *conf, *previous; /* previous: a reload is under way */
	bool		   is_root, systemd, ready;
	int		   stopping; /* 1 drains, 2 kills */
	int		   admin_fd, register_fd;
	struct slot	   slots[PEER_MAX]; /* by role; PEER_MASTER unused */
	unsigned	   reload_waits;    /* bits 1 << role */
	bool		   reload_again;
	uint32_t	   reload_id, reload_next_id; /* control's, or 0 */
	char		   reload_refused[64];
	struct loop_timer *drain, *pulse;
	uint64_t	   ping_sent, pong_seen; /* control's own health */
	uint64_t	   pulse_due, stood_still; /* see on_pulse() */
};

/* conf_set.c: "FILE:LINE: section.key: reason" in err on failure */
int  conf_set_load(const char *file, struct conf_set **out,
     char err[CONF_ERR_MAX]);
/* keep, if not NULL, lends the sockets of addresses that stay */
int  conf_set_open(struct conf_set *c, const struct conf_set *keep,
     char err[CONF_ERR_MAX]);
void conf_set_free(struct conf_set **c);

/* slot.c */
int  slots_init(struct master *m);
void slot_start(struct slot *s);	/* fork, unless systemd does */
int  slot_adopt(struct slot *s, pid_t pid, int take_pidfd, int take_channel);
void slot_supply(struct slot *s);	/* configuration ... MSG_START */
void slot_shutdown(struct slot *s);	/* MSG_SHUTDOWN, or stop its restart */
void slot_kill(struct slot *s);

static inline bool
slot_is_alive(const struct slot *s)
{
	return s->pidfd >= 0;
}

static inline bool
slot_is_wanted(const struct slot *s)
{
	return settings_wants(&s->m->conf->s, s->role);
}

/* main.c, told by slot.c */
void master_reload(struct master *m, uint32_t id);
void master_reload_answer(struct slot *s, bool ok);
void master_state_changed(struct slot *s);

#endif
