/*
 * dp-mcast/mcast.h - the parts of dp-mcast and what they share.
 *
 * Shape:   one struct mcast; a struct group for each group of the configuration,
 *          with the socket the master made for it. keys.h: secrets and who has
 *          registered; want.h: what devices lack; decide.h: by which way it goes;
 *          session.h: what is being sent; carousel.h: what is repeated.
 * Ownership: mcast.c makes and ends everything here.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_MCAST_H
#define DP_MCAST_MCAST_H

#include "common/mcast_group.h"
#include "common/sandbox.h"
#include "common/store_client.h"
#include "common/wan.h"
#include "common/worker.h"
#include "dp-mcast/keys.h"

struct group {
	struct mcast_group	at;
	char			text[SETTINGS_LISTEN_LEN]; /* as listen_group's */
	struct sockaddr_storage data, notices; /* where to send */
	socklen_t		addr_len;
	int			fd;
	struct loop_io	       *io; /* reports */
	struct mcast	       *m;
	unsigned		index;
};

struct mcast {
	struct worker	     *w;
	struct loop	     *loop;
	struct multicast_conf conf;
	struct wan	      rates; /* conf.rate */
	uint64_t	      rate;  /* of this time of day; 0: no limit */
	bool		      is_open; /* conf.mode */
	struct group	      groups[MCAST_GROUPS];
	size_t		      ngroups;
	struct store_client  *store;
	struct ipc	     *serve; /* NULL: away */
	struct keys	     *keys;
	bool		      keys_read; /* what the store kept */
	bool		      keys_kept; /* what holds is in the store, too */
	struct hash	      crl;	 /* that the server told */
	bool		      has_crl;
	char		      snapshots[2][STORE_SPACE_MAX]; /* before keys_read */
	uint64_t	      registered_ms; /* somebody new came */
	struct wants	     *wants;
	struct sessions	     *sessions;
	struct carousel	     *carousel;
	struct loop_timer    *minute, *drain;
	bool		      draining;
};

extern const struct sandbox mcast_sandbox;

/* mcast.c: ends the process (100, 111) when this cannot be served */
struct mcast *mcast_open(struct worker *w);
int	      mcast_run(struct mcast *m);
void	      mcast_close(struct mcast **m);

void	      mcast_idle(struct mcast *m); /* a session has ended */

/* api.c */
int  api_on_get(void *mcast, struct ipc_msg *m);
void api_answer(struct mcast *m, uint32_t id, uint16_t status,
     const char *json); /* NULL: none */
void api_answer_json(struct mcast *m, uint32_t id, json_t *take);

/* admin.c */
extern const struct admin_command mcast_commands[];
void mcast_metrics(void *mcast, struct worker *w, struct admin_reply *reply);

#endif
