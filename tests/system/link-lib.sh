# tests/system/link-lib.sh - for the tests of the agent's kept connection, after
# agent.sh.
#
#   link_make              a CA, the certificates of a host and a device, a
#                          repository on 127.0.0.1:8090
#   push_start PORT [MODE] the other end, push.py; log $T/push-PORT.log, its pid
#                          in PUSH_PID[PORT]
#   push_kill PORT; push_say PORT LITERAL
#   link_conf [LINE...]    agent.conf with a link; gateway, server and times are
#                          the test's
#   link_is WAY            `dp-agent status` says so; "down" too
#   opened PORT            how many connections there were
#   status_text            dp-agent status
# SPDX-License-Identifier: ISC
. "$HERE/tests/system/late-lib.sh"
declare -A PUSH_PID
DEVICE=0d0e9a34-5f0c-4d8e-9b1d-6f7ab0d2c0de

link_make() {
	dpctl ca init "$T/ca"
	dpctl ca issue "$T/ca" host --server --ip 127.0.0.1 --ip ::1 --dns localhost --out "$T/ca"
	dpctl ca issue "$T/ca" device --device $DEVICE --out "$T/ca"
	repo_make
	repo_add --kind package "$(blob one.deb 1000)"
	repo_publish
	web origin 8090
}
push_start() {
	run "push-$1" "$HERE/tests/system/push.py" "$1" "$T/ca" "${2:-good}"
	PUSH_PID[$1]=$PID
	wait_for 10 sh -c "ss -Hltn 'sport = :$1' | grep -q ."
}
push_kill() { kill -KILL "${PUSH_PID[$1]}"; wait "${PUSH_PID[$1]}" 2>/dev/null; }
push_say() { "$HERE/tests/system/push.py" say "$T/ca" "$1" "$2"; }
push_wake() { push_say "$1" "'event: wake\\ndata: $2\\n\\n'"; }
link_conf() {
	agent_conf http://127.0.0.1:8090/ "ca = $T/ca/ca.crt" \
	    "client-cert = $T/ca/device.crt" "client-key = $T/ca/device.key" "$@"
}
status_text() { "$BUILD/dp-agent" --config "$AC" status; }
link_is() { status_text | grep -q "^link  *$1 since "; }
opened() { grep -c "^$1 open" "$T/push-$1.log"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
