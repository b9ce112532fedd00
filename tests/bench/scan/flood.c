/*
 * tests/bench/scan/flood.c - frames of many devices, at a rate.
 *
 * usage: flood IFACE arp|dhcp|mix|chatter RATE SECONDS DEVICES
 *   arp	64-byte requests (60 and the card's checksum), each device in its turn
 *   dhcp	discovers and requests of 300 bytes: every one differs (its transaction)
 *   mix	three of arp, one of dhcp
 *   chatter	what a network says all the time: of each device ARP, mDNS questions,
 *		SSDP searches and NetBIOS queries in turns
 * Frames leave in batches of 64, or of 1 where the rate is below 20,000; RATE 0 is as
 * fast as it goes. Prints "sent N seconds S".
 * SPDX-License-Identifier: ISC
 */
#include "common/size.h"
#include "common/wr.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 512

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
head(struct wr *w, unsigned device, const void *dst, uint16_t type)
{
	wr_bytes(w, dst, 6);
	wr_u16(w, 0x0200);
	wr_u32(w, device);
	wr_u16(w, type);
}

static size_t
arp(uint8_t *buf, unsigned device)
{
	struct wr w = wr_to(buf, FRAME);

	head(&w, device, "\xff\xff\xff\xff\xff\xff", ETHERTYPE_ARP);
	wr_u64(&w, 0x0001080006040001);
	wr_u16(&w, 0x0200);
	wr_u32(&w, device);
	wr_u32(&w, 0xc6130000 + device);
	wr_bytes(&w, "\0\0\0\0\0\0", 6);
	wr_u32(&w, 0xc6120001);
	wr_bytes(&w, (uint8_t[18]){ 0 }, 18);
	return w.len;
}

static size_t
udp(uint8_t *buf, unsigned device, uint32_t dst, uint16_t port,
    const void *data, size_t len)
{
	struct wr w = wr_to(buf, FRAME);
	uint8_t	  mac[6] = { 1, 0, 0x5e, (uint8_t)(dst >> 16 & 0x7f),
		    (uint8_t)(dst >> 8), (uint8_t)dst };

	head(&w, device, dst == 0xffffffff ? "\xff\xff\xff\xff\xff\xff" : (char *)mac,
	    ETHERTYPE_IP);
	wr_u16(&w, 0x4500);
	wr_u16(&w, (uint16_t)(28 + len));
	wr_u32(&w, 0);
	wr_u32(&w, 0xff110000);
	wr_u32(&w, port == 67 ? 0 : 0xc6130000 + device);
	wr_u32(&w, dst);
	wr_u16(&w, port == 67 ? 68 : port);
	wr_u16(&w, port);
	wr_u16(&w, (uint16_t)(8 + len));
	wr_u16(&w, 0);
	wr_bytes(&w, data, len);
	return w.len;
}

static size_t
dhcp(uint8_t *buf, unsigned device, uint32_t n)
{
	uint8_t	  msg[300] = { 0 };
	struct wr w = wr_to(msg, sizeof(msg));
	char	  name[20];

	snprintf(name, sizeof(name), "till-%u", device);
	wr_u32(&w, 0x01010600);
	wr_u32(&w, n);
	w.len = 28;
	wr_u16(&w, 0x0200);
	wr_u32(&w, device);
	w.len = 236;
	wr_u32(&w, 0x63825363);
	wr_bytes(&w, "\x35\1", 2);
	wr_u8(&w, n & 1 ? 3 : 1);
	wr_bytes(&w, "\x37\7\1\3\6\x0c\x0f\x1c\x2a\x3c\7udhcp 1", 18);
	wr_u8(&w, 12);
	wr_u8(&w, (uint8_t)strlen(name));
	wr_bytes(&w, name, strlen(name));
	wr_u8(&w, 255);
	return udp(buf, device, 0xffffffff, 67, msg, sizeof(msg));
}

static size_t
chatter(uint8_t *buf, unsigned device, uint32_t n)
{
	static const char question[] = "\0\0\0\0\0\1\0\0\0\0\0\0"
				       "\4_ipp\4_tcp\5local\0\0\x0c\0\1";
	static const char search[] = "M-SEARCH * HTTP/1.1\r\nHOST: "
				     "239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n"
				     "MX: 1\r\nST: ssdp:all\r\n\r\n";
	static const char names[] = "\0\1\1\x10\0\1\0\0\0\0\0\0\x20"
				    "EMEBECEPFCCACACACACACACACACACABN\0\0\x20\0\1";

	switch (n % 4) {
	case 0:
		return arp(buf, device);
	case 1:
		return udp(buf, device, 0xe00000fb, 5353, question,
		    sizeof(question) - 1);
	case 2:
		return udp(buf, device, 0xeffffffa, 1900, search, sizeof(search) - 1);
	default:
		return udp(buf, device, 0xffffffff, 137, names, sizeof(names) - 1);
	}
}

static size_t
make(const char *kind, uint8_t *buf, uint32_t n, unsigned devices)
{
	unsigned device = n % devices;

	if (strcmp(kind, "arp") == 0)
		return arp(buf, device);
	if (strcmp(kind, "dhcp") == 0)
		return dhcp(buf, device, n);
	if (strcmp(kind, "chatter") == 0)
		return chatter(buf, device, n / devices);
	return n % 4 == 3 ? dhcp(buf, device, n) : arp(buf, device);
}

static int
open_socket(const char *iface)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(iface) };
	int		   fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || ll.sll_ifindex == 0 ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		err(1, "%s", iface);
	return fd;
}

int
main(int argc, char *argv[])
{
	static uint8_t	      frames[BATCH][FRAME];
	static struct iovec   iov[BATCH];
	static struct mmsghdr mm[BATCH];
	double		      rate, seconds, start, t;
	unsigned long	      sent = 0;
	unsigned	      devices, batch;
	int		      fd;

	if (argc != 6)
		errx(1, "usage: flood IFACE arp|dhcp|mix|chatter RATE SECONDS DEVICES");
	fd = open_socket(argv[1]);
	rate = atof(argv[3]);
	seconds = atof(argv[4]);
	devices = (unsigned)atoi(argv[5]);
	batch = rate > 0 && rate < 20000 ? 1 : BATCH;
	start = now();
	while ((t = now() - start) < seconds) {
		int r;

		if (rate > 0 && (double)sent > t * rate) {
			double wait = ((double)sent - t * rate) / rate;

			if (wait > 0.0002)
				usleep((useconds_t)(wait * 1e6));
			continue;
		}
		for (unsigned i = 0; i < batch; i++) {
			iov[i] = (struct iovec){ frames[i], make(argv[2], frames[i],
				(uint32_t)sent + i, devices) };
			mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
				.msg_iovlen = 1 };
		}
		if ((r = sendmmsg(fd, mm, batch, 0)) < 0 && errno != ENOBUFS)
			err(1, "sendmmsg");
		sent += r > 0 ? (unsigned)r : 0;
	}
	printf("sent %lu seconds %.3f\n", sent, now() - start);
	return 0;
}
