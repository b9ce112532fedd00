# tests/system/push-lib.sh - devices on the push channel; sourced after
# gateway-lib.sh.
#
#   issue NAME ARG...      a certificate of the CA in $T/ca: $T/NAME.crt, .key
#   urn NAME               the name in it
#   pconf KEY=VALUE...     gconf of a gateway that listens for devices at 13295
#   listen NAME [QUERY [CURL-ARG...]]  as that device, in the background; $T/NAME.log
#   hears NAME REGEX [QUERY [CURL-ARG...]]  as `listen`, until it is told that; the
#                          answer's head is in $T/head
#   events NAME            how many wakes it got
#   post NAME JSON         POST /v1/wake: prints body and status
#   crowd NAME ARG...      push-devices; answers to $T/NAME.log
#   say NAME WORD          to it; prints the answer, of which pick KEY a value
# SPDX-License-Identifier: ISC
PUSH=https://127.0.0.1:13295

issue() {
	local name=$1
	shift
	"$BUILD/dpctl" ca issue "$T/ca" "$name" "$@" --out "$T" >"$T/dpctl.log" 2>&1 || fail "dpctl ca issue $name"
}
urn() { openssl x509 -in "$T/$1.crt" -noout -ext subjectAltName | grep -o 'urn:dpoint:[^, ]*'; }
pconf() {
	gconf "server=127.0.0.1:9000" "sni=server.example" "push-listen=127.0.0.1:13295 [::1]:13295" \
	    "cert=$T/srv.crt" "key=$T/srv.key" "client-ca=$T/ca/ca.crt" "$@"
}
authority() {
	"$BUILD/dpctl" ca init "$T/ca" >"$T/dpctl.log" 2>&1 || fail "dpctl ca init"
	issue srv --server --ip 127.0.0.1 --ip ::1
}
curl_as() { CURL=(curl -sN --cacert "$T/ca/ca.crt" --cert "$T/$1.crt" --key "$T/$1.key" "${@:2}"); }
as() { # NAME CURL-ARG...
	curl_as "$@"
	"${CURL[@]}"
}
listen() {
	: >"$T/$1.log"
	curl_as "$1" "${@:3}" "$PUSH/v1/push${2-}"
	run "$1" "${CURL[@]}" # curl itself: who stops or ends $PID means no shell
}
hears() {
	listen "$1" "${3-}" -D "$T/head" "${@:4}"
	wait_for 20 grep -q -- "$2" "$T/$1.log"
	kill "$PID"
	wait "$PID" 2>/dev/null
	unset 'PIDS[-1]'
}
events() { grep -c '^event: wake' "$T/$1.log"; }
has() { [ "$(events "$1")" -eq "$2" ]; } # NAME N
post() { as "$1" -m 10 -w ' %{http_code}' --json "$2" "$PUSH/v1/wake"; }
devices() { [ "$(metric dpoint_gateway_push_devices)" = "$1" ]; }
wake() { "$BUILD/dpctl" --socket "$T/run/admin.sock" gateway wake --json "$@"; }
declare -A CROWD_FD=()
crowd() {
	local name=$1 fd
	shift
	harness push-devices
	: >"$T/$name.log" # whoever counts its lines does so before it has begun
	mkfifo "$T/$name.in"
	"$BUILD/tests/push-devices" "$@" "$T/ca/ca.crt" "$T/ca/ca.key" 127.0.0.1 13295 <"$T/$name.in" >"$T/$name.log" 2>"$T/$name.err" &
	PIDS+=($!)
	exec {fd}>"$T/$name.in"
	CROWD_FD[$name]=$fd
}
answers() { wc -l <"$T/$1.log"; }
say() {
	local n
	n=$(answers "$1")
	echo "$2" >&"${CROWD_FD[$1]}"
	wait_for 240 eval "[ \$(answers $1) -gt $n ]"
	tail -n 1 "$T/$1.log"
}
pick() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p"; }
