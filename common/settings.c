/*
 * common/settings.c - the schema of dpoint.conf and its files; see settings.h.
 *
 * Runs in the master, which reads the files, and in the workers, which read
 * their part as text. Believes nothing but the file system's permissions.
 * SPDX-License-Identifier: ISC
 */
#include "common/settings.h"

#include "common/download.h"
#include "common/log.h"
#include "common/mcast_group.h"
#include "common/packet.h"
#include "common/report.h"
#include "common/size.h"
#include "common/url.h"
#include "common/value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define TIB (1ULL << 40)
#define DAY 86400

#define M(k, t, f, d, lo, hi, h) CONF_ITEM(master_conf, k, t, f, d, lo, hi, h)
#define MS(k, t, f, d, h)	 CONF_STR(master_conf, k, t, f, d, h)
static const struct conf_item master_items[] = {
	MS("libexec", CONF_TEXT, libexec, "/usr/libexec/dpoint",
	    "Directory of the workers' programs."),
	MS("run-dir", CONF_TEXT, run_dir, "/run/dpoint",
	    "Directory of the sockets and of the lock file."),
	MS("user-prefix", CONF_TEXT, user_prefix, "dp-",
	    "A worker runs as the user named by this and its function."),
	MS("start", CONF_TEXT, start, "fork",
	    "fork: the master starts the workers; systemd: they connect."),
	MS("admin-read-group", CONF_TEXT, admin_read_group, "dpoint-view",
	    "Group that may ask over the admin socket."),
	MS("admin-change-group", CONF_TEXT, admin_change_group, "dpoint-admin",
	    "Group that may also change things over the admin socket."),
	MS("log-level", CONF_TEXT, log_level, "info",
	    "err, warn, info or debug."),
	M("health-interval", CONF_SECONDS, health_interval, "1", 1, 60,
	    "Pause between two health pings of a worker."),
	M("health-timeout", CONF_SECONDS, health_timeout, "3", 1, 600,
	    "A worker that is silent for so long is killed and replaced."),
	M("drain-timeout", CONF_SECONDS, drain_timeout, "30", 1, 3600,
	    "At the end, what is under way may take so long."),
	{ 0 }
};

#define S(k, t, f, d, lo, hi, h) CONF_ITEM(store_conf, k, t, f, d, lo, hi, h)
static const struct conf_item store_items[] = {
	CONF_STR(store_conf, "dir", CONF_TEXT, dir, "/var/lib/dpoint/store",
	    "Content and index."),
	S("index-max", CONF_BYTES, index_max, "1GiB", MIB, TIB,
	    "Largest size of the index."),
	S("reserve", CONF_BYTES, reserve, "2GiB", 0, 1024 * TIB,
	    "Below so much free space nothing is stored: a security issue."),
	S("want-free", CONF_BYTES, want_free, "4GiB", 0, 1024 * TIB,
	    "Below so much free space content is evicted."),
	S("max-content", CONF_BYTES, max_content, "0", 0, 1024 * TIB,
	    "Most bytes of content; 0: as the disk allows."),
	{ 0 }
};

#define F(k, t, f, d, lo, hi, h) CONF_ITEM(fetch_conf, k, t, f, d, lo, hi, h)
#define FS(k, t, f, d, h)	 CONF_STR(fetch_conf, k, t, f, d, h)
static const struct conf_item fetch_items[] = {
	FS("group", CONF_TEXT, group, "/",
	    "Administration group whose devices are in this scope."),
	FS("preload", CONF_TEXT, preload, "scope",
	    "scope: fetch what the scope needs beforehand; none: on demand."),
	F("interval", CONF_SECONDS, interval, "15m", 5, 30 * DAY,
	    "Pause between two refreshes of a repository."),
	F("connect-timeout", CONF_SECONDS, connect_timeout, "15", 1, 600,
	    "An upstream that does not answer for so long is given up."),
	F("stall-timeout", CONF_SECONDS, stall_timeout, "30", 1, 3600,
	    "A transfer that brings nothing for so long is given up."),
	F("max-object", CONF_BYTES, max_object, "64GiB", KIB, 16 * TIB,
	    "Largest target accepted."),
	F("parallel", CONF_INT, parallel, "4", 1, 64,
	    "Transfers at once."),
	FS("proxy", CONF_URLS, proxy, "", "HTTP proxy to the upstreams."),
	FS("proxy-auth", CONF_FILE, proxy_auth, "",
	    "File with user:password for the proxy."),
	FS("wan-rate", CONF_RATES, wan_rate, "",
	    "Most bytes per second over the line, such as 20MB/s, or by time "
	    "window: mon-fri 08:00-18:00=2MB/s otherwise=20MB/s."),
	{ 0 }
};

#define R(k, t, f, h) CONF_STR(repo_conf, k, t, f, "", h)
static const struct conf_item repo_items[] = {
	R("upstream", CONF_URLS, upstream,
	    "Addresses of the repository, tried in order."),
	R("root", CONF_FILE, root, "The first trusted root.json."),
	R("ca", CONF_FILE, ca, "Private CA of the upstreams; empty: system."),
	R("client-cert", CONF_FILE, client_cert,
	    "Certificate for upstreams that ask for one."),
	R("client-key", CONF_FILE, client_key, "Its key."),
	{ 0 }
};

#define V(k, t, f, d, lo, hi, h) CONF_ITEM(serve_conf, k, t, f, d, lo, hi, h)
#define VS(k, t, f, d, h)	 CONF_STR(serve_conf, k, t, f, d, h)
static const struct conf_item serve_items[] = {
	VS("http", CONF_LISTEN, http, "0.0.0.0:8060 [::]:8060",
	    "Where to serve HTTP."),
	VS("https", CONF_LISTEN, https, "",
	    "Where to serve HTTPS, usually 0.0.0.0:8061 [::]:8061."),
	VS("cert", CONF_FILE, cert, "", "Certificate chain for HTTPS."),
	VS("key", CONF_FILE, key, "", "Its key."),
	VS("client-ca", CONF_FILE, client_ca, "",
	    "CA of the client certificates."),
	VS("client-crl", CONF_FILE, client_crl, "",
	    "Revocation list of that CA; a reload ends the connections of those on it, "
	    "and once it has expired none of that CA is accepted."),
	VS("client-cert", CONF_TEXT, client_cert, "optional",
	    "none, optional or required."),
	VS("allow", CONF_RANGES, allow, "",
	    "Address ranges of the scope, such as 10.1.0.0/16 2001:db8::/32; "
	    "empty: everyone."),
	V("max-connections", CONF_INT, max_connections, "16000", 1, 1000000,
	    "Connections at once."),
	V("max-per-address", CONF_INT, max_per_address, "0", 0, 1000000,
	    "Connections at once from one address; 0: no such limit."),
	V("header-timeout", CONF_SECONDS, header_timeout, "10", 1, 600,
	    "A request's header must arrive within this."),
	V("idle-timeout", CONF_SECONDS, idle_timeout, "65", 1, 3600,
	    "An idle connection is closed after this."),
	V("send-timeout", CONF_SECONDS, send_timeout, "60", 1, 3600,
	    "A client that takes nothing for so long is dropped."),
	V("want-timeout", CONF_SECONDS, want_timeout, "60", 1, 3600,
	    "What is fetched on demand must bring something within this."),
	V("open-objects", CONF_INT, open_objects, "1024", 16, 100000,
	    "Size of the table of open objects."),
	{ 0 }
};

#define X(k, t, f, d, lo, hi, h) CONF_ITEM(multicast_conf, k, t, f, d, lo, hi, h)
#define XS(k, t, f, d, h)	 CONF_STR(multicast_conf, k, t, f, d, h)
static const struct conf_item multicast_items[] = {
	X("enable", CONF_BOOL, enable, "no", 0, 0,
	    "Send by multicast what many devices lack."),
	XS("group", CONF_GROUPS, group, "",
	    "Groups of this scope, such as 239.255.77.1@eth0 or [ff15::7701]."),
	XS("source", CONF_ADDRS, source, "",
	    "Addresses to send from, one of a family; empty: as routes say."),
	X("ttl", CONF_INT, ttl, "1", 1, 255,
	    "Hops that packets may take; 1: this network only."),
	X("loop", CONF_BOOL, loop, "no", 0, 0,
	    "Agents on this machine hear the groups too."),
	XS("mode", CONF_TEXT, mode, "secure",
	    "secure: sealed packets; open: plain FLUTE, for other receivers."),
	XS("rate", CONF_RATES, rate, "10MB/s",
	    "Most bytes per second of all sessions, by time window."),
	X("sessions", CONF_INT, sessions, "4", 1, 16, "Transfers at once."),
	X("min-size", CONF_BYTES, min_size, "256KiB", 0, TIB,
	    "Smaller objects go by unicast."),
	X("min-agents", CONF_INT, min_agents, "2", 1, 65536,
	    "If fewer devices lack an object, it goes by unicast."),
	X("gather", CONF_SECONDS, gather, "2", 0, 600,
	    "Wait for so long for others who lack the same object."),
	X("max-loss", CONF_INT, max_loss, "20", 1, 100,
	    "If sessions lose more than so many percent: unicast."),
	X("carousel-rate", CONF_RATE, carousel_rate, "100kB/s", 1000, GIB,
	    "Rate at which metadata, policies and tasks are repeated."),
	X("carousel-max-object", CONF_BYTES, carousel_max_object, "256KiB", 0,
	    4 * MIB, "Larger ones are not repeated; 0: none is."),
	X("rotate", CONF_SECONDS, rotate, "24h", 60, 30 * DAY,
	    "The groups' secret is replaced after this."),
	{ 0 }
};

#define W(k, t, f, d, lo, hi, h) CONF_ITEM(gateway_conf, k, t, f, d, lo, hi, h)
#define WS(k, t, f, d, h)	 CONF_STR(gateway_conf, k, t, f, d, h)
static const struct conf_item gateway_items[] = {
	W("enable", CONF_BOOL, enable, "no", 0, 0,
	    "Carry devices' TLS connections to the Administration Server."),
	WS("listen", CONF_LISTEN, listen, "0.0.0.0:13000 [::]:13000",
	    "Where devices connect; not given, it is 0.0.0.0:13000 [::]:13000 "
	    "if there is a server, and nowhere without one."),
	WS("server", CONF_HOSTS, server, "",
	    "Addresses of the one server, such as server.example.org:13000, "
	    "tried in order."),
	WS("sni", CONF_NAMES, sni, "",
	    "Server names admitted, such as server.example.org or "
	    "*.example.org; none: clients that name none, too."),
	WS("alpn", CONF_ALPN, alpn, "",
	    "Protocols that clients may offer, such as h2; none: clients that "
	    "offer none, too; empty: whatever they offer."),
	WS("allow", CONF_RANGES, allow, "",
	    "Address ranges of the scope, such as 10.1.0.0/16 2001:db8::/32; "
	    "empty: everyone."),
	WS("cert", CONF_FILE, cert, "",
	    "Certificate chain of the listeners where TLS ends."),
	WS("key", CONF_FILE, key, "", "Its key."),
	WS("client-ca", CONF_FILE, client_ca, "",
	    "CA of the certificates that clients need there."),
	WS("client-crl", CONF_FILE, client_crl, "",
	    "Revocation list of that CA; a reload ends the connections of those on it, "
	    "and once it has expired none of that CA is accepted."),
	W("processes", CONF_INT, processes, "1", 1, GATEWAYS_MAX,
	    "Processes that share the work: each has its own descriptors, and "
	    "max-connections and all max-per- count in each; 1 where "
	    "master.start = systemd."),
	WS("push-listen", CONF_LISTEN, push_listen, "",
	    "Where devices wait to be woken, such as 0.0.0.0:13295 [::]:13295; "
	    "TLS ends there."),
	W("push-keepalive", CONF_SECONDS, push_keepalive, "240", 1, 86400,
	    "A comment goes over a push connection that was quiet for so long; "
	    "below what the NATs on the way forget after."),
	WS("push-admins", CONF_TEXT, push_admins, "",
	    "Who may wake devices over the network: names in certificates, such "
	    "as urn:dpoint:dp:UUID; empty: nobody."),
	WS("id", CONF_TEXT, id, "",
	    "Name of this gateway among gateways, by which circles are found; "
	    "empty: a random one."),
	WS("uplink", CONF_HOSTS, uplink, "",
	    "Far ends, tried in order: one connection carries all devices', "
	    "such as far.example.org:13002."),
	W("uplink-fallback", CONF_BOOL, uplink_fallback, "no", 0, 0,
	    "Where there is no uplink, connect to the server directly."),
	WS("uplink-ca", CONF_FILE, uplink_ca, "",
	    "CA of those whom uplink and dial name; empty: client-ca."),
	WS("uplink-listen", CONF_LISTEN, uplink_listen, "",
	    "Far end: where gateways connect."),
	WS("dmz-listen", CONF_LISTEN, dmz_listen, "",
	    "Gateway in a DMZ: where far ends connect."),
	WS("uplink-peers", CONF_TEXT, uplink_peers, "",
	    "Who may connect there: names in certificates, such as "
	    "urn:dpoint:dp:UUID; empty: nobody."),
	WS("dial", CONF_HOSTS, dial, "",
	    "Far end: gateways in a DMZ, each of which it connects to."),
	WS("far-end-allow", CONF_HOSTS, far_end_allow, "",
	    "Far end: where gateways' streams may go, such as "
	    "server.example.org:13000."),
	W("uplink-ping", CONF_SECONDS, uplink_ping, "30", 1, 3600,
	    "An uplink is asked so often whether it works."),
	W("uplink-timeout", CONF_SECONDS, uplink_timeout, "20", 1, 600,
	    "One that does not answer within this is given up."),
	WS("proxy-listen", CONF_LISTEN, proxy_listen, "",
	    "Where clients ask for a tunnel by HTTP CONNECT, such as "
	    "10.1.0.1:3128."),
	WS("proxy-from", CONF_RANGES, proxy_from, "",
	    "Address ranges of those who may ask there."),
	WS("proxy-tls-listen", CONF_LISTEN, proxy_tls_listen, "",
	    "Where clients ask likewise over TLS, such as 0.0.0.0:3129 "
	    "[::]:3129: a certificate of a device admits there, from any address "
	    "of allow."),
	WS("proxy-allow", CONF_HOSTS, proxy_allow, "",
	    "What tunnels may lead to, such as deb.example.org:443 and nothing "
	    "else; addresses of this machine and its links only if they are "
	    "named as such."),
	WS("terminate-listen", CONF_LISTEN, terminate_listen, "",
	    "Where devices connect whose TLS ends here, such as 0.0.0.0:13001 "
	    "[::]:13001."),
	WS("terminate-server", CONF_HOSTS, terminate_server, "",
	    "Addresses of the one server that these are connected to, tried in "
	    "order."),
	W("terminate-tls", CONF_BOOL, terminate_tls, "yes", 0, 0,
	    "Connect to it by TLS; no: in clear."),
	WS("terminate-name", CONF_TEXT, terminate_name, "",
	    "Name in its certificate; empty: the host's in terminate-server."),
	WS("terminate-ca", CONF_FILE, terminate_ca, "", "CA of its certificate."),
	WS("terminate-cert", CONF_FILE, terminate_cert, "",
	    "Certificate chain shown to it; empty: cert."),
	WS("terminate-key", CONF_FILE, terminate_key, "", "Its key."),
	W("proxy-protocol", CONF_BOOL, proxy_protocol, "no", 0, 0,
	    "Tell the server each device's address by PROXY protocol v2."),
	W("max-connections", CONF_INT, max_connections, "50000", 1, 1000000,
	    "Connections at once in each process, as far as it has descriptors."),
	W("max-per-address", CONF_INT, max_per_address, "0", 0, 1000000,
	    "Connections at once from one address, in each process; 0: no such "
	    "limit."),
	W("max-per-device", CONF_INT, max_per_device, "0", 0, 1000000,
	    "Connections at once of one device, by its certificate, in each "
	    "process; 0: no such limit."),
	W("max-per-peer", CONF_INT, max_per_peer, "0", 0, 1000000,
	    "Connections at once that one gateway may ask for by its uplinks, in "
	    "each process; 0: half of max-connections where uplink-peers and dial "
	    "name several, else all."),
	W("hello-timeout", CONF_SECONDS, hello_timeout, "10", 1, 600,
	    "A ClientHello must be whole within this."),
	W("server-timeout", CONF_SECONDS, server_timeout, "5", 1, 600,
	    "A server that does not connect, or then answer, within this is "
	    "passed over."),
	W("send-timeout", CONF_SECONDS, send_timeout, "60", 1, 86400,
	    "Who takes nothing of what waits for it for so long is dropped."),
	W("idle-timeout", CONF_SECONDS, idle_timeout, "1d", 0, 30 * DAY,
	    "A connection that carries nothing for so long is closed; 0: "
	    "none is."),
	W("total-timeout", CONF_SECONDS, total_timeout, "0", 0, 365 * DAY,
	    "A connection is closed after this in any case; 0: none is."),
	W("keepalive", CONF_SECONDS, keepalive, "60", 1, 7200,
	    "Quiet for so long, the other end is asked whether it is there."),
	{ 0 }
};

#define I(k, t, f, d, lo, hi, h) CONF_ITEM(inbox_conf, k, t, f, d, lo, hi, h)
#define IS(k, t, f, h)		 CONF_STR(inbox_conf, k, t, f, "", h)
static const struct conf_item inbox_items[] = {
	IS("url", CONF_URLS, url,
	    "Where devices' reports go on, an https:// address before "
	    "/DEVICE/SEQUENCE; empty: no reports are taken."),
	IS("ca", CONF_FILE, ca, "Private CA of that server; empty: system."),
	IS("client-cert", CONF_FILE, client_cert,
	    "Certificate for a server that asks for one."),
	IS("client-key", CONF_FILE, client_key, "Its key."),
	I("max-report", CONF_BYTES, max_report, "64KiB", 1, MIB,
	    "Largest report taken."),
	I("max-size", CONF_BYTES, max_size, "256MiB", MIB, TIB,
	    "Most bytes of reports kept; then no more are taken."),
	I("max-device-size", CONF_BYTES, max_device_size, "16MiB", 2 * KIB, TIB,
	    "Most bytes kept of one device."),
	I("max-devices", CONF_INT, max_devices, "100000", 1, 10000000,
	    "Devices whose last sequence is remembered."),
	I("max-age", CONF_SECONDS, max_age, "7d", 1, 365 * DAY,
	    "Reports that wait for longer, while dpoint runs, are dropped."),
	I("parallel", CONF_INT, parallel, "8", 1, 32,
	    "Reports forwarded at once, each of another device."),
	{ 0 }
};

#define N(k, t, f, d, lo, hi, h) CONF_ITEM(scan_conf, k, t, f, d, lo, hi, h)
#define NS(k, t, f, h)		 CONF_STR(scan_conf, k, t, f, "", h)
static const struct conf_item scan_items[] = {
	N("enable", CONF_SWITCH, enable, "no", 0, 0,
	    "Find the devices of the network, and know what they are."),
	N("active", CONF_BOOL, active, "yes", 0, 0,
	    "Ask the network; no: nothing is sent."),
	N("passive", CONF_BOOL, passive, "yes", 0, 0,
	    "Learn from what devices say to others; no: from answers alone."),
	N("attached", CONF_BOOL, attached, "yes", 0, 0,
	    "Poll the networks that this machine's interfaces are in."),
	NS("ranges", CONF_RANGES, ranges,
	    "Further ranges to poll, such as 10.1.0.0/22; of an IPv6 range shorter than "
	    "/96 only devices that are known from elsewhere."),
	NS("exclude", CONF_RANGES, exclude,
	    "Address ranges that are never asked anything."),
	NS("interfaces", CONF_TEXT, interfaces,
	    "Interfaces that are polled and listened on; empty: all."),
	N("large-ranges", CONF_BOOL, large_ranges, "no", 0, 0,
	    "Ranges of more than 65,536 addresses are polled, too, up to 16,777,216."),
	N("mld", CONF_BOOL, mld, "yes", 0, 0,
	    "Query IPv6 multicast listeners, too: finds hosts that answer no echo to all; "
	    "routers with a higher address leave querying to us for four minutes then."),
	N("rate", CONF_INT, rate, "1000", 1, 1000000,
	    "Packets a second that are sent at most."),
	N("wait-ms", CONF_INT, wait_ms, "250", 10, 10000,
	    "Milliseconds that a device has to answer, before it is asked again."),
	N("range-interval", CONF_SECONDS, range_interval, "420m", 0, 30 * DAY,
	    "Pause between two polls of the ranges; 0: on demand only."),
	N("name-interval", CONF_SECONDS, name_interval, "420m", 0, 30 * DAY,
	    "Pause between two rounds of asking found devices for names and "
	    "services; 0: on demand only."),
	N("snmp-interval", CONF_SECONDS, snmp_interval, "420m", 0, 30 * DAY,
	    "Pause between two rounds of SNMP; 0: on demand only."),
	NS("dns", CONF_ADDRS, dns,
	    "Servers asked for reverse DNS; empty: those of /etc/resolv.conf."),
	NS("snmp-communities", CONF_FILE, snmp_communities,
	    "SNMP communities, one a line, after 'v1 ' where SNMPv1 is meant; empty: SNMP "
	    "is not used."),
	NS("snmp-ranges", CONF_RANGES, snmp_ranges,
	    "Address ranges of the devices that are asked by SNMP, such as those of "
	    "switches, since communities go in clear to whoever is asked; empty: all."),
	N("life-time", CONF_SECONDS, life_time, "24h", 10, 365 * DAY,
	    "A device that was silent for so long counts as not seen."),
	N("keep-time", CONF_SECONDS, keep_time, "30d", 10, 3650 * DAY,
	    "A device that is not seen for so long after that is removed."),
	N("max-devices", CONF_INT, max_devices, "50000", 16, 200000,
	    "Devices kept at most."),
	NS("dhcp-servers", CONF_ADDRS, dhcp_servers,
	    "DHCP servers that there should be; empty: the first one seen."),
	NS("id", CONF_TEXT, id,
	    "UUID of this distribution point, told with each device as who saw "
	    "it; empty: its host name."),
	N("report-interval", CONF_SECONDS, report_interval, "1h", 0, 30 * DAY,
	    "Pause between two reports of devices to the server of inbox.url, "
	    "which scan.id is needed for; 0: none."),
	N("report-full-interval", CONF_SECONDS, report_full_interval, "1d", 0,
	    30 * DAY, "Pause between two that have all devices; those between "
	    "them have what changed."),
	{ 0 }
};

#define D(k, t, f, d, lo, hi, h) CONF_ITEM(directory_conf, k, t, f, d, lo, hi, h)
#define DS(k, t, f, d, h)	 CONF_STR(directory_conf, k, t, f, d, h)
static const struct conf_item directory_items[] = {
	DS("url", CONF_LDAP, url, "",
	    "Servers of the directory, tried in order; empty: none is read."),
	D("start-tls", CONF_BOOL, start_tls, "yes", 0, 0,
	    "TLS over ldap://, too, from the first message on."),
	DS("ca", CONF_FILE, ca, "", "CA of these servers."),
	DS("client-cert", CONF_FILE, client_cert, "",
	    "Certificate for a server that asks for one."),
	DS("client-key", CONF_FILE, client_key, "", "Its key."),
	DS("bind-dn", CONF_TEXT, bind_dn, "",
	    "Distinguished name to log in as; empty: anonymous."),
	DS("password", CONF_FILE, password, "",
	    "File with its password in the first line."),
	DS("base", CONF_TEXT, base, "",
	    "Where computers are searched below: dc=example,dc=org."),
	DS("filter", CONF_TEXT, filter,
	    "(|(objectClass=computer)(objectClass=ipHost)(objectClass=device))",
	    "Which objects are computers (RFC 4515)."),
	D("page-size", CONF_INT, page_size, "500", 1, 5000,
	    "Objects asked for at once (RFC 2696)."),
	D("max-computers", CONF_INT, max_computers, "50000", 1, 1000000,
	    "Objects read at most."),
	D("interval", CONF_SECONDS, interval, "420m", 0, 30 * DAY,
	    "Pause between two readings; 0: on demand only."),
	D("timeout", CONF_SECONDS, timeout, "30s", 1, 3600,
	    "A server that is silent for so long is given up."),
	{ 0 }
};

#define BIT(role) (1U << (role))
#define ALL	  (BIT(PEER_CONTROL) | BIT(PEER_CONNECT) | BIT(PEER_STORE) | \
		   BIT(PEER_FETCH) | BIT(PEER_SERVE) | BIT(PEER_MCAST) | \
		   GATEWAYS | SCANNERS)
#define SCANNERS  (BIT(PEER_SCAN) | BIT(PEER_PROBE) | BIT(PEER_LISTEN) | BIT(PEER_LDAP))
#define GATEWAYS  (BIT(PEER_GATEWAY_LAST + 1) - BIT(PEER_GATEWAY))
const struct settings_section settings_sections[] = {
	{ "master", master_items, offsetof(struct settings, master), ALL,
	    PEER_NONE },
	{ "store", store_items, offsetof(struct settings, store),
	    BIT(PEER_STORE), PEER_NONE },
	{ "fetch", fetch_items, offsetof(struct settings, fetch),
	    BIT(PEER_FETCH) | BIT(PEER_CONNECT), PEER_FETCH },
	{ "content", repo_items, offsetof(struct settings, content),
	    BIT(PEER_FETCH) | BIT(PEER_CONNECT), PEER_FETCH },
	{ "site", repo_items, offsetof(struct settings, site),
	    BIT(PEER_FETCH) | BIT(PEER_CONNECT), PEER_FETCH },
	{ "serve", serve_items, offsetof(struct settings, serve),
	    BIT(PEER_SERVE), PEER_SERVE },
	{ "multicast", multicast_items, offsetof(struct settings, multicast),
	    BIT(PEER_MCAST) | BIT(PEER_SERVE), PEER_NONE },
	{ "gateway", gateway_items, offsetof(struct settings, gateway),
	    GATEWAYS | BIT(PEER_CONNECT), PEER_GATEWAY },
	{ "inbox", inbox_items, offsetof(struct settings, inbox),
	    BIT(PEER_STORE) | BIT(PEER_FETCH) | BIT(PEER_SERVE) |
		BIT(PEER_CONNECT) | BIT(PEER_SCAN), PEER_FETCH },
	{ "scan", scan_items, offsetof(struct settings, scan),
	    SCANNERS | BIT(PEER_STORE), PEER_PROBE },
	{ "directory", directory_items, offsetof(struct settings, directory),
	    BIT(PEER_LDAP) | BIT(PEER_CONNECT), PEER_LDAP },
	{ 0 }
};

struct settings_sources {
	const struct settings_section *sections;
	struct settings_source of[]; /* in order of the tables */
};

static void *
section_of(void *base, const struct settings_section *sec)
{
	return (char *)base + sec->offset;
}

static void
preset(const struct settings_section *sections, void *base)
{
	for (; sections->name != NULL; sections++)
		conf_preset(sections->items, section_of(base, sections));
}

void
settings_preset(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	preset(settings_sections, s);
}

/* Finds a key; index counts items over all sections. */
static const struct conf_item *
lookup(const struct settings_section *sections, const char *section,
    const char *key, const struct settings_section **sec_out, size_t *index)
{
	const struct settings_section *sec;
	const struct conf_item	      *it;

	*sec_out = NULL;
	*index = 0;
	for (sec = sections; sec->name != NULL; sec++) {
		bool here = strcmp(sec->name, section) == 0;

		if (here)
			*sec_out = sec;
		for (it = sec->items; it->key != NULL; it++, ++*index)
			if (here && strcmp(it->key, key) == 0)
				return it;
	}
	return NULL;
}

struct reading {
	void			*base; /* of the struct the sections fill */
	struct settings_sources *src;
	char			 file[4400];
	FILE			*f;
	int			 line;
	bool			 continued; /* the line begins with a blank */
	bool			 failed;
	char			*err;
};

static int
on_value(void *user, const char *section, const char *key, const char *value)
{
	struct reading		      *rd = user;
	const struct settings_section *sec;
	size_t			       index;
	const struct conf_item	      *it = lookup(rd->src->sections, section,
	    key, &sec, &index);
	char			       why[CONF_ERR_MAX], whole[4400];
	int			       line = rd->line;

	if (rd->failed)
		return 0;
	if (it == NULL) {
		rd->failed = true;
		if (sec == NULL)
			snprintf(rd->err, CONF_ERR_MAX,
			    "%.200s:%d: [%.60s]: no such section", rd->file, line,
			    section);
		else
			snprintf(rd->err, CONF_ERR_MAX,
			    "%.200s:%d: %.60s.%.60s: no such key", rd->file, line,
			    section, key);
		return 0;
	}
	if (rd->continued) { /* inih repeats the key: a list goes on */
		conf_format(it, section_of(rd->base, sec), whole, 2200);
		snprintf(whole + strlen(whole), 2200, " %.2190s", value);
		value = whole;
	}
	if (conf_set(it, section_of(rd->base, sec), value, why) < 0) {
		rd->failed = true;
		snprintf(rd->err, CONF_ERR_MAX, "%.150s:%d: %.50s.%.50s: %.200s",
		    rd->file, line, section, key, why);
		return 0;
	}
	snprintf(rd->src->of[index].file, sizeof(rd->src->of[index].file),
	    "%.199s", rd->file);
	rd->src->of[index].line = line;
	return 1;
}

/*
 * Hands inih one line. It tells its handler no line numbers and cuts long
 * lines silently, so both are watched here.
 */
static char *
next_line(char *buf, int size, void *stream)
{
	struct reading *rd = stream;
	size_t		n;

	if (rd->failed || fgets(buf, size, rd->f) == NULL)
		return NULL;
	rd->line++;
	rd->continued = buf[0] == ' ' || buf[0] == '\t';
	n = strlen(buf);
	if (n + 1 == (size_t)size && buf[n - 1] != '\n') {
		rd->failed = true;
		snprintf(rd->err, CONF_ERR_MAX,
		    "%.200s:%d: line is longer than %zu bytes; a list may go "
		    "on in the next line, after a blank",
		    rd->file, rd->line, n);
		return NULL;
	}
	return buf;
}

static int
read_file(struct reading *rd, const char *file)
{
	int r;

	snprintf(rd->file, sizeof(rd->file), "%s", file);
	rd->line = 0;
	if ((rd->f = fopen(file, "re")) == NULL) {
		snprintf(rd->err, CONF_ERR_MAX, "%.200s: cannot read: %s", file,
		    strerror(errno));
		return -EINVAL;
	}
	r = ini_parse_stream(next_line, rd, on_value, rd);
	fclose(rd->f);
	if (rd->failed)
		return -EINVAL;
	if (r != 0) {
		snprintf(rd->err, CONF_ERR_MAX,
		    "%.200s:%d: expected [section] or key = value", file, r);
		return -EINVAL;
	}
	return 0;
}

static int
is_conf(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 &&
	    strcmp(e->d_name + n - 5, ".conf") == 0;
}

static int
read_dir(struct reading *rd, const char *dir)
{
	struct dirent **list = NULL;
	char		path[4400];
	int		n = scandir(dir, &list, is_conf, alphasort), r = 0;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0) {
		snprintf(rd->err, CONF_ERR_MAX, "%.200s: cannot read: %s", dir,
		    strerror(errno));
		return -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%.4096s/%s", dir, list[i]->d_name);
		if (r == 0)
			r = read_file(rd, path);
		free(list[i]);
	}
	free(list);
	return r;
}

static bool
is_one_of(const char *value, const char *words)
{
	char   word[32];
	size_t pos = 0;

	while (value_word(words, &pos, word, sizeof(word)))
		if (strcmp(word, value) == 0)
			return true;
	return false;
}

static bool
has_more_than(const char *list, size_t max)
{
	char   word[2048];
	size_t pos = 0, n = 0;

	while (value_word(list, &pos, word, sizeof(word)))
		n++;
	_Static_assert(DOWNLOAD_URLS_MAX == 8 && GATEWAY_SERVERS == 8,
	    "check_whole says 8");
	return n > max;
}

/* Of ours, as certificates have them. */
static bool
is_token(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789-._~")] == '\0';
}

static bool
uses_uplinks(const struct gateway_conf *c)
{
	return c->uplink[0] != '\0' || c->dial[0] != '\0' ||
	    c->uplink_listen[0] != '\0' || c->dmz_listen[0] != '\0';
}

static bool
are_names(const char *list)
{
	char   word[2048];
	size_t pos = 0;

	while (value_word(list, &pos, word, sizeof(word)))
		if (strncmp(word, "urn:dpoint:dp:", 14) != 0 &&
		    strncmp(word, "urn:dpoint:device:", 18) != 0)
			return false;
	return true;
}

int
settings_blame(const struct settings_sources *src, const char *section,
    const char *key, const char *text, char err[CONF_ERR_MAX])
{
	const struct settings_section *sec;
	size_t			       index;

	lookup(src != NULL ? src->sections : settings_sections, section, key,
	    &sec, &index);
	if (src != NULL && src->of[index].line > 0)
		snprintf(err, CONF_ERR_MAX, "%s:%d: %s.%s: %.200s",
		    src->of[index].file, src->of[index].line, section, key,
		    text);
	else
		snprintf(err, CONF_ERR_MAX, "%s.%s: %.400s", section, key,
		    text);
	return -EINVAL;
}

/* What no single value can tell. The file named is that of the key blamed. */
static int
check_whole(const struct settings *s, const struct settings_sources *src,
    char err[CONF_ERR_MAX])
{
	const struct rule {
		bool	    wrong;
		const char *section, *key, *expected;
	} rules[] = {
		{ !is_one_of(s->master.start, "fork systemd"), "master", "start",
		    "expected fork or systemd" },
		{ !is_one_of(s->master.log_level, "err warn info debug"),
		    "master", "log-level", "expected err, warn, info or debug" },
		{ s->master.libexec[0] != '/', "master", "libexec",
		    "expected an absolute path" },
		{ s->master.run_dir[0] != '/', "master", "run-dir",
		    "expected an absolute path" },
		{ s->store.dir[0] != '/', "store", "dir",
		    "expected an absolute path" },
		{ s->store.want_free < s->store.reserve, "store", "want-free",
		    "expected at least store.reserve" },
		{ s->fetch.group[0] != '/', "fetch", "group",
		    "expected a group such as / or /hq/berlin" },
		{ !is_one_of(s->fetch.preload, "scope none"), "fetch", "preload",
		    "expected scope or none" },
		{ s->fetch.proxy[0] != '\0' && !url_is_proxy(s->fetch.proxy),
		    "fetch", "proxy", "expected one http:// address" },
		{ has_more_than(s->content.upstream, DOWNLOAD_URLS_MAX), "content", "upstream",
		    "expected at most 8 addresses" },
		{ has_more_than(s->site.upstream, DOWNLOAD_URLS_MAX), "site", "upstream",
		    "expected at most 8 addresses" },
		{ s->content.client_cert[0] != '\0' &&
			s->content.client_key[0] == '\0',
		    "content", "client-cert", "is given without client-key" },
		{ s->content.client_key[0] != '\0' &&
			s->content.client_cert[0] == '\0',
		    "content", "client-key", "is given without client-cert" },
		{ s->site.client_cert[0] != '\0' &&
			s->site.client_key[0] == '\0',
		    "site", "client-cert", "is given without client-key" },
		{ s->site.client_key[0] != '\0' &&
			s->site.client_cert[0] == '\0',
		    "site", "client-key", "is given without client-cert" },
		{ s->content.upstream[0] != '\0' && s->content.root[0] == '\0',
		    "content", "root", "is needed where upstream is given" },
		{ s->site.upstream[0] != '\0' && s->site.root[0] == '\0',
		    "site", "root", "is needed where upstream is given" },
		{ s->serve.https[0] != '\0' && s->serve.cert[0] == '\0',
		    "serve", "cert", "is needed where https is given" },
		{ s->serve.https[0] != '\0' && s->serve.key[0] == '\0', "serve",
		    "key", "is needed where https is given" },
		{ !is_one_of(s->serve.client_cert, "none optional required"),
		    "serve", "client-cert", "expected none, optional or required" },
		{ strcmp(s->serve.client_cert, "required") == 0 &&
			s->serve.https[0] != '\0' &&
			s->serve.client_ca[0] == '\0',
		    "serve", "client-ca",
		    "is needed where client-cert = required" },
		{ s->serve.client_crl[0] != '\0' && s->serve.client_ca[0] == '\0',
		    "serve", "client-ca", "is needed where client-crl is given" },
		{ s->multicast.enable && s->multicast.group[0] == '\0',
		    "multicast", "group", "is needed where enable = yes" },
		{ !is_one_of(s->multicast.mode, "secure open"), "multicast",
		    "mode", "expected secure or open" },
		{ s->gateway.enable && s->gateway.listen[0] == '\0' &&
			s->gateway.proxy_listen[0] == '\0' &&
			s->gateway.proxy_tls_listen[0] == '\0' &&
			s->gateway.terminate_listen[0] == '\0' &&
			s->gateway.push_listen[0] == '\0' &&
			s->gateway.uplink_listen[0] == '\0' &&
			s->gateway.dial[0] == '\0',
		    "gateway", "listen",
		    "nothing to listen on: expected a server, or one of "
		    "terminate-listen, push-listen, proxy-listen, "
		    "proxy-tls-listen, uplink-listen, dial" },
		{ s->gateway.enable && s->gateway.listen[0] != '\0' &&
			s->gateway.server[0] == '\0',
		    "gateway", "server", "is needed where listen is given" },
		{ s->gateway.id[0] != '\0' && !is_token(s->gateway.id),
		    "gateway", "id", "expected letters, digits, - . _ ~" },
		{ uses_uplinks(&s->gateway) && s->gateway.cert[0] == '\0',
		    "gateway", "cert",
		    "is needed where uplink, dial, uplink-listen or dmz-listen "
		    "is given" },
		{ (s->gateway.uplink_listen[0] != '\0' ||
			s->gateway.dmz_listen[0] != '\0') &&
			s->gateway.uplink_peers[0] == '\0',
		    "gateway", "uplink-peers",
		    "is needed where uplink-listen or dmz-listen is given" },
		{ (s->gateway.uplink_listen[0] != '\0' ||
			s->gateway.dial[0] != '\0') &&
			s->gateway.far_end_allow[0] == '\0',
		    "gateway", "far-end-allow",
		    "is needed where uplink-listen or dial is given" },
		{ !are_names(s->gateway.uplink_peers), "gateway",
		    "uplink-peers",
		    "expected urn:dpoint:dp:... or urn:dpoint:device:..." },
		{ has_more_than(s->gateway.uplink, GATEWAY_SERVERS), "gateway",
		    "uplink", "expected at most 8 addresses" },
		{ has_more_than(s->gateway.dial, GATEWAY_SERVERS), "gateway",
		    "dial", "expected at most 8 addresses" },
		{ has_more_than(s->gateway.far_end_allow, GATEWAY_FAR_ENDS),
		    "gateway", "far-end-allow", "expected at most 32 addresses" },
		{ s->gateway.cert[0] != '\0' && s->gateway.key[0] == '\0',
		    "gateway", "key", "is needed where cert is given" },
		{ s->gateway.cert[0] != '\0' && s->gateway.client_ca[0] == '\0',
		    "gateway", "client-ca", "is needed where cert is given" },
		{ s->gateway.processes > 1 &&
			strcmp(s->master.start, "systemd") == 0,
		    "gateway", "processes",
		    "expected 1 where master.start = systemd" },
		{ s->gateway.push_listen[0] != '\0' && s->gateway.cert[0] == '\0',
		    "gateway", "cert", "is needed where push-listen is given" },
		{ !are_names(s->gateway.push_admins), "gateway", "push-admins",
		    "expected urn:dpoint:dp:... or urn:dpoint:device:..." },
		{ has_more_than(s->gateway.server, GATEWAY_SERVERS), "gateway",
		    "server", "expected at most 8 addresses" },
		{ s->gateway.enable && s->gateway.listen[0] != '\0' &&
			s->gateway.sni[0] == '\0',
		    "gateway", "sni", "is needed where listen is given" },
		{ s->gateway.proxy_listen[0] != '\0' &&
			s->gateway.proxy_from[0] == '\0',
		    "gateway", "proxy-from",
		    "is needed where proxy-listen is given" },
		{ (s->gateway.proxy_listen[0] != '\0' ||
			s->gateway.proxy_tls_listen[0] != '\0') &&
			s->gateway.proxy_allow[0] == '\0',
		    "gateway", "proxy-allow",
		    "is needed where proxy-listen or proxy-tls-listen is given" },
		{ s->gateway.proxy_tls_listen[0] != '\0' &&
			s->gateway.cert[0] == '\0',
		    "gateway", "cert", "is needed where proxy-tls-listen is given" },
		{ has_more_than(s->gateway.proxy_allow, GATEWAY_TARGETS),
		    "gateway", "proxy-allow", "expected at most 64 addresses" },
		{ s->gateway.terminate_listen[0] != '\0' &&
			s->gateway.cert[0] == '\0',
		    "gateway", "cert", "is needed where terminate-listen is given" },
		{ s->gateway.terminate_listen[0] != '\0' &&
			s->gateway.terminate_server[0] == '\0',
		    "gateway", "terminate-server",
		    "is needed where terminate-listen is given" },
		{ has_more_than(s->gateway.terminate_server, GATEWAY_SERVERS),
		    "gateway", "terminate-server", "expected at most 8 addresses" },
		{ s->gateway.terminate_listen[0] != '\0' &&
			s->gateway.terminate_tls &&
			s->gateway.terminate_ca[0] == '\0',
		    "gateway", "terminate-ca", "is needed where terminate-tls = yes" },
		{ s->gateway.terminate_cert[0] != '\0' &&
			s->gateway.terminate_key[0] == '\0',
		    "gateway", "terminate-key",
		    "is needed where terminate-cert is given" },
		{ s->inbox.url[0] != '\0' &&
			(strncmp(s->inbox.url, "https://", 8) != 0 ||
			    has_more_than(s->inbox.url, 1)),
		    "inbox", "url", "expected one https:// address" },
		{ s->inbox.client_cert[0] != '\0' &&
			s->inbox.client_key[0] == '\0',
		    "inbox", "client-cert", "is given without client-key" },
		{ s->inbox.client_key[0] != '\0' &&
			s->inbox.client_cert[0] == '\0',
		    "inbox", "client-key", "is given without client-cert" },
		{ s->inbox.max_report + KIB > s->inbox.max_device_size, "inbox",
		    "max-report", "expected 1KiB less than "
		    "inbox.max-device-size, or smaller" },
		{ s->scan.id[0] != '\0' && report_device_parse(s->scan.id,
			strlen(s->scan.id), (uint8_t[REPORT_DEVICE_LEN]){ 0 }) < 0,
		    "scan", "id", "expected a UUID" },
		{ s->directory.url[0] != '\0' && s->directory.base[0] == '\0',
		    "directory", "base", "is needed where url is given" },
		{ has_more_than(s->directory.url, DIRECTORY_SERVERS),
		    "directory", "url", "expected at most 8 servers" },
		{ s->directory.url[0] != '\0' && s->directory.ca[0] == '\0' &&
			(s->directory.start_tls ||
			    strstr(s->directory.url, "ldaps://") != NULL),
		    "directory", "ca",
		    "is needed for ldaps:// and where start-tls = yes" },
		{ !s->directory.start_tls && s->directory.password[0] != '\0' &&
			strstr(s->directory.url, "ldap://") != NULL,
		    "directory", "password",
		    "would cross the network in clear: needs start-tls = yes "
		    "or ldaps://" },
		{ (s->directory.password[0] == '\0') !=
			(s->directory.bind_dn[0] == '\0'),
		    "directory", "bind-dn", "and password are given both or none" },
		{ (s->directory.client_cert[0] == '\0') !=
			(s->directory.client_key[0] == '\0'),
		    "directory", "client-cert",
		    "and client-key are given both or none" },
		{ s->inbox.max_device_size > s->inbox.max_size, "inbox",
		    "max-device-size", "expected at most inbox.max-size" },
	};

	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].wrong)
			return settings_blame(src, rules[i].section,
			    rules[i].key, rules[i].expected, err);
	return 0;
}

struct seen {
	const struct settings_sources *src;
	struct {
		char			       text[SETTINGS_LISTEN_LEN];
		const struct settings_section *sec;
		const struct conf_item	      *item;
	} of[SETTINGS_LISTEN_MAX];
	size_t n;
	char  *err;
};

static int
see_socket(void *ctx, const struct settings_section *sec,
    const struct conf_item *item, const char *text, unsigned readers,
    unsigned nth)
{
	struct seen *s = ctx;
	char	     why[CONF_ERR_MAX] = "";

	(void)readers;
	if (nth > 1)
		return 0;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->of[i].text, text) == 0)
			snprintf(why, sizeof(why),
			    "%s is given twice (also for %s.%s)", text,
			    s->of[i].sec->name, s->of[i].item->key);
	if (s->n == COUNT(s->of))
		snprintf(why, sizeof(why), "more than %zu addresses in all",
		    s->n);
	if (why[0] != '\0')
		return settings_blame(s->src, sec->name, item->key, why, s->err);
	snprintf(s->of[s->n].text, sizeof(s->of[0].text), "%s", text);
	s->of[s->n].sec = sec;
	s->of[s->n++].item = item;
	return 0;
}

/* Each address to listen on is there once; they all fit into the master. */
static int
check_listeners(const struct settings *s, const struct settings_sources *src,
    char err[CONF_ERR_MAX])
{
	struct seen seen = { .src = src, .err = err };

	return settings_each_socket(s, see_socket, &seen);
}

int
settings_check_fixed(const struct settings *now, const struct settings *next,
    const struct settings_sources *next_src, char err[CONF_ERR_MAX])
{
	static const struct { const char *section, *key; size_t at; } fixed[] = {
#define FIXED(sec, key, field) { #sec, key, offsetof(struct settings, sec.field) }
		FIXED(master, "run-dir", run_dir),
		FIXED(master, "user-prefix", user_prefix),
		FIXED(master, "start", start),
		FIXED(master, "admin-read-group", admin_read_group),
		FIXED(master, "admin-change-group", admin_change_group),
		FIXED(store, "dir", dir),
	};

	for (size_t i = 0; i < COUNT(fixed); i++)
		if (strcmp((const char *)now + fixed[i].at,
			(const char *)next + fixed[i].at) != 0)
			return settings_blame(next_src, fixed[i].section,
			    fixed[i].key, "needs a restart to change", err);
	if (now->gateway.processes != next->gateway.processes)
		return settings_blame(next_src, "gateway", "processes",
		    "needs a restart to change", err);
	return 0;
}

/* One socket for all who read the section, or one for each gateway. */
static int
each_reader(const struct settings *s,
    int (*fn)(void *ctx, const struct settings_section *sec,
	const struct conf_item *item, const char *text, unsigned readers,
	unsigned nth), void *ctx, const struct settings_section *sec,
    const struct conf_item *item, const char *text)
{
	unsigned readers = sec->readers & ~BIT(PEER_CONNECT); /* it dials */
	int	 r = 0;

	if (item->type == CONF_GROUPS) /* nobody else sends to them */
		readers = BIT(PEER_MCAST);
	if (sec->items != gateway_items || s->gateway.processes == 1)
		return fn(ctx, sec, item, text, readers, 0);
	for (unsigned n = 1; r == 0 && n <= s->gateway.processes; n++)
		r = fn(ctx, sec, item, text, BIT(PEER_GATEWAY + n - 1), n);
	return r;
}

/* What network polling hears and asks with. */
static int
each_packet(const struct settings *s,
    int (*fn)(void *ctx, const struct settings_section *sec,
	const struct conf_item *item, const char *text, unsigned readers,
	unsigned nth), void *ctx, const struct settings_section *sec,
    const struct conf_item *item)
{
	int r = 0;

	for (const struct packet_socket *p = packet_sockets;
	    r == 0 && s->scan.enable && p->name != NULL; p++)
		if (settings_wants(s, p->reader))
			r = fn(ctx, sec, item, p->name, BIT(p->reader), 0);
	return r;
}

int
settings_each_socket(const struct settings *s,
    int (*fn)(void *ctx, const struct settings_section *sec,
	const struct conf_item *item, const char *text, unsigned readers,
	unsigned nth), void *ctx)
{
	const struct multicast_conf *m = &s->multicast;
	char   word[MCAST_GROUP_TEXT], text[SETTINGS_LISTEN_LEN];
	size_t pos;
	int    r = 0;

	for (const struct settings_section *sec = settings_sections;
	    sec->name != NULL; sec++)
		for (const struct conf_item *it = sec->items; it->key != NULL;
		    it++) {
			if (it->type == CONF_SWITCH)
				r = each_packet(s, fn, ctx, sec, it);
			if (r < 0)
				return r;
			if (it->type != CONF_LISTEN && it->type != CONF_GROUPS)
				continue;
			if ((it->type == CONF_GROUPS && !m->enable) ||
			    (sec->items == gateway_items && !s->gateway.enable))
				continue;
			for (pos = 0; r == 0 && value_word((const char *)s +
			    sec->offset + it->offset, &pos, word,
			    sizeof(word));) {
				if (it->type == CONF_GROUPS)
					snprintf(text, sizeof(text),
					    "%s %llu %d%s%s", word,
					    (unsigned long long)m->ttl, m->loop,
					    m->source[0] != '\0' ? " " : "",
					    m->source);
				else
					snprintf(text, sizeof(text), "%s", word);
				r = each_reader(s, fn, ctx, sec, it, text);
			}
		}
	return r;
}

bool
settings_wants(const struct settings *s, enum peer_role role)
{
	if (peer_role_kind(role) == PEER_GATEWAY)
		return s->gateway.enable &&
		    (unsigned)(role - PEER_GATEWAY) < s->gateway.processes;
	if (role == PEER_PROBE)
		return s->scan.enable && s->scan.active;
	if (role == PEER_SCAN || role == PEER_LISTEN)
		return s->scan.enable;
	if (role == PEER_LDAP)
		return s->scan.enable && s->directory.url[0] != '\0';
	return role == PEER_MCAST ? s->multicast.enable : true;
}

bool
settings_reports_devices(const struct settings *s)
{
	return s->scan.enable && s->scan.id[0] != '\0' &&
	    s->scan.report_interval > 0 && s->inbox.url[0] != '\0';
}

int
settings_read(const struct settings_section *sections, void *base,
    const char *file, struct settings_sources **sources,
    char err[CONF_ERR_MAX])
{
	struct reading rd = { .base = base, .err = err };
	char	       dir[4096];
	size_t	       n;
	int	       r;

	*sources = NULL;
	(void)lookup(sections, "", "", &(const struct settings_section *){ NULL },
	    &n);
	rd.src = calloc(1, sizeof(*rd.src) + n * sizeof(rd.src->of[0]));
	if (rd.src == NULL)
		return -ENOMEM;
	rd.src->sections = sections;
	preset(sections, base);
	snprintf(dir, sizeof(dir), "%s.d", file);
	if ((r = read_file(&rd, file)) == 0)
		r = read_dir(&rd, dir);
	if (r < 0)
		free(rd.src);
	else
		*sources = rd.src;
	return r;
}

static bool
is_given(const struct settings_sources *src, const char *section, const char *key)
{
	const struct settings_section *sec;
	size_t			       index;

	return lookup(src->sections, section, key, &sec, &index) != NULL &&
	    src->of[index].line > 0;
}

/* Without a server there is nowhere to pass devices' connections through to. */
static void
settle_listen(struct settings *s, const struct settings_sources *src)
{
	if (s->gateway.server[0] == '\0' && !is_given(src, "gateway", "listen"))
		s->gateway.listen[0] = '\0';
}

int
settings_load(const char *file, struct settings *s,
    struct settings_sources **sources, char err[CONF_ERR_MAX])
{
	struct settings_sources *src;
	int			 r;

	memset(s, 0, sizeof(*s));
	r = settings_read(settings_sections, s, file, &src, err);
	if (r == 0) {
		settle_listen(s, src);
		r = check_whole(s, src, err);
	}
	if (r == 0)
		r = check_listeners(s, src, err);
	if (r == 0 && sources != NULL)
		*sources = src;
	else
		free(src);
	return r;
}

void
settings_sources_free(struct settings_sources **sources)
{
	free(*sources);
	*sources = NULL;
}

static const char *
file_trouble(const char *path)
{
	struct stat st;
	const char *why = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	if (fd >= 0)
		close(fd);
	return why;
}

int
settings_check_files(const struct settings *s,
    const struct settings_sources *src, char err[CONF_ERR_MAX])
{
	const struct settings_section *sec;
	char			       text[CONF_ERR_MAX];
	const char		      *path, *why;

	for (sec = settings_sections; sec->name != NULL; sec++)
		for (const struct conf_item *it = sec->items; it->key != NULL;
		    it++) {
			path = (const char *)s + sec->offset + it->offset;
			if (it->type != CONF_FILE || path[0] == '\0' ||
			    (why = file_trouble(path)) == NULL)
				continue;
			snprintf(text, sizeof(text), "%s: %s", path, why);
			return settings_blame(src, sec->name, it->key, text,
			    err);
		}
	return 0;
}

void
settings_log_level(const struct settings *s)
{
	static const char *const words[] = { "err", "warn", "info", "debug" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(s->master.log_level, words[i]) == 0)
			log_set_level((enum log_level)i);
}

void
settings_dump(const void *base, const struct settings_sources *src)
{
	const struct settings_section *sec;
	char			       value[2100], kind[96];
	size_t			       i = 0;

	for (sec = src->sections; sec->name != NULL; sec++) {
		printf("%s[%s]\n", i > 0 ? "\n" : "", sec->name);
		for (const struct conf_item *it = sec->items; it->key != NULL;
		    it++, i++) {
			conf_format(it, (const char *)base + sec->offset, value,
			    sizeof(value));
			conf_kind(it, kind, sizeof(kind));
			printf("# %s [%s]\n", it->help, kind);
			if (src->of[i].line > 0)
				printf("%s = %s\t; %s:%d\n", it->key, value,
				    src->of[i].file, src->of[i].line);
			else
				printf("%s = %s\t; default\n", it->key, value);
		}
	}
}

int
settings_to_text(const struct settings_section *sections, const void *base,
    enum peer_role role, char **out)
{
	const struct settings_section *sec;
	char			       value[2100];
	size_t			       size;
	FILE			      *f = open_memstream(out, &size);

	if (f == NULL)
		return -ENOMEM;
	for (sec = sections; sec->name != NULL; sec++) {
		if (!(sec->readers & BIT(role)))
			continue;
		for (const struct conf_item *it = sec->items; it->key != NULL;
		    it++) {
			conf_format(it, (const char *)base + sec->offset, value,
			    sizeof(value));
			fprintf(f, "%s.%s=%s\n", sec->name, it->key, value);
		}
	}
	if (fclose(f) != 0) {
		free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}

int
settings_to_memfd(const struct settings_section *sections, const void *base,
    enum peer_role role, int *out)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE;
	char   *text;
	ssize_t len;
	int	fd, r;

	*out = -1;
	if ((r = settings_to_text(sections, base, role, &text)) < 0)
		return r;
	len = (ssize_t)strlen(text);
	fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, text, (size_t)len) != len ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		r = errno != 0 ? -errno : -EIO;
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(text);
	*out = fd;
	return r;
}

int
settings_from_text(const struct settings_section *sections, void *base,
    const char *text, size_t len, char err[CONF_ERR_MAX])
{
	const struct settings_section *sec;
	const struct conf_item	      *it;
	const char		      *end = text + len, *nl;
	char			       line[2300], *dot, *eq;
	size_t			       index;

	preset(sections, base);
	for (; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (nl == NULL || (size_t)(nl - text) >= sizeof(line)) {
			snprintf(err, CONF_ERR_MAX, "a line is cut or too long");
			return -EINVAL;
		}
		memcpy(line, text, (size_t)(nl - text));
		line[nl - text] = '\0';
		dot = strchr(line, '.');
		eq = strchr(line, '=');
		if (dot == NULL || eq == NULL || dot > eq) {
			snprintf(err, CONF_ERR_MAX, "\"%.100s\": no key", line);
			return -EINVAL;
		}
		*dot = *eq = '\0';
		it = lookup(sections, line, dot + 1, &sec, &index);
		if (it == NULL) {
			snprintf(err, CONF_ERR_MAX, "%.60s.%.60s: no such key",
			    line, dot + 1);
			return -EINVAL;
		}
		if (conf_set(it, section_of(base, sec), eq + 1, err) < 0)
			return -EINVAL;
	}
	return 0;
}
