/*
 * common/notify.h - systemd's notify protocol: one datagram a message.
 *
 * Without NOTIFY_SOCKET in the environment, or when systemd does not listen,
 * nothing happens: nobody waits for it then.
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

void notify_init(void); /* reads NOTIFY_SOCKET, and takes it away */
void notify_send(const char *text); /* "READY=1" */
void notify_reloading(void);

#endif
