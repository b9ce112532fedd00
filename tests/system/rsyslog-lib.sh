# tests/system/rsyslog-lib.sh - rsyslog to rsyslog with TLS and certificates at
# both ends; sourced after gateway-lib.sh, people must have been called.
#
#   rsyslog_there            or skip
#   rsyslog_receiver         at 127.0.0.1:6514; what it gets is in $T/received
#   rsyslog_sender PORT      sends to server.example:PORT
#   rsyslog_say FROM TO      lines of these numbers into the sender
#   rsyslog_got N            whether lines 1 to N have come, each once, in order
# SPDX-License-Identifier: ISC

rsyslog_there() {
	command -v rsyslogd >/dev/null || skip "no rsyslog"
	[ -e /usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so ] || skip "no rsyslog-gnutls"
}
rsyslog_tls() { # NAME CERT
	mkdir "$T/rsyslog-$1" || fail "mkdir"
	echo "global(workDirectory=\"$T/rsyslog-$1\" defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"$PEM\"
	defaultNetstreamDriverCertFile=\"$T/$2.crt\" defaultNetstreamDriverKeyFile=\"$T/$2.key\")"
}
rsyslog_receiver() {
	{
		rsyslog_tls receiver server
		cat <<-C
		module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
		input(type="imtcp" address="127.0.0.1" port="6514")
		template(name="bare" type="string" string="%msg:2:\$%\n")
		action(type="omfile" file="$T/received" template="bare")
		C
	} >"$T/receiver.conf"
	: >"$T/received"
	run receiver rsyslogd -n -i "$T/rsyslog-receiver/pid" -f "$T/receiver.conf"
	# before it listens rsyslog looks for a large prime, which took 0.6 to 6 s
	wait_for 120 eval 'ss -Hltn "sport = :6514" | grep -q .'
}
# its queue holds all lines: from a full one rsyslog drops what waited 2 s
rsyslog_sender() { # PORT
	{
		rsyslog_tls sender device
		cat <<-C
		module(load="imuxsock" sysSock.use="off")
		input(type="imuxsock" socket="$T/log.sock" rateLimit.interval="0")
		action(type="omfwd" protocol="tcp" target="server.example" port="$1"
			streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name" streamDriverPermittedPeers="server.example"
			action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.size="10000")
		C
	} >"$T/sender.conf"
	run sender rsyslogd -n -i "$T/rsyslog-sender/pid" -f "$T/sender.conf"
	wait_for 20 test -S "$T/log.sock"
}
rsyslog_line='line %g of the device'
rsyslog_say() { # FROM TO
	seq -f "$rsyslog_line" "$1" "$2" >"$T/said"
	logger -u "$T/log.sock" -f "$T/said" -t device || fail logger
}
rsyslog_got() { # N
	local n=0
	while [ "$(wc -l <"$T/received")" -lt "$1" ] && [ $((n += 1)) -le 600 ]; do sleep 0.1; done
	seq -f "$rsyslog_line" "$1" >"$T/expected"
	grep 'of the device' "$T/received" | cmp - "$T/expected" ||
		fail "other lines than $1: $(diff "$T/received" "$T/expected" | head -n 5)"
}
