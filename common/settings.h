/*
 * common/settings.h - what dpoint.conf may hold.
 *
 * One schema for the whole file: the master reads and checks all of it, and
 * every worker is sent the sections it needs as text and reads them with the
 * same tables. Sections are named after functions, not programs.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include "common/conf.h"
#include "common/msg.h"

#include <stdbool.h>

#define SETTINGS_LISTEN_MAX 64	/* addresses listened on, in all */
#define SETTINGS_LISTEN_LEN 256 /* text of one, see settings_each_socket */

struct master_conf {
	char	 libexec[256];	 /* where the workers' binaries are */
	char	 run_dir[256];	 /* sockets, the empty root */
	char	 user_prefix[32]; /* user of a worker is this and its role */
	char	 start[16];	 /* "fork" or "systemd" */
	char	 admin_read_group[64], admin_change_group[64];
	char	 log_level[16];
	uint64_t health_interval, health_timeout; /* seconds */
	uint64_t drain_timeout;
};

struct store_conf {
	char	 dir[256];
	uint64_t index_max;	/* bytes of the LMDB map */
	uint64_t reserve;	/* below this free space: refuse, Warning */
	uint64_t want_free;	/* below this: evict */
	uint64_t max_content;	/* 0: as the disk allows */
};

struct fetch_conf {
	char	 group[256];	  /* scope of this distribution point */
	char	 preload[16];	  /* "scope" or "none" */
	uint64_t interval;	  /* seconds between two refreshes */
	uint64_t connect_timeout, stall_timeout; /* seconds */
	uint64_t max_object;	  /* bytes */
	uint64_t parallel;	  /* transfers at once */
	char	 proxy[512];	  /* http://host:port */
	char	 proxy_auth[256]; /* file: user:password */
	char	 wan_rate[1024];  /* "20MB/s" or "mon-fri 08:00-18:00=2MB/s
				   * otherwise=20MB/s"; empty: no limit */
};

struct repo_conf { /* sections [content] and [site] */
	char upstream[2048]; /* URLs tried in order; empty: none */
	char root[256];	     /* file: the first trusted root.json */
	char ca[256];	     /* file: private CA; empty: the system's */
	char client_cert[256], client_key[256]; /* files, for mTLS upstream */
};

struct serve_conf {
	char	 http[1024], https[1024];
	char	 cert[256], key[256];
	char	 client_ca[256], client_crl[256];
	char	 client_cert[16]; /* "none", "optional", "required" */
	char	 allow[2048];	  /* address ranges; empty: everyone */
	uint64_t max_connections, max_per_address;
	uint64_t header_timeout, idle_timeout, send_timeout, want_timeout;
	uint64_t open_objects;	  /* size of the table of open descriptors */
};

struct multicast_conf {
	bool	 enable;
	char	 group[1024];	 /* of this scope, see common/mcast_group.h */
	char	 source[128];	 /* our addresses, one of a family */
	uint64_t ttl;		 /* hops */
	bool	 loop;		 /* agents on this machine hear it too */
	char	 mode[16];	 /* "secure" or "open" */
	char	 rate[1024];	 /* all sessions together, as fetch.wan-rate */
	uint64_t sessions;	 /* at once */
	uint64_t min_size, min_agents; /* less: unicast */
	uint64_t gather;	 /* seconds to wait for others who lack it */
	uint64_t max_loss;	 /* percent; more: unicast */
	uint64_t carousel_rate, carousel_max_object; /* bytes/s, bytes */
	uint64_t rotate;	 /* seconds a group secret is the newest */
};

#define GATEWAY_SERVERS 8 /* addresses of the one server */
#define GATEWAY_FAR_ENDS 32 /* where a far end may connect to */
#define GATEWAY_TARGETS 64 /* hosts and ports of HTTP CONNECT */

struct gateway_conf {
	bool	 enable;
	char	 listen[1024];
	char	 server[1024];	 /* HOST:PORT words, tried in order */
	char	 sni[2048];	 /* server names admitted */
	char	 alpn[512];	 /* protocols admitted; empty: any */
	char	 allow[2048];	 /* address ranges; empty: everyone */
	char	 cert[256], key[256]; /* of listeners that end TLS */
	char	 client_ca[256], client_crl[256];
	uint64_t processes;
	char	 push_listen[1024], push_admins[2048];
	uint64_t push_keepalive; /* seconds */
	char	 id[64];	 /* our name in Via; empty: a random one */
	char	 uplink[1024];	 /* far ends, tried in order */
	bool	 uplink_fallback; /* directly where there is no uplink */
	char	 uplink_ca[256]; /* of those we dial; empty: client_ca */
	char	 uplink_listen[1024], dmz_listen[1024];
	char	 uplink_peers[4096]; /* names of those who come there */
	char	 dial[1024];	 /* gateways in a DMZ, each */
	char	 far_end_allow[2048]; /* HOST:PORT words: where streams may go */
	uint64_t uplink_ping, uplink_timeout;
	char	 proxy_listen[1024], proxy_tls_listen[1024];
	char	 proxy_from[2048];  /* address ranges */
	char	 proxy_allow[4096]; /* HOST:PORT words */
	char	 terminate_listen[1024], terminate_server[1024];
	bool	 terminate_tls;	 /* to these servers */
	char	 terminate_name[256]; /* they show; empty: their host's */
	char	 terminate_ca[256], terminate_cert[256], terminate_key[256];
	uint64_t max_per_device;
	uint64_t max_per_peer;	 /* gateway; 0: see the table */
	bool	 proxy_protocol; /* tell the server who the device is */
	uint64_t max_connections, max_per_address;
	uint64_t hello_timeout, server_timeout, send_timeout;
	uint64_t idle_timeout, total_timeout; /* 0: none */
	uint64_t keepalive;
};

struct inbox_conf {
	char	 url[2048];	 /* where reports go on; empty: no inbox */
	char	 ca[256];	 /* file: private CA; empty: the system's */
	char	 client_cert[256], client_key[256]; /* files */
	uint64_t max_report, max_size, max_device_size; /* bytes */
	uint64_t max_devices;
	uint64_t max_age;	 /* seconds */
	uint64_t parallel;	 /* reports under way at once */
};

struct scan_conf {
	bool	 enable;
	bool	 active;	 /* ask; no: only listen */
	bool	 passive;	 /* listen to what nobody asked for */
	bool	 attached;	 /* the networks of our own interfaces are polled */
	char	 ranges[2048];	 /* further ones */
	char	 exclude[2048];	 /* never asked */
	char	 interfaces[512]; /* of these alone; empty: all */
	bool	 large_ranges;	 /* larger than a /16 is meant */
	bool	 mld;		 /* ask who is in an IPv6 multicast group */
	uint64_t rate;		 /* packets a second */
	uint64_t wait_ms;	 /* for answers, before a silent one is asked again */
	uint64_t range_interval, name_interval, snmp_interval; /* s; 0: never */
	char	 dns[512];	 /* addresses of servers; empty: resolv.conf's */
	char	 snmp_communities[256]; /* file; empty: no SNMP */
	char	 snmp_ranges[2048]; /* who is asked by it; empty: all */
	uint64_t life_time, keep_time; /* s: then not seen, then removed */
	uint64_t max_devices;
	char	 dhcp_servers[512]; /* the known ones; empty: learned */
	char	 id[64];	 /* uuid of this distribution point */
	uint64_t report_interval; /* s; 0: nothing goes to the server */
	uint64_t report_full_interval; /* s; of all devices */
};

#define DIRECTORY_SERVERS 8

struct directory_conf {
	char	 url[1024];
	bool	 start_tls;
	char	 ca[256], client_cert[256], client_key[256];
	char	 bind_dn[512];
	char	 password[256]; /* file */
	char	 base[512], filter[1024];
	uint64_t page_size, max_computers;
	uint64_t interval, timeout; /* s; interval 0: on demand only */
};

struct settings {
	struct master_conf master;
	struct store_conf  store;
	struct fetch_conf  fetch;
	struct repo_conf   content, site;
	struct serve_conf  serve;
	struct multicast_conf multicast;
	struct gateway_conf gateway;
	struct inbox_conf  inbox;
	struct scan_conf   scan;
	struct directory_conf directory;
};

struct settings_section {
	const char	       *name;
	const struct conf_item *items;
	size_t			offset;	 /* of the section in struct settings */
	unsigned		readers; /* bits 1 << enum peer_role */
	enum peer_role		files;	 /* the one of them that gets its files */
};
extern const struct settings_section settings_sections[]; /* name NULL ends */

void settings_preset(struct settings *s);

/* Whether the worker of this role has anything to do. */
bool settings_wants(const struct settings *s, enum peer_role role);
/* Whether what network polling knows goes to the server, as scan.id's reports. */
bool settings_reports_devices(const struct settings *s);

/* Where each value was given, for --dump-config. */
struct settings_sources;
struct settings_source {
	char file[200];
	int  line; /* 0: the default */
};

/*
 * Reads FILE and then every .conf file of FILE.d in order of name. -EINVAL and err
 * "FILE:LINE: section.key: reason" for the first mistake; s is unspecified
 * then. sources, if not NULL, is what settings_dump reads.
 */
int  settings_load(const char *file, struct settings *s,
     struct settings_sources **sources, char err[CONF_ERR_MAX]);
void settings_sources_free(struct settings_sources **sources);
/*
 * The same for any file of this shape (the agent's): the sections fill the
 * struct at base, defaults first; sources then go with that struct.
 */
int  settings_read(const struct settings_section *sections, void *base,
     const char *file, struct settings_sources **sources,
     char err[CONF_ERR_MAX]);
void settings_dump(const void *base, const struct settings_sources *src);

/* Whether every CONF_FILE is a readable regular file now; err as above. */
int settings_check_files(const struct settings *s,
    const struct settings_sources *src, char err[CONF_ERR_MAX]);
/* "FILE:LINE: section.key: text", or without the place of a default. -EINVAL */
int settings_blame(const struct settings_sources *src, const char *section,
    const char *key, const char *text, char err[CONF_ERR_MAX]);
/*
 * Calls fn for each socket that workers need, with the text that listen_tcp
 * or, for CONF_GROUPS, listen_group takes, and the roles it is for (bits 1 <<
 * role). Of several gateways each has a socket of its own on the same address,
 * nth from 1 up; else nth is 0. Ends with fn's first failure.
 */
int settings_each_socket(const struct settings *s,
    int (*fn)(void *ctx, const struct settings_section *sec,
	const struct conf_item *item, const char *text, unsigned readers,
	unsigned nth), void *ctx);
/* 0, or -EINVAL and err for what a running master cannot change. */
int settings_check_fixed(const struct settings *now, const struct settings *next,
    const struct settings_sources *next_src, char err[CONF_ERR_MAX]);
/* Puts master.log-level in force. */
void settings_log_level(const struct settings *s);

/*
 * What a role reads of the struct at base (settings_sections and a struct
 * settings, or another file's), as MSG_CONFIG carries it: text, malloc'ed by
 * us, or a sealed memfd, the caller's; and back, defaults where nothing is.
 */
int settings_to_memfd(const struct settings_section *sections, const void *base,
    enum peer_role role, int *out);
int settings_to_text(const struct settings_section *sections, const void *base,
    enum peer_role role, char **out);
int settings_from_text(const struct settings_section *sections, void *base,
    const char *text, size_t len, char err[CONF_ERR_MAX]);

#endif
