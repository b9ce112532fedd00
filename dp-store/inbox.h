/*
 * dp-store/inbox.h - reports of devices, kept until the server has them.
 *
 * An LMDB environment of its own, so that neither a commit of a million names
 * nor a full index holds a report up. What was committed survives the process
 * and the machine; what was not is not there.
 * Shape:   one thread. inbox_begin(), any of the calls that need a transaction,
 *          then inbox_commit(), or inbox_abort(), which undoes all of them. A
 *          call that failed leaves only inbox_abort().
 * Order:   a device's reports leave in the order of their sequences. A sequence
 *          at or below the highest that was ever acknowledged to the device is a
 *          repeat; what is above is new, gap or not. The highest outlives the
 *          report, until the device is forgotten: by inbox_drop, or when there
 *          are max_devices and another comes, which takes the place of those
 *          that have been silent longest and have nothing here.
 * Aside:   what the server refused for good stands beside the queue, in at most
 *          a fourth of max_size; beyond that it is dropped.
 * Clock:   times are seconds of the inbox's own clock, inbox_now(). It began where
 *          the wall clock was when the inbox was made; from then on it goes
 *          while the inbox is open, sleep of the machine included, and stands
 *          while it is not. No step of the wall clock makes a report older.
 * Space:   blocks of the file are there before anything is put, with some to
 *          spare: removing takes pages too, and must work on a full disk.
 * Errors:  0 or a negative errno: -ENOENT no such report, -ENOSPC no room in
 *          the file system or the map, -EUCLEAN a row cannot be read, -EPROTO
 *          another version, -EIO and others of the disk. After a failed commit
 *          other than -ENOSPC inbox_broken() is true: leave and start anew.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_STORE_INBOX_H
#define DP_STORE_INBOX_H

#include "dp-store/inbox_row.h"

#include <stdbool.h>

#define INBOX_VERSION 1

struct inbox;

struct inbox_limits {
	uint64_t max_size, max_device; /* bytes of all; of one device */
	uint64_t max_devices;
};

/* Why there was no room for a report. */
enum inbox_full { FULL_SIZE, FULL_DEVICE, FULL_DEVICES, FULL_DISK, FULL_MAX };

/* dir exists. -EPROTO: *version is that of the inbox found. */
int  inbox_open(const char *dir, uint64_t max_size, struct inbox **out,
     uint32_t *version);
void inbox_close(struct inbox **ib);
bool inbox_broken(const struct inbox *ib);
uint64_t inbox_now(const struct inbox *ib); /* from any thread */
/* max_size has changed; between transactions. */
int  inbox_resize(struct inbox *ib, uint64_t max_size);
/* As of the last commit; *oldest is 0 when nothing is here. */
struct inbox_sums inbox_sums(const struct inbox *ib);
int  inbox_oldest(struct inbox *ib, uint64_t *oldest);

/* Blocks for so many bytes of reports. -ENOSPC: put none of them. */
int  inbox_reserve(struct inbox *ib, uint64_t bytes);
int  inbox_begin(struct inbox *ib);
int  inbox_commit(struct inbox *ib);
void inbox_abort(struct inbox *ib);

struct inbox_kept { /* what becomes of a report that is put */
	enum report_kept kept;
	enum inbox_full	 why;	    /* of REPORT_FULL */
	uint64_t	 highest;   /* of the device, 0 if it is not known */
	uint64_t	 forgotten; /* devices that made room for this one */
};
/* Nothing is written unless REPORT_KEPT, or devices were forgotten. */
int inbox_put(struct inbox *ib, const struct report_id *id, uint64_t now,
    const void *body, size_t len, const struct inbox_limits *l,
    struct inbox_kept *out);
/* The server has it: it goes. */
int inbox_remove(struct inbox *ib, const struct report_id *id, uint64_t now);
/* The server refused it. *dropped: there was no room for it beside. */
int inbox_refuse(struct inbox *ib, const struct report_id *id, uint16_t status,
    uint64_t now, const struct inbox_limits *l, bool *dropped);
/* At most max reports received before `before`, wherever they stand: the oldest
 * go, and are in gone[0..*n). */
int inbox_expire(struct inbox *ib, uint64_t before, size_t max,
    struct report_id *gone, size_t *n);
/* All of a device, the device too; at most max reports in one call: *n of them;
 * call again while it is max. -ENOENT: nothing was known of it. */
int inbox_drop(struct inbox *ib, const uint8_t device[REPORT_DEVICE_LEN],
    size_t max, size_t *n);
/* What stands aside joins the queue again, of one device or all (NULL). */
int inbox_retry(struct inbox *ib, const uint8_t *device, size_t max, size_t *n);

/*
 * The first report of a device after `after`, going round, that has some and
 * that skip() lets pass. *record is borrowed until the transaction ends or
 * writes. -ENOENT: there is none.
 */
int inbox_next(struct inbox *ib, const uint8_t after[REPORT_DEVICE_LEN],
    bool (*skip)(void *ctx, const uint8_t *device), void *ctx,
    struct report_id *id, struct inbox_record *record);
/* Devices after *from, which moves on; and a device's reports, those aside or
 * those that wait, from id on. fn: as of index_each_object(). */
int inbox_each_device(struct inbox *ib, uint8_t from[REPORT_DEVICE_LEN],
    bool *begun, int (*fn)(void *ctx, const uint8_t *device,
	const struct inbox_device *d), void *ctx);
int inbox_each_report(struct inbox *ib, const uint8_t *device, bool aside,
    int (*fn)(void *ctx, const struct report_id *id,
	const struct inbox_record *r), void *ctx);

#endif
