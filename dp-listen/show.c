/*
 * dp-listen/show.c - see show.h.
 *
 * A process of its own, in the hands of an administrator: no master, no network.
 * Believes nothing that is in the file.
 * SPDX-License-Identifier: ISC
 */
#include "dp-listen/show.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/size.h"
#include "dp-listen/ether.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const struct sandbox_call calls[] = {
	{ SYS_read, "the file", 0, 0 },
	{ SYS_lseek, "libc's buffers", 0, 0 },
	{ SYS_fstat, "libc's buffers", 0, 0 },
	{ SYS_newfstatat, "libc's buffers", 0, 0 },
	{ SYS_write, "lines", 0, 0 },
};
static const struct sandbox show_sandbox = {
	.calls = calls, .ncalls = COUNT(calls), .max_fds = 8,
};

struct show {
	unsigned long packets, sights, malformed;
};

static void
add_facts(json_t *row, const struct sight *s)
{
	json_t *facts = json_object();

	for (unsigned i = 0; i < s->nfacts; i++) {
		const char *kind = fact_name(s->fact[i].kind);
		json_t	   *list = json_object_get(facts, kind);

		if (list == NULL) {
			list = json_array();
			json_object_set_new(facts, kind, list);
		}
		json_array_append_new(list, json_string(sight_fact(s, i)));
	}
	json_object_set_new(row, "facts", facts);
}

static void
print(void *ctx, const struct sight *s)
{
	static const uint8_t none[16];
	struct show	    *show = ctx;
	json_t		    *row = json_pack("{s:s}", "by", sight_by_name(s->by));
	char		     text[INET6_ADDRSTRLEN];

	show->sights++;
	if (s->asked)
		json_object_set_new(row, "asked", json_true());
	if (s->cut)
		json_object_set_new(row, "cut", json_true());
	if (s->hearsay)
		json_object_set_new(row, "hearsay", json_true());
	if (memcmp(s->mac, none, 6) != 0)
		json_object_set_new(row, "mac",
		    json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0],
			s->mac[1], s->mac[2], s->mac[3], s->mac[4], s->mac[5]));
	if (memcmp(s->addr, none, 16) != 0) {
		bool v4 = addr_is_v4(s->addr);

		inet_ntop(v4 ? AF_INET : AF_INET6, s->addr + (v4 ? 12 : 0), text,
		    sizeof(text));
		json_object_set_new(row, "addr", json_string(text));
	}
	add_facts(row, s);
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

/* The header that Linux makes of any link's: type of packet, of hardware, length of
 * address, address[8], and the protocol, at the end or (SLL2) at the start. */
static int
read_cooked(struct packet *p, struct rd r, bool is_2, const struct told *to)
{
	uint16_t       protocol = 0, hatype, len;
	uint8_t	       kind;
	const uint8_t *addr;

	if (is_2) {
		protocol = rd_u16(&r);
		(void)rd_u16(&r);
		p->ifindex = rd_u32(&r);
		hatype = rd_u16(&r);
		kind = rd_u8(&r);
		len = rd_u8(&r);
	} else {
		kind = (uint8_t)rd_u16(&r);
		hatype = rd_u16(&r);
		len = rd_u16(&r);
	}
	addr = rd_bytes(&r, 8);
	if (!is_2)
		protocol = rd_u16(&r);
	if (r.err != 0)
		return -EBADMSG;
	if (hatype != 1 || len != 6 || kind == LINUX_SLL_OUTGOING)
		return 0;
	p->to_us = kind == LINUX_SLL_HOST;
	p->to_many = kind == LINUX_SLL_BROADCAST || kind == LINUX_SLL_MULTICAST;
	p->is_near = true;
	memcpy(p->mac, addr, sizeof(p->mac));
	return ether_payload(p, protocol, r, to);
}

static int
read_packet(int link, struct rd r, const struct told *to)
{
	struct packet p = { .is_file = true };

	if (link != DLT_EN10MB)
		return read_cooked(&p, r, link == DLT_LINUX_SLL2, to);
	p.to_us = r.left > 0 && (r.p[0] & 1) == 0;
	return ether_read(&p, r, to);
}

static int
read_all(pcap_t *pcap, struct show *show)
{
	const struct told   to = { print, show };
	struct pcap_pkthdr *h;
	const u_char	   *data;
	int		    r, link = pcap_datalink(pcap);

	if (link != DLT_EN10MB && link != DLT_LINUX_SLL && link != DLT_LINUX_SLL2) {
		fprintf(stderr, "dp-listen: link type %d: expected Ethernet or "
				"Linux cooked\n", link);
		return EXIT_FAILURE;
	}
	while ((r = pcap_next_ex(pcap, &h, &data)) == 1) {
		show->packets++;
		if (read_packet(link, rd_from(data, h->caplen), &to) < 0)
			show->malformed++;
	}
	if (r != PCAP_ERROR_BREAK) {
		fprintf(stderr, "dp-listen: packet %lu: %s\n", show->packets + 1,
		    pcap_geterr(pcap));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int
show_file(const char *path)
{
	struct show show = { 0 };
	char	    err[PCAP_ERRBUF_SIZE];
	pcap_t	   *pcap;
	FILE	   *f;
	int	    r;

	log_init("dp-listen");
	if ((f = fopen(path, "rbe")) == NULL) {
		fprintf(stderr, "dp-listen: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	sandbox_enter(&show_sandbox);
	if ((pcap = pcap_fopen_offline(f, err)) == NULL) {
		fprintf(stderr, "dp-listen: %s: %s\n", path, err);
		fclose(f);
		return EXIT_FAILURE;
	}
	r = read_all(pcap, &show);
	pcap_close(pcap); /* and f */
	fprintf(stderr, "%lu packets, %lu sights, %lu malformed\n", show.packets,
	    show.sights, show.malformed);
	return fflush(stdout) == 0 && !ferror(stdout) ? r : EXIT_FAILURE;
}
