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
#include "common/value.h"
#include "common/wan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct conf_item *
conf_find(const struct conf_item *items, const char *key)
{
	for (; items->key != NULL; items++)
		if (strcmp(items->key, key) == 0)
			return items;
	return NULL;
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
	    value_number(colon + 1, VALUE_PLAIN, &port) < 0 || port > 65535)
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
	while (value_word(value, &pos, word, sizeof(word))) {
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

/* r: what the parser said of n */
static int
set_number(const struct conf_item *item, uint64_t *field, const char *value,
    int r, uint64_t n, const char *example, char err[CONF_ERR_MAX])
{
	if (r < 0) {
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
	uint64_t   n = 0;
	int	   r;

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
		r = value_number(value, VALUE_PLAIN, &n);
		return set_number(item, field, value, r, n, "16", err);
	case CONF_SECONDS:
		r = value_number(value, VALUE_TIME, &n);
		return set_number(item, field, value, r, n, "30, 5m or 2h",
		    err);
	case CONF_BYTES:
		r = value_number(value, VALUE_SIZE, &n);
		return set_number(item, field, value, r, n,
		    "4096, 64KiB or 20MB", err);
	case CONF_RATE:
		r = value_rate(value, &n);
		return set_number(item, field, value, r, n, "20MB/s", err);
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
		value_format(*(const uint64_t *)field, VALUE_PLAIN, out, size);
		break;
	case CONF_SECONDS:
		value_format(*(const uint64_t *)field, VALUE_TIME, out, size);
		break;
	case CONF_BYTES:
	case CONF_RATE:
		value_format(*(const uint64_t *)field, VALUE_SIZE, out, size);
		break;
	default:
		snprintf(out, size, "%s", (const char *)field);
	}
}

void
conf_kind(const struct conf_item *item, char *out, size_t size)
{
	static const struct {
		const char     *what;
		bool		is_number;
		enum value_unit unit;
	} kinds[] = {
		[CONF_BOOL] = { "yes | no" },
		[CONF_SWITCH] = { "yes | no" },
		[CONF_INT] = { "number", true, VALUE_PLAIN },
		[CONF_SECONDS] = { "time", true, VALUE_TIME },
		[CONF_BYTES] = { "size", true, VALUE_SIZE },
		[CONF_RATE] = { "size/s", true, VALUE_SIZE },
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

	if (!kinds[item->type].is_number) {
		snprintf(out, size, "%s", kinds[item->type].what);
		return;
	}
	value_format(item->min, kinds[item->type].unit, low, sizeof(low));
	value_format(item->max, kinds[item->type].unit, high, sizeof(high));
	snprintf(out, size, "%s, %s to %s", kinds[item->type].what, low, high);
}
