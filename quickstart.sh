#!/bin/bash
# quickstart.sh - the main job on this machine, for real, in a few minutes.
#
# usage: quickstart.sh [--keep] | --stop | --help
#
#   (nothing)  build, make a lab of network namespaces, run, report, clean up
#   --keep     the same, but leave it running and say how to look around
#   --stop     end what --keep left
#   --help     this text
#
# The lab, all of it in namespaces of its own:
#
#   dpq-web               dpq-dp                        dpq-a1 ... dpq-a5
#   nginx, HTTPS  ------  dp-master and its workers  ------  five agents
#   198.51.100.1   10 MB/s   192.0.2.1       a switch   192.0.2.11 ... 15
#                                        239.255.77.1   each loses 2 % of it
#
# The agents reach the distribution point and nothing else; what they lack it
# sends once, to all; meanwhile it polls their network.  The last line is one JSON object; the exit status is 0
# only if every agent verified all files and most bytes came by multicast.
# DP_QUICK_RATE sets the thin line (tc's words, 80mbit), DP_QUICK_DEBS a
# directory of .deb files to publish instead of downloading some with apt.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")" || exit 1

AGENTS=5
RATE=${DP_QUICK_RATE:-80mbit}
LAB=/var/tmp/dpoint-quickstart		# everything the lab writes
BIN=$PWD/build
WEB=dpq-web DP=dpq-dp
WEB_IP=198.51.100.1 DP_IP=192.0.2.1 GROUP=239.255.77.1
LOSS=2		# percent, of the multicast that each agent hears
MIN_FILES=6 MIN_BYTES=$((100 * 1000 * 1000))

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() { echo "quickstart.sh: $*" >&2; exit 1; }
mb() { awk -v n="$1" 'BEGIN { printf "%.1f MB", n / 1e6 }'; }
now() { date +%s.%N; }
AGENT_NAMES=$(seq -f 'dpq-a%g' $AGENTS)
NETNS="$WEB $DP $AGENT_NAMES"
. tests/lab.sh

# --- what is published -------------------------------------------------------

# Real packages, by apt: two versions of the first package that has two, then
# others until there are enough. Kept in build/, so that a second run is quick.
PAIRS="openjdk-17-jre-headless postgresql-15 git linux-doc-6.1 firefox-esr openssl"
OTHERS="postgresql-15 git vim-runtime perl-modules-5.36 openssl libpython3.11-stdlib
	emacs-common linux-source-6.1 gcc-12 clang-14 golang-1.19-go"

versions() { apt-cache madison "$1" 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' | awk '!seen[$0]++'; }
count_debs() { find "$1" -name '*.deb' | wc -l; }
bytes_of() { find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }
two_versions() { # of one package, in the directory
	find "$1" -name '*.deb' -printf '%f\n' | cut -d_ -f1 | sort | uniq -d | head -n 1
}
enough() {
	[ -d "$1" ] && [ "$(count_debs "$1")" -ge $MIN_FILES ] &&
	    [ "$(bytes_of "$1")" -ge $MIN_BYTES ] && [ -n "$(two_versions "$1")" ]
}
get_deb() { ( cd "$1" && apt-get -qq -o APT::Sandbox::User=root download "$2" ) >/dev/null 2>&1; }

get_debs() {
	local p v old
	if [ -n "${DP_QUICK_DEBS-}" ]; then
		DEBS=$DP_QUICK_DEBS
		enough "$DEBS" || die "$DEBS: needs $MIN_FILES .deb files, $(mb $MIN_BYTES) in all, two versions of one package among them"
		return
	fi
	DEBS=$PWD/build/quickstart-debs
	enough "$DEBS" && return
	rm -rf "$DEBS" && mkdir -p "$DEBS" || die "cannot make $DEBS"
	[ -n "$(versions bash)" ] || apt-get -qq update || die "apt-get update failed: is there a network?"
	for p in $PAIRS; do
		for v in $(versions "$p" | head -n 3); do get_deb "$DEBS" "$p=$v"; done
		[ -z "$(two_versions "$DEBS")" ] || break
		for old in "$DEBS/${p}"_*; do rm -f "$old"; done
	done
	[ -n "$(two_versions "$DEBS")" ] || die "apt offers no package in two versions: is bookworm-security or bookworm-updates in its sources?"
	for p in $OTHERS; do
		enough "$DEBS" && [ "$(count_debs "$DEBS")" -ge 8 ] && break
		compgen -G "$DEBS/${p}_*" >/dev/null || get_deb "$DEBS" "$p"
	done
	enough "$DEBS" || die "apt brought only $(count_debs "$DEBS") files, $(mb "$(bytes_of "$DEBS")")"
	for p in "$DEBS"/*%3a*; do # an epoch's colon, which apt escapes
		[ ! -e "$p" ] || mv "$p" "${p//%3a/-}"
	done
}

# --- the lab -----------------------------------------------------------------

make_net() {
	local n i=10
	for n in $NETNS; do
		ip netns add "$n" && ip -n "$n" link set lo up || die "cannot make namespace $n"
	done
	ip link add wan0 netns $WEB type veth peer name wan0 netns $DP &&
	ip -n $WEB addr add $WEB_IP/30 dev wan0 && ip -n $WEB link set wan0 up &&
	ip -n $DP addr add 198.51.100.2/30 dev wan0 && ip -n $DP link set wan0 up ||
	    die "cannot make the line between $WEB and $DP"
	ip netns exec $WEB tc qdisc add dev wan0 root tbf rate "$RATE" burst 128kb latency 300ms ||
	    die "tc cannot limit the line to $RATE"
	ip -n $DP link add lan0 type bridge && ip -n $DP addr add $DP_IP/24 dev lan0 &&
	ip -n $DP link set lan0 up || die "cannot make the switch"
	for n in $AGENT_NAMES; do
		i=$((i + 1))
		ip link add eth0 netns "$n" type veth peer name "${n#dpq-}" netns $DP &&
		ip -n $DP link set "${n#dpq-}" master lan0 up gso_max_segs 1 && # packets, not trains
		ip -n "$n" addr add 192.0.2.$i/24 dev eth0 && ip -n "$n" link set eth0 up ||
		    die "cannot connect $n to the switch"
		ip netns exec "$n" nft "table ip loss { chain in { type filter hook input priority -300;
		    ip daddr 224.0.0.0/4 meta l4proto udp counter numgen random mod 100 < $LOSS counter drop; }; }" ||
		    die "nft cannot lose packets at $n"
	done
	for n in $AGENT_NAMES; do # the lab's promise: no way around the distribution point
		! ip netns exec "$n" timeout 1 bash -c "exec 3<>/dev/tcp/$WEB_IP/443" 2>/dev/null ||
		    die "$n can reach the repository directly"
	done
}

start_web() {
	mkdir -p "$LAB/www" && ln -s "$LAB/repo/metadata" "$LAB/repo/targets" "$LAB/www/" ||
	    die "cannot make $LAB/www"
	cat >"$LAB/nginx.conf" <<-E
	daemon off; worker_processes 1; pid $LAB/nginx.pid; error_log $LAB/log/nginx-errors;
	events { worker_connections 512; }
	http {
		log_format bytes '\$bytes_sent \$status \$request';
		access_log $LAB/log/access bytes;
		sendfile on; default_type application/octet-stream;
		server {
			listen $WEB_IP:443 ssl; root $LAB/www;
			ssl_certificate $LAB/certs/web.crt; ssl_certificate_key $LAB/certs/web.key;
			ssl_protocols TLSv1.2 TLSv1.3;
		}
	}
	E
	: >"$LAB/log/access"
	lab_run $WEB nginx nginx -e "$LAB/log/nginx-errors" -c "$LAB/nginx.conf"
	lab_wait 10 nginx lab_listens $WEB 443 || exit 1
}
wan_bytes() { awk '{ n += $1 } END { printf "%d", n }' "$LAB/log/access"; }

# --- trust, and what is signed -------------------------------------------------

dpctl() { "$BIN/dpctl" "$@"; }
make_ca() {
	local n
	mkdir -p "$LAB/certs"
	dpctl ca init "$LAB/ca" --name "quick start CA" >/dev/null &&
	dpctl ca issue "$LAB/ca" web --server --ip $WEB_IP --out "$LAB/certs" >/dev/null &&
	dpctl ca issue "$LAB/ca" dp --dp new --ip $DP_IP --out "$LAB/certs" >/dev/null || die "dpctl ca failed"
	for n in $AGENT_NAMES; do
		dpctl ca issue "$LAB/ca" "$n" --device new --out "$LAB/certs" >/dev/null || die "dpctl ca failed"
	done
	say "a certificate authority; certificates for nginx, the distribution point and $AGENTS devices"
}

# The newer version of the package that comes twice is an update, the rest are
# packages: two delegated roles.
make_repo() {
	local two newer f updates=() packages=()
	two=$(two_versions "$DEBS")
	newer=$(cd "$DEBS" && ls "${two}"_*.deb | while read -r f; do
		echo "$(dpkg-deb -f "$f" Version) $f"; done |
	    { best= bf=; while read -r v f; do
		if [ -z "$best" ] || dpkg --compare-versions "$v" gt "$best"; then best=$v bf=$f; fi
	      done; echo "$bf"; })
	for f in "$DEBS"/*.deb; do
		if [ "${f##*/}" = "$newer" ]; then updates+=("$f"); else packages+=("$f"); fi
	done
	dpctl repo init "$LAB/repo" --keys "$LAB/keys/online" --root-keys "$LAB/keys/root" >/dev/null &&
	dpctl repo add "$LAB/repo" --kind package "${packages[@]}" &&
	dpctl repo add "$LAB/repo" --kind update "${updates[@]}" &&
	dpctl repo publish "$LAB/repo" &&
	dpctl repo verify "$LAB/repo" || die "dpctl repo failed"
	OBJECTS=$(count_debs "$DEBS")
	CONTENT=$(find "$DEBS" -name '*.deb' -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')
	say "two versions of one package among them: $two"
}

# --- the distribution point and the agents -------------------------------------

start_dp() {
	cat >"$LAB/dpoint.conf" <<-E
	[master]
	libexec = $BIN
	run-dir = $LAB/run
	[store]
	dir = $LAB/store
	reserve = 200MB
	want-free = 300MB
	[content]
	upstream = https://$WEB_IP/
	root = $LAB/root.json
	ca = $LAB/ca/ca.crt
	[fetch]
	group = /
	interval = 1m
	[serve]
	http = $DP_IP:8060
	https = $DP_IP:8061
	cert = $LAB/certs/dp.crt
	key = $LAB/certs/dp.key
	client-ca = $LAB/ca/ca.crt
	client-crl = $LAB/ca/ca.crl
	client-cert = required
	[multicast]
	enable = yes
	group = $GROUP@lan0
	rate = 60MB/s
	[scan]
	enable = yes
	interfaces = lan0
	name-interval = 0
	E
	lab_run $DP dp-master "$BIN/dp-master" --config "$LAB/dpoint.conf"
	lab_wait 15 dp-master grep -q 'every worker is ready' "$LAB/log/dp-master" || exit 1
}

agent_conf() { # NAME
	mkdir -p "$LAB/agents/$1/files" "$LAB/agents/$1/state"
	cat >"$LAB/agents/$1.conf" <<-E
	[agent]
	group = /
	libexec = $BIN
	state-dir = $LAB/agents/$1/state
	target-dir = $LAB/agents/$1/files
	run-dir = $LAB/agents/$1/run
	distribution-points = https://$DP_IP:8061/repo/
	repository = https://$WEB_IP/
	root = $LAB/root.json
	ca = $LAB/ca/ca.crt
	client-cert = $LAB/certs/$1.crt
	client-key = $LAB/certs/$1.key
	[multicast]
	group = $GROUP@eth0
	E
}
line_bytes() { ip netns exec $WEB cat /sys/class/net/wan0/statistics/tx_bytes; }

# Draws until the last agent has ended; on no terminal, a line every few seconds.
progress() {
	local n left tick=0 got end='\n'
	[ -t 1 ] && end='\r'
	while :; do
		left=0
		for n in $AGENT_NAMES; do ! lab_alive "$n-once" || left=$((left + 1)); done
		if [ -t 1 ] || [ $((tick % 8)) -eq 0 ] || [ $left -eq 0 ]; then
			got=$(find "$LAB/agents" -type f -path '*/files/*' -printf '%b %s\n' |
			    awk '{ n += $1 * 512 < $2 ? $1 * 512 : $2 } END { printf "%d", n }') # files have holes
			printf "%5.1f s   over the thin line %9s   with the agents %9s of %s   %d of %d done $end" \
			    "$(since "$BEGAN")" "$(mb "$(line_bytes)")" "$(mb "$got")" \
			    "$(mb $((CONTENT * AGENTS)))" $((AGENTS - left)) $AGENTS
		fi
		[ $left -gt 0 ] || break
		tick=$((tick + 1))
		sleep 0.5
	done
	[ ! -t 1 ] || echo
}
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

# What an agent has, against the files that were published, by our own hash.
check_agent() { # NAME: sets FILES and BYTES of those that are right
	local f want have
	FILES=0 BYTES=0
	for f in "$DEBS"/*.deb; do
		have=$(find "$LAB/agents/$1/files" -type f -name "${f##*/}" | head -n 1)
		[ -n "$have" ] && cmp -s "$f" "$have" || continue
		FILES=$((FILES + 1)) BYTES=$((BYTES + $(stat -c %s "$f")))
	done
}

# By which way an agent's bytes came, as it counted them.
ways_of() { # NAME: sets MULTICAST, REPAIR and UNICAST
	MULTICAST=0 REPAIR=0 UNICAST=0
	read -r MULTICAST REPAIR UNICAST < <(jq -r '[.targets[].came] |
	    "\(map(.multicast) | add) \(map(.repair) | add) \(map(.unicast) | add)"' \
	    "$LAB/agents/$1/state/tuf/status.json")
}
lost_at() { # NAME: what nft let it lose, in percent of what came
	ip netns exec "$1" nft -j list table ip loss | jq -r '[.nftables[].rule.expr[]?.counter.packets | numbers] |
	    if .[0] > 0 then 100 * .[1] / .[0] else 0 end' | xargs printf %.1f
}

report() {
	local n verified=true wan delivered=0 multicast=0 repair=0 unicast=0 wire
	wan=$(wan_bytes)
	wire=$(dpctl --socket "$LAB/run/admin.sock" mcast stats --json | jq .wire_bytes)
	printf '\n%-8s %-12s %-7s %-9s  %-9s  %-9s  %-9s  %-6s %s\n' \
	    agent address files bytes multicast repair unicast lost verified
	for n in $AGENT_NAMES; do
		check_agent "$n"
		ways_of "$n"
		printf '%-8s %-12s %-7s %9s  %9s  %9s  %9s  %-6s %s\n' "$n" "192.0.2.$((10 + ${n#dpq-a}))" \
		    "$FILES of $OBJECTS" "$(mb $BYTES)" "$(mb "$MULTICAST")" "$(mb "$REPAIR")" "$(mb "$UNICAST")" \
		    "$(lost_at "$n") %" "$([ $FILES -eq "$OBJECTS" ] && echo yes || echo NO)"
		[ $FILES -eq "$OBJECTS" ] || verified=false
		delivered=$((delivered + BYTES)) multicast=$((multicast + MULTICAST))
		repair=$((repair + REPAIR)) unicast=$((unicast + UNICAST))
	done
	awk -v c="$CONTENT" -v w="$wan" -v d="$delivered" -v m="$multicast" -v r="$repair" -v u="$unicast" \
	    -v l="${wire:-0}" -v s="$TOOK" 'BEGIN {
		printf "\npublished            %9.1f MB\n", c / 1e6
		printf "over the thin line   %9.1f MB  (%.3f of what was published)\n", w / 1e6, w / c
		printf "sent by multicast    %9.1f MB  once, for all: frames, and repair among them\n", l / 1e6
		printf "delivered            %9.1f MB  (%.1f times what the line carried), of that\n", d / 1e6, w ? d / w : 0
		printf "  by multicast       %9.1f MB  as it was sent first\n", m / 1e6
		printf "  by repair          %9.1f MB  rebuilt from parity that all heard\n", r / 1e6
		printf "  by unicast         %9.1f MB  HTTPS\n", u / 1e6
		printf "time                 %9.1f s\n", s }'
	[ "$wan" -le $((CONTENT * 103 / 100)) ] || { echo "the line carried more than 1.03 of the content" >&2; FAILED=1; }
	[ $((multicast + repair)) -gt $((delivered / 2)) ] || { echo "not even half of it came by multicast" >&2; FAILED=1; }
	[ $verified = true ] || FAILED=1
	JSON=$(printf '{"agents":%d,"objects":%d,"content_bytes":%d,"wan_bytes":%d,"delivered_bytes":%d,"multicast_bytes":%d,"repair_bytes":%d,"unicast_bytes":%d,"verified":%s,"seconds":%s}' \
	    $AGENTS "$OBJECTS" "$CONTENT" "$wan" "$delivered" "$multicast" "$repair" "$unicast" $verified "$TOOK")
}

# --- main ----------------------------------------------------------------------

usage() { sed -n '2,/^# SPDX/s/^# \{0,1\}//p' "$0" | sed '$d'; }
KEEP='' FAILED=0 JSON=
bad() { echo "quickstart.sh: \"$1\": expected nothing or one of --keep, --stop, --help" >&2; exit 2; }
[ $# -le 1 ] || bad "$2"
case ${1--} in
-|--stop|--help|-h) ;;
--keep) KEEP=1 ;;
*) bad "$1" ;;
esac
case ${1-} in --help|-h) usage; exit 0 ;; esac
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces and users"
if [ "${1-}" = --stop ]; then
	lab_clean
	say "nothing of the quick start runs any more"
	exit 0
fi

finish() {
	local rc=$?
	trap - EXIT INT TERM
	[ -n "$KEEP" ] && [ $rc -eq 0 ] || lab_clean
	[ -z "$JSON" ] || say "$JSON"
	exit $rc
}

step "packages, users, build"
./check.sh --setup || die "setting up failed"
make -j"$(nproc)" -s --no-print-directory || die "the build failed"
[ ! -d "$LAB/pid" ] || say "a quick start that was left running is ended first"
lab_clean
trap finish EXIT
trap 'exit 130' INT TERM
mkdir -p "$LAB/log" && chmod 755 "$LAB" || die "cannot make $LAB"

step "what is published: real Debian packages, signed"
get_debs
make_ca
make_repo
cp "$LAB/repo/metadata/1.root.json" "$LAB/root.json" # the one thing all trust

step "the lab: nginx behind a line of $RATE, one distribution point, $AGENTS agents"
make_net
start_web
BEGAN=$(now)
start_dp
say "dp-master and its workers are up after $(since "$BEGAN") s"

step "the distribution point fetches once and sends once; every agent loses $LOSS % of it and gets all of it"
for n in $AGENT_NAMES; do
	agent_conf "$n"
	lab_run "$n" "$n-once" "$BIN/dp-agent" --config "$LAB/agents/$n.conf" --once --wait 150
done
progress
TOOK=$(since "$BEGAN")
report
for n in $AGENT_NAMES; do
	[ $FAILED -eq 0 ] || { say "-- $n:"; tail -n 5 "$LAB/log/$n-once"; }
done
[ $FAILED -eq 0 ] || { say "-- dp-master:"; tail -n 20 "$LAB/log/dp-master"; exit 1; }

if [ -n "$KEEP" ]; then
	for n in $AGENT_NAMES; do # from now on as daemons
		lab_run "$n" "$n" "$BIN/dp-agent" --config "$LAB/agents/$n.conf"
	done
	cat <<-E

	It keeps running. To look around:
	  build/dpctl --socket $LAB/run/admin.sock status
	  build/dpctl --socket $LAB/run/admin.sock workers
	  build/dpctl --socket $LAB/run/admin.sock content list
	  build/dpctl --socket $LAB/run/admin.sock events --follow
	  build/dpctl --socket $LAB/run/admin.sock top
	  build/dpctl --socket $LAB/run/admin.sock scan devices
	  build/dpctl --socket $LAB/run/admin.sock scan run arp
	  build/dpctl --socket $LAB/run/admin.sock report --html report.html
	  build/dp-agent --config $LAB/agents/dpq-a1.conf status
	  tail -f $LAB/log/dp-master
	The end of it: ./quickstart.sh --stop

	E
fi
exit 0
