/*
 * dp-mcast/api.c - what devices ask over HTTPS, forwarded by the server.
 *
 *   /v1/multicast            how to take part: registers the device
 *   /v1/multicast/<sha256>   it lacks this object: see want.h
 *
 * Runs in dp-mcast. Believes the server that the device showed a certificate
 * with this URI; checks the rest.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/size.h"
#include "common/wr.h"
#include "dp-mcast/mcast.h"
#include "dp-mcast/want.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX   8000
#define INTERVAL_MIN 60	  /* seconds between two questions for the keys */
#define INTERVAL_MAX 3600
#define EACH_SECOND  100  /* devices that come back, at most */

void
api_answer(struct mcast *m, uint32_t id, uint16_t status, const char *json)
{
	uint8_t	  buf[ANSWER_MAX + 2];
	struct wr w = wr_to(buf, sizeof(buf));

	wr_u16(&w, status);
	if (json != NULL)
		wr_bytes(&w, json, strlen(json));
	if (w.err < 0) { /* a group list beyond all measure */
		w = wr_to(buf, sizeof(buf));
		wr_u16(&w, 503);
	}
	/* a server that takes no answers is itself the problem */
	if (m->serve != NULL)
		(void)ipc_send(m->serve, MSG_API_ANSWER, id, buf, w.len);
	OPENSSL_cleanse(buf, w.len);
}

void
api_answer_json(struct mcast *m, uint32_t id, json_t *take)
{
	char *text = json_dumps(take, JSON_COMPACT);

	json_decref(take);
	api_answer(m, id, text != NULL ? 200 : 503, text);
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static json_t *
base64(const uint8_t *p, size_t n)
{
	uint8_t text[64];
	json_t *s;

	EVP_EncodeBlock(text, p, (int)n);
	s = json_string((const char *)text);
	OPENSSL_cleanse(text, sizeof(text));
	return s;
}

static json_t *
groups_json(const struct mcast *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->ngroups; i++)
		json_array_append_new(list,
		    json_pack("{s:s,s:i,s:i}", "address",
			m->groups[i].at.address, "port", MCAST_PORT, "notices",
			MCAST_NOTICE_PORT));
	return list;
}

static json_t *
generations_json(const struct mcast *m)
{
	const struct generation *g;
	unsigned		 n = keys_generations(m->keys, &g);
	json_t			*list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list,
		    json_pack("{s:i,s:o}", "id", (int)g[i].id, "secret",
			base64(g[i].secret, MCAST_SECRET_LEN)));
	return list;
}

/* So many come back each second at most, however many there are. */
static int
interval(const struct mcast *m)
{
	unsigned s = keys_agents(m->keys) / EACH_SECOND;

	return s < INTERVAL_MIN ? INTERVAL_MIN
	    : s > INTERVAL_MAX	? INTERVAL_MAX
				: (int)s;
}

static void
take_part(struct mcast *m, uint32_t id, const char *device)
{
	unsigned      before = keys_agents(m->keys);
	struct agent *a;
	json_t	     *o;

	if (!m->keys_kept) { /* the store has not told yet which hold */
		api_answer(m, id, 503, NULL);
		return;
	}
	if (keys_register(m->keys, device, loop_now_ms(m->loop), &a) < 0) {
		api_answer(m, id, 503, NULL);
		return;
	}
	if (keys_agents(m->keys) != before)
		m->registered_ms = loop_now_ms(m->loop);
	o = json_pack("{s:i,s:s,s:i,s:{s:I,s:o},s:o}", "version", 1, "mode",
	    m->conf.mode, "interval", interval(m), "agent", "id",
	    (json_int_t)a->id, "key", base64(a->key, MCAST_KEY_LEN), "groups",
	    groups_json(m));
	if (!m->is_open)
		json_object_set_new(o, "generations", generations_json(m));
	api_answer_json(m, id, o);
}

int
api_on_get(void *ctx, struct ipc_msg *msg)
{
	static const char path_of[] = "/v1/multicast";
	struct mcast	 *m = ctx;
	char		  path[128], device[TLS_NAME_MAX];
	size_t		  n = sizeof(path_of) - 1, len;
	struct hash	  h;

	rd_str(&msg->rd, path, sizeof(path));
	rd_str(&msg->rd, device, sizeof(device));
	if (rd_done(&msg->rd) < 0 || device[0] == '\0')
		return -EBADMSG;
	len = strlen(path);
	if (len < n || memcmp(path, path_of, n) != 0)
		return -EBADMSG;
	if (m->draining)
		api_answer(m, msg->id, 503, NULL);
	else if (len == n)
		take_part(m, msg->id, device);
	else if (path[n] == '/' &&
	    hash_from_hex(&h, path + n + 1, len - n - 1) == 0)
		wants_ask(m->wants, &h, device, msg->id);
	else
		return -EBADMSG; /* the server has looked at it */
	return 0;
}
