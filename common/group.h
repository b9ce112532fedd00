/*
 * common/group.h - administration groups: paths in a tree, "/", "/hq/berlin".
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_GROUP_H
#define COMMON_GROUP_H

#include <stdbool.h>

#define GROUP_LEN 256 /* its NUL included */

/* Whether a stranger's text is a group: from "/" on, no segment empty, no
 * control byte, no slash at the end, UTF-8, and shorter than GROUP_LEN. */
bool group_is_good(const char *text);

/* group is above, or the same: "/hq" for "/hq/berlin", "/" for all. */
bool group_holds(const char *group, const char *below);

#endif
