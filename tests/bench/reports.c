/*
 * tests/bench/reports.c - devices that put reports as fast as they are
 * acknowledged; and what the disk alone would allow.
 *
 * usage: reports put PORT DIR N SECONDS [UUID...]
 *                      N connections with DIR/d1.crt ... DIR/dN.key, the CA in
 *                      DIR/ca/ca.crt, one report of 1 KiB after the other on
 *                      each; UUID: of the N devices
 *        reports fsync FILE SECONDS   1 KiB appended, then fdatasync
 *        reports lmdb DIR SECONDS N   N records of 1 KiB, then a commit
 * Prints how many each second.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <lmdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY 1024

struct device {
	pthread_t   thread;
	SSL	   *ssl;
	const char *uuid;
	uint64_t    sequence;
};

static char	   body[BODY];
static atomic_bool stop;
static atomic_ulong kept;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static SSL *
dial(int port, const char *dir, int i)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char	 path[512];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL	*ssl;
	int	 one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	snprintf(path, sizeof(path), "%s/ca/ca.crt", dir);
	if (ctx == NULL || SSL_CTX_load_verify_locations(ctx, path, NULL) != 1)
		errx(1, "%s", path);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	snprintf(path, sizeof(path), "%s/d%d.crt", dir, i);
	if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1)
		errx(1, "%s", path);
	snprintf(path, sizeof(path), "%s/d%d.key", dir, i);
	if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1)
		errx(1, "%s", path);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		err(1, "connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((ssl = SSL_new(ctx)) == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_connect(ssl) != 1)
		errx(1, "device %d: no TLS", i);
	SSL_CTX_free(ctx);
	return ssl;
}

static void *
put_all(void *arg)
{
	struct device *d = arg;
	char	       buf[BODY + 256];
	int	       n;

	while (!stop) {
		n = snprintf(buf, 256, "PUT /v1/reports/%s/%llu HTTP/1.1\r\n"
		    "Host: a\r\nContent-Length: %d\r\n\r\n", d->uuid,
		    (unsigned long long)++d->sequence, BODY);
		memcpy(buf + n, body, BODY);
		if (SSL_write(d->ssl, buf, n + BODY) != n + BODY)
			errx(1, "write");
		n = SSL_read(d->ssl, buf, sizeof(buf) - 1);
		if (n <= 0)
			errx(1, "read");
		buf[n] = '\0';
		if (strncmp(buf, "HTTP/1.1 201 ", 13) != 0 ||
		    strstr(buf, "}\n") == NULL)
			errx(1, "answer: %s", buf);
		kept++;
	}
	return NULL;
}

static void
put(int port, const char *dir, int n, double seconds, char *uuids[])
{
	struct device *of = calloc((size_t)n, sizeof(*of));
	double	       t;
	unsigned long  before;

	for (int i = 0; i < n; i++) {
		of[i].uuid = uuids[i];
		of[i].ssl = dial(port, dir, i + 1);
	}
	for (int i = 0; i < n; i++)
		if (pthread_create(&of[i].thread, NULL, put_all, &of[i]) != 0)
			errx(1, "thread");
	sleep(1);
	t = now();
	before = kept;
	usleep((useconds_t)(seconds * 1e6));
	printf("%.0f\n", (double)(kept - before) / (now() - t));
	stop = true;
	for (int i = 0; i < n; i++)
		pthread_join(of[i].thread, NULL);
}

static void
bare_fsync(const char *file, double seconds)
{
	int    fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600), n = 0;
	double t = now();

	if (fd < 0)
		err(1, "%s", file);
	for (; now() - t < seconds; n++)
		if (write(fd, body, BODY) != BODY || fdatasync(fd) < 0)
			err(1, "%s", file);
	printf("%.0f\n", n / (now() - t));
}

static void
bare_lmdb(const char *dir, double seconds, int batch)
{
	MDB_env *env;
	MDB_dbi	 dbi;
	MDB_txn *txn;
	uint64_t key = 0;
	double	 t;

	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 4UL << 30) != 0 ||
	    mdb_env_open(env, dir, 0, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
	    mdb_dbi_open(txn, NULL, 0, &dbi) != 0 || mdb_txn_commit(txn) != 0)
		errx(1, "%s", dir);
	for (t = now(); now() - t < seconds;) {
		if (mdb_txn_begin(env, NULL, 0, &txn) != 0)
			errx(1, "begin");
		for (int i = 0; i < batch; i++) {
			uint64_t be = __builtin_bswap64(++key);
			MDB_val	 k = { sizeof(be), &be }, v = { BODY, body };

			if (mdb_put(txn, dbi, &k, &v, 0) != 0)
				errx(1, "put");
		}
		if (mdb_txn_commit(txn) != 0)
			errx(1, "commit");
	}
	printf("%.0f\n", (double)key / (now() - t));
}

int
main(int argc, char *argv[])
{
	memset(body, 'x', sizeof(body));
	if (argc > 5 && strcmp(argv[1], "put") == 0 &&
	    argc == 6 + atoi(argv[4]))
		put(atoi(argv[2]), argv[3], atoi(argv[4]), atof(argv[5]),
		    argv + 6);
	else if (argc == 4 && strcmp(argv[1], "fsync") == 0)
		bare_fsync(argv[2], atof(argv[3]));
	else if (argc == 5 && strcmp(argv[1], "lmdb") == 0)
		bare_lmdb(argv[2], atof(argv[3]), atoi(argv[4]));
	else
		errx(1, "usage: reports put|fsync|lmdb ...");
	return 0;
}
