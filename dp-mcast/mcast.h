/*
 * dp-mcast/mcast.h - the parts of dp-mcast and what they share.
 *
 * Shape:   one struct mcast; a struct group for each group of the configuration,
 *          with the socket the master made for it.
 * Ownership: mcast.c makes and ends everything here.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_MCAST_MCAST_H
#define DP_MCAST_MCAST_H

#include "common/mcast_group.h"
#include "common/sandbox.h"
#include "common/store_client.h"
#include "common/worker.h"

struct group {
	struct mcast_group	at;
	struct sockaddr_storage data, notices; /* where to send */
	socklen_t		addr_len;
	int			fd;
};

struct mcast {
	struct worker	     *w;
	struct loop	     *loop;
	struct multicast_conf conf;
	struct group	      groups[MCAST_GROUPS];
	size_t		      ngroups;
	struct store_client  *store;
	struct ipc	     *serve; /* NULL: away */
	bool		      draining;
};

extern const struct sandbox mcast_sandbox;

/* mcast.c: ends the process (100, 111) when this cannot be served */
struct mcast *mcast_open(struct worker *w);
int	      mcast_run(struct mcast *m);
void	      mcast_close(struct mcast **m);

#endif
