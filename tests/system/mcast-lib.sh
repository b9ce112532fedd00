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
#   mcast_site DEV...       instead of mcast_net and mcast_pki: a switch, the
#                           distribution point at 10.77.0.1, each device in a
#                           namespace of its own; site_conf LINE... is its
#                           mcast_conf, with HTTPS on 10.77.0.1:8061
#   site_agents DEV... -- ARG...   real agents, configured, in the background,
#                           log in $T/agent-DEV.log; site_done DEV... waits for
#                           them, all must exit 0; site_kill DEV; site_forget
#                           DEV... removes their files and state
#   site_loss PERCENT DEV...   of the multicast UDP that comes in
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
	# devices have processors of their own: a sender waits a second for their last words
	run "$name" ip netns exec "$DEVICES" nice -n -10 "$HERE/tests/system/mcast.py" "$what" --group "${GROUP:-239.255.77.1}" --iface veth1 --keys "${keys[@]}" "$@"
	MCAST=$PID
	joined() { [ -s "$T/$name.log" ] || ip netns exec "$DEVICES" ss -Hlunp 'sport = :15000' | grep -q "pid=$MCAST,"; }
	wait_for 20 joined
}
mcast_recv() { mcast_run recv "$@"; }
mcast_done() {
	wait "$MCAST" || fail "$1: $(cat "$T/$1.log") $(admin json mcast-stats | head -n 1) $(admin json events | grep multicast)"
}

declare -A AGENT_PID
SITE=()
mcast_site() {
	local d i=10
	ip link add veth0 type bridge mcast_snooping 0 || fail "ip link add"
	ip addr add 10.77.0.1/24 dev veth0
	ip addr add fd77::1/64 dev veth0 nodad
	ip link set veth0 up
	SITE=("$@")
	trap 'rc=$?; for d in "${SITE[@]}"; do ip netns del "dpoint-$$-$d" 2>/dev/null; done; (exit $rc); cleanup' EXIT
	dpctl ca init "$T/ca"
	dpctl ca issue "$T/ca" srv --server --ip 10.77.0.1 --ip 127.0.0.1 --dns localhost --out "$T"
	: >"$T/crl"
	for d; do
		i=$((i + 1))
		ip netns add "dpoint-$$-$d" || fail "ip netns"
		ip link add "port-$d" type veth peer name eth0 netns "dpoint-$$-$d" || fail "ip link add"
		ip link set "port-$d" master veth0 up
		ip link set "port-$d" gso_max_segs 1 || fail "gso_max_segs"
		ip -n "dpoint-$$-$d" link set lo up
		ip -n "dpoint-$$-$d" addr add 10.77.0.$i/24 dev eth0
		ip -n "dpoint-$$-$d" addr add fd77::$i/64 dev eth0 nodad
		ip -n "dpoint-$$-$d" link set eth0 up
		dpctl ca issue "$T/ca" "dev-$d" --device new --out "$T"
	done
}

site_conf() {
	mcast_conf "$@"
	sed -i 's/^https = .*/https = 127.0.0.1:8061 10.77.0.1:8061/' "$CONF"
}

site_agents() {
	local devs=() d
	while [ "$1" != -- ]; do devs+=("$1"); shift; done
	shift
	for d in "${devs[@]}"; do
		mkdir -p "$T/dev-$d"
		cat >"$T/dev-$d/agent.conf" <<-E
		[agent]
		distribution-points = https://10.77.0.1:8061/repo/
		root = $T/repo/metadata/1.root.json
		ca = $T/ca/ca.crt
		client-cert = $T/dev-$d.crt
		client-key = $T/dev-$d.key
		target-dir = $T/dev-$d/files
		state-dir = $T/dev-$d/state
		run-dir = $T/dev-$d/run
		libexec = $BUILD
		connect-timeout = 2
		stall-timeout = 5
		${AGENT_CONF-}
		[multicast]
		group = ${AGENT_GROUP:-239.255.77.1@eth0}
		silence = 2
		${AGENT_MCAST-}
		E
		run "agent-$d" ip netns exec "dpoint-$$-$d" "$BUILD/dp-agent" --config "$T/dev-$d/agent.conf" "$@"
		AGENT_PID[$d]=$PID
	done
}
site_done() {
	local d rc
	for d; do
		wait "${AGENT_PID[$d]}"; rc=$?
		[ $rc -eq 0 ] || fail "agent $d: exit $rc: $(tail -n 20 "$T/agent-$d.log") $(admin json events | grep multicast | tail -n 5)"
	done
}
# The children leave with their parent: their channel ends.
site_kill() { kill -KILL "${AGENT_PID[$1]}"; wait "${AGENT_PID[$1]}" 2>/dev/null; }
site_forget() { local d; for d; do rm -rf "$T/dev-$d"; done; }
site_loss() {
	local percent=$1 d; shift
	for d; do
		ip netns exec "dpoint-$$-$d" nft 'add table ip loss; delete table ip loss'
		[ "$percent" = 0 ] || ip netns exec "dpoint-$$-$d" nft "add table ip loss; add chain ip loss in { type filter hook input priority -300; }; add rule ip loss in ip daddr 224.0.0.0/4 meta l4proto udp numgen random mod 100 < $percent drop" || fail "nft"
	done
}
