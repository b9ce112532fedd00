/*
 * common/download.h - files over HTTP and HTTPS, verified as they come.
 *
 * Shape:   one struct downloads (libcurl's multi interface on the loop) holds
 *          the connections, which are kept and used again; a struct download
 *          is one file from the first of several addresses that gives the
 *          right bytes. It frees itself after its one call of done(), or by
 *          download_cancel(), which calls nobody.
 * Sockets: this code never connects. ops->connect is asked for a connected
 *          socket before a transfer may need one, at most one ahead for each
 *          host; the answer is downloads_socket(). libcurl's own connect() is
 *          answered EINPROGRESS by the sandbox of whoever runs this.
 * Resume:  bytes before `start` are read again through read_fd and hashed, in
 *          slices, then Range (and If-Range when this server sent a strong
 *          ETag) asks for the rest. A server that ignores it sends all again.
 * Pieces:  with `whole` set, only `length` bytes from `from` on of a resource of
 *          `whole` bytes are asked for and written to their place in fd; the
 *          hash, if any, is the piece's. A server without ranges is no source.
 * Putting: with `body` set it goes the other way: a PUT of these bytes, within the
 *          same budget. Any 2xx is success, whatever else the server says; no
 *          redirect is followed, and nothing is tried twice.
 * Give up: wrong length, as soon as a header or a byte shows it, and wrong hash
 *          go to the next address; a cut connection that brought something is
 *          taken up again at the same address, up to five times in a row.
 * Redirects: followed here, five of them, to hosts that ops->may_follow
 *          names; others are an error that says so.
 * Callbacks run from the loop, never inside libcurl: they may start and cancel.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DOWNLOAD_H
#define COMMON_DOWNLOAD_H

#include "common/hash.h"
#include "common/loop.h"
#include "common/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct downloads;
struct download;

struct downloads_ops {
	/* 0: downloads_socket(ticket) answers, now or later. */
	int (*connect)(void *ctx, uint32_t ticket, const char *host,
	    uint16_t port);
	bool (*may_follow)(void *ctx, const struct url *to);
	/* NULL: no budget. So many bytes came, headers included. */
	void (*received)(void *ctx, size_t n);
	/* NULL: no budget. ms to wait before more may be read; 0: go on;
	 * UINT64_MAX: no budget now. */
	uint64_t (*hold)(void *ctx);
};

struct downloads_conf {
	uint64_t connect_ms, stall_ms;
	char	 proxy[512];	  /* "" or http://host:port */
	char	 proxy_auth[256]; /* "" or user:password */
};

/* Call once before a sandbox closes: libcurl and OpenSSL read files here. */
int  downloads_setup(void);
int  downloads_new(struct loop *l, const struct downloads_conf *conf,
     const struct downloads_ops *ops, void *ctx, struct downloads **out);
void downloads_set(struct downloads *ds, const struct downloads_conf *conf);
void downloads_free(struct downloads **ds); /* after its downloads */
/* fd < 0: why says so. A ticket of nobody's: the socket is closed. */
void downloads_socket(struct downloads *ds, uint32_t ticket, int take_fd,
    const char *why);
/* Who was asked for sockets is gone: nothing that was asked will come. */
void downloads_sockets_lost(struct downloads *ds);

/* PEM, borrowed for as long as a download uses it; ca is required for https. */
struct download_tls {
	char  *ca, *cert, *key;
	size_t ca_len, cert_len, key_len;
};

/* The system's CAs for tls->ca, malloc'ed and NUL-ended: for servers that no
 * private CA answers for. Before a sandbox closes. -ENOENT: there are none. */
#define DOWNLOAD_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
int download_read_ca(const char *path, char **out, size_t *len);

#define DOWNLOAD_URLS_MAX 8

struct download_result {
	int	    r;	  /* 0; -EBADMSG: wrong bytes; -ENOENT: 404, 410 or 403
			   * everywhere; -ETIMEDOUT; -EFBIG; -ECONNREFUSED: no
			   * server took us; -EPROTO: other answers; -EIO: our own
			   * disk failed or is full, whoever the source was */
	const char *text; /* "URL: what", of the last address tried */
	const void *bytes; /* of a download into memory */
	size_t	    len;
	uint64_t    there; /* bytes written, good to go on after; 0 if wrong */
	unsigned    status; /* of a PUT: what the server answered; 0: nothing */
	unsigned    retry_after_s; /* of a PUT, if the server said so; else 0 */
};

struct download_want {
	const char *const	  *urls; /* copied */
	size_t			   nurls;
	const struct download_tls *tls;
	bool			   direct; /* not through the proxy */
	bool			   has_length, has_hash;
	uint64_t		   length; /* exact; else at most max */
	uint64_t		   max;
	struct hash		   hash;
	int			   fd, read_fd; /* borrowed; -1: into memory */
	uint64_t		   start;
	uint64_t		   from, whole; /* of a piece; else 0 */
	const uint8_t		  *body; /* to put, borrowed to the end; or NULL */
	size_t			   body_len;
	void (*progress)(void *ctx, uint64_t there); /* may be NULL */
	void (*done)(void *ctx, const struct download_result *r);
	void *ctx;
};

int	 download_start(struct downloads *ds, const struct download_want *want,
    struct download **out);
void	 download_cancel(struct download **d);
uint64_t download_there(const struct download *d); /* bytes written */

/* base doubled for each failure up to max, plus or minus a quarter at random. */
uint64_t download_backoff_ms(unsigned failures, uint64_t base_ms,
    uint64_t max_ms);

/* "bytes 5-9/10" with first == from and, if it has one, total == length. */
bool download_range_fits(const char *content_range, uint64_t from,
    uint64_t length);

#endif
