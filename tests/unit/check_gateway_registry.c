/*
 * tests/unit/check_gateway_registry.c - what registry.h promises.
 * SPDX-License-Identifier: ISC
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp-gateway/registry.h"

#define MANY 20000

static struct registry *r;

static void
setup(void)
{
	ck_assert_int_eq(registry_new(&r), 0);
}

static void
teardown(void)
{
	registry_free(&r);
	ck_assert_ptr_null(r);
}

START_TEST(the_newest_of_a_name_takes_the_place)
{
	struct device a = { 0 }, b = { 0 }, *old;

	ck_assert_int_eq(registry_add(r, &a, "x", "/hq", &old), 0);
	ck_assert_ptr_null(old);
	ck_assert_int_eq(registry_add(r, &b, "x", "/", &old), 0);
	ck_assert_ptr_eq(old, &a);
	ck_assert_ptr_null(a.name);
	ck_assert_ptr_eq(registry_find(r, "x"), &b);
	ck_assert_str_eq(device_group(&b), "/");
	ck_assert_uint_eq(registry_size(r), 1);
	registry_remove(r, &a); /* is in no more: changes nothing */
	ck_assert_ptr_eq(registry_find(r, "x"), &b);
	registry_remove(r, &b);
	ck_assert_ptr_null(registry_find(r, "x"));
	ck_assert_uint_eq(registry_size(r), 0);
}
END_TEST

START_TEST(many_come_and_go)
{
	struct device *d = calloc(MANY, sizeof(*d)), *old;
	char (*names)[32] = calloc(MANY, sizeof(*names)), group[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "urn:%d", i);
		snprintf(group, sizeof(group), "/g/%d", i % 7000);
		ck_assert_int_eq(registry_add(r, &d[i], names[i], group, &old), 0);
		ck_assert_ptr_null(old);
	}
	for (int i = 0; i < MANY; i += 2)
		registry_remove(r, &d[i]);
	ck_assert_uint_eq(registry_size(r), MANY / 2);
	for (int i = 0; i < MANY; i++) {
		struct device *found = registry_find(r, names[i]);

		ck_assert_ptr_eq(found, i % 2 ? &d[i] : NULL);
		if (found == NULL)
			continue;
		snprintf(group, sizeof(group), "/g/%d", i % 7000);
		ck_assert_str_eq(device_group(found), group);
		registry_remove(r, found);
	}
	ck_assert_uint_eq(registry_size(r), 0);
	free(d);
	free(names);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gateway_registry");
	TCase	*t = tcase_create("gateway_registry");
	SRunner *sr = srunner_create(s);
	int	 bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_newest_of_a_name_takes_the_place);
	tcase_add_test(t, many_come_and_go);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	bad = srunner_ntests_failed(sr);
	srunner_free(sr);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
