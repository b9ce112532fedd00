/*
 * dp-scan/devices.h - all devices: one record for one machine.
 *
 * Shape:   devices_see() takes a sight, finds or makes the record that it is of by
 *          the rules of merge.h, and says what happened (ops->event). Records have
 *          slots 0 to devices_slots() - 1, some of them empty; a record's id is
 *          for ever, its slot until it is gone.
 * Bounds:  conf.max records; of more, those go first that were only heard of,
 *          the longest silent of them first; who answered us stays while there
 *          are others, who shows an agent or is of a directory longer still, and
 *          when all are longer than 640 bytes on an average, too. A sight that
 *          would push out a better one is dropped. A device that claims more than
 *          32 addresses at once is believed the first 32 and marked.
 * Ages:    silent for life_time: absent; for keep_time more: removed, though not in
 *          the first life_time that we run. What others say of it (DNS, a directory)
 *          does not show a device. Of one that is heard, an address goes when it was not
 *          heard for life_time, a service or a text for said_time, an agent for
 *          seven life times, what it is known by for both times together, as does
 *          what was said by DHCP or a directory.
 * Units:   now is seconds since 1970 and may stand still; addresses are 16 bytes.
 * Does no I/O.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_SCAN_DEVICES_H
#define DP_SCAN_DEVICES_H

#include "dp-scan/record.h"

struct devices;

/* Where an address is, as interfaces and configuration say. */
enum place {
	PLACE_NOWHERE, /* none of ours: it makes no record */
	PLACE_ROUTED,  /* in a range that is polled, behind a router */
	PLACE_LINK,    /* a MAC address goes with it */
};

enum device_event {
	DEVICE_NEW,
	DEVICE_VANISHED,
	DEVICE_BACK,	      /* after it had vanished */
	DEVICE_MERGED,	      /* detail: why; another record is gone */
	ADDRESS_CONFLICT,     /* detail: the address; other: who else */
	DUPLICATE_ADDRESS,    /* one probed for another's; same */
	DHCP_SERVER_UNKNOWN,  /* detail: its address */
	DEVICE_CLAIMS_MANY,   /* addresses */
	DEVICES_FULL,	      /* r: who was dropped for another */
	IDENTITY_TWICE,	      /* detail: a DHCP identity or chassis; other: whose */
	DEVICE_EVENTS
};
const char *device_event_name(enum device_event e); /* "device-new" */

struct devices_ops {
	enum place (*place)(void *ctx, uint32_t ifindex, const uint8_t addr[16]);
	/* Whether this machine has the address on that interface; if so, other says
	 * that it has the MAC address on none. NULL: never. */
	bool (*is_ours)(void *ctx, uint32_t ifindex, const uint8_t addr[16],
	    const uint8_t mac[6], bool *other);
	/* r, and other if not NULL, are borrowed during the call. False: nobody was
	 * told; what is told of once an hour comes again. */
	bool (*event)(void *ctx, enum device_event e, const struct record *r,
	    const struct record *other, const char *detail);
};

struct devices_conf {
	size_t	 max;
	uint32_t life_time, keep_time; /* s */
	uint32_t said_time; /* for so long it is what it said to be */
	char	 dhcp_servers[512];    /* words; empty: the first one is right */
};

struct devices_counts {
	size_t	 seen, absent, confirmed;
	uint64_t sights, dropped_foreign, dropped_full, evicted, merged;
	uint64_t conflicts;
};

int  devices_new(const struct devices_conf *conf, const struct devices_ops *ops,
     void *ctx, struct devices **out);
void devices_free(struct devices **d);
/* Of fewer, the rest goes as new ones come. */
void devices_configure(struct devices *d, const struct devices_conf *conf);

/* The record that it is of, borrowed until the next call; NULL: of none. */
const struct record *devices_see(struct devices *d, const struct sight *s,
    uint32_t now);
/* The whole directory was read: who was not in it since then is of it no more. */
void devices_directory_read(struct devices *d, uint32_t since);
/* Kept records may come later: numbers of new ones lie above theirs. */
void devices_begin(struct devices *d, uint32_t now);
void devices_age(struct devices *d, uint32_t now);
/* The clock that showed `to` was wrong since `from`, and shows to + by now. */
void devices_leap(struct devices *d, uint32_t from, uint32_t to, int64_t by);

size_t devices_slots(const struct devices *d);
const struct record *devices_at(const struct devices *d, size_t slot); /* or NULL */
/* By number, MAC or IP address, name. NULL: none, or several. */
const struct record *devices_find(const struct devices *d, const char *text);
/* Who holds the address; NULL: nobody. */
const struct record *devices_holder(const struct devices *d,
    const uint8_t addr[16]);
const struct devices_counts *devices_counts(const struct devices *d);
/* Addresses that two devices claimed within the last hour: fn for each; an id is 0
 * where the machine has no record of its own. */
void devices_conflicts(const struct devices *d, uint32_t now,
    void (*fn)(void *ctx, const uint8_t addr[16], uint32_t id, uint32_t other),
    void *ctx);

/*
 * As the store keeps them: pages of DEVICES_PAGE slots. A page is dirty when a
 * record of it changed, or was last seen DEVICES_LAZY_S after what is kept says.
 */
#define DEVICES_PAGE   8
#define DEVICES_LAZY_S 3600
size_t devices_dirty(struct devices *d, size_t from); /* a page, or SIZE_MAX */
void   devices_save(struct devices *d, size_t page, struct wr *w); /* is clean then */
void   devices_unsaved(struct devices *d); /* some were not kept: all are dirty */
/* DHCP servers, of SERVERS_WIRE bytes at most (servers.h); read before anything is
 * seen, or else what was heard of them meanwhile is forgotten. */
bool   devices_servers_dirty(const struct devices *d);
void   devices_save_servers(struct devices *d, struct wr *w); /* are clean then */
int    devices_load_servers(struct devices *d, const uint8_t *bytes, size_t len);
/* Of a page that was kept, in any order. -EBADMSG: the rest of it is left out. */
int    devices_load(struct devices *d, const uint8_t *bytes, size_t len);
/* That was the last one: puts ages in order; nothing was seen after now. */
int    devices_loaded(struct devices *d, uint32_t now);

/* An address as its record holds it: link-local ones are told apart by interface. */
void devices_scope(uint32_t ifindex, uint8_t addr[16]);

#endif
