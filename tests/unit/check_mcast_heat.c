/*
 * tests/unit/check_mcast_heat.c - many receivers' holes in a bounded picture.
 * SPDX-License-Identifier: ISC
 */
#include "dp-mcast/heat.h"

#include "common/msg.h"
#include "common/size.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Receiver i of n lost i per mille and had one hole, of step 1 + i % 6. */
static struct heat_line *
lines(size_t n)
{
	struct heat_line *l = calloc(n + 1, sizeof(*l));

	for (size_t i = 0; i < n; i++) {
		l[i] = (struct heat_line){ .device = "d", .devices = 1,
			.done = i % 2 == 0, .unicast = i % 2 == 1,
			.loss_least = (uint16_t)i, .loss_most = (uint16_t)i };
		l[i].cell[i % SENDER_HEAT] = (uint8_t)(1 + i % 6);
	}
	return l;
}

static const size_t counts[] = { 0, 1, 63, 64, 65, 66, 95, 96, 97, 1000, 1024 };

START_TEST(nobody_gets_lost_in_a_fold)
{
	size_t		  n = counts[_i], rows, devices = 0, done = 0;
	struct heat_line *l = lines(n);
	uint8_t		  seen[SENDER_HEAT] = { 0 }, worst[SENDER_HEAT] = { 0 };

	for (size_t i = 0; i < n; i++)
		if (l[i].cell[i % SENDER_HEAT] > worst[i % SENDER_HEAT])
			worst[i % SENDER_HEAT] = l[i].cell[i % SENDER_HEAT];
	rows = heat_fold(l, n);
	ck_assert_uint_eq(rows, n < HEAT_ROWS ? n : HEAT_ROWS);
	for (size_t i = 0; i < rows; i++) {
		ck_assert_uint_gt(l[i].devices, 0);
		ck_assert_uint_le(l[i].loss_least, l[i].loss_most);
		if (i > 0) /* the worst first, no overlap */
			ck_assert_uint_lt(l[i].loss_most, l[i - 1].loss_least);
		devices += l[i].devices;
		done += l[i].done;
		for (int k = 0; k < SENDER_HEAT; k++)
			if (l[i].cell[k] > seen[k])
				seen[k] = l[i].cell[k];
	}
	ck_assert_uint_eq(devices, n);
	ck_assert_uint_eq(done, (n + 1) / 2);
	ck_assert_mem_eq(seen, worst, sizeof(seen));
	free(l);
}
END_TEST

START_TEST(the_worst_stand_alone)
{
	struct heat_line *l = lines(1000);

	ck_assert_uint_eq(heat_fold(l, 1000), HEAT_ROWS);
	for (unsigned i = 0; i < HEAT_ROWS / 2; i++) {
		ck_assert_uint_eq(l[i].devices, 1);
		ck_assert_uint_eq(l[i].loss_most, 999 - i);
	}
	for (unsigned i = HEAT_ROWS / 2; i < HEAT_ROWS; i++)
		ck_assert_uint_le(l[i].devices, 968 / 32 + 1);
	free(l);
}
END_TEST

START_TEST(a_row_in_json)
{
	struct heat_line l[2] = {
		{ .device = "urn:x", .devices = 1, .done = 1, .loss_least = 21,
		    .loss_most = 21, .cell = { 1, 2, 200 } },
		{ .device = "urn:y", .devices = 30, .loss_least = 5,
		    .loss_most = 7 },
	};
	json_t	   *list = heat_json(l, 2);
	const char *heat, *device;
	double	    least, most;
	int	    devices;

	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_int_eq(json_unpack(json_array_get(list, 0),
			     "{s:i,s:s,s:[F,F],s:s}", "devices", &devices,
			     "device", &device, "loss_percent", &least, &most,
			     "heat", &heat),
	    0);
	ck_assert_str_eq(device, "urn:x");
	ck_assert_double_eq_tol(most, 2.1, 0.001);
	ck_assert_uint_eq(strlen(heat), SENDER_HEAT);
	ck_assert(strncmp(heat, "1290", 4) == 0);
	ck_assert_ptr_null(json_object_get(json_array_get(list, 1), "device"));
	json_decref(list);
}
END_TEST

static void
collect(void *ctx, json_t *take_row)
{
	json_array_append_new(ctx, take_row);
}

/* As long as names and numbers are at most, each row is one message. */
START_TEST(each_receiver_is_in_a_row_that_fits)
{
	size_t	n = counts[_i], sum = 0;
	json_t *of = json_array(), *rows = json_array(), *row;
	char	device[80], heat[SENDER_HEAT + 1], *text;

	memset(device, 'd', sizeof(device) - 1);
	memset(heat, '6', SENDER_HEAT);
	device[sizeof(device) - 1] = heat[SENDER_HEAT] = '\0';
	for (size_t i = 0; i < n; i++)
		json_array_append_new(of,
		    json_pack("{s:s,s:f,s:I,s:b,s:b,s:b,s:s}", "device", device,
			"loss_percent", 100.0 / 3, "blocks",
			(json_int_t)UINT32_MAX, "done", 0, "unicast", 0, "slow",
			0, "heat", heat));
	heat_rows(json_pack("{s:i,s:s}", "session", 65535, "name", "x"), of,
	    collect, rows);
	ck_assert_uint_eq(json_array_size(rows),
	    n == 0 ? 1 : (n + HEAT_OF - 1) / HEAT_OF);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		row = json_array_get(rows, i);
		sum += json_array_size(json_object_get(row, "of"));
		ck_assert(json_is_integer(json_object_get(row, "session")));
		ck_assert_int_eq(json_object_get(row, "name") != NULL, i == 0);
		text = json_dumps(row, JSON_COMPACT);
		ck_assert_uint_lt(strlen(text), MSG_MAX_PAYLOAD);
		free(text);
	}
	ck_assert_uint_eq(sum, n);
	json_decref(rows);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("mcast heat");
	TCase	*t = tcase_create("heat");
	SRunner *r;
	int	 failed;

	tcase_add_loop_test(t, nobody_gets_lost_in_a_fold, 0, COUNT(counts));
	tcase_add_loop_test(t, each_receiver_is_in_a_row_that_fits, 0,
	    COUNT(counts));
	tcase_add_test(t, the_worst_stand_alone);
	tcase_add_test(t, a_row_in_json);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
