/*
 * common/conf.c - values of the configuration; see conf.h.
 *
 * Runs in the master (root half), in the workers and in the agent. Believes
 * nothing: every value is checked against its table. Does no I/O.
 * SPDX-License-Identifier: ISC
 */
#include "common/conf.h"

#include "common/mcast_group.h"
#include "common/scope.h"
#include "common/size.h"
#include "common/url.h"
#include "common/wan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t    factor;
};

static const struct unit seconds[] = { { "", 1 }, { "s", 1 }, { "m", 60 },
	{ "h", 3600 }, { "d", 86400 } };
static const struct unit bytes[] = { { "", 1 }, { "B", 1 }, { "kB", 1000 },
	{ "KiB", 1 << 10 }, { "MB", 1000000 }, { "MiB", 1 << 20 },
	{ "GB", 1000000000 }, { "GiB", 1 << 30 }, { "TB", 1000000000000 },
	{ "TiB", 1ULL << 40 } };

const struct conf_item *
conf_find(const struct conf_item *items, const char *key)
{
	for (; items->key != NULL; items++)
		if (strcmp(items->key, key) == 0)
			return items;
	return NULL;
}

static int
number(const char *value, const struct unit *units, size_t nunits,
    uint64_t *out)
{
	char	*end;
	uint64_t n;

	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno != 0)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < nunits; i++)
		if (strcmp(end, units[i].name) == 0)
			return __builtin_mul_overflow(n, units[i].factor, out)
			    ? -EINVAL
			    : 0;
	return -EINVAL;
}

int
conf_word(const char *list, size_t *pos, char *out, size_t size)
{
	const char *p = list + *pos + strspn(list + *pos, " \t");
	size_t	    n = strcspn(p, " \t");

	if (n == 0)
		return 0;
	if (n >= size)
		n = size - 1;
	memcpy(out, p, n);
	out[n] = '\0';
	*pos = (size_t)(p - list) + n;
	return 1;
}

static bool
is_listen(const char *word)
{
	const char	*colon = strrchr(word, ':');
	char		 host[256];
	struct in_addr	 a4;
	struct in6_addr	 a6;
	uint64_t	 port;
	size_t		 n;

	if (colon == NULL ||
	    number(colon + 1, seconds, 1, &port) < 0 || port > 65535)
		return false;
	n = (size_t)(colon - word);
	if (n >= sizeof(host))
		return false;
	memcpy(host, word, n);
	host[n] = '\0';
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, &a6) == 1;
	}
	return inet_pton(AF_INET, host, &a4) == 1;
}

/* Names of files are put behind it. */
static bool
is_url(const char *word)
{
	struct url u;

	return url_parse(word, &u) == 0 && strpbrk(u.path, "?#\"\\") == NULL;
}

static bool
is_ldap(const char *word)
{
	struct url u;

	return url_ldap(word, &u) == 0;
}

static bool
is_host_port(const char *word)
{
	struct url u;

	return url_host_port(word, &u) == 0;
}

static bool
is_peer(const char *word)
{
	struct url u;

	return url_host_or_port(word, 1, &u) == 0;
}

/* As a ClientHello may name it, in small letters; "*." stands for one label. */
static bool
is_server_name(const char *word)
{
	const char *name = strncmp(word, "*.", 2) == 0 ? word + 2 : word;

	return name[0] != '\0' && name[0] != '.' && strlen(name) <= 253 &&
	    name[strlen(name) - 1] != '.' && strstr(name, "..") == NULL &&
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] ==
		'\0';
}

/* RFC 7301, section 3.1 */
static bool
is_protocol(const char *word)
{
	return strlen(word) <= 255;
}

static bool
is_small_word(const char *word)
{
	return word[strspn(word, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

static bool
is_address(const char *word)
{
	uint8_t a[16];

	return inet_pton(AF_INET, word, a) == 1 ||
	    inet_pton(AF_INET6, word, a) == 1;
}

/* Copies a list with single blanks; checks each word. */
static int
set_list(const struct conf_item *item, char *field, const char *value,
    bool (*good)(const char *), const char *expected, char err[CONF_ERR_MAX])
{
	char   word[2048];
	size_t pos = 0, n = 0, k;

	field[0] = '\0';
	while (conf_word(value, &pos, word, sizeof(word))) {
		if (good != NULL && !good(word)) {
			snprintf(err, CONF_ERR_MAX, "\"%.200s\" is not %s", word,
			    expected);
			return -EINVAL;
		}
		k = strlen(word);
		if (n + k + 1 > item->max) {
			snprintf(err, CONF_ERR_MAX,
			    "list is longer than %llu bytes",
			    (unsigned long long)item->max);
			return -EINVAL;
		}
		if (n > 0)
			field[n++] = ' ';
		memcpy(field + n, word, k + 1);
		n += k;
	}
	return 0;
}

static int
set_groups(const struct conf_item *item, char *field, const char *value,
    char err[CONF_ERR_MAX])
{
	struct mcast_group groups[MCAST_GROUPS];
	char		   why[MCAST_ERR];
	size_t		   n;

	if (mcast_groups_parse(value, groups, &n, why) == 0)
		return set_list(item, field, value, NULL, "", err);
	snprintf(err, CONF_ERR_MAX, "%s", why);
	return -EINVAL;
}

static int
set_number(const struct conf_item *item, uint64_t *field, const char *value,
    const struct unit *units, size_t nunits, const char *example,
    char err[CONF_ERR_MAX])
{
	uint64_t n;

	if (number(value, units, nunits, &n) < 0) {
		snprintf(err, CONF_ERR_MAX,
		    "\"%.100s\" is not a number such as %s", value, example);
		return -EINVAL;
	}
	if (n < item->min || n > item->max) {
		snprintf(err, CONF_ERR_MAX,
		    "%.100s is out of range: expected %llu to %llu", value,
		    (unsigned long long)item->min,
		    (unsigned long long)item->max);
		return -EINVAL;
	}
	*field = n;
	return 0;
}

static int
set_bool(bool *field, const char *value, char err[CONF_ERR_MAX])
{
	static const char *const words[] = { "no", "yes", "false", "true",
		"off", "on" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(value, words[i]) == 0) {
			*field = i % 2 == 1;
			return 0;
		}
	snprintf(err, CONF_ERR_MAX, "\"%.100s\" is neither yes nor no", value);
	return -EINVAL;
}

static int
set_rate(const struct conf_item *item, uint64_t *field, const char *value,
    char err[CONF_ERR_MAX])
{
	char   buf[64];
	size_t n = strlen(value);

	if (n > 2 && n < sizeof(buf) && strcmp(value + n - 2, "/s") == 0) {
		memcpy(buf, value, n - 2);
		buf[n - 2] = '\0';
		value = buf;
	}
	return set_number(item, field, value, bytes, COUNT(bytes), "20MB/s",
	    err);
}

static int
set_ranges(const struct conf_item *item, char *field, const char *value,
    char err[CONF_ERR_MAX])
{
	struct scope s;

	return scope_parse(value, &s, err) < 0
	    ? -EINVAL
	    : set_list(item, field, value, NULL, "", err);
}

int
conf_set(const struct conf_item *item, void *st, const char *value,
    char err[CONF_ERR_MAX])
{
	struct wan wan;
	void	  *field = (char *)st + item->offset;

	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' && *p != '\t') {
			snprintf(err, CONF_ERR_MAX, "has a control character");
			return -EINVAL;
		}
	switch (item->type) {
	case CONF_BOOL:
	case CONF_SWITCH:
		return set_bool(field, value, err);
	case CONF_INT:
		return set_number(item, field, value, seconds, 1, "16", err);
	case CONF_SECONDS:
		return set_number(item, field, value, seconds, COUNT(seconds),
		    "30, 5m or 2h", err);
	case CONF_BYTES:
		return set_number(item, field, value, bytes, COUNT(bytes),
		    "4096, 64KiB or 20MB", err);
	case CONF_RATE:
		return set_rate(item, field, value, err);
	case CONF_WORDS:
		return set_list(item, field, value, is_small_word,
		    "a word of small letters", err);
	case CONF_RANGES:
		return set_ranges(item, field, value, err);
	case CONF_LISTEN:
		return set_list(item, field, value, is_listen,
		    "ADDRESS:PORT or [IPV6]:PORT", err);
	case CONF_URLS:
		return set_list(item, field, value, is_url,
		    "an http:// or https:// address", err);
	case CONF_LDAP:
		return set_list(item, field, value, is_ldap,
		    "ldap://HOST[:PORT] or ldaps://HOST[:PORT]", err);
	case CONF_HOSTS:
		return set_list(item, field, value, is_host_port,
		    "HOST:PORT or [IPV6]:PORT", err);
	case CONF_PEERS:
		return set_list(item, field, value, is_peer,
		    "HOST or HOST:PORT, IPv6 in brackets", err);
	case CONF_NAMES:
		return set_list(item, field, value, is_server_name,
		    "a server name in small letters, such as dp.example.org",
		    err);
	case CONF_ALPN:
		return set_list(item, field, value, is_protocol,
		    "a protocol of at most 255 bytes", err);
	case CONF_ADDRS:
		return set_list(item, field, value, is_address,
		    "an IPv4 or IPv6 address", err);
	case CONF_GROUPS:
		return set_groups(item, field, value, err);
	case CONF_FILE:
		if (value[0] != '\0' && value[0] != '/') {
			snprintf(err, CONF_ERR_MAX,
			    "\"%.200s\" is not an absolute path", value);
			return -EINVAL;
		}
		break;
	case CONF_RATES:
		if (wan_parse(value, &wan, err) < 0)
			return -EINVAL;
		break;
	case CONF_TEXT:
		break;
	case CONF_END:
		return -EINVAL;
	}
	if (strlen(value) > item->max) {
		snprintf(err, CONF_ERR_MAX, "is longer than %llu bytes",
		    (unsigned long long)item->max);
		return -EINVAL;
	}
	memcpy(field, value, strlen(value) + 1);
	return 0;
}

void
conf_preset(const struct conf_item *items, void *st)
{
	char err[CONF_ERR_MAX];

	for (; items->key != NULL; items++)
		(void)conf_set(items, st, items->preset, err);
}

/* In the largest unit that says it exactly. */
static void
put_number(uint64_t n, const struct unit *units, size_t nunits, char *out,
    size_t size)
{
	const struct unit *u = &units[0];

	for (size_t i = 1; i < nunits && n > 0; i++)
		if (n % units[i].factor == 0 && units[i].factor >= u->factor)
			u = &units[i];
	snprintf(out, size, "%llu%s", (unsigned long long)(n / u->factor),
	    u->name);
}

void
conf_format(const struct conf_item *item, const void *st, char *out,
    size_t size)
{
	const void *field = (const char *)st + item->offset;

	switch (item->type) {
	case CONF_BOOL:
	case CONF_SWITCH:
		snprintf(out, size, "%s", *(const bool *)field ? "yes" : "no");
		break;
	case CONF_INT:
		put_number(*(const uint64_t *)field, seconds, 1, out, size);
		break;
	case CONF_SECONDS:
		put_number(*(const uint64_t *)field, seconds, COUNT(seconds),
		    out, size);
		break;
	case CONF_BYTES:
	case CONF_RATE:
		put_number(*(const uint64_t *)field, bytes, COUNT(bytes), out,
		    size);
		break;
	default:
		snprintf(out, size, "%s", (const char *)field);
	}
}

void
conf_kind(const struct conf_item *item, char *out, size_t size)
{
	static const struct {
		const char	  *what;
		const struct unit *units;
		size_t		   nunits;
	} kinds[] = {
		[CONF_BOOL] = { "yes | no" },
		[CONF_SWITCH] = { "yes | no" },
		[CONF_INT] = { "number", seconds, 1 },
		[CONF_SECONDS] = { "time", seconds, COUNT(seconds) },
		[CONF_BYTES] = { "size", bytes, COUNT(bytes) },
		[CONF_RATE] = { "size/s", bytes, COUNT(bytes) },
		[CONF_TEXT] = { "text" },
		[CONF_FILE] = { "file" },
		[CONF_LISTEN] = { "address:port ..." },
		[CONF_URLS] = { "url ..." },
		[CONF_LDAP] = { "url ..." },
		[CONF_WORDS] = { "word ..." },
		[CONF_RANGES] = { "range ..." },
		[CONF_RATES] = { "size/s, by time of day" },
		[CONF_ADDRS] = { "address ..." },
		[CONF_HOSTS] = { "host:port ..." },
		[CONF_PEERS] = { "host[:port] ..." },
		[CONF_NAMES] = { "name ..." },
		[CONF_ALPN] = { "protocol ..." },
		[CONF_GROUPS] = { "group[@interface] ..." },
	};
	char low[32], high[32];

	if (kinds[item->type].units == NULL) {
		snprintf(out, size, "%s", kinds[item->type].what);
		return;
	}
	put_number(item->min, kinds[item->type].units, kinds[item->type].nunits,
	    low, sizeof(low));
	put_number(item->max, kinds[item->type].units, kinds[item->type].nunits,
	    high, sizeof(high));
	snprintf(out, size, "%s, %s to %s", kinds[item->type].what, low, high);
}
