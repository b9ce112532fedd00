# tests/bench/mcast/net.sh - one multicast network of namespaces; sourced.
#
# A sender $NS-s, receivers $NS-r1..., and between them a bridge in $NS-sw: MTU
# 1500, no snooping. The sender's stack cuts trains of UDP segmentation offload
# before its veth, as a plain network card would see them: what is sent, counted
# and lost is packets of 1,500 bytes. The receivers' cards join packets again
# (GRO) for a socket that asks for it, as real cards do by default; NAPI=0 is
# without. Loss is an nftables rule at the bridge's ports, before the cards, so
# that single packets are lost and not trains: the copy for each receiver is lost
# or not by a draw of its own. On multicast UDP only: what receivers say is never
# lost. Nothing is done to the machine's own network.
# SPDX-License-Identifier: ISC

net_node() { # NAMESPACE PORT ADDRESS
	ip netns add "$1" && HAVE+=("$1") &&
	ip -n "$NS-sw" link add "$2" mtu 1500 type veth peer name eth0 netns "$1" mtu 1500 &&
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.conf.all.rp_filter=0 \
	    net.ipv4.conf.default.rp_filter=0 net.ipv4.igmp_max_memberships=64 &&
	ip -n "$1" link set lo up && ip -n "$1" addr add "$3/24" brd + dev eth0 && ip -n "$1" link set eth0 up &&
	ip -n "$1" route add 224.0.0.0/4 dev eth0 &&
	ip -n "$NS-sw" link set "$2" master br0 && ip -n "$NS-sw" link set "$2" up
}

net_up() { # N
	local i
	net_down
	ip netns add "$NS-sw" && HAVE+=("$NS-sw") &&
	ip netns exec "$NS-sw" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || return
	# frames that cross the bridge must not visit iptables hooks, where loaded
	ip netns exec "$NS-sw" sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null
	ip -n "$NS-sw" link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0 &&
	ip -n "$NS-sw" link set br0 up &&
	net_node "$NS-s" ps 10.66.0.1 || return
	for ((i = 1; i <= $1; i++)); do
		net_node "$NS-r$i" "p$i" "10.66.0.$((10 + i))" || return
		[ "${NAPI:-1}" = 1 ] || continue
		# a veth has this only if nothing larger than a packet comes to it
		ip netns exec "$NS-sw" ethtool -K "p$i" gso off tso off >/dev/null &&
		ip netns exec "$NS-r$i" ethtool -K eth0 gro on || return
	done
	ip netns exec "$NS-s" ethtool -K eth0 tx-udp-segmentation off gso off tso off >/dev/null || return
	NET_N=$1
	sleep 0.5 # until the ports forward
}

net_loss() { # PERCENT, in steps of 0.1
	local permille
	permille=$(awk -v p="$1" 'BEGIN { printf "%d", p * 10 + 0.5 }')
	ip netns exec "$NS-sw" nft 'add table bridge loss; delete table bridge loss' || return
	[ "$permille" -eq 0 ] || ip netns exec "$NS-sw" nft -f - <<-E
	table bridge loss {
		chain out {
			type filter hook forward priority 0; policy accept;
			ip daddr 224.0.0.0/4 meta l4proto udp numgen random mod 1000 < $permille counter drop
		}
	}
	E
}

net_sent() { ip netns exec "$NS-s" cat /sys/class/net/eth0/statistics/tx_bytes; }

net_down() {
	local n pid
	for n in "${HAVE[@]}"; do
		for pid in $(ip netns pids "$n"); do kill -KILL "$pid" 2>/dev/null; done
		ip netns del "$n"
	done
	HAVE=() NET_N=0
}
HAVE=() NET_N=0
