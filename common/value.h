/*
 * common/value.h - what a value of the configuration is made of: words and
 * numbers with units. Pure, and below all that has a syntax of its own.
 *
 * Units:   VALUE_TIME takes 30, 30s, 5m, 2h, 7d and yields seconds; VALUE_SIZE
 *          takes 4096, 64KiB, 20MB, 4GiB and yields bytes; VALUE_PLAIN has none.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_VALUE_H
#define COMMON_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum value_unit { VALUE_PLAIN, VALUE_TIME, VALUE_SIZE };

/*
 * The word after *pos in a list with blanks between; copies it and moves *pos.
 * 1 if there was one, 0 at the end. A longer word than fits is cut: it always
 * fits a buffer as large as the list.
 */
int value_word(const char *list, size_t *pos, char *out, size_t size);

/* The whole text as a number. 0 or -EINVAL. */
int value_number(const char *text, enum value_unit unit, uint64_t *out);

/* VALUE_SIZE with an optional "/s". 0 or -EINVAL. */
int value_rate(const char *text, uint64_t *out);

/* The number in the largest unit that says it exactly. */
void value_format(uint64_t n, enum value_unit unit, char *out, size_t size);

#endif
