/*
 * Any XML: stay in bounds, accept only what fdt.h allows, and build from what
 * was accepted an FDT that says the same and builds back to the same bytes.
 * SPDX-License-Identifier: ISC
 */
#include "common/fdt.h"
#include "common/tuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (UINT64_C(1) << 40)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fdt  a, b;
	const char *why = NULL;
	char	   *xml, *xml_again;
	size_t	    len, len_again;
	int	    r;

	if (fdt_parse(&a, data, size, LIMIT, &why) < 0) {
		must(why != NULL && a.file == NULL);
		return 0;
	}
	must(size <= FDT_SIZE_MAX && a.n > 0 && a.n <= FDT_FILES_MAX);
	for (size_t i = 0; i < a.n; i++) {
		const struct fdt_file *f = &a.file[i];

		must(f->toi != 0 && tuf_path_is_plain(f->name) &&
		     strlen(f->name) < FDT_NAME_MAX &&
		     strlen(f->kind) < FDT_KIND_MAX);
		must(f->fti.length > 0 && f->fti.length <= LIMIT &&
		     f->fti.block <= f->fti.symbols &&
		     f->fti.symbols <= ALC_SYMBOLS_MAX);
		for (size_t j = 0; j < i; j++)
			must(a.file[j].toi != f->toi);
	}
	/* names grow when they are encoded, so it can become too long */
	if ((r = fdt_build(&a, &xml, &len)) == 0) {
		must(len == strlen(xml) &&
		     fdt_parse(&b, xml, len, LIMIT, &why) == 0 && b.n == a.n &&
		     b.expires == a.expires && b.is_complete == a.is_complete);
		for (size_t i = 0; i < a.n; i++)
			must(strcmp(a.file[i].name, b.file[i].name) == 0 &&
			     hash_eq(&a.file[i].hash, &b.file[i].hash));
		must(fdt_build(&b, &xml_again, &len_again) == 0 &&
		     len_again == len && memcmp(xml, xml_again, len) == 0);
		free(xml);
		free(xml_again);
		fdt_fini(&b);
	}
	must(r == 0 || r == -EFBIG);
	fdt_fini(&a);
	return 0;
}
