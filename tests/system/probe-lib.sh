# tests/system/probe-lib.sh - a link with one host, and a prober alone: after
# lib.sh.
#
#   probe_net           veth0 (10.79.0.1/22, fd79::1/64) and, in the namespace
#                       $HOST, veth1 (10.79.0.2, fd79::2); MAC is veth0's
#   on_host CMD...      there
#   probe ARG...        probe-driver with these; what it says in $T/said
#   capture NAME        what passes veth0, to $T/NAME.pcap, until `captured`
# SPDX-License-Identifier: ISC
harness probe-driver
HOST=dpoint-probe-$$
on_host() { ip netns exec "$HOST" "$@"; }
probe_net() {
	ip netns add "$HOST" || fail "ip netns"
	trap 'rc=$?; ip netns del "$HOST"; (exit $rc); cleanup' EXIT
	ip link add veth0 type veth peer name veth1 netns "$HOST" || fail "ip link add"
	# nothing of the kernel's own but what is looked at
	ip link set veth0 addrgenmode none
	sysctl -q net.ipv6.conf.veth0.router_solicitations=0 || fail sysctl
	ip addr add 10.79.0.1/22 dev veth0
	ip -n "$HOST" addr add 10.79.0.2/22 dev veth1
	ip -n "$HOST" link set lo up
	ip link set veth0 up
	ip -n "$HOST" link set veth1 up
	ip addr add fe80::79:1/64 dev veth0 nodad
	ip addr add fd79::1/64 dev veth0 nodad
	ip -n "$HOST" addr add fd79::2/64 dev veth1 nodad
	MAC=$(ip -o link show veth0 2>/dev/null | grep -o "ether [^ ]*" | cut -d" " -f2)
	wait_for 20 sh -c "ip -n $HOST -6 addr show dev veth1 scope link | grep -q fe80 && ! ip -n $HOST -6 addr show tentative | grep -q inet6"
}
probe() { "$BUILD/tests/probe-driver" "$BUILD/dp-probe" "$@" >"$T/said" 2>"$T/probe.log" || fail "probe-driver: $(cat "$T/said" "$T/probe.log")"; }
capture() { # a slot of its ring is as large as a frame may be: 32 of 256 KiB would be too few
	run capture tcpdump -i veth0 --immediate-mode -s 2000 -U -B 8192 -w "$T/$1.pcap"
	CAPTURE=$PID CAPTURED=$T/$1.pcap
	wait_for 20 grep -q 'listening on' "$T/capture.log"
}
captured() { # all that was sent before the host's last word, which is of a type for experiments
	on_host python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("veth1", 0))
s.send(b"\xff" * 6 + s.getsockname()[4] + b"\x88\xb5" + b"the last word" * 4)' || fail "no last word"
	wait_for 20 grep -aq 'the last word' "$CAPTURED"
	kill -INT "$CAPTURE"
	wait "$CAPTURE"
	grep -q '^0 packets dropped by kernel' "$T/capture.log" || fail "$(cat "$T/capture.log")"
	: >"$T/capture.log"
}
