/*
 * tests/unit/check_report.c - paths and names of devices' reports.
 * SPDX-License-Identifier: ISC
 */
#include "common/report.h"
#include "common/size.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UUID "0b5ac25e-7d1f-4c3a-9e8b-00ff10a0b1c2"
#define CAPS "0B5AC25E-7D1F-4C3A-9E8B-00FF10A0B1C2"

static const uint8_t device[REPORT_DEVICE_LEN] = { 0x0b, 0x5a, 0xc2, 0x5e, 0x7d,
	0x1f, 0x4c, 0x3a, 0x9e, 0x8b, 0x00, 0xff, 0x10, 0xa0, 0xb1, 0xc2 };

static const struct {
	const char *path;
	uint64_t    sequence;
} good[] = {
	{ REPORT_PATH UUID "/0", 0 },
	{ REPORT_PATH UUID "/1", 1 },
	{ REPORT_PATH CAPS "/10", 10 },
	{ REPORT_PATH UUID "/9223372036854775807", REPORT_SEQUENCE_MAX },
};
START_TEST(a_path_names_device_and_sequence)
{
	struct report_id id;
	char		 name[REPORT_NAME_TEXT];
	const char	*p = good[_i].path;

	ck_assert_int_eq(report_path_parse(p, strlen(p), &id), 0);
	ck_assert_mem_eq(id.device, device, sizeof(device));
	ck_assert_uint_eq(id.sequence, good[_i].sequence);
	report_name(&id, name);
	ck_assert_int_eq(strncmp(name, UUID "/", strlen(UUID) + 1), 0);
	ck_assert_uint_eq(strtoull(name + strlen(UUID) + 1, NULL, 10),
	    good[_i].sequence);
}
END_TEST

static const struct {
	const char *why, *path;
	int	    r;
} refused[] = {
	{ "another path", "/v1/report/" UUID "/1", -ENOENT },
	{ "the prefix alone", REPORT_PATH, -EINVAL },
	{ "no sequence", REPORT_PATH UUID, -EINVAL },
	{ "an empty sequence", REPORT_PATH UUID "/", -EINVAL },
	{ "2^63", REPORT_PATH UUID "/9223372036854775808", -EINVAL },
	{ "2^64", REPORT_PATH UUID "/18446744073709551616", -EINVAL },
	{ "twenty digits", REPORT_PATH UUID "/00000000000000000001", -EINVAL },
	{ "a zero before it", REPORT_PATH UUID "/01", -EINVAL },
	{ "a sign", REPORT_PATH UUID "/+1", -EINVAL },
	{ "negative", REPORT_PATH UUID "/-1", -EINVAL },
	{ "hexadecimal", REPORT_PATH UUID "/0x1", -EINVAL },
	{ "something after it", REPORT_PATH UUID "/1/2", -EINVAL },
	{ "a blank", REPORT_PATH UUID "/1 ", -EINVAL },
	{ "no device", REPORT_PATH "/1", -EINVAL },
	{ "a name for a device", REPORT_PATH "laptop/1", -EINVAL },
	{ "a device without dashes",
	    REPORT_PATH "0b5ac25e7d1f4c3a9e8b00ff10a0b1c2/1", -EINVAL },
	{ "no hex digit",
	    REPORT_PATH "0b5ac25e-7d1f-4c3a-9e8b-00ff10a0b1cg/1", -EINVAL },
	{ "a dash for a digit",
	    REPORT_PATH "0b5ac25e-7d1f-4c3a-9e8b-00ff10a0b1c-/1", -EINVAL },
	{ "a URI for a device", REPORT_PATH "urn:dpoint:device:" UUID "/1",
	    -EINVAL },
};
START_TEST(what_is_no_report_is_refused)
{
	struct report_id id;
	const char	*p = refused[_i].path;

	ck_assert_msg(report_path_parse(p, strlen(p), &id) == refused[_i].r,
	    "%s", refused[_i].why);
}
END_TEST

START_TEST(only_a_device_has_reports)
{
	static const char *const not[] = { "", "urn:dpoint:dp:" UUID,
		"urn:dpoint:device:", "urn:dpoint:device:" UUID "0",
		"urn:dpoint:device:laptop", UUID };
	uint8_t got[REPORT_DEVICE_LEN];
	char	text[REPORT_DEVICE_TEXT];

	ck_assert_int_eq(report_device_of_uri("urn:dpoint:device:" CAPS, got), 0);
	ck_assert_mem_eq(got, device, sizeof(device));
	report_device_text(got, text);
	ck_assert_str_eq(text, UUID);
	for (size_t i = 0; i < COUNT(not); i++)
		ck_assert_msg(report_device_of_uri(not[i], got) == -EACCES, "%s",
		    not[i]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("report");
	TCase	*t = tcase_create("report");
	SRunner *r = srunner_create(s);
	int	 failed;

	tcase_add_loop_test(t, a_path_names_device_and_sequence, 0, COUNT(good));
	tcase_add_loop_test(t, what_is_no_report_is_refused, 0, COUNT(refused));
	tcase_add_test(t, only_a_device_has_reports);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
