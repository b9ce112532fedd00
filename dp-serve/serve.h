/*
 * dp-serve/serve.h - the content server as a worker: configuration, listeners,
 * peers, reload, drain, metrics.
 *
 * serve_open ends the process (100, 111) when the configuration cannot be
 * served; serve_run returns when the master says so or is gone.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SERVE_SERVE_H
#define DP_SERVE_SERVE_H

#include "common/sandbox.h"
#include "common/worker.h"

struct serve;

extern const struct sandbox serve_sandbox;

struct serve *serve_open(struct worker *w);
int	      serve_run(struct serve *s);
void	      serve_close(struct serve **s);

#endif
