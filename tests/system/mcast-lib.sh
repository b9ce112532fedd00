# tests/system/mcast-lib.sh - a line and devices for the tests of multicast:
# after lib.sh and fetch-lib.sh.
#
#   mcast_net               veth0 (10.77.0.1) for the distribution point, veth1
#                           in a namespace of its own for the devices: $DEVICES
#   mcast_pki DEV...        a CA, the server's certificate, one for each device
#   mcast_conf LINE...      conf with HTTPS on 8061 and [multicast] with LINEs;
#                           what $T/crl holds goes into [serve]
#   mcast_keys DEV...       GET /v1/multicast of each, to $T/DEV.keys; 1 if refused
#   ask DEV HASH            GET /v1/multicast/HASH, prints the answer
#                           $GROUPS_CONF instead of group 239.255.77.1@veth0
#   mcast_recv NAME DEV... -- ARG...   mcast.py recv in the background: $MCAST
#                           listens to $GROUP or 239.255.77.1
#   mcast_done NAME         waits for it; all must have what they wanted
# SPDX-License-Identifier: ISC
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || skip "needs python3-cryptography"
DEVICES=dpoint-dev-$$ MCAST=''

mcast_net() {
	ip netns add "$DEVICES" || fail "ip netns"
	trap 'rc=$?; ip netns del "$DEVICES"; (exit $rc); cleanup' EXIT
	ip link add veth0 type veth peer name veth1 netns "$DEVICES" || fail "ip link add"
	ip addr add 10.77.0.1/24 dev veth0
	ip addr add fd77::1/64 dev veth0 nodad
	ip -n "$DEVICES" addr add 10.77.0.2/24 dev veth1
	ip -n "$DEVICES" addr add fd77::2/64 dev veth1 nodad
	ip -n "$DEVICES" link set lo up
	ip link set veth0 up
	ip -n "$DEVICES" link set veth1 up
	# packets, not offload's trains
	ip link set veth0 gso_max_segs 1 || fail "gso_max_segs"
}

mcast_pki() {
	local d
	dpctl ca init "$T/ca"
	dpctl ca issue "$T/ca" srv --server --ip 127.0.0.1 --dns localhost --out "$T"
	for d; do dpctl ca issue "$T/ca" "dev-$d" --device new --out "$T"; done
	: >"$T/crl"
}

mcast_conf() {
	fetch_conf
	cat >>"$CONF" <<-E
	[serve]
	https = 127.0.0.1:8061
	cert = $T/srv.crt
	key = $T/srv.key
	client-ca = $T/ca/ca.crt
	$(cat "$T/crl")
	[multicast]
	enable = yes
	group = ${GROUPS_CONF:-239.255.77.1@veth0}
	$(printf '%s\n' "$@")
	E
}

mcast_get() { # DEV PATH [ARG...]
	local d=$1 p=$2; shift 2
	curl -sf -m 10 --cacert "$T/ca/ca.crt" --cert "$T/dev-$d.crt" --key "$T/dev-$d.key" "$@" "https://127.0.0.1:8061$p"
}
mcast_keys() {
	local d
	for d; do mcast_get "$d" /v1/multicast -o "$T/$d.keys" || return 1; done
}
ask() { mcast_get "$1" "/v1/multicast/$2"; }

mcast_run() { # recv|hostile NAME DEV... -- ARG...
	local what=$1 name=$2 keys=(); shift 2
	while [ "$1" != -- ]; do keys+=("$T/$1.keys"); shift; done
	shift
	rm -f "$T/$name.log"
	run "$name" ip netns exec "$DEVICES" "$HERE/tests/system/mcast.py" "$what" --group "${GROUP:-239.255.77.1}" --iface veth1 --keys "${keys[@]}" "$@"
	MCAST=$PID
	joined() { ip netns exec "$DEVICES" ss -Hlun 'sport = :15000' | grep -q .; }
	wait_for 10 joined
}
mcast_recv() { mcast_run recv "$@"; }
mcast_done() {
	wait "$MCAST" || fail "$1: $(cat "$T/$1.log") $(admin json mcast-stats | head -n 1) $(admin json events | grep multicast)"
}
