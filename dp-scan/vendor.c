/*
 * dp-scan/vendor.c - see vendor.h.
 *
 * Believes the files of the system, whose lines are: registry, assignment in hex,
 * organization, address; the organization in quotes where it has a comma.
 * SPDX-License-Identifier: ISC
 */
#include "dp-scan/vendor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct row {
	uint64_t    prefix; /* of 48 bits, the rest zero; below them: bits */
	const char *name;
	size_t	    len;
};

static struct row *rows;
static size_t	   nrows, room;

static int
by_prefix(const void *a, const void *b)
{
	uint64_t x = ((const struct row *)a)->prefix,
		 y = ((const struct row *)b)->prefix;

	return x < y ? -1 : x > y;
}

static void
take_line(const char *p, const char *end)
{
	const char *hex = memchr(p, ',', (size_t)(end - p)), *stop, *last;
	char	    text[13];
	uint64_t    v;
	size_t	    n;
	void	   *more;

	if (hex++ == NULL ||
	    (stop = memchr(hex, ',', (size_t)(end - hex))) == NULL)
		return;
	n = (size_t)(stop - hex);
	if (n < 6 || n > 9)
		return;
	memcpy(text, hex, n);
	text[n] = '\0';
	if (text[strspn(text, "0123456789ABCDEFabcdef")] != '\0')
		return; /* the heading */
	v = strtoull(text, NULL, 16) << (48 - 4 * n);
	stop++;
	last = stop < end && *stop == '"' ? memchr(stop + 1, '"',
	    (size_t)(end - stop - 1)) : memchr(stop, ',', (size_t)(end - stop));
	if (last == NULL)
		return;
	stop += *stop == '"';
	if (nrows == room) {
		more = reallocarray(rows, room + 16384, sizeof(*rows));
		if (more == NULL)
			return;
		rows = more;
		room += 16384;
	}
	rows[nrows++] = (struct row){ v << 8 | 4 * n, stop,
		(size_t)(last - stop) };
}

static void
take_file(const char *dir, const char *name)
{
	char	    path[512];
	struct stat st;
	const char *text, *p, *nl;
	int	    fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    (text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		 0)) != MAP_FAILED)
		for (p = text; p < text + st.st_size; p = nl + 1) {
			nl = memchr(p, '\n', (size_t)(text + st.st_size - p));
			if (nl == NULL)
				nl = text + st.st_size;
			take_line(p, nl);
		}
	close(fd);
}

size_t
vendor_load(const char *dir)
{
	take_file(dir, "oui.csv");
	take_file(dir, "mam.csv");
	take_file(dir, "oui36.csv");
	if (nrows > 0)
		qsort(rows, nrows, sizeof(*rows), by_prefix);
	return nrows;
}

const char *
vendor_of(const uint8_t mac[6], size_t *len)
{
	static const unsigned bits[] = { 36, 28, 24 }; /* the longest wins */
	struct row	      key = { 0 };
	const struct row     *r = NULL;
	uint64_t	      v = 0;

	if ((mac[0] & 2) != 0 || nrows == 0)
		return NULL;
	for (int i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	for (size_t i = 0; r == NULL && i < sizeof(bits) / sizeof(bits[0]); i++) {
		key.prefix = (v >> (48 - bits[i]) << (48 - bits[i])) << 8 | bits[i];
		r = bsearch(&key, rows, nrows, sizeof(*rows), by_prefix);
	}
	if (r == NULL)
		return NULL;
	*len = r->len;
	return r->name;
}
