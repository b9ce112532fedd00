/*
 * dlhash URL FILE CAFILE - the bare loop: libcurl to a file, hashed on the way.
 *
 * What bench-fetch is measured against: one thread, SHA-256 and write() in the
 * write callback, no sync, nothing verified but TLS. Prints the hash and MB/s.
 * SPDX-License-Identifier: ISC
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct sink {
	EVP_MD_CTX *md;
	int	    fd;
};

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct sink *s = ctx;
	ssize_t	     k;

	n *= size;
	EVP_DigestUpdate(s->md, p, n);
	for (size_t done = 0; done < n; done += (size_t)k)
		if ((k = write(s->fd, p + done, n - done)) <= 0)
			return 0;
	return n;
}

int
main(int argc, char *argv[])
{
	unsigned char	h[32];
	struct timespec a, b;
	struct sink	s;
	curl_off_t	n = 0;
	CURLcode	r;
	CURL	       *c;
	double		seconds;

	if (argc != 4) {
		fprintf(stderr, "usage: dlhash URL FILE CAFILE\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	s.fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	s.md = EVP_MD_CTX_new();
	c = curl_easy_init();
	if (s.fd < 0 || s.md == NULL || c == NULL)
		return 1;
	EVP_DigestInit_ex(s.md, EVP_sha256(), NULL);
	curl_easy_setopt(c, CURLOPT_URL, argv[1]);
	curl_easy_setopt(c, CURLOPT_CAINFO, argv[3]);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &s);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	if ((r = curl_easy_perform(c)) != CURLE_OK) {
		fprintf(stderr, "dlhash: %s\n", curl_easy_strerror(r));
		return 1;
	}
	close(s.fd);
	EVP_DigestFinal_ex(s.md, h, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	curl_easy_getinfo(c, CURLINFO_SIZE_DOWNLOAD_T, &n);
	seconds = (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	for (int i = 0; i < 32; i++)
		printf("%02x", h[i]);
	printf(" %.1f\n", (double)n / 1e6 / seconds);
	EVP_MD_CTX_free(s.md);
	curl_easy_cleanup(c);
	return 0;
}
