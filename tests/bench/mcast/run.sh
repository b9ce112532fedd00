#!/bin/bash
# tests/bench/mcast/run.sh - one file to N receivers by multicast: ours, and others.
#
# usage: make bench-mcast [RUNS=3] [SIZES="64 512"] [RECEIVERS="1 4 8"] [LOSSES="0 1 5"]
#            [CASES="64MiB n=4 loss=5, rss 4GiB n=1"] [PEERS="udpcast uftp ..."]
#
# A figure is MB (10^6 bytes) of the file a second, until the last receiver has the
# whole file and its SHA-256, the median of RUNS; files are in memory. Who takes
# part takes turns within each round. `ours` is dp-mcast's and the agent's own
# code in programs of their own, secure mode, sandboxes on (send.c, recv.c);
# `raw` is what the machine can do with no reliability at all (raw.c). Closes with
# a table and one JSON line; ratio > 1: ours is better. Rows of wire say bytes
# sent a byte of the file, with Ethernet's headers, against what they may be;
# rows of rss anonymous memory at its peak, in MiB.
# SPDX-License-Identifier: ISC
# A session of its own, so that the scheduler's group is its own too and can be put
# ahead of whatever else runs here: for all who take part alike.
[ -n "${BENCH_SESSION:-}" ] || BENCH_SESSION=1 exec setsid -w "$0" "$@"
set -u
cd "$(dirname "$0")/../../.." || exit 1
renice -n -15 $$ >/dev/null
[ ! -e /proc/$$/autogroup ] || echo -15 >/proc/$$/autogroup
BIN=$(realpath "${BUILD:-build}")/tests
RUNS=${RUNS:-3} SIZES=${SIZES:-64 512} LOSSES=${LOSSES:-0 1 5} LIMIT=${LIMIT:-120}
RECEIVERS=${RECEIVERS:-1 4 8}
PEERS=${PEERS-udpcast udpcast_fec uftp uftp_gcm norm}
NS=dpm$$ W=/dev/shm/dpoint-mcast.$$
RAW_BYTES=268435456
die() { echo "bench: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces"
. tests/bench/mcast/net.sh
. tests/bench/mcast/peers.sh

# -- who takes part, installed where it is missing --

need() { # COMMAND-OR-FILE PACKAGE
	command -v "$1" >/dev/null || [ -e "$1" ] && return
	[ -n "${UPDATED:-}" ] || { apt-get -qq update; UPDATED=1; }
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$2" >/dev/null
}
have() { # PEER
	case $1 in
	udpcast*) need udp-sender udpcast ;;
	uftp*) need /usr/bin/uftpd uftp ;;
	norm)
		need /usr/include/normApi.h libnorm-dev &&
		{ [ "$BIN/norm-xfer" -nt tests/bench/mcast/norm-xfer.cc ] ||
		    g++ -O2 -o "$BIN/norm-xfer" tests/bench/mcast/norm-xfer.cc -lnorm; } ;;
	*) false ;;
	esac
}
for p in ethtool nft:nftables jq ip:iproute2; do need "${p%:*}" "${p#*:}" || die "${p%:*} is missing"; done
TAKE='' # those of PEERS that are here
for p in $PEERS; do
	if have "$p"; then TAKE+=" $p"; else echo "bench: $p is not here and takes no part" >&2; fi
done

# -- one transfer --

# What a receiver runs when it has its file: notes the time with the hash.
make_hook() {
	HOOK=$W/hook
	cat >"$HOOK" <<-'H'
	#!/bin/bash
	f=${@: -1} d=${f%/*}
	[ "$(openssl dgst -sha256 -r "$f" | cut -c1-64)" = "$(cat "$d/../sum")" ] && how=whole || how=not
	echo "$EPOCHREALTIME $how" >"$d/is"; mv "$d/is" "$d/end"
	H
	chmod +x "$HOOK"
}
spawn() { # NAMESPACE TAG COMMAND...: its seconds of CPU to TAG.cpu
	local ns=$1 tag=$2 TIMEFORMAT='%3U %3S'
	shift 2
	{ time ip netns exec "$ns" timeout --foreground -k 2 "$LIMIT" \
	    sh -c 'echo $$ >"$0"; exec "$@"' "$RUN/$tag.pid" "$@" 2>"$RUN/$tag.log"; } 2>"$RUN/$tag.cpu"
}
receiver() { # I COMMAND...: ends when it has the file
	local i=$1
	shift
	{ spawn "$NS-r$i" "r$i" "$@" </dev/null >/dev/null; "$HOOK" "$RUN/r$i/file"; } &
	JOBS+=($!)
}
daemon() { # I COMMAND...: stays, and runs the hook
	local i=$1
	shift
	spawn "$NS-r$i" "r$i" "$@" </dev/null >/dev/null &
	JOBS+=($!)
}
itself() { # I COMMAND...: prints the hook's line
	local i=$1
	shift
	spawn "$NS-r$i" "r$i" "$@" </dev/null >"$RUN/r$i/end" &
	JOBS+=($!)
}
start_clock() {
	sleep 0.4 # the receivers have joined
	WIRE=$(net_sent) T0=$EPOCHREALTIME
}
go() { # COMMAND...
	[ "$1" != command ] || shift
	start_clock
	spawn "$NS-s" s "$@" </dev/null >"$RUN/s.out" &
	SENDER=$!
}
ready() { # COMMAND...: starts when a line comes
	mkfifo "$RUN/go"
	spawn "$NS-s" s "$@" <"$RUN/go" >"$RUN/s.out" &
	SENDER=$!
	exec 7>"$RUN/go"
	sleep 0.2
}
say_go() {
	start_clock
	(echo go >&7) 2>/dev/null # it may be dead
	exec 7>&-
}
nap() { read -rt 0.05 -u 8 _ || true; } # no process made, no CPU taken

# Who has ended without the file is not waited for until LIMIT: sets WHO, and END to
# what hashes under way may still take.
watch() {
	local i how grace=2
	[ -z "$WHO" ] || return
	for ((i = 1; i <= N; i++)); do
		kill -0 "${JOBS[i - 1]}" 2>/dev/null && continue
		how=''
		{ read -r _ how _ <"$RUN/r$i/end"; } 2>/dev/null
		[ "$how" = whole ] || { WHO=r$i; break; }
	done
	if [ -z "$WHO" ]; then
		kill -0 "$SENDER" 2>/dev/null && return
		WHO=s
		wait "$SENDER" 2>/dev/null && grace=10
	fi
	[ $((SECONDS + grace)) -gt "$END" ] || END=$((SECONDS + grace))
}
why() { # WHO is to blame, and the last it said
	[ -n "$WHO" ] || { echo "time is up"; return; }
	echo "$WHO ended: $(tail -qn 1 "$RUN/$WHO.log")"
}

run_one() { # PEER: sets GOOD, OVER (wire bytes a byte), CPU_S, CPU_R; 1: not all have it, WHY
	local i left=1 k
	RUN=$W/run JOBS=() GOOD=0 WHO='' END=$((SECONDS + LIMIT))
	rm -rf "$RUN"; mkdir "$RUN"
	echo "$SUM" >"$RUN/sum"
	for ((i = 1; i <= N; i++)); do mkdir "$RUN/r$i"; done
	"peer_$1"
	while [ $left = 1 ] && [ $SECONDS -lt "$END" ]; do
		nap
		left=0
		for ((i = 1; i <= N; i++)); do [ -s "$RUN/r$i/end" ] || { left=1; break; }; done
		watch
	done
	WHY=$(why)
	# the sender may end its session by itself
	for ((k = 0; k < 40; k++)); do kill -0 $SENDER 2>/dev/null || break; nap; done
	OVER=$(awk -v a="$WIRE" -v b="$(net_sent)" -v n="$BYTES" 'BEGIN { printf "%.4f", (b - a) / n }')
	for i in $(ls "$RUN"/*.pid); do kill "$(cat "$i")" 2>/dev/null; done
	wait $SENDER "${JOBS[@]}" 2>/dev/null
	[ "$(cat "$RUN"/r*/end 2>/dev/null | grep -c ' whole')" = "$N" ] || return 1
	GOOD=$(cat "$RUN"/r*/end | sort -n | awk -v t="$T0" -v n="$BYTES" 'END { printf "%.1f", n / ($1 - t) / 1e6 }')
	CPU_S=$(awk '{ n += $1 + $2 } END { printf "%.2f", n }' "$RUN/s.cpu")
	CPU_R=$(cat "$RUN"/r*.cpu | awk '{ n += $1 + $2 } END { printf "%.2f", n }')
	# what ours says of its file is looked at, too, when the clock has stopped
	[ "$1" != ours ] || [ "$(sha256sum "$RUN"/r*/file | grep -c "^$SUM ")" = "$N" ] || die "ours: wrong bytes"
}

run_raw() { # content a second at the sender, MB
	local i jobs=()
	for ((i = 1; i <= N; i++)); do
		ip netns exec "$NS-r$i" "$BIN/mcast-raw" recv 1400 1 1 1 >"$W/raw.$i" & jobs+=($!)
	done
	sleep 0.3
	GOOD=$(ip netns exec "$NS-s" "$BIN/mcast-raw" send $RAW_BYTES 0 1400 1 1 | awk '{ print $8 }')
	wait "${jobs[@]}"
	LOST=$(awk '{ l = $6 + 0; if (l > m) m = l } END { print m + 0 }' "$W"/raw.*)
}

# -- memory --

rss_case() { # GIB
	local pid tag peak
	FILE=$W/file N=1 LOSS=0 BYTES=$(($1 << 30)) LIMIT=300 RATE=100000000
	truncate -s "$BYTES" "$FILE" # zeros: as long to send, and little memory here
	SUM=$(sha256sum "$FILE" | cut -c1-64)
	net_up 1 || die "no network namespaces"
	RUN=$W/run JOBS=() WHO='' END=$((SECONDS + LIMIT))
	rm -rf "$RUN"; mkdir -p "$RUN/r1"
	echo "$SUM" >"$RUN/sum"
	peer_ours
	: >"$W/rss"
	while [ ! -s "$RUN/r1/end" ] && [ $SECONDS -lt "$END" ]; do
		for tag in s r1; do
			pid=$(cat "$RUN/$tag.pid" 2>/dev/null) && awk -v t=$tag '/^RssAnon/ { print t, $2 / 1024 }' "/proc/$pid/status" 2>/dev/null >>"$W/rss"
		done
		nap
		watch
	done
	[ -s "$RUN/r1/end" ] || for tag in s r1; do kill "$(cat "$RUN/$tag.pid")" 2>/dev/null; done
	wait $SENDER "${JOBS[@]}" 2>/dev/null
	grep -q ' whole' "$RUN/r1/end" || { echo "rss ${1}GiB n=1: ours failed: $(why)"; return; }
	for tag in s r1; do
		peak=$(awk -v t=$tag '$1 == t && $2 > m { m = $2 } END { printf "%.2f", m }' "$W/rss")
		note "rss ${1}GiB n=1 $([ $tag = s ] && echo sender || echo receiver)" ours "$peak"
	done
	rm -rf "$RUN" "$FILE"
}

# -- main --

trap 'rc=$?; trap - EXIT; net_down; rm -rf "$W"; exit $rc' EXIT
trap 'exit 130' INT TERM
mkdir -p "$W" || die "cannot make $W"
exec 8<> <(:) # a pipe that never speaks
make_hook
note() { # CASE WHO VALUE
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/results"
}
if [ -z "${CASES:-}" ]; then
	CASES='rss 4GiB n=1'
	for s in $SIZES; do for n in $RECEIVERS; do for l in $LOSSES; do CASES+=", ${s}MiB n=$n loss=$l"; done; done; done
fi
: >"$W/results"
grep -oE '[0-9]+MiB n=[0-9]+ loss=[0-9.]+' <<<"$CASES" >"$W/cases"
while read -r c <&6; do
	read -r size N LOSS < <(sed 's/MiB//; s/n=//; s/loss=//' <<<"$c")
	FILE=$W/f$size BYTES=$((size << 20))
	[ -s "$FILE" ] || head -c "$BYTES" /dev/urandom >"$FILE"
	SUM=$(sha256sum "$FILE" | cut -c1-64)
	[ "$NET_N" = "$N" ] || net_up "$N" || die "no network namespaces"
	net_loss "$LOSS" || die "nftables makes no loss"
	for r in $(seq "$RUNS"); do
		for p in ours $TAKE; do
			if run_one "$p"; then
				note "$c" "$p" "$GOOD"
				[ "$p" != ours ] || note "$c wire" ours "$OVER"
				echo "$c run $r: $p $GOOD MB/s, wire $OVER, CPU $CPU_S + $CPU_R s"
			else
				echo "$c run $r: $p failed: $WHY"
			fi
		done
		[ "$LOSS" = 0 ] || continue
		run_raw
		note "$c raw" raw "$GOOD"
		echo "$c run $r: raw $GOOD MB/s, lost $LOST %"
	done
done 6<"$W/cases"
while read -r gib <&6; do rss_case "$gib"; done 6< <(grep -oE 'rss [0-9]+GiB' <<<"$CASES" | tr -dc '0-9\n')

# The most that wire may be, by loss, is said for four receivers.
jq -Rrn '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
def round3: . * 1000 | round / 1000;
{"0": 1.06, "1": 1.09, "5": 1.14} as $most |
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
[$all | group_by(.c)[] | {key: .[0].c, value: (group_by(.s) | map({key: .[0].s, value: (map(.v) | median)}) | from_entries)}] |
from_entries as $m |
[$all[].c] | unique_by(. as $c | [$all[].c] | index($c)) | sort_by(. as $c | [$all[].c] | index($c)) |
[.[] as $c | $m[$c] as $v |
 if $c | startswith("rss") then
  {case: $c, unit: "MiB", ours: $v.ours, peer: "limit", theirs: 16, ratio: (16 / $v.ours | round3)}
 elif $c | endswith(" wire") then
  ($c | capture("loss=(?<l>[0-9.]+)").l) as $l | select($most[$l]) |
  {case: $c, unit: "wire/file", ours: $v.ours, peer: "limit", theirs: $most[$l], ratio: ($most[$l] / $v.ours | round3)}
 elif $c | endswith(" raw") then
  ($c | sub(" raw$"; "")) as $of | select($m[$of].ours) |
  {case: ($of + " share of raw"), unit: "MB/s", ours: $m[$of].ours, peer: "raw", theirs: $v.raw, ratio: ($m[$of].ours / $v.raw | round3)}
 else
  select($v.ours) | ($v | del(.ours) | to_entries | max_by(.value)) as $p | select($p) |
  {case: $c, unit: "MB/s", ours: $v.ours, peer: $p.key, theirs: $p.value, ratio: ($v.ours / $p.value | round3),
   all: ($v | del(.ours) | to_entries | map("\(.key) \(.value)") | join(", "))}
 end] as $rows |
"", "\("case" | pad(34)) \("unit" | pad(9)) \("ours" | pad(8)) \("against" | pad(18)) ratio   all peers",
($rows[] | "\(.case | pad(34)) \(.unit | pad(9)) \(.ours | pad(8)) \("\(.peer) \(.theirs)" | pad(18)) \(.ratio | pad(7)) \(.all // "")"),
"", ({bench: "mcast", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
