/*
 * dp-store/names.h - the draft of a space's names, as a peer sends it.
 *
 * Errors: -EBADMSG: the payload is no list of names; -E2BIG: too many names;
 *         -ENOMEM. After any of them the draft is unusable until reset.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_NAMES_H
#define DP_STORE_NAMES_H

#include "dp-store/index.h"

#include <stddef.h>

#define NAMES_MAX 1000000 /* names of one space */

struct draft {
	struct draft_name *of;
	size_t		   n, size;
};

/*
 * A name that may be served: relative, of one or more parts between single
 * slashes, none "." or "..", no control byte.
 */
bool name_ok(const char *name);

/* payload := { hash[32] size:u64 flags:u8 name:str } repeated, not empty */
int  names_parse(struct draft *d, const void *payload, size_t len);
void names_fini(struct draft *d);

#endif
