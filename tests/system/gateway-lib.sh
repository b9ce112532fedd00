# tests/system/gateway-lib.sh - a gateway and what stands at its two ends;
# sourced after lib.sh.
#
#   gconf KEY=VALUE...     writes $CONF with [gateway] so set
#   server PORT [MODE]     gateway.py's server in the background; log $T/server-PORT.log
#   client ARG...          gateway.py's client of 127.0.0.1:13000
#   refused REASON         how many the metrics say; ended REASON likewise
#   expect_refused REASON N [TEXT]  exactly, and one line in the log says why
#   watches N              whether an etcd of `people` has so many watches
#   mosquitto_conf LINE... writes $T/mosquitto.conf; subscribed I... whether these
#                          devices of a mosquitto with it are, to task
# SPDX-License-Identifier: ISC
GW=$HERE/tests/system/gateway.py

gconf() {
	local k
	{
		echo "[serve]"
		echo "http = 127.0.0.1:8060"
		echo "[gateway]"
		echo "enable = yes"
		echo "listen = 127.0.0.1:13000 [::1]:13000" # one given below counts
		for k in "$@"; do echo "${k%%=*} = ${k#*=}"; done
	} | conf
}
server() { # PORT [MODE [HOST]]
	run "server-$1" /usr/bin/python3 "$GW" server "$@"
	wait_for 20 grep -q listening "$T/server-$1.log"
}
client() { timeout 120 /usr/bin/python3 "$GW" "$@"; }
metric() { admin metrics | awk -v m="$1" '$1 == m { print $2 }'; }
refused() { metric "dpoint_gateway_refused_total{reason=\"$1\"}"; }
ended() { metric "dpoint_gateway_ended_total{reason=\"$1\"}"; }
reached() { [ "$(refused "$1")" -ge "$2" ]; } # REASON N: who leaves is counted when it is noticed
expect_refused() {
	wait_for 20 reached "$1" "$2"
	[ "$(refused "$1")" = "$2" ] || fail "refused for $1: $(refused "$1"), expected $2"
	[ "$(grep -c "dp-gateway: .* refused: $1: ${3-}" "$T/master.log")" -eq 1 ] || fail "not one line about $1 in the log"
}
watches() {
	curl -s -m 10 --cacert "$PEM" --cert "$T/device.crt" --key "$T/device.key" https://127.0.0.1:2379/metrics |
		grep -q "^etcd_debugging_mvcc_watcher_total $1\$"
}
mosquitto_conf() {
	printf '%s\n' "user root" "allow_anonymous true" "$@" >"$T/mosquitto.conf"
	printf 'log_type %s\n' error warning notice information subscribe >>"$T/mosquitto.conf"
}
subscribed() {
	local i
	for i; do grep -q ": device$i [0-9] task\$" "$T/mosquitto.log" || return 1; done
}
fds() { ls "/proc/$(worker_pid gateway)/fd" | wc -l; }
none_left() { [ "$(metric dpoint_gateway_connections)" = 0 ]; }

# With server.example in /etc/hosts, a CA and certificates in $T: server.crt and
# device.crt, each with its key. PEM=$T/ca/ca.crt.
people() {
	PEM=$T/ca/ca.crt
	{
		"$BUILD/dpctl" ca init "$T/ca" &&
			"$BUILD/dpctl" ca issue "$T/ca" server --server --dns server.example --ip 127.0.0.1 --out "$T" &&
			"$BUILD/dpctl" ca issue "$T/ca" device --device new --out "$T"
	} >"$T/dpctl.log" 2>&1 || fail "dpctl"
	printf '127.0.0.1 localhost\n127.0.0.1 server.example other.example\n' >"$T/hosts"
	mount --bind "$T/hosts" /etc/hosts || fail "mount"
}

# Of terminating listeners: gateway.crt for gateway.example, which may show it to
# servers too; other devices lost.crt, and o/device.crt of another CA; two.crt is
# that of a distribution point. tconf is gconf with such a listener on 13001.
terminating_people() {
	people
	{
		"$BUILD/dpctl" ca issue "$T/ca" gateway --dp new --dns gateway.example --ip 127.0.0.1 --out "$T" &&
			"$BUILD/dpctl" ca issue "$T/ca" lost --device new --out "$T" &&
			"$BUILD/dpctl" ca issue "$T/ca" two --dp new --dns two.example --out "$T" &&
			"$BUILD/dpctl" ca init "$T/other" && mkdir "$T/o" &&
			"$BUILD/dpctl" ca issue "$T/other" device --device new --out "$T/o" &&
			"$BUILD/dpctl" ca issue "$T/other" server --server --dns server.example --ip 127.0.0.1 --out "$T/o"
	} >"$T/dpctl.log" 2>&1 || fail "dpctl: $(cat "$T/dpctl.log")"
	printf '127.0.0.1 localhost\n127.0.0.1 server.example gateway.example\n' >"$T/hosts"
}
tconf() {
	gconf "listen=" "terminate-listen=127.0.0.1:13001 [::1]:13001" "cert=$T/gateway.crt" "key=$T/gateway.key" \
		"client-ca=$PEM" "client-crl=$T/ca/ca.crl" "terminate-ca=$PEM" "$@"
}
# A device's certificate that is good for SECONDS: $T/brief.crt and .key.
brief() { # SECONDS
	cat >"$T/brief.conf" <<-C
	[ca]
	default_ca = d
	[d]
	new_certs_dir = $T
	database = $T/brief.db
	rand_serial = yes
	default_md = sha256
	policy = p
	x509_extensions = x
	[p]
	commonName = supplied
	[x]
	subjectAltName = URI:urn:dpoint:device:00000000-0000-4000-8000-000000000001
	extendedKeyUsage = clientAuth
	C
	: >"$T/brief.db"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/brief.key" -subj /CN=brief \
		-out "$T/brief.csr" 2>/dev/null &&
		openssl ca -batch -notext -config "$T/brief.conf" -cert "$PEM" -keyfile "$T/ca/ca.key" -in "$T/brief.csr" \
			-startdate 20200101000000Z -enddate "$(date -u -d "+$1 seconds" +%Y%m%d%H%M%SZ)" -out "$T/brief.crt" \
			2>"$T/brief.log" || fail "openssl ca: $(cat "$T/brief.log")"
}
