/*
 * tests/unit/check_devices.c - one record for one machine: the rules as stories.
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/size.h"
#include "dp-scan/devices.h"
#include "dp-scan/merge.h"
#include "dp-scan/servers.h"

static struct devices *d;
static unsigned	       events[DEVICE_EVENTS];
static char	       details[DEVICE_EVENTS][256];
static uint32_t	       told_of[DEVICE_EVENTS]; /* ids */
static bool	       is_deaf; /* nobody takes an event */

static void
parse(const char *text, uint8_t out[16])
{
	memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	ck_assert(inet_pton(AF_INET, text, out + 12) == 1 ||
	    inet_pton(AF_INET6, text, out) == 1);
}

/* 10.0.0.0/8, fd00::/8 and fe80::/10 are links, 172.16.x.x is behind a router. */
static enum place
place(void *ctx, uint32_t ifindex, const uint8_t a[16])
{
	(void)ctx;
	(void)ifindex;
	if (memcmp(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return a[12] == 10 ? PLACE_LINK
		    : a[12] == 172 ? PLACE_ROUTED : PLACE_NOWHERE;
	return a[0] >= 0xfd ? PLACE_LINK : PLACE_NOWHERE;
}

static bool
event(void *ctx, enum device_event e, const struct record *r,
    const struct record *other, const char *detail)
{
	(void)ctx;
	(void)other;
	told_of[e] = r != NULL ? r->id : 0;
	if (is_deaf)
		return false;
	events[e]++;
	snprintf(details[e], sizeof(details[e]), "%s", detail ? detail : "");
	return true;
}

/* 10.0.0.77, and the MAC addresses of ours end in 07 and 08. */
static bool has_77 = true;

static bool
is_ours(void *ctx, uint32_t ifindex, const uint8_t a[16], const uint8_t mac[6],
    bool *other)
{
	(void)ctx;
	(void)ifindex;
	*other = mac[5] != 7 && mac[5] != 8;
	return has_77 && memcmp(a + 10, "\xff\xff\x0a\0\0\x4d", 6) == 0;
}

static const struct devices_ops ops = { place, is_ours, event };
static struct devices_conf conf = { .max = 1000, .life_time = 100,
	.keep_time = 1000, .said_time = 200 };

static void
setup(void)
{
	memset(events, 0, sizeof(events));
	ck_assert_int_eq(devices_new(&conf, &ops, NULL, &d), 0);
}

static void
teardown(void)
{
	devices_free(&d);
}

/* "arp! 1 02:..:01 10.0.0.1 name=a client-id=ff" ("!": it answered us, "?": another one said it) */
static const struct record *
see(const char *line, uint32_t now)
{
	struct sight s;
	char	     text[512], *word, *save = NULL, *eq;
	enum sight_by by;
	unsigned     m[6], i;
	size_t	     n;

	snprintf(text, sizeof(text), "%s", line);
	word = strtok_r(text, " ", &save);
	n = strlen(word);
	bool asked = word[n - 1] == '!', hearsay = word[n - 1] == '?';
	if (asked || hearsay)
		word[n - 1] = '\0';
	ck_assert_int_eq(sight_by_from_name(word, &by), 0);
	sight_begin(&s, by);
	s.asked = asked;
	s.hearsay = hearsay;
	s.ifindex = 1;
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		if ((eq = strchr(word, '=')) != NULL) {
			*eq++ = '\0';
			for (i = 1; i < FACT_MAX; i++)
				if (strcmp(fact_name((enum fact)i), word) == 0)
					sight_add(&s, (enum fact)i, eq,
					    strlen(eq));
		} else if (word[0] == '@')
			s.ifindex = (uint32_t)atoi(word + 1);
		else if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x", &m[0], &m[1],
			     &m[2], &m[3], &m[4], &m[5]) == 6)
			for (i = 0; i < 6; i++)
				s.mac[i] = (uint8_t)m[i];
		else
			parse(word, s.addr);
	}
	return devices_see(d, &s, now);
}

static size_t
count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < devices_slots(d); i++)
		n += devices_at(d, i) != NULL;
	return n;
}

#define A "00:11:22:00:00:0a"
#define B "00:11:22:00:00:0b"
#define C "00:11:22:00:00:0c"
#define URN "urn:dpoint:device:00000000-0000-4000-8000-00000000000"

/* Sights a second apart, and how many machines they are. */
static const struct {
	const char *why;
	unsigned    machines;
	const char *lines[6];
} stories[] = {
	{ "a MAC address is one machine whatever address it has", 1,
	    { "arp " A " 10.0.0.1", "arp " A " 10.0.0.2", "ndp " A " fe80::a" } },
	{ "an address without a MAC address is who has it", 1,
	    { "arp " A " 10.0.0.1", "echo! 10.0.0.1", "dns! 10.0.0.1 name=a.x" } },
	{ "who was known by address alone gets its MAC address", 1,
	    { "echo! 10.0.0.1", "arp " A " 10.0.0.1" } },
	{ "two MAC addresses on one address are two", 2,
	    { "arp " A " 10.0.0.1", "arp " B " 10.0.0.1" } },
	{ "one agent with two interfaces is one", 1,
	    { "arp " A " 10.0.0.1", "agent! " A " 10.0.0.1 agent=" URN "1",
		"arp " B " 10.0.0.2", "agent! " B " 10.0.0.2 agent=" URN "1" } },
	{ "agents behind one router stay apart, and from it", 4,
	    { "router " A " 10.0.0.1 router=1800",
		"agent! " A " 10.0.0.1 agent=" URN "1",
		"agent! " A " 10.0.0.1 agent=" URN "2",
		"agent! 10.0.0.1 agent=" URN "3" } },
	{ "agents behind one address: one of them is taken to be there", 2,
	    { "arp " A " 10.0.0.1", "agent! " A " 10.0.0.1 agent=" URN "1",
		"agent! " A " 10.0.0.1 agent=" URN "2", "arp " A " 10.0.0.1" } },
	{ "a new agent is not who had its address", 2,
	    { "arp " A " 10.0.0.1", "agent! 10.0.0.1 agent=" URN "1" } },
	{ "nor is it when the wire shows its address again", 2,
	    { "agent! 10.0.0.1 agent=" URN "1", "arp " A " 10.0.0.1" } },
	{ "but when it shows its MAC address", 1,
	    { "arp " A " 10.0.0.1", "agent! 10.0.0.1 agent=" URN "1",
		"agent! " A " 10.0.0.1 agent=" URN "1" } },
	{ "a known agent that took an address is not who had it", 2,
	    { "arp " A " 10.0.0.1", "agent! " A " 10.0.0.1 agent=" URN "1",
		"arp! " B " 10.0.0.2", "agent! " A " 10.0.0.2 agent=" URN "1",
		"agent! 10.0.0.2 agent=" URN "1" } },
	{ "nor behind a router, if more than the address is known of that one", 2,
	    { "agent! 172.16.0.1 agent=" URN "1", "echo! 172.16.0.2",
		"netbios! 172.16.0.2 name=PC", "agent! 172.16.0.2 agent=" URN "1" } },
	{ "of whom an address alone is known is who speaks from there", 1,
	    { "echo! 172.16.0.1", "dns! 172.16.0.1 name=a.example",
		"agent! 172.16.0.1 agent=" URN "1", "echo! 172.16.0.2",
		"agent! 172.16.0.2 agent=" URN "1" } },
	{ "nobody takes on a DHCP identity by an address", 2,
	    { "dhcp6 172.16.0.1 client-id=ff01",
		"agent! 172.16.0.1 agent=" URN "1" } },
	{ "a computer of the directory and an agent's have one MAC each", 2,
	    { "ldap " A " directory-id=CN=A name=a.example",
		"agent! 10.0.0.1 agent=" URN "1",
		"agent! " A " 10.0.0.1 agent=" URN "2",
		"agent! " A " 10.0.0.1 agent=" URN "1", "arp " A " 10.0.0.1" } },
	{ "an agent is only who showed a certificate", 2,
	    { "mdns " A " 10.0.0.1 agent=" URN "1",
		"mdns " B " 10.0.0.2 agent=" URN "1" } },
	{ "an agent that moved to another's old address is not that other", 2,
	    { "arp " A " 10.0.0.1", "agent! " A " 10.0.0.1 agent=" URN "1",
		"arp " B " 10.0.0.2", "agent! " B " 10.0.0.2 agent=" URN "2",
		"agent! " A " 10.0.0.2 agent=" URN "1" } },
	{ "one DHCP identity of two that are heard is two machines", 2,
	    { "dhcp " A " 10.0.0.1 client-id=ff01 name=pc",
		"dhcp6 " B " fd00::1 client-id=ff01 name=PC.example" } },
	{ "copies of one disk image have one DUID and their own names", 2,
	    { "dhcp " A " 10.0.0.1 client-id=ff01 name=pc1",
		"dhcp " B " 10.0.0.2 client-id=ff01 name=pc2" } },
	{ "an identity that mDNS speaks of is none", 2,
	    { "mdns " A " 10.0.0.1 client-id=ff01",
		"mdns " B " 10.0.0.2 client-id=ff01" } },
	{ "one chassis of two that are heard likewise", 2,
	    { "lldp " A " switch=chassis1 name=sw", "lldp " B " switch=chassis1" } },
	{ "a shared name is no identity", 3,
	    { "dhcp " A " 10.0.0.1 name=android", "dhcp " B " 10.0.0.2 name=android",
		"netbios " C " 10.0.0.3 name=android" } },
	{ "random MAC addresses with one name stay apart", 2,
	    { "dhcp 02:00:00:00:00:01 10.0.0.1 name=phone",
		"dhcp 06:00:00:00:00:02 10.0.0.2 name=phone" } },
	{ "a random MAC address with the DHCP identity of who is heard, too", 2,
	    { "dhcp 02:00:00:00:00:01 10.0.0.1 name=phone client-id=ff02",
		"dhcp 06:00:00:00:00:02 10.0.0.2 name=phone client-id=ff02" } },
	{ "a computer of the directory is who has its whole name by DNS", 1,
	    { "arp " A " 10.0.0.1", "dns! 10.0.0.1 name=pc.example.org",
		"ldap directory-id=CN=PC name=pc.example.org" } },
	{ "nor does it cease to be when it says the name, too", 1,
	    { "arp " A " 10.0.0.1", "dns! 10.0.0.1 name=pc.example.org",
		"dhcp " A " 10.0.0.1 name=PC.example.org",
		"ldap directory-id=CN=PC name=pc.example.org" } },
	{ "a name that mDNS says is not the directory's", 2,
	    { "mdns " A " 10.0.0.1 name=pc.local",
		"ldap directory-id=CN=PC name=pc.local" } },
	{ "nor a whole one that it says to a DHCP server", 2,
	    { "dhcp " A " 10.0.0.1 name=pc.example.org",
		"ldap directory-id=CN=PC name=pc.example.org" } },
	{ "nor one by SNMP, LLMNR, NetBIOS and LLDP", 2,
	    { "snmp! " A " 10.0.0.1 name=pc.example.org",
		"llmnr! 10.0.0.1 name=pc.example.org",
		"netbios! 10.0.0.1 name=pc.example.org",
		"lldp " A " switch=c1 name=pc.example.org",
		"ldap directory-id=CN=PC name=pc.example.org" } },
	{ "who says another's name keeps nobody from it", 2,
	    { "arp " A " 10.0.0.1", "dns! 10.0.0.1 name=pc.example.org",
		"mdns " B " 10.0.0.2 name=pc.example.org",
		"ldap directory-id=CN=PC name=pc.example.org" } },
	{ "two computers of the directory with one MAC address stay apart", 2,
	    { "ldap " A " directory-id=CN=A name=a.example",
		"ldap " A " directory-id=CN=B name=b.example",
		"arp " A " 10.0.0.1" } },
	{ "a short name is not whole", 2,
	    { "netbios " A " 10.0.0.1 name=pc", "ldap directory-id=CN=PC name=pc" } },
	{ "a name that two have tells of neither", 3,
	    { "arp " A " 10.0.0.1", "dns! 10.0.0.1 name=a.example",
		"arp " B " 10.0.0.2", "dns! 10.0.0.2 name=a.example",
		"ldap directory-id=CN=A name=a.example" } },
	{ "two computers of the directory stay apart", 2,
	    { "ldap directory-id=CN=A name=a.example",
		"ldap directory-id=CN=B name=b.example" } },
	{ "an object of the directory is one, whatever it is called", 1,
	    { "ldap directory-uuid=1 directory-id=CN=A,OU=old name=a.example",
		"ldap directory-uuid=1 directory-id=CN=A,OU=new name=a.example",
		"ldap " A " directory-uuid=1 directory-id=CN=B name=b.example",
		"ldap " B " directory-uuid=1 directory-id=CN=B name=b.example" } },
	{ "one that is gone and its name another's: two", 2,
	    { "ldap directory-uuid=1 directory-id=CN=A",
		"ldap directory-uuid=2 directory-id=CN=A",
		"ldap directory-uuid=2 directory-id=CN=A" } },
	{ "who was known by a distinguished name has an UUID now", 1,
	    { "ldap directory-id=CN=A", "ldap directory-uuid=1 directory-id=CN=A" } },
	{ "an UUID that mDNS speaks of is none", 2,
	    { "mdns " A " 10.0.0.1 directory-uuid=1",
		"ldap directory-uuid=1 directory-id=CN=A" } },
	{ "a virtual router's MAC address is nobody's own", 2,
	    { "arp 00:00:5e:00:01:07 10.0.0.1", "arp 00:00:5e:00:01:07 10.0.0.2" } },
	{ "what comes by a router has no MAC address", 2,
	    { "echo! " A " 172.16.0.1", "echo! " A " 172.16.0.2" } },
	{ "the rest of the world makes no record", 0,
	    { "mdns " A " 192.0.2.1 name=x", "netbios " A " 8.8.8.8" } },
	{ "no host has these", 0,
	    { "echo! 255.255.255.255", "echo! ff02::1",
		"echo! ::", "echo! 127.0.0.1", "arp ff:ff:ff:ff:ff:ff 0.0.0.0" } },
	{ "a link-local address is one of a link", 2,
	    { "echo! @1 fe80::1", "echo! @2 fe80::1" } },
	{ "a service's further address joins nobody", 2,
	    { "arp " A " 10.0.0.1", "mdns " B " 10.0.0.2 address=10.0.0.1" } },
	{ "this machine is one", 1,
	    { "own " A " 10.0.0.1 name=dp", "own " B " 10.0.0.2 name=dp",
		"arp " B " 10.0.0.2" } },
	{ "both interfaces known, then the identity", 2,
	    { "arp " A " 10.0.0.1", "arp " B " 10.0.0.2",
		"dhcp " A " 10.0.0.1 client-id=ff01",
		"dhcp " B " 10.0.0.2 client-id=ff01" } },
};

START_TEST(as_the_rules_say)
{
	for (size_t i = 0; i < COUNT(stories[0].lines); i++)
		if (stories[_i].lines[i] != NULL)
			(void)see(stories[_i].lines[i], 1000 + (uint32_t)i);
	ck_assert_msg(count() == stories[_i].machines, "%s: %zu machines",
	    stories[_i].why, count());
}
END_TEST

/* A DHCP identity or a chassis: who had it is gone, or it joins nobody. */
static const struct {
	const char *why;
	unsigned    machines, told;
	uint32_t    later; /* than the others, the last line */
	const char *lines[6];
} identities[] = {
	{ "a new MAC address of who was silent for a life time", 1, 0, 101,
	    { "dhcp " A " 10.0.0.1 client-id=ff01 name=pc",
		"dhcp6 " B " fd00::1 client-id=ff01 name=PC.example" } },
	{ "a new chassis likewise", 1, 0, 101,
	    { "lldp " A " switch=chassis1 name=sw", "lldp " B " switch=chassis1" } },
	{ "two known machines become one likewise", 1, 0, 101,
	    { "dhcp " A " 10.0.0.1 client-id=ff01", "arp " B " 10.0.0.2",
		"dhcp " B " 10.0.0.2 client-id=ff01" } },
	{ "not of who is heard", 2, 1, 50,
	    { "dhcp " A " 10.0.0.1 client-id=ff01 name=pc",
		"dhcp " B " 10.0.0.2 client-id=ff01" } },
	{ "heard by anything", 2, 1, 90,
	    { "dhcp " A " 10.0.0.1 client-id=ff01", "", "arp " A " 10.0.0.1",
		"dhcp " B " 10.0.0.2 client-id=ff01" } },
	{ "never of who has an agent", 2, 1, 500,
	    { "dhcp " A " 10.0.0.1 client-id=0100112200000a",
		"agent! " A " 10.0.0.1 agent=" URN "1", "arp! " B " 10.0.0.2",
		"dhcp " B " client-id=0100112200000a" } },
	{ "nor its chassis", 2, 1, 500,
	    { "lldp " A " switch=sw name=pc", "agent! " A " 10.0.0.1 agent=" URN "1",
		"lldp " B " switch=sw" } },
	{ "nor ours", 2, 1, 500,
	    { "own " A " 10.0.0.1 name=dp", "dhcp " A " client-id=0100112200000a",
		"arp! " B " 10.0.0.2", "dhcp " B " client-id=0100112200000a" } },
	{ "nor of who was without an agent: the one who says it has one", 2, 1, 500,
	    { "dhcp " A " 10.0.0.1 client-id=ff01",
		"agent! " B " 10.0.0.2 agent=" URN "1",
		"dhcp " B " 10.0.0.2 client-id=ff01" } },
	{ "who was heard without a MAC address is heard", 2, 1, 50,
	    { "dhcp6 172.16.0.1 client-id=ff01", "dhcp6 " B " fd00::1 client-id=ff01" } },
	{ "and of relays' two it is one", 1, 0, 50,
	    { "dhcp6 172.16.0.1 client-id=ff01", "dhcp6 172.16.0.2 client-id=ff01" } },
	{ "who was heard long ago is not told of", 2, 0, 700,
	    { "dhcp " A " 10.0.0.1 client-id=ff01",
		"agent! " A " 10.0.0.1 agent=" URN "1",
		"dhcp " B " client-id=ff01" } },
};

START_TEST(an_identity_that_anybody_can_say_hides_nobody)
{
	size_t	 n = 0;
	uint32_t now = 1000;

	while (n < 6 && identities[_i].lines[n] != NULL)
		n++;
	for (size_t i = 0; i < n; i++, now++) {
		if (identities[_i].lines[i][0] == '\0')
			now += 60;
		else
			(void)see(identities[_i].lines[i],
			    now + (i == n - 1 ? identities[_i].later : 0));
	}
	ck_assert_msg(count() == identities[_i].machines &&
		events[IDENTITY_TWICE] == identities[_i].told,
	    "%s: %zu machines, told %u times", identities[_i].why, count(),
	    events[IDENTITY_TWICE]);
}
END_TEST

START_TEST(who_says_all_identities_gets_none_of_them)
{
	char	    line[100];
	struct item it;

	for (int i = 1; i <= 40; i++) {
		snprintf(line, sizeof(line), "dhcp! 00:11:22:01:00:%02x 10.1.0.%d "
		    "client-id=0100112201%04x", i, i, i);
		(void)see(line, 1000);
	}
	for (int k = 0; k < 2; k++)
		for (int i = 1; i <= 40; i++) {
			snprintf(line, sizeof(line), "dhcp " A " client-id=0100112201%04x",
			    i);
			(void)see(line, 1050);
		}
	ck_assert_uint_eq(count(), 41);
	ck_assert_uint_eq(events[DEVICE_MERGED], 0);
	ck_assert_uint_eq(events[IDENTITY_TWICE], 40); /* each once */
	ck_assert_str_eq(details[IDENTITY_TWICE], "01001122010028");
	/* nor when they are gone: that many MAC addresses has no machine */
	for (int i = 1; i <= 40; i++) {
		snprintf(line, sizeof(line), "dhcp " A " client-id=0100112201%04x", i);
		(void)see(line, 1200);
	}
	ck_assert_uint_eq(count(), 41 - 3);
	ck_assert(record_newest(devices_find(d, A), ITEM_MAC, &it));
}
END_TEST

START_TEST(live_copies_of_one_machine_are_as_many)
{
	char line[100];

	for (int k = 0; k < 4; k++)
		for (int i = 1; i <= 20; i++) {
			snprintf(line, sizeof(line), "dhcp 00:11:22:01:00:%02x 10.1.0.%d "
			    "client-id=ff01 name=template", i, i);
			(void)see(line, 1000 + (uint32_t)(k * 50 + i));
		}
	ck_assert_uint_eq(count(), 20);
	ck_assert_uint_eq(events[IDENTITY_TWICE], 1);
}
END_TEST

/* B forwards what we send to an agent at A's address. */
START_TEST(who_stands_between_is_not_the_agent)
{
	for (int has_own = 0; has_own < 2; has_own++) {
		teardown();
		setup();
		(void)see("arp! " A " 10.0.0.1", 1000);
		(void)see("agent! " A " 10.0.0.1 agent=" URN "1", 1001);
		if (has_own)
			(void)see("arp! " B " 10.0.0.2", 1002);
		(void)see("arp " B " 10.0.0.1", 1003);
		(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1004);
		(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1100);
		ck_assert_uint_eq(count(), 2);
		ck_assert(!record_has(devices_find(d, B), FACT_AGENT));
		ck_assert(record_has(devices_find(d, A), FACT_AGENT));
		ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
		ck_assert_str_eq(details[ADDRESS_CONFLICT], "10.0.0.1");
		/* A was silent for a life time: it has a new card */
		(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1104);
		ck_assert_uint_eq(count(), 1);
	}
	/* the kernel alone says so */
	teardown();
	setup();
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("agent! " A " 10.0.0.1 agent=" URN "1", 1001);
	(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1002);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	ck_assert_ptr_null(devices_find(d, B));
	/* and of an agent that is heard for the first time, if its machine is, too */
	teardown();
	setup();
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("arp! " B " 10.0.0.2", 1000);
	(void)see("arp " B " 10.0.0.1", 1003);
	(void)see("arp " A " 10.0.0.1", 1004);
	(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1005);
	ck_assert(!record_has(devices_find(d, B), FACT_AGENT));
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
}
END_TEST

START_TEST(an_agent_at_an_address_that_was_anothers_is_its_machine)
{
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("arp " B " 10.0.0.1", 1010);
	(void)see("agent! " B " 10.0.0.1 agent=" URN "1", 1011);
	ck_assert(record_has(devices_find(d, B), FACT_AGENT));
	/* two interfaces, the second with an address more than it speaks by */
	(void)see("arp! " C " 10.0.0.3", 1012);
	(void)see("arp! " C " 10.0.0.4", 1012);
	(void)see("agent! " C " 10.0.0.4 agent=" URN "1", 1013);
	ck_assert(!record_has(devices_find(d, C), FACT_AGENT));
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
	(void)see("arp! " B " 10.0.0.1", 1113);
	(void)see("arp! " C " 10.0.0.4", 1113);
	(void)see("agent! " C " 10.0.0.4 agent=" URN "1", 1113);
	ck_assert_ptr_eq(devices_find(d, B), devices_find(d, C));
}
END_TEST

START_TEST(what_is_learned_stands_in_the_record)
{
	const struct record *r;
	uint8_t		     mac[6] = { 0, 0x11, 0x22, 0, 0, 0x0a };

	(void)see("arp " A " 10.0.0.1", 1000);
	(void)see("mdns " A " 10.0.0.1 name=p.local service=_ipp._tcp", 1010);
	r = devices_find(d, "p.LOCAL");
	ck_assert_ptr_nonnull(r);
	ck_assert(record_find(r, ITEM_MAC, mac, 6, NULL));
	ck_assert(record_find(r, FACT_SERVICE, "_ipp._tcp", 9, NULL));
	ck_assert_uint_eq(r->first, 1000);
	ck_assert_uint_eq(r->last, 1010);
	ck_assert_uint_eq(r->by, 1U << SIGHT_ARP | 1U << SIGHT_MDNS);
	ck_assert_ptr_eq(devices_find(d, "10.0.0.1"), r);
	ck_assert_ptr_eq(devices_find(d, "00:11:22:00:00:0A"), r);
	ck_assert_ptr_eq(devices_find(d, "1"), r);
	ck_assert_ptr_null(devices_find(d, "10.0.0.2"));
	ck_assert_uint_eq(events[DEVICE_NEW], 1);
}
END_TEST

START_TEST(two_that_have_one_address_are_noticed)
{
	/* both answer one question */
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("arp! " B " 10.0.0.1", 1000);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	ck_assert_str_eq(details[ADDRESS_CONFLICT], "10.0.0.1");
	/* said once an hour */
	(void)see("arp! " A " 10.0.0.1", 1001);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	(void)see("arp! " B " 10.0.0.1", 5000);
	(void)see("arp! " A " 10.0.0.1", 5000);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	/* there and back */
	(void)see("arp " A " 10.0.0.9", 6000);
	(void)see("arp " B " 10.0.0.9", 6100);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	(void)see("arp " A " 10.0.0.9", 6200);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 3);
}
END_TEST

START_TEST(an_address_that_moves_on_is_no_conflict)
{
	(void)see("arp " A " 10.0.0.1", 1000);
	(void)see("arp " B " 10.0.0.1", 1100); /* DHCP gave it to B */
	(void)see("arp " A " 10.0.0.2", 1101);
	(void)see("arp " A " 10.0.0.1", 9000); /* and much later back */
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
	/* failover: a virtual router's address moves with its MAC address */
	(void)see("arp! 00:00:5e:00:01:07 10.0.0.3", 1000);
	(void)see("arp! " C " 10.0.0.3", 1000);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
}
END_TEST

#define OWN   "00:11:22:00:00:07"
#define OWN_2 "00:11:22:00:00:08" /* another interface of ours, that is not polled by */

START_TEST(who_shows_an_address_of_ours_is_in_conflict_with_us)
{
	uint32_t own;

	(void)see("own " OWN " 10.0.0.77 name=dp", 1000);
	own = devices_find(d, OWN)->id;
	(void)see("arp " OWN " 10.0.0.77", 1030);
	(void)see("arp " OWN_2 " 10.0.0.77", 1031);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
	ck_assert_uint_eq(devices_find(d, "10.0.0.77")->id, own);
	/* one frame is enough, of any age */
	(void)see("arp " B " 10.0.0.77", 1040);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	ck_assert_str_eq(details[ADDRESS_CONFLICT], "10.0.0.77");
	ck_assert_uint_eq(told_of[ADDRESS_CONFLICT], devices_find(d, B)->id);
	ck_assert_uint_eq(devices_find(d, "10.0.0.77")->id, own);
	/* told once an hour */
	for (uint32_t now = 1060; now < 1040 + 3600; now += 60) {
		(void)see("own " OWN " 10.0.0.77 name=dp", now);
		(void)see("arp! " B " 10.0.0.77", now + 1);
	}
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	(void)see("ndp " B " 10.0.0.77", 4640);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	ck_assert_uint_eq(devices_find(d, "10.0.0.77")->id, own);
	/* the kernel says no more that it is ours */
	has_77 = false;
	(void)see("arp " B " 10.0.0.77", 9000);
	has_77 = true;
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	ck_assert_str_eq(details[ADDRESS_CONFLICT], "10.0.0.77");
	ck_assert_uint_eq(devices_find(d, "10.0.0.77")->id,
	    devices_find(d, B)->id);
}
END_TEST

START_TEST(an_address_that_we_take_over_is_no_conflict)
{
	(void)see("own " OWN " 10.0.0.1 name=dp", 1000);
	(void)see("arp " B " 10.0.0.77", 1000);
	(void)see("own " OWN " 10.0.0.77 name=dp", 1010);
	(void)see("arp " B " 10.0.0.77", 1011); /* was on its way */
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
	ck_assert_ptr_eq(devices_find(d, "10.0.0.77"), devices_find(d, OWN));
	(void)see("arp " B " 10.0.0.77", 1013);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	ck_assert_ptr_eq(devices_find(d, "10.0.0.77"), devices_find(d, OWN));
}
END_TEST

START_TEST(a_probe_that_is_defended_is_a_duplicate)
{
	(void)see("arp " A " 10.0.0.1", 1000);
	(void)see("arp " B " conflict=10.0.0.1", 1001);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 0);
	(void)see("arp " A " 10.0.0.1", 1002);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 1);
	(void)see("arp " A " 10.0.0.1", 1003);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 1);
	/* one that takes what is free */
	(void)see("ndp " B " conflict=fd00::9", 1010);
	(void)see("ndp " B " fd00::9", 1011);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 1);
}
END_TEST

START_TEST(one_pair_is_a_duplicate_once_an_hour)
{
	for (uint32_t now = 1000; now < 1000 + 3600; now += 60) {
		(void)see("arp " B " conflict=10.0.0.1", now);
		(void)see("arp " A " 10.0.0.1", now);
	}
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 1);
	(void)see("arp " C " conflict=10.0.0.1", 2000);
	(void)see("arp " A " 10.0.0.1", 2000); /* another one */
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 2);
	(void)see("arp " B " conflict=10.0.0.1", 4600);
	(void)see("arp " A " 10.0.0.1", 4600);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 3);
}
END_TEST

START_TEST(what_nobody_took_is_told_again)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	(void)see("arp! " A " 10.0.0.9", 1000);
	is_deaf = true;
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1001);
	(void)see("arp! " B " 10.0.0.9", 1001);
	(void)see("arp " C " conflict=10.0.0.1", 1001);
	(void)see("arp " A " 10.0.0.1", 1001);
	is_deaf = false;
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1002);
	(void)see("arp! " A " 10.0.0.9", 1002);
	(void)see("arp " C " conflict=10.0.0.1", 1002);
	(void)see("arp " A " 10.0.0.1", 1002);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	ck_assert_uint_eq(events[DUPLICATE_ADDRESS], 1);
}
END_TEST

START_TEST(the_first_dhcp_server_is_the_known_one)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1001);
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1002);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	ck_assert_str_eq(details[DHCP_SERVER_UNKNOWN], "10.0.0.2");
}
END_TEST

START_TEST(one_machine_serves_ipv4_and_ipv6)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	(void)see("dhcp6 " A " fe80::a dhcp-server=fe80::a", 1001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
	/* but not who only brings IPv6, nor who says that he is the first, too */
	(void)see("dhcp6 " B " fe80::b dhcp-server=fe80::b", 1002);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	(void)see("dhcp " C " 10.0.0.3 dhcp-server=10.0.0.1", 1003);
	(void)see("dhcp " C " 10.0.0.3 dhcp-server=10.0.0.3", 1004);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 3);
}
END_TEST

START_TEST(who_answers_as_the_known_dhcp_server_is_told_of)
{
	struct devices_conf c = conf;

	snprintf(c.dhcp_servers, sizeof(c.dhcp_servers), "10.0.0.1");
	for (int list = 0; list < 2; list++) {
		if (list == 1)
			devices_configure(d, &c);
		events[DHCP_SERVER_UNKNOWN] = 0;
		uint32_t now = list == 0 ? 1000 : 10000;

		(void)see("arp " A " 10.0.0.1", now);
		(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", now + 1);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
		(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", now + 2);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
		ck_assert_str_eq(details[DHCP_SERVER_UNKNOWN], "10.0.0.1");
		/* nor does it have the address now */
		ck_assert_ptr_eq(devices_find(d, "10.0.0.1"), devices_find(d, A));
		(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", now + 3);
		(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", now + 4);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	}
	/* a new card: once, and the old one's silence for a life time */
	(void)see("dhcp " C " 10.0.0.1 dhcp-server=10.0.0.1", 20000);
	(void)see("dhcp " C " 10.0.0.1 dhcp-server=10.0.0.1", 29000);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 2);
	/* one behind relays has none here */
	devices_configure(d, &conf);
	(void)see("dhcp " A " 10.0.0.9 dhcp-server=172.16.0.1", 30000);
	events[DHCP_SERVER_UNKNOWN] = 0;
	(void)see("dhcp " B " 10.0.0.8 dhcp-server=172.16.0.1", 30001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
}
END_TEST

START_TEST(who_claims_many_is_in_conflict_all_the_same)
{
	const struct record *r;
	char		     line[100];

	for (int refused = 0; refused < 2; refused++) {
		uint32_t now = refused ? 20000 : 1000;

		events[ADDRESS_CONFLICT] = 0;
		(void)see("arp! " A " 10.0.0.1", now);
		for (int i = 1; i <= 33; i++) {
			snprintf(line, sizeof(line), "arp " B " 10.0.5.%d", i);
			(void)see(line, now);
		}
		ck_assert(devices_find(d, B)->many);
		ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
		if (refused) { /* while 32 addresses are fresh, no other is believed */
			(void)see("arp " B " 10.0.0.1", now + 1);
			ck_assert_ptr_eq(devices_find(d, "10.0.0.1"),
			    devices_find(d, A));
			(void)see("arp " B " 10.0.0.1", now + 2); /* once an hour */
		} else {
			(void)see("arp! " A " 10.0.0.1", now + 90);
			(void)see("arp! " B " 10.0.0.1", now + 90);
			(void)see("arp! " A " 10.0.0.1", now + 91);
		}
		ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	}
	/* and not marked for ever */
	r = see("arp " B " 10.0.5.1", 20000 + 91 + conf.life_time);
	ck_assert(!r->many);
}
END_TEST

START_TEST(who_calls_himself_a_relay_is_an_impostor_all_the_same)
{
	struct devices_conf c = conf;

	snprintf(c.dhcp_servers, sizeof(c.dhcp_servers), "10.0.0.1 172.16.0.1");
	for (int list = 0; list < 2; list++) {
		teardown();
		setup();
		if (list == 1)
			devices_configure(d, &c);
		(void)see("arp " A " 10.0.0.1", 1000);
		if (list == 0)
			(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1001);
		/* its own frame, as it answers a relay */
		(void)see("dhcp 10.0.0.1 frame=" A " dhcp-server=10.0.0.1", 1002);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
		(void)see("dhcp " B, 1003);
		(void)see("dhcp 10.0.0.1 frame=" B " dhcp-server=10.0.0.1", 1003);
		(void)see("dhcp 10.0.0.1 frame=" B " dhcp-server=10.0.0.1", 1004);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
		ck_assert_str_eq(details[DHCP_SERVER_UNKNOWN], "10.0.0.1");
		ck_assert_uint_eq(told_of[DHCP_SERVER_UNKNOWN],
		    devices_find(d, B)->id);
		/* nor by the address, or a MAC address that routers share */
		(void)see("arp " B " 10.0.0.1", 5000);
		(void)see("dhcp 10.0.0.1 frame=" B " dhcp-server=10.0.0.1", 5001);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], list == 0 ? 2 : 1);
		(void)see("arp " A " 10.0.0.1", 8999);
		(void)see("dhcp 00:00:5e:00:01:07 10.0.0.1 dhcp-server=10.0.0.1",
		    9000);
		ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], list == 0 ? 3 : 2);
	}
	/* one behind a router may have several relays */
	(void)see("dhcp 172.16.0.1 frame=" B " dhcp-server=172.16.0.1", 9001);
	(void)see("dhcp 172.16.0.1 frame=" C " dhcp-server=172.16.0.1", 9002);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 2);
}
END_TEST

START_TEST(dhcp_servers_of_the_configuration_are_known)
{
	struct devices_conf c = conf;

	snprintf(c.dhcp_servers, sizeof(c.dhcp_servers), "10.0.0.2 fd00::2");
	devices_configure(d, &c);
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1000);
	(void)see("dhcp6 " B " fd00::2 dhcp-server=fd00::2", 1000);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
}
END_TEST

START_TEST(who_claims_a_thousand_addresses_gets_32)
{
	struct item it;
	char	    line[100];
	size_t	    pos = 0, n = 0;

	(void)see("arp! " B " 10.0.1.200", 999);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "arp! " A " 10.0.%d.%d", i / 250,
		    i % 250 + 1);
		(void)see(line, 1000);
	}
	ck_assert_uint_eq(count(), 2);
	while (record_next(devices_find(d, A), &pos, &it))
		n += it.kind == ITEM_ADDR;
	ck_assert_uint_eq(n, 32);
	ck_assert_uint_eq(events[DEVICE_CLAIMS_MANY], 1);
	/* whose address it claimed keeps it */
	ck_assert_ptr_eq(devices_find(d, "10.0.1.200"), devices_find(d, B));
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 0);
}
END_TEST

START_TEST(ages)
{
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("arp " B " 10.0.0.2", 1050);
	devices_age(d, 1100);
	ck_assert_uint_eq(devices_counts(d)->seen, 2);
	devices_age(d, 1101);
	ck_assert_uint_eq(events[DEVICE_VANISHED], 1);
	ck_assert_uint_eq(devices_counts(d)->absent, 1);
	ck_assert_uint_eq(devices_find(d, A)->state, RECORD_ABSENT);
	(void)see("arp! " A " 10.0.0.1", 1120);
	ck_assert_uint_eq(events[DEVICE_BACK], 1);
	ck_assert_uint_eq(events[DEVICE_NEW], 2);
	devices_age(d, 1120 + 101);
	ck_assert_uint_eq(devices_counts(d)->absent, 2);
	devices_age(d, 1120 + 1100);
	ck_assert_uint_eq(count(), 1);
	devices_age(d, 1121 + 1100);
	ck_assert_uint_eq(count(), 0);
	ck_assert_uint_eq(devices_counts(d)->absent, 0);
}
END_TEST

static size_t
kept(uint8_t *page, size_t size)
{
	struct wr w = wr_to(page, size);

	devices_save(d, 0, &w);
	ck_assert_int_eq(w.err, 0);
	return w.len;
}

START_TEST(a_name_outlives_who_had_it)
{
	(void)see("arp " A " 10.0.0.1", 1000);
	(void)see("dns! 10.0.0.1 name=a.x", 1090);
	(void)see("ldap name=a.x directory-id=1", 1095);
	ck_assert_uint_eq(count(), 1);
	ck_assert(devices_find(d, A)->confirmed); /* the directory vouches for it */
	ck_assert_uint_eq(devices_find(d, A)->last, 1000);
	devices_age(d, 1101);
	ck_assert_uint_eq(devices_counts(d)->absent, 1);
	ck_assert_uint_eq(see("dns! 10.0.0.1 name=b.x", 1200)->state, RECORD_ABSENT);
	ck_assert_uint_eq(events[DEVICE_BACK], 0);
	/* one that only the directory knows lives by it */
	(void)see("ldap name=c.x directory-id=2", 1200);
	(void)see("ldap name=c.x directory-id=2", 1290);
	devices_age(d, 1350);
	ck_assert_uint_eq(devices_find(d, "c.x")->state, RECORD_SEEN);
}
END_TEST

START_TEST(an_address_goes_when_it_is_heard_no_more)
{
	(void)see("arp " A " 10.0.0.1", 1000);
	(void)see("arp " A " 10.0.0.2", 1060);
	ck_assert_ptr_nonnull(devices_find(d, "10.0.0.1"));
	(void)see("arp " A " 10.0.0.2", 1101);
	ck_assert_ptr_null(devices_find(d, "10.0.0.1"));
	(void)see("dns! 10.0.0.2 name=a.x", 1190);
	ck_assert_ptr_nonnull(devices_find(d, "10.0.0.2"));
	(void)see("arp " A " 10.0.0.3", 1202);
	ck_assert_ptr_null(devices_find(d, "10.0.0.2"));
}
END_TEST

/* Of one that goes on speaking by ARP alone. */
static const struct { const char *line; uint8_t kind; uint32_t lasts; } said[] = {
	{ "mdns " A " 10.0.0.2 service=_ssh._tcp", FACT_SERVICE, 200 },
	{ "mdns " A " 10.0.0.1 os=Windows", FACT_OS, 200 },
	{ "dns! 10.0.0.1 name=a.x", FACT_NAME, 200 },
	{ "dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", FACT_DHCP_SERVER, 200 },
	{ "agent! " A " 10.0.0.1 agent=" URN "1", FACT_AGENT, 700 },
	{ "agent! " A " 10.0.0.1 agent=" URN "1 name=pc1", FACT_NAME, 700 },
	{ "dhcp " A " vendor-class=MSFT", FACT_VENDOR_CLASS, 1100 },
	{ "dhcp " A " client-id=ff01", FACT_CLIENT_ID, 1100 },
	{ "lldp " A " switch=sw", FACT_SWITCH, 1100 },
	{ "ldap " A " directory-id=CN=A", FACT_DIRECTORY_ID, 1100 },
};

START_TEST(what_is_said_no_more_is_so_no_more)
{
	(void)see("arp! " A " 10.0.0.1", 999);
	(void)see(said[_i].line, 1000);
	for (uint32_t t = 0; t <= said[_i].lasts; t += 50) {
		(void)see("arp! " A " 10.0.0.1", 1000 + t);
		ck_assert_msg(record_has(devices_find(d, A), said[_i].kind),
		    "%s: gone after %u s", said[_i].line, t);
	}
	(void)see("arp! " A " 10.0.0.1", 1001 + said[_i].lasts);
	ck_assert_msg(!record_has(devices_find(d, A), said[_i].kind),
	    "%s: still there", said[_i].line);
	ck_assert_uint_eq(count(), 1);
}
END_TEST

START_TEST(the_record_says_which_mac_address_showed_the_agent)
{
	(void)see("agent! " A " 10.0.0.1 agent=" URN "1", 1000);
	(void)see("lldp " A " switch=sw agent-mac=" C, 1000);
	ck_assert(record_find(devices_find(d, A), FACT_AGENT_MAC, A, 17, NULL));
	ck_assert(!record_find(devices_find(d, A), FACT_AGENT_MAC, C, 17, NULL));
}
END_TEST

START_TEST(a_service_that_said_goodbye_is_gone)
{
	(void)see("mdns " A " 10.0.0.1 service=_ssh._tcp_22 service=_ipp._tcp_631",
	    1000);
	(void)see("mdns 10.0.0.1 gone=_ssh._tcp_22", 1001);
	(void)see("mdns " B " 10.0.0.2 gone=_ssh._tcp_22", 1001);
	(void)see("mdns " B " 10.0.0.1 gone=_ssh._tcp_22", 1001);
	(void)see("ssdp " A " 10.0.0.1 gone=_ssh._tcp_22", 1001);
	ck_assert(record_find(devices_find(d, A), FACT_SERVICE, "_ssh._tcp_22", 12,
	    NULL));
	(void)see("mdns " A " 10.0.0.1 gone=_ssh._tcp_22", 1002);
	ck_assert(!record_find(devices_find(d, A), FACT_SERVICE, "_ssh._tcp_22", 12,
	    NULL));
	ck_assert(record_has(devices_find(d, A), FACT_SERVICE));
	ck_assert(!record_has(devices_find(d, A), FACT_GONE));
}
END_TEST

START_TEST(a_mac_address_goes_when_it_is_heard_no_more)
{
	(void)see("agent! " A " 10.0.0.1 agent=" URN "1", 1000);
	for (uint32_t t = 1000; t <= 2101; t += 100)
		(void)see("agent! " B " 10.0.0.2 agent=" URN "1", t);
	ck_assert_ptr_nonnull(devices_find(d, A));
	(void)see("agent! " B " 10.0.0.2 agent=" URN "1", 2101);
	ck_assert_ptr_null(devices_find(d, A));
	ck_assert_uint_eq(count(), 1);
}
END_TEST

START_TEST(while_we_were_away_nobody_was_asked)
{
	uint8_t page[DEVICES_PAGE * RECORD_WIRE];
	size_t	len;

	(void)see("mdns " A " 10.0.0.1 service=_ssh._tcp", 1000);
	len = kept(page, sizeof(page));
	teardown();
	setup();
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, 5000), 0);
	devices_age(d, 5000);
	(void)see("arp! " A " 10.0.0.1", 5001);
	ck_assert(record_has(devices_find(d, A), FACT_SERVICE));
	(void)see("arp! " A " 10.0.0.1", 5100);
	ck_assert(!record_has(devices_find(d, A), FACT_SERVICE));
}
END_TEST

START_TEST(a_computer_that_is_moved_within_its_directory_stays_one)
{
	for (uint32_t now = 1000; now < 1300; now += 90) {
		(void)see("arp! " A " 10.0.0.1", now);
		(void)see("dns! 10.0.0.1 name=pc.x", now + 1);
		(void)see(now == 1000 ? "ldap directory-id=CN=PC,OU=old name=pc.x"
				      : "ldap directory-id=CN=PC,OU=new name=pc.x",
		    now + 2);
		devices_directory_read(d, now + 2);
	}
	ck_assert_uint_eq(count(), 1);
	ck_assert(record_find(devices_find(d, A), FACT_DIRECTORY_ID,
	    "CN=PC,OU=new", 12, NULL));
	ck_assert(!record_find(devices_find(d, A), FACT_DIRECTORY_ID,
	    "CN=PC,OU=old", 12, NULL));
	/* with an UUID at once */
	(void)see("ldap directory-uuid=1 directory-id=CN=PC,OU=new name=pc.x", 1300);
	(void)see("ldap directory-uuid=1 directory-id=CN=PC,OU=c name=pc.x", 1301);
	ck_assert(record_find(devices_find(d, A), FACT_DIRECTORY_ID, "CN=PC,OU=c",
	    10, NULL));
	ck_assert(!record_find(devices_find(d, A), FACT_DIRECTORY_ID,
	    "CN=PC,OU=new", 12, NULL));
	/* one that it alone knows lives by it */
	(void)see("ldap directory-id=CN=B name=b.x", 1300);
	devices_directory_read(d, 1301);
	ck_assert_ptr_nonnull(devices_find(d, "b.x"));
}
END_TEST

START_TEST(two_computers_of_one_mac_address_are_two_for_good)
{
	for (uint32_t now = 1000; now < 3000; now += 61) {
		(void)see("ldap " A " directory-id=cn=old name=old.x", now);
		(void)see("ldap " A " directory-id=cn=new name=new.x", now);
		(void)see("arp " A " 10.0.0.5", now);
		ck_assert_uint_eq(count(), 2);
	}
}
END_TEST

START_TEST(a_clock_that_leaps_makes_nobody_older)
{
	const uint32_t year = 365 * 86400;
	uint8_t	       page[DEVICES_PAGE * RECORD_WIRE];
	size_t	       len;
	struct item    it;

	(void)see("arp " A " 10.0.0.1", 1000);
	len = kept(page, sizeof(page));
	teardown();
	setup();
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, 1010), 0);
	(void)see("arp " B " 10.0.0.2", 1020);
	devices_age(d, 1030);
	devices_leap(d, 1010, 1030, year);
	devices_age(d, 1031 + year);
	ck_assert_uint_eq(devices_find(d, B)->last, 1020 + year);
	ck_assert(record_find(devices_find(d, B), ITEM_MAC,
	    "\x00\x11\x22\x00\x00\x0b", 6, &it));
	ck_assert_uint_eq(it.seen, 1020 + year);
	ck_assert_uint_eq(devices_find(d, B)->state, RECORD_SEEN);
	/* of before we ran: that clock may have been right; it is given time */
	ck_assert_uint_eq(devices_find(d, A)->state, RECORD_ABSENT);
	(void)see("arp " A " 10.0.0.1", 1040 + year);
	devices_leap(d, 1010 + year, 1050 + year, -(int64_t)year);
	devices_age(d, 1060);
	ck_assert_uint_eq(count(), 2);
	ck_assert_uint_eq(devices_find(d, A)->last, 1040);
	devices_age(d, 1141);
	ck_assert_uint_eq(devices_counts(d)->absent, 2);
}
END_TEST

START_TEST(nobody_was_seen_in_the_future)
{
	uint8_t page[DEVICES_PAGE * RECORD_WIRE];
	size_t	len;

	(void)see("arp " A " 10.0.0.1", 900000); /* by a clock that was wrong */
	len = kept(page, sizeof(page));
	teardown();
	setup();
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, 1000), 0);
	ck_assert_uint_eq(devices_find(d, A)->first, 900000); /* it may be right */
	devices_age(d, 1101);
	ck_assert_uint_eq(devices_counts(d)->absent, 1);
}
END_TEST

START_TEST(who_takes_the_servers_address_is_not_the_server)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
	(void)see("arp " B " 10.0.0.1", 1002); /* from now on its address */
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.99", 1003);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
}
END_TEST

START_TEST(one_of_many_of_a_name_is_not_taken_for_the_only_one)
{
	char line[100];

	for (int i = 0; i < 9; i++) {
		snprintf(line, sizeof(line), "dhcp 00:11:22:01:00:%02x 10.1.0.%d "
		    "name=a.example", i, i + 1);
		(void)see(line, i < 7 ? 1000 : 1400);
	}
	devices_age(d, 1300);
	devices_age(d, 2150); /* the first seven are gone */
	ck_assert_uint_eq(count(), 2);
	(void)see("dhcp 00:11:22:01:00:08 10.1.0.9 name=a.example", 2150);
	ck_assert_ptr_null(devices_find(d, "a.example"));
}
END_TEST

START_TEST(no_datagram_silences_a_conflict)
{
	for (uint32_t now = 1000; now < 1060; now += 10) {
		(void)see("mdns 10.0.0.1 name=a.local", now);
		(void)see("arp " A " 10.0.0.1", now + 1);
		(void)see("netbios 10.0.0.1 name=A", now + 4);
		(void)see("arp " B " 10.0.0.1", now + 5);
	}
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
}
END_TEST

#define SHARED "00:00:5e:00:01:07"

START_TEST(a_shared_mac_address_is_a_rival_too)
{
	const struct record *r;

	for (uint32_t now = 1000; now < 1060; now += 10) {
		(void)see("arp " A " 10.0.0.1", now);
		(void)see("arp " SHARED " 10.0.0.1", now + 5);
	}
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 1);
	r = devices_find(d, "10.0.0.1");
	ck_assert_ptr_eq(r, devices_find(d, A));
	ck_assert_uint_eq(r->last, 1050); /* it is not seen by that */
	/* two answers to one question */
	(void)see("arp! " B " 10.0.0.2", 2000);
	(void)see("arp! " SHARED " 10.0.0.2", 2000);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	/* nor is its sender another by what he says that his card is */
	(void)see("netbios! " A " 10.0.0.3 name=X", 2000);
	ck_assert_ptr_ne(devices_find(d, "10.0.0.3"), devices_find(d, A));
	ck_assert_uint_eq(events[DEVICE_MERGED], 0);
	/* a router becomes a virtual one: its address goes when it is silent */
	(void)see("arp! " C " 10.0.0.4", 3000);
	for (uint32_t now = 3010; now < 3700; now += 10)
		(void)see("arp " SHARED " 10.0.0.4", now);
	ck_assert_uint_eq(events[ADDRESS_CONFLICT], 2);
	ck_assert_ptr_ne(devices_find(d, "10.0.0.4"), devices_find(d, C));
	ck_assert_ptr_nonnull(devices_find(d, "10.0.0.4"));
}
END_TEST

START_TEST(forged_answers_push_out_nobody_who_is_there)
{
	struct devices_conf c = conf;
	char		    line[100];

	c.max = 100;
	devices_configure(d, &c);
	for (int i = 1; i <= 10; i++) {
		snprintf(line, sizeof(line), "arp! 00:11:22:00:01:%02x 10.0.1.%d", i, i);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "agent! 00:11:22:00:02:%02x 10.0.2.%d "
		    "agent=urn:dpoint:device:00000000-0000-4000-8000-0000000000%02x",
		    i, i, i);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "arp! 00:11:22:00:03:%02x 10.0.3.%d", i, i);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "ldap 00:11:22:00:03:%02x "
		    "directory-id=CN=%d", i, i);
		(void)see(line, 1000);
	}
	/* answers to a group, by which nobody is shown to be there */
	for (int i = 0; i < 600; i++) {
		snprintf(line, sizeof(line), "%s! fe80::1:%x",
		    i % 3 == 0 ? "mdns" : i % 3 == 1 ? "llmnr" : "echo", i + 1);
		(void)see(line, 1001);
	}
	for (int i = 1; i <= 10; i++)
		for (int k = 1; k <= 3; k++) {
			snprintf(line, sizeof(line), "10.0.%d.%d", k, i);
			ck_assert_ptr_nonnull(devices_find(d, line));
		}
	ck_assert_uint_eq(devices_counts(d)->confirmed, 30);
	/* and with MAC addresses: who is vouched for stays */
	for (int i = 0; i < 600; i++) {
		snprintf(line, sizeof(line), "arp! 00:11:22:01:%02x:%02x 10.1.%d.%d",
		    i / 250, i % 250, i / 250, i % 250 + 1);
		(void)see(line, 1002);
	}
	for (int i = 1; i <= 10; i++)
		for (int k = 2; k <= 3; k++) {
			snprintf(line, sizeof(line), "10.0.%d.%d", k, i);
			ck_assert_ptr_nonnull(devices_find(d, line));
		}
	ck_assert_uint_eq(count(), 100);
	devices_age(d, 1102); /* each of them is in a list */
	ck_assert_uint_eq(devices_counts(d)->seen, 80);
	devices_age(d, 1103);
	ck_assert_uint_eq(devices_counts(d)->seen, 0);
	ck_assert_uint_eq(devices_counts(d)->absent, 100);
	/* a large directory leaves room for who is there */
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "ldap directory-id=CN=x%d", i);
		(void)see(line, 1105);
		snprintf(line, sizeof(line), "arp! 00:11:22:02:00:%02x 10.2.0.%d", i,
		    i + 1);
		(void)see(line, 1106);
	}
	ck_assert_ptr_nonnull(devices_find(d, "10.2.0.200"));
	ck_assert_uint_eq(count(), 100);
}
END_TEST

START_TEST(what_a_third_one_says_shows_nobody)
{
	const struct record *r;

	ck_assert_ptr_null(see("mdns? 10.0.0.1 name=ghost.local", 1000));
	ck_assert_uint_eq(count(), 0);
	(void)see("arp! " A " 10.0.0.1", 1000);
	(void)see("arp! " B " 10.0.0.2", 1000);
	(void)see("mdns " A " 10.0.0.1 name=pc.local", 1001);
	for (uint32_t now = 1050; now <= 1101; now += 50) {
		r = see("mdns? 10.0.0.1 name=evil.local service=_ipp._tcp "
			"address=10.0.0.7 client-id=ff01", now);
		devices_age(d, now + 1);
	}
	ck_assert(!record_find(r, FACT_NAME, "evil.local", 10, NULL));
	ck_assert(record_has(r, FACT_SERVICE)); /* a proxy's, maybe */
	ck_assert(!record_has(r, FACT_CLIENT_ID));
	ck_assert_ptr_null(devices_find(d, "10.0.0.7"));
	ck_assert_uint_eq(r->last, 1001); /* and gone it is */
	devices_age(d, 1102);
	ck_assert_uint_eq(r->state, RECORD_ABSENT);
	ck_assert_uint_eq(devices_counts(d)->absent, 2);
	(void)see("mdns? 10.0.0.1 service=_ipp._tcp", 1103);
	ck_assert_uint_eq(devices_counts(d)->absent, 2);
	(void)see("arp! " A " 10.0.0.3", 1170);
	ck_assert_ptr_null(devices_find(d, "10.0.0.1")); /* an address of old */
	/* who has no name may get one */
	r = see("mdns? 10.0.0.2 name=silent.local", 1171);
	ck_assert(record_find(r, FACT_NAME, "silent.local", 12, NULL));
}
END_TEST

START_TEST(a_name_makes_no_device)
{
	ck_assert_ptr_null(see("dns! 10.0.0.1 name=a.x", 1000));
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(nobody_is_forgotten_before_he_was_looked_for)
{
	uint8_t page[DEVICES_PAGE * RECORD_WIRE];
	size_t	len;

	(void)see("arp " A " 10.0.0.1", 1000);
	len = kept(page, sizeof(page));
	teardown();
	setup();
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, 90000), 0); /* we were off for long */
	devices_age(d, 90001);
	devices_age(d, 90100);
	ck_assert_uint_eq(count(), 1);
	devices_age(d, 90101);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(nobody_is_believed_that_he_is_behind_a_router)
{
	uint32_t liar = see("mdns " A " 10.0.0.1 address=172.16.0.9", 1000)->id;

	ck_assert_ptr_null(devices_find(d, "172.16.0.9"));
	ck_assert_uint_ne(see("agent! 172.16.0.9 agent=" URN "1", 1001)->id, liar);
}
END_TEST

START_TEST(a_name_that_all_have_costs_no_more_than_others)
{
	struct devices_conf c = conf;
	clock_t		    began = clock();
	char		    line[100];

	c.max = 50000;
	devices_configure(d, &c);
	for (int i = 0; i < 50000; i++) {
		snprintf(line, sizeof(line), "dhcp 00:11:22:%02x:%02x:01 10.1.%d.%d "
		    "name=same", i >> 8, i & 255, i >> 8, i & 255);
		(void)see(line, 1000);
	}
	ck_assert_uint_eq(count(), 50000);
	ck_assert_ptr_null(devices_find(d, "same"));
	/* 0.2 s; 12 s when each looks at all */
	ck_assert_int_lt((clock() - began) / CLOCKS_PER_SEC, 5);
}
END_TEST

START_TEST(a_flood_pushes_out_who_was_only_heard)
{
	char line[100];

	for (int i = 0; i < 500; i++) { /* they answered */
		snprintf(line, sizeof(line), "arp! 00:11:22:01:%02x:%02x 10.1.%d.%d",
		    i / 256, i % 256, i / 250, i % 250 + 1);
		(void)see(line, 1000);
	}
	for (int i = 0; i < 100000; i++) { /* spoofed */
		snprintf(line, sizeof(line), "arp 00:66:%02x:%02x:%02x:01 10.2.0.1",
		    i >> 16, i >> 8 & 255, i & 255);
		(void)see(line, 1001 + (uint32_t)i / 1000);
	}
	ck_assert_uint_eq(count(), 1000);
	ck_assert_uint_eq(devices_counts(d)->confirmed, 500);
	ck_assert_ptr_nonnull(devices_find(d, "10.1.0.1"));
	ck_assert_ptr_null(devices_find(d, "00:66:00:00:00:01")); /* the oldest */
	ck_assert_ptr_nonnull(devices_find(d, "00:66:01:86:9f:01")); /* the last */
	ck_assert_uint_ge(events[DEVICES_FULL], 1);
	ck_assert_uint_le(events[DEVICES_FULL], 3); /* once a minute */
	/* and who answers still finds room */
	(void)see("arp! " A " 10.0.0.7", 1200);
	ck_assert_ptr_nonnull(devices_find(d, A));
}
END_TEST

START_TEST(who_is_heard_pushes_nobody_out_who_answered)
{
	char line[100];

	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "arp! 00:11:22:01:%02x:%02x 10.1.%d.%d",
		    i / 256, i % 256, i / 250, i % 250 + 1);
		(void)see(line, 1000);
	}
	ck_assert_ptr_null(see("arp " A " 10.0.0.7", 1001));
	ck_assert_uint_eq(devices_counts(d)->dropped_full, 1);
	ck_assert_ptr_nonnull(see("arp! " A " 10.0.0.7", 1001));
	ck_assert_uint_eq(count(), 1000);
}
END_TEST

START_TEST(what_is_kept_comes_back)
{
	static uint8_t pages[16][DEVICES_PAGE * RECORD_WIRE];
	size_t	       len[16] = { 0 }, n = 0, page = SIZE_MAX;
	char	       line[100];

	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line),
		    "dhcp! 00:11:22:01:00:%02x 10.1.0.%d name=pc%d client-id=%02x", i,
		    i + 1, i, i);
		(void)see(line, 1000 + (uint32_t)i);
	}
	(void)see("lldp " A " switch=sw", 1200);
	while ((page = devices_dirty(d, n)) != SIZE_MAX) {
		struct wr w = wr_to(pages[page], sizeof(pages[0]));

		devices_save(d, page, &w);
		ck_assert_int_eq(w.err, 0);
		len[page] = w.len;
		n = page + 1;
	}
	ck_assert_uint_eq(n, 13);
	ck_assert_uint_eq(devices_dirty(d, 0), SIZE_MAX);
	(void)see("dhcp! 00:11:22:01:00:00 10.1.0.1", 1300); /* not worth a write */
	ck_assert_uint_eq(devices_dirty(d, 0), SIZE_MAX);
	(void)see("dhcp! 00:11:22:01:00:00 10.1.0.1", 1000 + DEVICES_LAZY_S);
	ck_assert_uint_eq(devices_dirty(d, 0), 0);

	teardown();
	setup();
	for (size_t i = 13; i-- > 0;)
		ck_assert_int_eq(devices_load(d, pages[i], len[i]), 0);
	ck_assert_int_eq(devices_loaded(d, UINT32_MAX), 0);
	ck_assert_uint_eq(count(), 101);
	ck_assert_uint_eq(events[DEVICE_NEW], 0);
	ck_assert_uint_eq(devices_find(d, "pc7")->id, 8);
	ck_assert_uint_eq(see("arp 00:11:22:01:00:07 10.1.0.99", 1400)->id, 8);
	ck_assert_uint_eq(see("arp " B " 10.0.0.1", 1400)->id, 102);
	devices_age(d, 1150); /* ages are in order although pages were not */
	ck_assert_uint_eq(devices_counts(d)->absent, 49);
	ck_assert_int_lt(devices_load(d, pages[0], len[0] - 1), 0);
}
END_TEST

static void
restart(void)
{
	uint8_t	  page[DEVICES_PAGE * RECORD_WIRE], servers[SERVERS_WIRE];
	struct wr w = wr_to(servers, sizeof(servers));
	size_t	  len = kept(page, sizeof(page));

	devices_save_servers(d, &w);
	ck_assert(!devices_servers_dirty(d));
	teardown();
	setup();
	ck_assert_int_eq(devices_load_servers(d, servers, w.len), 0);
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, UINT32_MAX), 0);
}

START_TEST(a_restart_makes_no_dhcp_server_known)
{
	(void)see("arp " B " 10.0.0.3", 1000); /* a lower slot, a later server */
	(void)see("dhcp " A " 10.0.0.40 dhcp-server=10.0.0.40", 1001);
	(void)see("dhcp " B " 10.0.0.3 dhcp-server=10.0.0.3", 1002);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	restart();
	/* it may speak first, and is told of at once */
	(void)see("dhcp " B " 10.0.0.3 dhcp-server=10.0.0.3", 1010);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	ck_assert_str_eq(details[DHCP_SERVER_UNKNOWN], "10.0.0.3");
	(void)see("dhcp " A " 10.0.0.40 dhcp-server=10.0.0.40", 1011);
	(void)see("dhcp6 " A " fe80::a dhcp-server=fe80::a", 1012);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
}
END_TEST

START_TEST(an_impostor_is_told_of_after_a_restart)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	restart();
	/* by the known one's address, before that one says anything */
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 1010);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1011);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	restart();
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1020);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0);
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 1021);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
}
END_TEST

/* What was heard of the known one then lies in the future. */
START_TEST(a_clock_that_is_behind_makes_no_dhcp_server_known)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 100000);
	restart();
	if (_i == 1)
		ck_assert_int_eq(devices_loaded(d, 1000), 0);
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 4650);
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 4700);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 2);
}
END_TEST

START_TEST(a_dhcp_server_of_the_future_is_given_up_in_time)
{
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 100000);
	restart();
	ck_assert_int_eq(devices_loaded(d, 1000), 0);
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 1101);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1); /* that it is another */
	(void)see("dhcp " B " 10.0.0.1 dhcp-server=10.0.0.1", 4800);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
}
END_TEST

START_TEST(servers_of_which_none_is_known_stay_so)
{
	struct devices_conf c = conf;

	snprintf(c.dhcp_servers, sizeof(c.dhcp_servers), "10.0.0.9");
	devices_configure(d, &c);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 1);
	restart(); /* and there is no list any more */
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1010);
	(void)see("dhcp " B " 10.0.0.2 dhcp-server=10.0.0.2", 1011);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 2);
}
END_TEST

START_TEST(servers_that_are_no_servers_are_not_read)
{
	uint8_t	  buf[SERVERS_WIRE + 27] = { 0 };
	struct wr w = wr_to(buf, sizeof(buf));

	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1000);
	devices_save_servers(d, &w);
	ck_assert_uint_eq(w.len, 27);
	ck_assert_int_eq(devices_load_servers(d, buf, 26), -EBADMSG);
	ck_assert_int_eq(devices_load_servers(d, buf, sizeof(buf)), -EBADMSG);
	buf[16] = 4;
	ck_assert_int_eq(devices_load_servers(d, buf, 27), -EBADMSG);
	(void)see("dhcp " A " 10.0.0.1 dhcp-server=10.0.0.1", 1001);
	ck_assert_uint_eq(events[DHCP_SERVER_UNKNOWN], 0); /* the first it is yet */
	ck_assert_int_eq(devices_load_servers(d, buf, 0), 0);
}
END_TEST

START_TEST(what_a_later_version_kept_costs_nothing_else)
{
	static const uint8_t items[] = { FACT_MAX, SIGHT_ARP, 1, 0, 0, 3, 0x84,
		'x', ITEM_MAC, SIGHT_ARP, 6, 0, 0, 3, 0x84, 0, 0x11, 0x22, 0, 0,
		0x0b, ITEM_KINDS, SIGHT_ARP, 2, 0, 0, 3, 0x84, 'y', 'y', FACT_NAME,
		SIGHT_BY_MAX, 1, 0, 0, 3, 0x84, 'z' };
	uint8_t	      page[DEVICES_PAGE * RECORD_WIRE];
	struct wr     w = wr_to(page, sizeof(page));
	struct record later = { .id = 7, .first = 900, .last = 900,
		.by = 1U << SIGHT_ARP, .len = sizeof(items) };

	later.items = (uint8_t *)(uintptr_t)items;
	record_write(&later, &w);
	(void)see("arp " A " 10.0.0.1", 1000);
	devices_save(d, 0, &w);
	teardown();
	setup();
	ck_assert_int_eq(devices_load(d, page, w.len), 0);
	ck_assert_int_eq(devices_loaded(d, 1001), 0);
	ck_assert_uint_eq(count(), 2);
	ck_assert_uint_eq(devices_find(d, A)->id, 1);
	ck_assert_uint_eq(devices_find(d, B)->id, 7);
	ck_assert_uint_eq(devices_find(d, B)->len, 7 + 6);
}
END_TEST

START_TEST(kept_ones_that_come_late_keep_their_numbers)
{
	uint8_t page[DEVICES_PAGE * RECORD_WIRE];
	size_t	len;

	(void)see("arp " A " 10.0.0.1", 1000);
	len = kept(page, sizeof(page));
	teardown();
	setup();
	devices_begin(d, 5000); /* the store is away */
	ck_assert_uint_eq(see("arp " B " 10.0.0.2", 5001)->id, 5000);
	ck_assert_int_eq(devices_load(d, page, len), 0);
	ck_assert_int_eq(devices_loaded(d, UINT32_MAX), 0);
	ck_assert_uint_eq(devices_find(d, A)->id, 1);
	ck_assert_uint_eq(see("arp " C " 10.0.0.3", 5002)->id, 5001);
}
END_TEST

START_TEST(what_was_not_kept_is_written_again)
{
	uint8_t page[DEVICES_PAGE * RECORD_WIRE];

	(void)see("arp " A " 10.0.0.1", 1000);
	(void)kept(page, sizeof(page));
	ck_assert_uint_eq(devices_dirty(d, 0), SIZE_MAX);
	devices_unsaved(d);
	ck_assert_uint_eq(devices_dirty(d, 0), 0);
}
END_TEST

START_TEST(a_talkative_device_cannot_hide_that_it_takes_an_address)
{
	char line[400];

	(void)see("arp " B " 10.0.0.9", 1000); /* whose it is */
	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "mdns " A " 10.0.0.1 service=%0240d", i);
		(void)see(line, 1000 + (uint32_t)i * 100);
	}
	(void)see("arp " A " 10.0.0.9", 5100);
	(void)see("arp " B " 10.0.0.9", 5200);
	(void)see("arp " A " 10.0.0.9", 5300);
	ck_assert_uint_ge(events[ADDRESS_CONFLICT], 1);
	ck_assert_uint_eq(events[DEVICE_CLAIMS_MANY], 0);
}
END_TEST

START_TEST(a_node_status_does_not_say_whose_mac_address_it_is)
{
	uint32_t two;

	(void)see("arp " A " 10.0.0.1", 1000);
	two = see("arp " B " 10.0.0.2", 1000)->id;
	ck_assert_uint_eq(see("netbios! " A " 10.0.0.2 name=X", 1001)->id, two);
	ck_assert_uint_eq(devices_find(d, "10.0.0.2")->id, two);
	ck_assert_uint_eq(count(), 2);
}
END_TEST

START_TEST(fewer_are_kept_when_fewer_are_wanted)
{
	struct devices_conf few = conf;
	char		    line[100];

	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "arp 00:11:22:01:00:%02x 10.1.0.%d", i,
		    i + 1);
		(void)see(line, 1000);
	}
	few.max = 10;
	devices_configure(d, &few);
	(void)see("arp! " A " 10.0.0.7", 1001);
	ck_assert_uint_eq(count(), 10);
	ck_assert_ptr_nonnull(devices_find(d, A));
}
END_TEST

static size_t
rss_anon_kib(void)
{
	char   line[200];
	size_t kib = 0;
	FILE  *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "RssAnon: %zu", &kib);
	if (f != NULL)
		fclose(f);
	return kib;
}

START_TEST(fifty_thousand_devices_in_64_mib)
{
	struct devices_conf c = conf;
	char		    line[500];
	size_t		    kib;

	c.max = 50000;
	devices_configure(d, &c);
	for (int i = 0; i < 50000; i++) {
		int x = i >> 8 & 255, y = i & 255;

		snprintf(line, sizeof(line), "dhcp! 00:11:22:%02x:%02x:01 10.1.%d.%d "
		    "name=workstation-%05d vendor-class=MSFT client-id=ff0011%06x "
		    "fingerprint=1,3,6,15,31,33,43,44,46,47,119,121,249,252", x, y,
		    x, y, i, i);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "ndp! 00:11:22:%02x:%02x:01 fe80::%x", x,
		    y, i + 1);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "ndp 00:11:22:%02x:%02x:01 fd00::%x", x,
		    y, i + 1);
		(void)see(line, 1000);
		snprintf(line, sizeof(line), "mdns 00:11:22:%02x:%02x:01 10.1.%d.%d "
		    "name=workstation-%05d.local service=_smb._tcp_445 "
		    "service=_device-info._tcp", x, y, x, y, i);
		(void)see(line, 1001);
	}
	ck_assert_uint_eq(count(), 50000);
	kib = rss_anon_kib();
	printf("REPORT 50,000 devices: RssAnon %zu KiB\n", kib);
#ifndef DPOINT_SANITIZED
	ck_assert_uint_lt(kib, 64 * 1024);
#endif
}
END_TEST

/* All say as much as is believed: addresses that are keys, then long texts. */
START_TEST(talkative_ones_in_64_mib)
{
	struct devices_conf c = conf;
	char		    line[600];
	size_t		    kib;

	c.max = 50000;
	devices_configure(d, &c);
	for (int i = 0; i < 50000; i++)
		for (int k = 0; k < 32; k++) {
			snprintf(line, sizeof(line), "ndp! 00:11:22:%02x:%02x:%02x "
			    "fd00::%x:%x", i >> 8, i & 255, _i, i, k);
			(void)see(line, 1000);
		}
	for (int i = 0; i < 50000 * _i; i++) {
		snprintf(line, sizeof(line), "mdns 00:11:22:%02x:%02x:%02x fd00::%x:1 "
		    "service=%0240d service=%0240d", i >> 8 & 255, i & 255, _i,
		    i % 50000, i, i + 1);
		(void)see(line, 1001);
	}
	kib = rss_anon_kib();
	printf("REPORT %zu talkative devices: RssAnon %zu KiB\n", count(), kib);
	ck_assert_uint_gt(count(), 10000);
#ifndef DPOINT_SANITIZED
	ck_assert_uint_lt(kib, 64 * 1024);
#endif
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("devices");
	TCase	*t = tcase_create("devices");
	SRunner *run;
	int	 bad;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, as_the_rules_say, 0, (int)COUNT(stories));
	tcase_add_loop_test(t, an_identity_that_anybody_can_say_hides_nobody, 0,
	    (int)COUNT(identities));
	tcase_add_test(t, who_says_all_identities_gets_none_of_them);
	tcase_add_test(t, live_copies_of_one_machine_are_as_many);
	tcase_add_test(t, who_stands_between_is_not_the_agent);
	tcase_add_test(t, an_agent_at_an_address_that_was_anothers_is_its_machine);
	tcase_add_test(t, what_is_learned_stands_in_the_record);
	tcase_add_test(t, two_that_have_one_address_are_noticed);
	tcase_add_test(t, an_address_that_moves_on_is_no_conflict);
	tcase_add_test(t, who_shows_an_address_of_ours_is_in_conflict_with_us);
	tcase_add_test(t, an_address_that_we_take_over_is_no_conflict);
	tcase_add_test(t, who_calls_himself_a_relay_is_an_impostor_all_the_same);
	tcase_add_test(t, what_a_third_one_says_shows_nobody);
	tcase_add_test(t, no_datagram_silences_a_conflict);
	tcase_add_test(t, a_shared_mac_address_is_a_rival_too);
	tcase_add_test(t, forged_answers_push_out_nobody_who_is_there);
	tcase_add_test(t, a_probe_that_is_defended_is_a_duplicate);
	tcase_add_test(t, one_pair_is_a_duplicate_once_an_hour);
	tcase_add_test(t, what_nobody_took_is_told_again);
	tcase_add_test(t, the_first_dhcp_server_is_the_known_one);
	tcase_add_test(t, one_machine_serves_ipv4_and_ipv6);
	tcase_add_test(t, who_answers_as_the_known_dhcp_server_is_told_of);
	tcase_add_test(t, who_claims_many_is_in_conflict_all_the_same);
	tcase_add_test(t, dhcp_servers_of_the_configuration_are_known);
	tcase_add_test(t, who_claims_a_thousand_addresses_gets_32);
	tcase_add_test(t, ages);
	tcase_add_test(t, a_name_outlives_who_had_it);
	tcase_add_test(t, an_address_goes_when_it_is_heard_no_more);
	tcase_add_loop_test(t, what_is_said_no_more_is_so_no_more, 0,
	    (int)COUNT(said));
	tcase_add_test(t, the_record_says_which_mac_address_showed_the_agent);
	tcase_add_test(t, a_service_that_said_goodbye_is_gone);
	tcase_add_test(t, a_mac_address_goes_when_it_is_heard_no_more);
	tcase_add_test(t, while_we_were_away_nobody_was_asked);
	tcase_add_test(t, a_computer_that_is_moved_within_its_directory_stays_one);
	tcase_add_test(t, two_computers_of_one_mac_address_are_two_for_good);
	tcase_add_test(t, a_clock_that_leaps_makes_nobody_older);
	tcase_add_test(t, nobody_was_seen_in_the_future);
	tcase_add_test(t, who_takes_the_servers_address_is_not_the_server);
	tcase_add_test(t, one_of_many_of_a_name_is_not_taken_for_the_only_one);
	tcase_add_test(t, a_name_makes_no_device);
	tcase_add_test(t, nobody_is_forgotten_before_he_was_looked_for);
	tcase_add_test(t, nobody_is_believed_that_he_is_behind_a_router);
	tcase_add_test(t, a_name_that_all_have_costs_no_more_than_others);
	tcase_add_test(t, a_flood_pushes_out_who_was_only_heard);
	tcase_add_test(t, who_is_heard_pushes_nobody_out_who_answered);
	tcase_add_test(t, what_is_kept_comes_back);
	tcase_add_test(t, a_restart_makes_no_dhcp_server_known);
	tcase_add_test(t, an_impostor_is_told_of_after_a_restart);
	tcase_add_loop_test(t, a_clock_that_is_behind_makes_no_dhcp_server_known, 0, 2);
	tcase_add_test(t, a_dhcp_server_of_the_future_is_given_up_in_time);
	tcase_add_test(t, servers_of_which_none_is_known_stay_so);
	tcase_add_test(t, servers_that_are_no_servers_are_not_read);
	tcase_add_test(t, what_a_later_version_kept_costs_nothing_else);
	tcase_add_test(t, kept_ones_that_come_late_keep_their_numbers);
	tcase_add_test(t, what_was_not_kept_is_written_again);
	tcase_add_test(t, a_talkative_device_cannot_hide_that_it_takes_an_address);
	tcase_add_test(t, a_node_status_does_not_say_whose_mac_address_it_is);
	tcase_add_test(t, fewer_are_kept_when_fewer_are_wanted);
	tcase_add_test(t, fifty_thousand_devices_in_64_mib);
	tcase_add_loop_test(t, talkative_ones_in_64_mib, 0, 2);
	suite_add_tcase(s, t);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	bad = srunner_ntests_failed(run);
	srunner_free(run);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
