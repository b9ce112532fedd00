/*
 * dp-scan/keep.c - records in the store's table of dp-scan: pages of DEVICES_PAGE
 * slots under "d<number>", their number under "pages"; DHCP servers under
 * "dhcp-servers".
 *
 * Read once, a few pages at a time; written when they are dirty, a few at a time. A
 * store that is away holds nothing up: what is dirty stays so.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/wr.h"
#include "dp-scan/scan.h"
#include "dp-scan/servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE	   8
#define SAVE_EACH  15	 /* s */
#define PAGES_MAX  50000 /* of 400,000 slots */
#define PAGE_BYTES (DEVICES_PAGE * RECORD_WIRE)
_Static_assert(PAGE_BYTES <= STORE_VALUE_MAX, "a page is one value");

static void load_more(struct scan *s);
static void save_more(struct scan *s);

static void
page_key(uint32_t page, char out[16])
{
	snprintf(out, 16, "d%u", page);
}

/* -- reading -- */

static void
load_done(struct scan *s)
{
	s->loading = false;
	s->loaded = s->going = true;
	if (devices_loaded(s->devices, scan_now(s)) < 0)
		log_warn("no memory to put kept devices in order");
	log_info("%zu devices were known",
	    devices_counts(s->devices)->seen + devices_counts(s->devices)->absent);
}

static void
on_page(void *ctx, const struct store_answer *a)
{
	struct scan *s = ctx;
	int	     r = 0;

	if (a->r == -ENOTCONN) {
		s->loading = false; /* all of it again when the store is back */
		return;
	}
	if (a->r == 0)
		r = devices_load(s->devices, a->bytes, a->len);
	if (r < 0 || (a->r < 0 && a->r != -ENOENT))
		log_warn_err(r < 0 ? r : a->r, "devices: a page that was kept");
	s->load_left--;
	load_more(s);
}

static void
load_more(struct scan *s)
{
	char key[16];

	while (s->loading && s->load_left < AT_ONCE &&
	    s->load_next < s->pages_kept) {
		page_key(s->load_next++, key);
		if (store_table_get(s->store, key, on_page, s) < 0) {
			s->loading = false;
			return;
		}
		s->load_left++;
	}
	if (s->loading && s->load_left == 0)
		load_done(s);
}

static void
on_pages(void *ctx, const struct store_answer *a)
{
	struct scan *s = ctx;
	struct rd    rd = rd_from(a->len > 0 ? a->bytes : (const uint8_t *)"",
	       a->len);
	uint32_t     n = rd_u32(&rd);

	if (a->r == -ENOTCONN) {
		s->loading = false;
		return;
	}
	if (a->r < 0 && a->r != -ENOENT)
		log_warn("devices: not read: %s", a->text);
	if (a->r == 0 && rd_done(&rd) == 0 && n <= PAGES_MAX)
		s->pages_kept = n;
	load_more(s);
}

static void
on_servers(void *ctx, const struct store_answer *a)
{
	struct scan *s = ctx;
	int	     r = a->r;

	if (r == 0)
		r = devices_load_servers(s->devices, a->bytes, a->len);
	if (r < 0 && r != -ENOENT && r != -ENOTCONN)
		log_warn_err(r, "DHCP servers that were kept");
	if (a->r == -ENOTCONN ||
	    store_table_get(s->store, "pages", on_pages, s) < 0)
		s->loading = false;
}

void
keep_attached(struct scan *s)
{
	if (s->loaded || s->loading)
		return;
	s->loading = true;
	s->load_next = s->load_left = 0;
	if (store_table_get(s->store, "dhcp-servers", on_servers, s) < 0)
		s->loading = false;
}

/* -- writing -- */

static void
drained(struct scan *s)
{
	if (s->draining && s->saving == 0)
		worker_drained(s->w);
}

/* Which of those under way is not told apart: all is written again. */
static void
not_saved(struct scan *s)
{
	s->save_failed = true;
	s->pages_kept = 0;
	devices_unsaved(s->devices);
}

static void
on_saved(void *ctx, const struct store_answer *a)
{
	struct scan *s = ctx;

	s->saving--;
	if (a->r < 0 && a->r != -ENOTCONN && !s->save_failed)
		log_warn("devices: not kept: %s", a->text);
	if (a->r < 0)
		not_saved(s);
	else
		s->saved++;
	save_more(s);
	drained(s);
}

static int
save_count(struct scan *s)
{
	uint8_t	  buf[4];
	struct wr w = wr_to(buf, sizeof(buf));
	uint32_t  n = (uint32_t)((devices_slots(s->devices) + DEVICES_PAGE - 1) /
	     DEVICES_PAGE);
	int	  r;

	if (n == s->pages_kept)
		return 0;
	wr_u32(&w, n);
	if ((r = store_table_put(s->store, "pages", buf, w.len, on_saved, s)) < 0)
		return r;
	s->pages_kept = n;
	s->saving++;
	return 0;
}

static int
save_servers(struct scan *s)
{
	uint8_t	  buf[SERVERS_WIRE];
	struct wr w = wr_to(buf, sizeof(buf));
	int	  r;

	if (!devices_servers_dirty(s->devices))
		return 0;
	devices_save_servers(s->devices, &w);
	if ((r = store_table_put(s->store, "dhcp-servers", buf, w.len, on_saved,
		 s)) < 0) {
		not_saved(s);
		return r;
	}
	s->saving++;
	return 0;
}

static void
save_more(struct scan *s)
{
	static uint8_t buf[PAGE_BYTES];
	char	       key[16];
	size_t	       page;

	if (!s->loaded || s->save_failed || save_count(s) < 0 ||
	    save_servers(s) < 0)
		return;
	while (s->saving < AT_ONCE &&
	    (page = devices_dirty(s->devices, s->save_at)) != SIZE_MAX) {
		struct wr w = wr_to(buf, sizeof(buf));

		devices_save(s->devices, page, &w);
		s->save_at = page + 1;
		page_key((uint32_t)page, key);
		if (w.err != 0 || store_table_put(s->store, key, buf, w.len,
				      on_saved, s) < 0) {
			not_saved(s);
			return;
		}
		s->saving++;
	}
}

void
keep_second(struct scan *s)
{
	if (!s->loaded && !s->loading && store_client_connected(s->store))
		keep_attached(s);
	if (s->ticks % SAVE_EACH != 0 || s->saving > 0 || s->draining)
		return;
	s->save_failed = false;
	s->save_at = 0;
	save_more(s);
}

void
keep_drain(struct scan *s)
{
	s->draining = true;
	s->save_failed = false;
	s->save_at = 0;
	save_more(s);
	drained(s);
}
