# tests/system/gateway-lib.sh - a gateway and what stands at its two ends;
# sourced after lib.sh.
#
#   gconf KEY=VALUE...     writes $CONF with [gateway] so set
#   server PORT [MODE]     gateway.py's server in the background; log $T/server-PORT.log
#   client ARG...          gateway.py's client of 127.0.0.1:13000
#   refused REASON         how many the metrics say; ended REASON likewise
#   expect_refused REASON N [TEXT]  exactly, and one line in the log says why
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
	run "server-$1" python3 "$GW" server "$@"
	wait_for 5 grep -q listening "$T/server-$1.log"
}
client() { timeout 120 python3 "$GW" "$@"; }
metric() { admin metrics | awk -v m="$1" '$1 == m { print $2 }'; }
refused() { metric "dpoint_gateway_refused_total{reason=\"$1\"}"; }
ended() { metric "dpoint_gateway_ended_total{reason=\"$1\"}"; }
expect_refused() {
	[ "$(refused "$1")" = "$2" ] || fail "refused for $1: $(refused "$1"), expected $2"
	[ "$(grep -c "dp-gateway: .* refused: $1: ${3-}" "$T/master.log")" -eq 1 ] || fail "not one line about $1 in the log"
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
