/*
 * dp-ldap/tls_layer.c - see tls_layer.h.
 * SPDX-License-Identifier: ISC
 */
#include "dp-ldap/tls_layer.h"

#include <errno.h>
#include <lber.h>

static int
on_setup(Sockbuf_IO_Desc *d, void *conn)
{
	d->sbiod_pvt = conn;
	return 0;
}

static int
on_remove(Sockbuf_IO_Desc *d)
{
	d->sbiod_pvt = NULL;
	return 0;
}

static int
on_ctrl(Sockbuf_IO_Desc *d, int opt, void *arg)
{
	if (opt == LBER_SB_OPT_DATA_READY && tls_has_more(d->sbiod_pvt))
		return 1;
	return LBER_SBIOD_CTRL_NEXT(d, opt, arg);
}

static ber_slen_t
on_read(Sockbuf_IO_Desc *d, void *buf, ber_len_t len)
{
	ssize_t n;

	if (!tls_has_more(d->sbiod_pvt))
		tls_readable(d->sbiod_pvt, false); /* libldap polled it */
	n = tls_read(d->sbiod_pvt, buf, len);
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

/* What the socket does not take stays in the connection: then nothing more is
 * taken until it has gone. */
static ber_slen_t
on_write(Sockbuf_IO_Desc *d, void *buf, ber_len_t len)
{
	int r = tls_unsent(d->sbiod_pvt) > 0 ? tls_flush(d->sbiod_pvt) : 0;

	if (len > TLS_WRITE_MAX / 2)
		len = TLS_WRITE_MAX / 2;
	if (r == 0 && (r = tls_write(d->sbiod_pvt, buf, len)) == 0 &&
	    ((r = tls_flush(d->sbiod_pvt)) == 0 || r == -EAGAIN))
		return (ber_slen_t)len;
	errno = -r;
	return -1;
}

static int
on_close(Sockbuf_IO_Desc *d)
{
	if (d->sbiod_pvt != NULL)
		tls_goodbye(d->sbiod_pvt);
	return 0;
}

int
tls_layer_add(LDAP *ld, struct tls_conn *conn)
{
	static Sockbuf_IO layer = { on_setup, on_remove, on_ctrl, on_read,
		on_write, on_close };
	Sockbuf	  *sb;

	if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_OPT_SUCCESS ||
	    ber_sockbuf_add_io(sb, &layer, LBER_SBIOD_LEVEL_TRANSPORT, conn) != 0)
		return -ENOMEM;
	return 0;
}
