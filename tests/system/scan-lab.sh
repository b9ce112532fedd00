# tests/system/scan-lab.sh - a network with hosts, for tests of network polling.
# After lib.sh: the test is the distribution point, on the bridge `lan`, 10.9.0.1/22
# and fd09::1/64; each host is a network namespace behind a cable of its own.
#
#   lan_start [PREFIX]  makes lan (/22)
#   host NAME [ADDRESS/BITS...]  makes one; its interface is eth0, in NAME.$$
#   on NAME CMD...      runs it there
#   mac NAME            of its eth0
#   scan_conf LINE...   writes the configuration, [scan] with these lines
#   scan_up             starts dp-master and waits for the three workers
#   scan WORD...        the admin socket as JSON lines, without the last "ok"
#   device NAME         its row, by address or name
#   amid IFACE CMD...   runs CMD once some of a poll's frames have left by IFACE: in
#                       the background, before the poll
# SPDX-License-Identifier: ISC
HOSTS=()
lan_end() {
	local rc=$? h
	for h in "${HOSTS[@]}"; do ip netns del "$h" 2>/dev/null; done
	(exit $rc)
	cleanup
}
trap lan_end EXIT
lan_start() {
	ip link add lan type bridge mcast_snooping 0 && ip link set lan up address 02:00:00:00:00:01 || fail "no bridge"
	ip addr add "10.9.0.1/${1:-22}" dev lan
	ip addr add fd09::1/64 dev lan nodad
}
host() {
	local name=$1 ns=$1.$$ a n=${#HOSTS[@]}
	shift
	ip netns add "$ns" || fail "ip netns"
	HOSTS+=("$ns")
	ip link add "v$n" type veth peer name eth0 netns "$ns" || fail "veth"
	ip link set "v$n" master lan up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
	ip -n "$ns" link set eth0 address "$(printf '00:16:3e:00:%02x:%02x' $((n / 256)) $((n % 256)))" up
	for a; do case $a in *:*) ip -n "$ns" addr add "$a" dev eth0 nodad ;; *) ip -n "$ns" addr add "$a" dev eth0 ;; esac; done
}
on() { local ns=$1.$$; shift; ip netns exec "$ns" "$@"; }
mac() { on "$1" cat /sys/class/net/eth0/address; }
scan_conf() { conf <<<"[serve]
http = 127.0.0.1:8060
[scan]
enable = yes
$(printf '%s\n' "$@")"; }
scan_up() {
	master_start
	master_ready
	wait_for 10 scan_going
}
scan_going() { scan status | grep -q '"state":"\(polling\|listening\)"'; }
scan() {
	local w=$1 out; shift
	out=$(admin json "scan-$w" "$@")
	[ "${out##*$'\n'}" = ok ] || echo "scan-$w $*: ${out##*$'\n'}" >&2
	sed '$d' <<<"$out"
}
device() { scan show "$1"; }
frames_of() { awk -v i="$1:" '$1 == i { print $11 }' /proc/net/dev; } # sent; /sys is another namespace's
amid() {
	local i=$1 n
	shift
	n=$(frames_of "$i")
	wait_for 60 eval '[ "$(frames_of '"$i"')" -ge '$((n + 30))' ]' # more than the kernel has to say of a new link
	"$@"
}
