/*
 * tests/harness/master.h - plays the master for one worker under test.
 *
 * The worker is the real program, forked and exec'd with its channel as
 * descriptor 3, and gets the sockets that common/packet.h has for its role.
 * Everything blocks; what cannot be done ends the test program
 * with a line and exit 1, except where a result is given.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_HARNESS_MASTER_H
#define TESTS_HARNESS_MASTER_H

#include "common/msg.h"
#include "common/rd.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct under_test {
	pid_t pid;
	int   master;	       /* our end of descriptor 3 */
	int   peer[PEER_MAX];  /* our ends of its channels, or -1 */
	/* set before it begins: what a key names ("section.key"), opened for
	 * it; key NULL ends */
	struct {
		const char *key, *path;
	} file[4];
};

/* config is text as MSG_CONFIG has it; roles end with PEER_NONE. -EPIPE if it
 * ended before it was ready, then *status is how. */
int  worker_begin(struct under_test *u, const char *program, const char *config,
     const enum peer_role *roles, int *status);
/* SIGTERM's way: MSG_SHUTDOWN, then waits. The wait status. */
int  worker_end(struct under_test *u);
/* It has died, or will: waits. The wait status. */
int  worker_wait(struct under_test *u);

/* A message and its answer. -ENOTCONN when the worker is gone. Pushes (id 0)
 * that arrive meanwhile are dropped. fds of the answer are the caller's. */
struct answer {
	uint16_t type;
	int	 fds[2];
	size_t	 len;
	uint8_t	 bytes[MSG_MAX];
};
int ask(int ch, uint16_t type, const void *payload, size_t len,
    struct answer *a);
int tell(int ch, uint16_t type, const void *payload, size_t len);

/* An admin command, words between blanks; rows is an array or NULL. 0, -EREMOTEIO with
 * the worker's error text, or -ENOTCONN. */
int admin(struct under_test *u, const char *word, json_t **rows, char err[512]);

#endif
