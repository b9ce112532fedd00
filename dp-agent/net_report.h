/*
 * dp-agent/net_report.h - the device's reports: how it is, put into an inbox.
 *
 * Runs in the network child. PUT /v1/reports/<device>/<sequence> to the first
 * distribution point that takes it, each report-interval and when woken for it;
 * a small JSON text:
 *
 *   {"version":1,"sequence":7,"time":T,"agent":"0.1.0","group":G,"kinds":K,
 *    "refreshed":T,"error":E,"wanted":N,"verified":N,"metadata":[...],
 *    "files":[{"path":P,"state":S,"sha256":H,"version":V},...],
 *    "files_left_out":N,"link":{...}}
 *
 *   times are seconds since 1970; metadata and link are as in dp-agent status
 *   --json; of files those that are not in place come first, as many as fit.
 * Numbers: a report and its number are kept by the parent before the first byte
 *          is sent, and repeated word for word until an answer of 2xx, over
 *          restarts too; so a number never means two reports. Who answers may
 *          know a higher one (the state was lost): then ours get the next ones,
 *          from the next report on. One that is more than 2^32 higher is no
 *          number of ours: who says so has failed, as with no answer.
 * Status:  state-dir/tuf/report.json, the file in which it is kept.
 * Bounds:  REPORT_LEN bytes; one at a time; never two in REPORT_PAUSE_MS.
 * SPDX-License-Identifier: ISC
 */
#ifndef DP_AGENT_NET_REPORT_H
#define DP_AGENT_NET_REPORT_H

#include "dp-agent/net.h"

#define REPORT_LEN	(60 << 10) /* inbox.max-report is 64 KiB unless it is changed */
#define REPORT_PAUSE_MS 15000

/* Tickets for the connector, beside LINK_TICKETS and those of downloads. */
#define REPORT_TICKETS 0x40000000U
#define REPORT_KEPT_ID 1000 /* of questions to the parent */

int  report_open(struct net *n); /* n->report; NULL: it does not report */
void report_begin(struct net *n); /* the channels are there */
void report_wanted(struct net *n, uint64_t in_ms);
void report_round_over(struct net *n); /* the first report waits for it, a minute at most */
void report_socket(struct net *n, uint32_t ticket, int take_fd, const char *text);
int  report_on_kept(struct net *n, struct ipc_msg *m); /* m NULL: there is none */

#endif
