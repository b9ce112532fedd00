# tests/system/connect-lib.sh - a gateway for HTTP CONNECT, and a host beyond it;
# sourced after lib.sh and gateway-lib.sh.
#
#   far                  makes the host: 198.51.100.2 and 2001:db8::2, names of $1
#                        (lines of /etc/hosts) beside it; we are .1 and ::1
#   on_far NAME CMD...   runs there in the background, as `run` does
#   tconf KEY=VALUE...   gconf with proxy-listen on 127.0.0.1:3128 and [::1]:3128
#   tunnel CASE [ARG...] of connect.py
# SPDX-License-Identifier: ISC
TUNNEL=$HERE/tests/system/connect.py
FAR=dpoint-$$-far

far() {
	ip netns add "$FAR" || fail "ip netns"
	trap 'rc=$?; ip netns del "$FAR"; (exit $rc); cleanup' EXIT
	ip link add far0 type veth peer name far1 netns "$FAR" || fail "ip link add"
	ip addr add 198.51.100.1/24 dev far0
	ip addr add 2001:db8::1/64 dev far0 nodad
	ip link set far0 up
	ip -n "$FAR" addr add 198.51.100.2/24 dev far1
	ip -n "$FAR" addr add 2001:db8::2/64 dev far1 nodad
	ip -n "$FAR" link set far1 up
	ip -n "$FAR" link set lo up
	printf '127.0.0.1 localhost\n%s\n' "$1" >"$T/hosts"
	mount --bind "$T/hosts" /etc/hosts || fail "mount"
}
on_far() { local n=$1; shift; run "$n" ip netns exec "$FAR" "$@"; }
tconf() {
	gconf "server=127.0.0.1:9" "sni=server.example" "proxy-listen=127.0.0.1:3128 [::1]:3128" \
		"proxy-from=127.0.0.1/32 ::1/128" "$@"
}
tunnel() { timeout 120 python3 "$TUNNEL" "$@"; }
