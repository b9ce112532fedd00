/*
 * common/msg.h - every message two processes of the suite may exchange.
 *
 * Wire:    one SOCK_SEQPACKET datagram a message (common/ipc.h): u16 type,
 *          u16 zero, u32 id, payload. Integers are big-endian; "str" is a u16
 *          length and as many bytes, none NUL; "hash" is 32 bytes; "..." runs
 *          to the end. A reply carries the id of its request; unasked messages
 *          carry id 0. "+ fd" says how many descriptors come along, exactly.
 * Growth:  append, never renumber or reuse. MSG_VERSION changes when a
 *          message's payload does; a peer of another version is refused.
 * Who:     the arrow names the receiver's part, never a program.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_MSG_H
#define COMMON_MSG_H

#include <stdbool.h>
#include <stdint.h>

#define MSG_VERSION	3
#define MSG_MAX		65536 /* bytes of one message, header included */
#define MSG_MAX_PAYLOAD (MSG_MAX - 8)
#define MSG_MAX_FDS	2
#define MSG_EVENT_MAX	4096 /* bytes of one event */

#define GATEWAYS_MAX	8

/* Who may be at the other end of a channel: roles, in wire order. Several
 * processes may do a gateway's work: each has a role of its own, of one kind. */
enum peer_role {
	PEER_NONE,
	PEER_MASTER,	/* root half */
	PEER_CONTROL,	/* health, admin socket */
	PEER_CONNECT,	/* resolver and connector */
	PEER_STORE,	/* content and tables */
	PEER_FETCH,	/* TUF client and downloader */
	PEER_SERVE,	/* HTTP(S) content server */
	PEER_MCAST,	/* multicast sender */
	PEER_GATEWAY,	/* connection gateway, the first of them */
	PEER_GATEWAY_LAST = PEER_GATEWAY + GATEWAYS_MAX - 1,
	PEER_SCAN,	/* network polling: keeper of the records of devices */
	PEER_PROBE,	/* network polling: sends what is asked of devices */
	PEER_LISTEN,	/* network polling: parses what they say */
	PEER_LDAP,	/* network polling: reads a directory */
	PEER_MAX
};
const char *peer_role_name(enum peer_role role); /* "store"; "?" if none */
int	    peer_role_from_name(const char *name, enum peer_role *out);
/* The first of this kind, whose program and user it is: most are that. */
enum peer_role peer_role_kind(enum peer_role role);
/* Whether the two get a channel: docs/design.md has the drawing. */
bool peer_roles_talk(enum peer_role a, enum peer_role b);

enum msg_type {
	/* -- worker and master: fixed sizes towards the master -- */
	MSG_HELLO    = 1, /* -> master	u16 version, u8 role		      */
	MSG_CONFIG   = 2, /* -> worker	empty + fd: sealed memfd, key=value  */
	MSG_FILE     = 3, /* -> worker	str section.key + fd: opened for it  */
	MSG_SOCKET   = 4, /* -> worker	str section.key, str address + fd    */
	MSG_PEER     = 5, /* -> worker	u8 role + fd: new channel, replaces  */
	MSG_START    = 6, /* -> worker	u8 role, of its kind: all sent (again on
			   *			reload)				      */
	MSG_READY    = 7, /* -> master	empty: serving (again after reload)  */
	MSG_SHUTDOWN = 8, /* -> worker	empty: drain, then exit 0	      */
	MSG_REFUSED  = 9, /* -> master	u8 1: configuration unusable	      */
	MSG_ACCUSE   = 10, /* -> master	u8 role: broke the rules of our
			    *			channel				      */

	/* -- control and master -- */
	MSG_WORKER   = 16, /* -> control	u8 role, u8 state, u32 pid,
			    *			u32 restarts, u32 wait status	      */
	MSG_KILL     = 17, /* -> master	u8 role: hung, SIGKILL it	      */
	MSG_RELOAD   = 18, /* -> master	empty; reply MSG_RELOADED	      */
	MSG_RELOADED = 19, /* -> control	u8 ok, str error; 0: by SIGHUP   */

	/* -- control and every worker -- */
	MSG_PING      = 32, /* -> worker	u64 (control's own: by the master)   */
	MSG_PONG      = 33, /* -> asker	u64, the same			      */
	MSG_ADMIN     = 34, /* -> worker	str word, repeated: a command	      */
	MSG_ADMIN_ROW = 35, /* -> control	... one JSON object, no newline      */
	MSG_ADMIN_END = 36, /* -> control	u8 0 ok 1 error, str error text      */
	MSG_EVENT     = 37, /* -> control	... one JSON object with "event"     */
	MSG_ADMIN_STOP = 38, /* -> worker	empty: asker of this id is gone      */
	MSG_WAKE      = 39, /* -> control	str to, str what: of all gateways'
			     *			devices; reply MSG_WOKEN	      */
	MSG_WOKEN     = 40, /* -> asker	u8 done, u32 devices, u32 sent,
			     *			u32 waiting, u64 took ms	      */
	MSG_PUSH_CAME = 41, /* -> control -> other gateways	u64 when, str name: a
			     *			device has come, let older ones go    */
	MSG_PUSH_SHARED = 42, /* likewise	u8 enum push_shared, u8 swaps,
			     *			str name, str address of the older    */

	/* -- resolver and connector -- */
	MSG_CONNECT    = 48, /* -> connect	u16 port, u32 timeout ms, str host   */
	MSG_CONNECTED  = 49, /* -> asker	str address + fd, non-blocking	      */
	MSG_CONNECT_NO = 50, /* -> asker	u32 errno, str text		      */
	MSG_CONNECT_BEGIN = 51, /* -> connect	as MSG_CONNECT; to an address the
				*		socket may still be connecting	      */

	/* -- store: partial files, objects, names, tables -- */
	MSG_PARTIAL_OPEN = 64, /* -> store	hash, u64 size, u8 priority, str name */
	MSG_PARTIAL	 = 65, /* -> asker	hash, u64 durable + 2 fds: write, read*/
	MSG_PARTIAL_SYNC = 66, /* -> store	hash, u64 written; no reply: the
				*		store syncs, then remembers	      */
	MSG_PARTIAL_DONE = 67, /* -> store	hash: writer closed, publish	      */
	MSG_PARTIAL_DROP = 68, /* -> store	hash: bytes are wrong, delete	      */
	MSG_STORE_OK	 = 69, /* -> asker	empty				      */
	MSG_STORE_NO	 = 70, /* -> asker	u32 errno, str text		      */
	MSG_PUT		 = 71, /* -> store	hash, ... bytes: small object at once */

	MSG_LOOKUP_NAME = 72, /* -> store	str name			      */
	MSG_LOOKUP_HASH = 73, /* -> store	hash				      */
	MSG_OBJECT	= 74, /* -> asker	hash, u64 size, u64 mtime s,
				*		u8 spaces + fd read		      */
	MSG_ABSENT	= 75, /* -> asker	hash, u64 size, u8 spaces: named,
				*		not here			      */
	MSG_UNKNOWN	= 76, /* -> asker	empty: no such name or hash	      */
	MSG_PARTIAL_CLOSE = 77, /* -> store	hash, u64 written: writer closed,
				 *		keep; no reply		      */

	MSG_NAMES_BEGIN	 = 80, /* -> store	str space; drops a draft of it	      */
	MSG_NAMES_ADD	 = 81, /* -> store	{ hash, u64 size, u8 flags, str name }
				*			repeated; no reply	      */
	MSG_NAMES_COMMIT = 82, /* -> store	str space: whole draft, at once      */
	MSG_SNAPSHOT	 = 83, /* -> all	str space, u64 generation: visible   */
	MSG_EVICTED	 = 84, /* -> all	hash				      */
	MSG_NAMES_LIST	 = 85, /* -> store	hash from, str space: from is zero, or
				*		as the last page gave it	      */
	MSG_NAMES	 = 86, /* -> asker	hash from, u8 more, { hash, u64 size,
				*		u8 flags, str name } repeated	      */

	MSG_TABLE_GET	 = 88, /* -> store	str key				      */
	MSG_TABLE_VALUE	 = 89, /* -> asker	... bytes			      */
	MSG_TABLE_PUT	 = 90, /* -> store	str key, ... bytes (empty: delete)    */
	MSG_HAVE	 = 91, /* -> store	hash repeated; reply MSG_HAVE_BITS   */
	MSG_HAVE_BITS	 = 92, /* -> asker	u8 0 or 1 for each		      */

	/* -- fetch on demand -- */
	MSG_WANT	  = 96,	 /* -> fetch	str name (as in /repo/..., or
				  *		"sha256/<hex>")		      */
	MSG_WANT_START	  = 97,	 /* -> asker	hash, u64 size + fd read of partial  */
	MSG_WANT_PROGRESS = 98,	 /* -> asker	u64 bytes there		      */
	MSG_WANT_DONE	  = 99,	 /* -> asker	empty: hash is right; being published*/
	MSG_WANT_NO	  = 100, /* -> asker	u16 HTTP status, str text	      */
	MSG_WANT_STOP	  = 101, /* -> fetch	empty: nobody waits for this id      */

	/* -- what the multicast sender is asked over HTTPS -- */
	MSG_API_GET	= 112, /* -> mcast	str path, str device URI	      */
	MSG_API_ANSWER	= 113, /* -> asker	u16 HTTP status, ... JSON if 200     */
	MSG_REVOCATIONS = 114, /* -> mcast	hash of the revocation list in force,
				*		all zero: there is none		      */

	/* -- a device's parent (-> keeper) and its network child (-> child) -- */
	MSG_KEPT_GET	= 128, /* -> keeper	str key			      */
	MSG_KEPT	= 129, /* -> child	empty + fd: read-only		      */
	MSG_KEPT_NONE	= 130, /* -> child	empty			      */
	MSG_KEPT_PUT	= 131, /* -> keeper	str key + fd; no reply		      */
	MSG_TARGET_OPEN = 132, /* -> keeper	hash, u64 size, str path	      */
	MSG_TARGET_HERE = 133, /* -> child	empty: the right file is there      */
	MSG_TARGET_PART = 134, /* -> child	u64 there + 2 fds: write, read	      */
	MSG_TARGET_SYNC = 135, /* -> keeper	hash, u64 durable; no reply	      */
	MSG_TARGET_DONE = 136, /* -> keeper	hash, str path, str kind, str version;
				*		reply MSG_STORE_OK or MSG_STORE_NO   */
	MSG_TARGET_BAD	= 137, /* -> keeper	hash: wrong bytes, delete; no reply  */
	MSG_ROUND	= 138, /* -> keeper	u8 1 the set is known, u32 meant for
				*		us, u32 here, u64 bytes, str error  */
	MSG_TARGET_LOOK = 139, /* -> keeper	hash, u64 size, str path; reply
				*		MSG_TARGET_HERE or MSG_STORE_NO     */

	/* -- reports of devices on their way to the server; a device is 16
	 *    bytes, common/report.h says which -- */
	MSG_REPORT_PART = 160, /* -> either	... bytes of the report that the next
				*		PUT or REPORT ends; no reply	      */
	MSG_REPORT_PUT	= 161, /* -> store	device, u64 sequence, ... its last
				*		bytes				      */
	MSG_REPORT_KEPT = 162, /* -> asker	u8 enum report_kept, u64 highest
				*		sequence of the device	      */
	MSG_REPORT_TAKE = 163, /* -> store	empty; answered when there is one     */
	MSG_REPORT	= 164, /* -> asker	device, u64 sequence, ... its last
				*		bytes: no other of this device's
				*		before this one is done	      */
	MSG_REPORT_DONE = 165, /* -> store	device, u64 sequence, u8 enum
				*		report_end, u16 HTTP status, u32
				*		ms to wait before it is tried again   */

	/* -- network polling; an address is 16 bytes, IPv4 mapped -- */
	MSG_SIGHT	= 176, /* -> scan	sight repeated (common/sight.h)      */
	MSG_PROBE	= 177, /* -> probe	u32 order, u8 enum probe_kind, u32 ifindex (0:
				*		as routes say), u8[6] source mac,
				*		source address (all zero: any), u32
				*		packets a second, target address
				*		repeated, at most PROBE_TARGETS     */
	MSG_PROBED	= 178, /* -> scan	u32 order, u32 sent, u32 failed, u32
				*		errno of the last failure: so far;
				*		100 ms apart at most, and at the end,
				*		where sent + failed is all	      */
	MSG_PROBE_STOP	= 179, /* -> probe	u32 order: no more of it; answered by
				*		its last MSG_PROBED		      */
	MSG_HEARD	= 180, /* -> listen	u8 enum probe_kind, u32 ifindex, source
				*		address, u16 port, ... payload as it
				*		came (of echoes: the ICMP message)   */
	MSG_LISTEN_ON	= 181, /* -> listen	{ u32 ifindex, u8[6] mac } repeated: all
				*		interfaces to listen on and our
				*		address there; replaces	      */
	MSG_DIRECTORY_READ = 182, /* -> ldap	empty: now, unless under way	      */
	MSG_DIRECTORY	= 183, /* -> scan	u8 enum directory_state, u32 computers,
				*		u32 left out, str server, str text:
				*		at each change and page	      */
	MSG_MALFORMED	= 184, /* -> scan	u64 of each enum protocol but the
				*		first: packets against it since the
				*		listener's start; 1 s apart, if there
				*		are new ones			      */
};

/* What may be asked of a device; each is answered to its own kind of socket, or
 * is heard on the wire. Append only. */
enum probe_kind {
	PROBE_NONE,
	PROBE_ARP,	  /* RFC 826; by frames */
	PROBE_NS,	  /* RFC 4861 neighbour solicitation; by frames */
	PROBE_ECHO4,	  /* RFC 792 */
	PROBE_ECHO6,	  /* RFC 4443 */
	PROBE_ALLNODES,	  /* an echo to ff02::1, whatever the target says */
	PROBE_DNS_PTR,	  /* the target is the address to look up; asks scan.dns */
	PROBE_NBSTAT,	  /* RFC 1002 node status */
	PROBE_LLMNR_PTR,  /* RFC 4795: whose the target is, asked of the group */
	PROBE_MDNS_BROWSE, /* RFC 6763: who offers a service, asked of the group,
			   * by IPv6 if the source is such. The target is the
			   * group: which types of services are there; or 'T' or
			   * 'U' (TCP, UDP), the type's name without underscore,
			   * and zeroes ("Tipp") */
	PROBE_MDNS_PTR,	  /* RFC 6762: whose the target is, asked of the group */
	PROBE_SNMP,	  /* RFC 3416: system group, scan.snmp-communities */
	PROBE_MLD,	  /* RFC 3810: which groups a link has members of, whatever
			   * the target says; by frames */
	PROBE_SSDP,	  /* UPnP Device Architecture 2.0, 1.3.2: which devices and
			   * services are there, asked of the group, by IPv6 if the
			   * source is such, whatever the target says */
	PROBE_MAX
};
const char *probe_kind_name(enum probe_kind p); /* "arp"; "?" if none */

/* MSG_MALFORMED: whose rules a packet broke. Append only. */
enum protocol {
	PROTOCOL_NONE,
	PROTOCOL_ETHERNET, /* tags and LLC, too */
	PROTOCOL_ARP,
	PROTOCOL_IPV4,
	PROTOCOL_IPV6, /* extension headers, too */
	PROTOCOL_UDP,
	PROTOCOL_ECHO,
	PROTOCOL_NDP,
	PROTOCOL_MLD,
	PROTOCOL_DHCP,
	PROTOCOL_DHCP6,
	PROTOCOL_DNS,
	PROTOCOL_MDNS,
	PROTOCOL_LLMNR,
	PROTOCOL_NETBIOS,
	PROTOCOL_SNMP,
	PROTOCOL_SSDP,
	PROTOCOL_LLDP,
	PROTOCOL_CDP,
	PROTOCOLS
};
const char *protocol_name(enum protocol p); /* "arp"; "?" if none */

/* MSG_DIRECTORY: where the reading of the directory is. */
enum directory_state {
	DIRECTORY_NEVER,   /* read yet */
	DIRECTORY_READING,
	DIRECTORY_READ,    /* whole */
	DIRECTORY_FAILED,  /* text says why; what was read counts */
	DIRECTORY_STATES
};

#define PROBE_TARGETS 3000 /* of one MSG_PROBE */

/* MSG_PUSH_SHARED: what one that has an older connection of a device tells whoever
 * has the newer */
enum push_shared {
	PUSH_SHARED_SWAPS, /* so often the older of two was found to be alive */
	PUSH_SHARED_ALIVE, /* it is so this time, too */
	PUSH_SHARED_REFUSE, /* the older one stays, the newer is to go */
	PUSH_SHARED_KINDS
};

/* MSG_WORKER states */
enum worker_state {
	WORKER_STOPPED,
	WORKER_STARTING,
	WORKER_READY,
	WORKER_DRAINING,
	WORKER_BACKOFF, /* waits for its restart */
	WORKER_FAILED,	/* exit 100: an operator must act */
	WORKER_OFF,	/* the configuration does not want it */
};

/* MSG_OBJECT, MSG_ABSENT: bits of the spaces whose names mean this hash */
enum spaces {
	SPACES_CONTENT = 1,
	SPACES_SITE = 2,
};

/* MSG_NAMES_ADD, MSG_NAMES: bits of a name's flags */
enum name_flags {
	NAME_PINNED = 1, /* not to be evicted */
	NAME_URGENT = 2, /* metadata, policy, task: every device wants it soon */
};

/* MSG_PARTIAL_OPEN priorities, most urgent first */
enum priority {
	PRIO_METADATA,
	PRIO_POLICY,
	PRIO_UPDATE,
	PRIO_PACKAGE,
};

#endif
