/*
 * common/conf.h - configuration as tables.
 *
 * Shape:   a section is a table of items over one struct; parsing, ranges,
 *          defaults, --dump-config and the manual page all read the table.
 *          Text values are bounded arrays inside the struct, so that a struct
 *          is copied with = and freed by nobody.
 * Files:   inih syntax, `key = value`; a key given twice in one file replaces,
 *          a list is one value, its words separated by blanks.
 * Units:   seconds and bytes, in the text as common/value.h has them; CONF_RATE
 *          is CONF_BYTES with an optional "/s".
 * Errors:  0 or -EINVAL with one text: what was given and what was expected.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_END,
	CONF_BOOL,    /* bool: yes no true false on off */
	CONF_INT,     /* uint64_t */
	CONF_SECONDS, /* uint64_t */
	CONF_BYTES,   /* uint64_t */
	CONF_RATE,    /* uint64_t */
	CONF_TEXT,    /* char[max + 1] */
	CONF_FILE,    /* char[max + 1], an absolute path or empty; a worker gets
		       * the opened file, see worker_file() */
	CONF_LISTEN,  /* char[max + 1], words "ADDRESS:PORT" or "[V6]:PORT"; a
		       * worker gets sockets, see worker_socket() */
	CONF_URLS,    /* char[max + 1], words, http:// or https://, directories */
	CONF_LDAP,    /* char[max + 1], words, ldap:// or ldaps://, no path */
	CONF_WORDS,   /* char[max + 1], words of small letters and "-" */
	CONF_RANGES,  /* char[max + 1], words, address ranges: common/scope.h */
	CONF_RATES,   /* char[max + 1], rates by time of day: common/wan.h */
	CONF_ADDRS,   /* char[max + 1], words, IPv4 or IPv6 addresses */
	CONF_HOSTS,   /* char[max + 1], words "HOST:PORT", see url_host_port() */
	CONF_PEERS,   /* the same, the port may be missing */
	CONF_NAMES,   /* char[max + 1], words, server names: "dp.example.org",
		       * "*.example.org", or "none" */
	CONF_ALPN,    /* char[max + 1], words, ALPN protocols: "h2", or "none" */
	CONF_SWITCH,  /* bool, as CONF_BOOL; with it, a worker gets the sockets that
		       * common/packet.h names */
	CONF_GROUPS,  /* char[max + 1], words as common/mcast_group.h has them; a
		       * worker gets sockets, as of CONF_LISTEN */
};

struct conf_item {
	const char    *key;
	enum conf_type type;
	size_t	       offset;	  /* of the field */
	const char    *preset;	  /* default, as in a file */
	uint64_t       min, max;  /* values; for text: length of the field - 1 */
	const char    *help;	  /* one sentence */
};

#define CONF_ITEM(st, k, t, field, preset, lo, hi, help)                       \
	{ k, t, offsetof(struct st, field), preset, lo, hi, help }
#define CONF_STR(st, k, t, field, preset, help)                                \
	{ k, t, offsetof(struct st, field), preset, 0,                         \
	    sizeof(((struct st *)0)->field) - 1, help }

#define CONF_ERR_MAX 512

/* Fills the struct with the table's defaults, which the unit test proves. */
void conf_preset(const struct conf_item *items, void *st);

/* Parses one value. err gets the reason, without file, line or key. */
int conf_set(const struct conf_item *item, void *st, const char *value,
    char err[CONF_ERR_MAX]);

/* The item named key, or NULL. */
const struct conf_item *conf_find(const struct conf_item *items,
    const char *key);

/* The value as it would stand in a file. */
void conf_format(const struct conf_item *item, const void *st, char *out,
    size_t size);

/* What a value is, for people: "time, 1s to 10m", "host:port ...". */
void conf_kind(const struct conf_item *item, char *out, size_t size);

#endif
