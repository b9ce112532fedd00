/*
 * common/curl_loop.h - libcurl on our loop, on sockets that it is given.
 *
 * Shape:   a struct curl_loop is a multi handle whose sockets and timer the loop
 *          watches. After each time that libcurl has worked fn(ctx) is called,
 *          from the loop and last: it may free the curl_loop.
 * Sockets: whoever uses this neither resolves nor connects. curl_pin_host() keeps
 *          libcurl from asking a resolver; a connected socket goes in by
 *          CURLOPT_OPENSOCKETFUNCTION, and libcurl's own connect() is answered
 *          EINPROGRESS by the sandbox.
 * Errors:  0, -ENOMEM, -EINVAL.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CURL_LOOP_H
#define COMMON_CURL_LOOP_H

#include "common/loop.h"

#include <curl/curl.h>
#include <stdint.h>

struct curl_loop;
struct download_tls;

int    curl_loop_new(struct loop *l, loop_fn fn, void *ctx,
       struct curl_loop **out);
CURLM *curl_loop_multi(struct curl_loop *c);
void   curl_loop_free(struct curl_loop **c); /* after its easy handles */

/* Appends to *list, the caller's, which lives as long as e. */
int curl_pin_host(CURL *e, const char *host, uint16_t port,
    struct curl_slist **list);

/* Trust t's CA alone, and none if it has none or is NULL; show its certificate.
 * Borrows t's texts for as long as e lives. */
int curl_set_tls(CURL *e, const struct download_tls *t);

#endif
