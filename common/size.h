/*
 * common/size.h - arithmetic on lengths that cannot wrap.
 *
 * 0, or -EOVERFLOW with *out unspecified. Never a bare a * b or a + b of
 * lengths that came from outside.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SIZE_H
#define COMMON_SIZE_H

#include <errno.h>
#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline int
size_add(size_t *out, size_t a, size_t b)
{
	return __builtin_add_overflow(a, b, out) ? -EOVERFLOW : 0;
}

static inline int
size_mul(size_t *out, size_t a, size_t b)
{
	return __builtin_mul_overflow(a, b, out) ? -EOVERFLOW : 0;
}

#endif
