/*
 * tests/fuzz/replay.c - runs a fuzz target over files, without a fuzzer.
 *
 * usage: TARGET FILE|DIRECTORY...; each file's bytes go to the target once.
 * A crash or abort is the failure; a corpus that holds no file is one too,
 * since a test that reads nothing proves nothing.
 * SPDX-License-Identifier: ISC
 */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void
replay_file(const char *path)
{
	FILE	*f = fopen(path, "rb");
	uint8_t *buf;
	size_t	 n;
	long	 size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		err(1, "%s", path);
	rewind(f);
	/* exactly as large as the input, so that the sanitizer sees overreads */
	if ((buf = malloc(size > 0 ? (size_t)size : 1)) == NULL)
		err(1, "%s", path);
	n = fread(buf, 1, (size_t)size, f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	free(buf);
	count++;
}

static void
replay(const char *path)
{
	struct dirent *e;
	struct stat    st;
	char	       sub[4096];
	DIR	      *d;

	if (stat(path, &st) != 0)
		err(1, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	if ((d = opendir(path)) == NULL)
		err(1, "%s", path);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		replay(sub);
	}
	closedir(d);
}

int
main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (count == 0)
		errx(1, "no input: empty corpus");
	printf("%s: %u inputs replayed\n", argv[0], count);
	return 0;
}
