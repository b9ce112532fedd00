/*
 * dp-agent/mcast_api.c - answers about multicast; see mcast_api.h.
 *
 * Runs in the network child. Believes nothing: the distribution point's
 * certificate was checked by who fetched this, its words are not.
 * SPDX-License-Identifier: ISC
 */
#include "dp-agent/mcast_api.h"

#include "common/json.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define IN_MS_MAX   600000
#define INTERVAL_MAX 86400

/* Exactly n bytes (at most 32) from base64 with its padding. */
static int
bytes_of(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	const char *s = js_str(o, key);
	uint8_t	    buf[48];
	size_t	    pad = (3 - n % 3) % 3, len = (n + 2) / 3 * 4;

	if (s == NULL || strlen(s) != len ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789+/") != len - pad ||
	    strspn(s + len - pad, "=") != pad ||
	    EVP_DecodeBlock(buf, (const uint8_t *)s, (int)len) !=
		(int)(n + pad))
		return -EBADMSG;
	memcpy(out, buf, n);
	return 0;
}

static const char *
read_generations(struct mcast_keys *k, const json_t *o)
{
	const json_t *rows = js_arr(o, "generations"), *row;
	size_t	      i;
	int64_t	      id;

	json_array_foreach(rows, i, row) {
		if (i == MCAST_GENERATIONS)
			break; /* newest first: those we keep */
		if (js_int(row, "id", 0, UINT16_MAX, &id) < 0)
			return "generations: expected an id from 0 to 65535";
		if (bytes_of(row, "secret", k->generations[i].secret,
			MCAST_SECRET_LEN) < 0)
			return "generations: expected a secret of 32 bytes";
		k->generations[i].id = (uint16_t)id;
		k->ngenerations++;
	}
	return k->ngenerations > 0 ? NULL
				   : "expected generations, one at least";
}

static const char *
read_keys(struct mcast_keys *k, const json_t *o)
{
	const char   *mode = js_str(o, "mode");
	const json_t *agent = js_obj(o, "agent");
	int64_t	      n;

	if (js_int(o, "version", 1, 1, &n) < 0)
		return "expected version 1";
	if (mode == NULL ||
	    (strcmp(mode, "secure") != 0 && strcmp(mode, "open") != 0))
		return "expected mode secure or open";
	k->open = strcmp(mode, "open") == 0;
	if (js_int(o, "interval", 1, INTERVAL_MAX, &n) < 0)
		return "expected an interval of 1 to 86400 seconds";
	k->interval_s = (uint64_t)n;
	if (js_int(agent, "id", 0, UINT32_MAX, &n) < 0)
		return "expected agent.id";
	k->agent = (uint32_t)n;
	if (bytes_of(agent, "key", k->agent_key, MCAST_KEY_LEN) < 0)
		return "expected agent.key of 16 bytes";
	return k->open ? NULL : read_generations(k, o);
}

static const char *
read_answer(struct mcast_answer *a, const json_t *o)
{
	const char *how = js_str(o, "how"), *why = js_str(o, "why");
	int64_t	    ms = 0;

	if (how == NULL)
		return "expected how";
	if (strcmp(how, "unicast") == 0) {
		a->how = MCAST_UNICAST;
		snprintf(a->why, sizeof(a->why), "%s", why != NULL ? why : "");
		for (char *p = a->why; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' || *p == 127)
				*p = '?';
		return NULL;
	}
	if (js_int(o, "in_ms", 0, IN_MS_MAX, &ms) < 0)
		return "expected in_ms from 0 to 600000";
	a->in_ms = (uint64_t)ms;
	if (strcmp(how, "wait") == 0)
		a->how = MCAST_WAIT;
	else if (strcmp(how, "multicast") == 0)
		a->how = MCAST_COMES;
	else
		return "expected how to be multicast, wait or unicast";
	return NULL;
}

int
mcast_keys_parse(struct mcast_keys *out, const void *json, size_t len,
    char *why, size_t size)
{
	const char *wrong;
	json_t	   *o = NULL;
	int	    r;

	memset(out, 0, sizeof(*out));
	if ((r = js_parse(&o, json, len, why, size)) < 0)
		return r;
	if ((wrong = read_keys(out, o)) != NULL) {
		snprintf(why, size, "%s", wrong);
		OPENSSL_cleanse(out, sizeof(*out));
		r = -EBADMSG;
	}
	json_decref(o);
	return r;
}

int
mcast_answer_parse(struct mcast_answer *out, const void *json, size_t len,
    char *why, size_t size)
{
	const char *wrong;
	json_t	   *o = NULL;
	int	    r;

	memset(out, 0, sizeof(*out));
	if ((r = js_parse(&o, json, len, why, size)) < 0)
		return r;
	if ((wrong = read_answer(out, o)) != NULL) {
		snprintf(why, size, "%s", wrong);
		r = -EBADMSG;
	}
	json_decref(o);
	return r;
}
