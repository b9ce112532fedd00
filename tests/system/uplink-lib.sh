# tests/system/uplink-lib.sh - several gateways on one machine, each a dp-master
# of its own; sourced after lib.sh and gateway-lib.sh, people must have been called.
#
#   dp_conf NAME N KEY=VALUE...  writes $T/NAME.conf: number N, [gateway] so set
#   dp_far NAME N SED-SCRIPT     likewise packaging/far-end.conf, names replaced
#   dp_cert NAME DNS             a distribution point's certificate; dp_name NAME
#                                is the name in it
#   dp_start NAME, dp_stop NAME  log in $T/NAME.log
#   dp NAME WORD...              one request to its admin socket
#   dp_pid NAME, dp_metric NAME METRIC
#   dp_reload NAME
# SPDX-License-Identifier: ISC
declare -A DP_PID=()

dp_cert() {
	"$BUILD/dpctl" ca issue "$T/ca" "$1" --dp new --dns "$2" --ip 127.0.0.1 --out "$T" >>"$T/dpctl.log" 2>&1 || fail "dpctl"
}
dp_name() { openssl x509 -in "$T/$1.crt" -noout -ext subjectAltName | grep -o 'urn:dpoint:dp:[0-9a-f-]*'; }
dp_lab() {
	echo "[master]"
	echo "libexec = $BUILD"
	echo "run-dir = $T/run-$1"
	echo "[store]"
	echo "dir = $T/store-$1"
	echo "reserve = 0"
	echo "want-free = 0"
}
dp_far() {
	{
		dp_lab "$1"
		sed -e "s|/etc/dpoint/ca.crt|$PEM|; s|/etc/dpoint/far|$T/$1|; s|127.0.0.1:8060|127.0.0.1:$((8060 + $2))|" \
			-e "s|server.example.org:13000|127.0.0.1:9000|; $3" "$HERE/packaging/far-end.conf"
	} >"$T/$1.conf"
}
dp_conf() {
	local name=$1 n=$2 k; shift 2
	{
		dp_lab "$name"
		echo "[serve]"
		echo "http = 127.0.0.1:$((8060 + n))"
		echo "[gateway]"
		echo "enable = yes"
		echo "id = $name"
		echo "cert = $T/$name.crt"
		echo "key = $T/$name.key"
		echo "client-ca = $PEM"
		# lists may be longer than a line is
		for k in "$@"; do echo "${k%%=*} = ${k#*=}" | sed 's/ \(urn:\|127\)/\n \1/g'; done
	} >"$T/$name.conf"
}
dp() {
	local name=$1; shift
	printf '%s\n' "$*" | socat -t "${ADMIN_WAIT:-30}" - "UNIX-CONNECT:$T/run-$name/admin.sock"
}
dp_ready() { grep -q 'every worker is ready' "$T/$1.log"; }
dp_start() {
	fresh "$1"
	run "$1" "$BUILD/dp-master" --config "$T/$1.conf"
	DP_PID[$1]=$PID
	wait_for 20 dp_ready "$1"
}
dp_stop() {
	local p rc keep=()
	kill -TERM "${DP_PID[$1]}" || fail "$1 had ended"
	wait "${DP_PID[$1]}"; rc=$?
	[ $rc -eq 0 ] || fail "$1: exit $rc"
	for p in "${PIDS[@]}"; do [ "$p" = "${DP_PID[$1]}" ] || keep+=("$p"); done
	PIDS=("${keep[@]}")
}
dp_pid() { dp "$1" workers | sed -n "s/^worker=gateway .*\bpid=\([1-9][0-9]*\).*/\1/p"; }
dp_metric() { dp "$1" metrics | awk -v m="$2" '$1 == m { print $2 }'; }
dp_reload() { [ "$(dp "$1" reload)" = ok ] || fail "reload of $1: $(dp "$1" reload)"; }
dp_up() { [ "$(dp_metric "$1" 'dpoint_gateway_uplinks{end="near"}')" = "${2:-1}" ]; }
dp_refused() { dp_metric "$1" "dpoint_gateway_refused_total{reason=\"$2\"}"; }
dp_ended() { dp_metric "$1" "dpoint_gateway_ended_total{reason=\"$2\"}"; }
dp_lost() { dp_metric "$1" "dpoint_gateway_uplink_ended_total{reason=\"$2\"}"; }
dp_idle() { [ "$(dp_metric "$1" dpoint_gateway_connections)" = 0 ]; }
