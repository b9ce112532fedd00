# tests/system/lib.sh - what every system test begins with: `. "$(dirname "$0")/lib.sh"`.
#
# The test then runs as root in network and mount namespaces of its own (lo is
# up), with an empty directory $T that is removed at the end, and everything it
# started with `run` or `master_start` is stopped by its process id.
#
#   conf <<E ... E        writes $CONF: the lab's [master] and [store], then E
#   master_start [ARG...] starts dp-master with it; log in $T/master.log
#   master_ready [SEC]    waits until every worker is ready (30 s)
#   master_signal NAME    returns when it has taken it; one beside another is lost
#   master_stop           SIGTERM; fails unless it exits 0
#   admin WORD...         one request to the admin socket, prints the answer
#   worker_pid ROLE       of a running worker; worker_state ROLE likewise
#   run NAME CMD...       in the background, log in $T/NAME.log, pid in $PID
#   wait_for SEC CMD...   until CMD succeeds, else fails
#   replaced ROLE PID     whether another worker than PID is ready; a killed one
#                         may be called ready until the master has reaped it
#   socket_listens PATH   whether a Unix socket does; it is there before
#   stalled_ms            so long in all some program had to wait for a processor,
#                         or the host gave us none: no time of ours
#   fresh NAME...         begins $T/NAME.log anew
#   harness NAME...       needs these programs of `make harness`
#   sanitized             whether the programs are: no sizes or times then
#   fail TEXT             ends the test; skip TEXT too, as skipped
#   report TEXT           prints "REPORT TEXT", which `make check` shows
# SPDX-License-Identifier: ISC
set -u
skip() { echo "$*"; exit 77; }
fail() { echo "FAIL: $*"; [ -z "${T-}" ] || tail -n 30 "$T"/*.log 2>/dev/null; exit 1; }
report() { echo "REPORT $*"; }
SANITIZER='(Address|Leak|Thread)Sanitizer|: runtime error: ' # run-system looks for it, too

[ "$(id -u)" -eq 0 ] || skip "needs root"
if [ -z "${LAB-}" ]; then
	export LAB=1
	exec unshare --net --mount --propagation private -- "$0" "$@"
fi
ip link set lo up || fail "ip link"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(realpath "${BUILD:-$HERE/build}")
T=$(mktemp -d "${TMPDIR:-/tmp}/dpoint-test.XXXXXX") || fail "mktemp"
chmod 755 "$T"
CONF=$T/dpoint.conf
PIDS=() PID='' MASTER=''

# Prints what sanitizers wrote to files below $T; fails if that is nothing. Behind
# its walls a worker cannot look up the names of places, so that is done here.
sanitizer_reports() {
	local files line
	mapfile -t files < <(find "$T" -xdev -type f \( -name '*.log' -o -size -1024k \) -exec grep -alE -- "$SANITIZER" {} +)
	[ ${#files[@]} -gt 0 ] || return 1
	awk -v start="$SANITIZER" '$0 ~ start { left = 25 } left-- > 0; /^SUMMARY/ { left = 0 }' "${files[@]}" |
	while IFS= read -r line; do
		[[ $line =~ \(("$BUILD"/[^+]+)\+(0x[0-9a-f]+)\) ]] &&
			line+=" $(addr2line -fse "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" | paste -sd ' ')"
		printf '%s\n' "$line"
	done
}

# Whether a process is our child still. Of one that has ended long ago the kernel
# gives the number to others: there are 32768, and a test that waits makes
# hundreds of processes a second.
is_ours() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" && set -- ${stat##*) } && [ "$2" = $$ ]
}

# Whatever the test expects of its programs, it is never such a report.
cleanup() {
	local rc=$? p
	trap - EXIT
	for p in "${PIDS[@]}"; do is_ours "$p" && kill -CONT "$p" && kill -TERM "$p"; done
	for p in "${PIDS[@]}"; do
		for _ in $(seq 100); do is_ours "$p" || break; sleep 0.05; done
		! is_ours "$p" || kill -KILL "$p"
		wait "$p" 2>/dev/null
	done
	! sanitizer_reports || { echo "FAIL: a sanitizer's report"; rc=1; }
	if [ -n "${KEEP-}" ]; then echo "kept: $T"; else rm -rf "$T"; fi
	exit $rc
}
trap cleanup EXIT
trap 'exit 1' TERM INT HUP

conf() {
	cat >"$CONF" <<-E
	[master]
	libexec = $BUILD
	run-dir = $T/run
	[store]
	dir = $T/store
	reserve = 0
	want-free = 0
	E
	cat >>"$CONF"
}

run() {
	local name=$1; shift
	: >>"$T/$name.log" # whoever looks into it does so before it has begun
	"$@" >>"$T/$name.log" 2>&1 </dev/null &
	PID=$!
	PIDS+=("$PID")
}

socket_listens() { ss -Hx state listening | grep -qF " $1 "; }
wait_for() {
	local end=$(($(date +%s%N) + $1 * 1000000000)) sec=$1; shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt $end ] || fail "not within $sec s: $*"
		sleep 0.02
	done
}

harness() {
	local n
	for n; do [ -e "$BUILD/tests/$n" ] || fail "needs make harness: there is no $BUILD/tests/$n"; done
}

fresh() {
	local n
	for n; do
		! grep -aqE -- "$SANITIZER" "$T/$n.log" 2>/dev/null || fail "a sanitizer's report"
		: >"$T/$n.log"
	done
}

master_start() {
	fresh master
	run master "$BUILD/dp-master" --config "$CONF" "$@"
	MASTER=$PID
}

all_ready() { grep -q 'every worker is ready' "$T/master.log"; }
master_ready() {
	local end=$(($(date +%s%N) + ${1:-30} * 1000000000))
	until all_ready; do
		kill -0 "$MASTER" 2>/dev/null || fail "dp-master ended"
		[ "$(date +%s%N)" -lt $end ] || fail "not every worker became ready"
		sleep 0.01
	done
}

# The exit status of the master, which is then no longer in PIDS.
master_wait() {
	local p rc keep=()
	wait "$MASTER"; rc=$?
	for p in "${PIDS[@]}"; do [ "$p" = "$MASTER" ] || keep+=("$p"); done
	PIDS=("${keep[@]}") MASTER=''
	return $rc
}

signal_taken() { [ $((0x$(awk '/^ShdPnd/ { print $2 }' "/proc/$MASTER/status") >> ($1 - 1) & 1)) -eq 0 ]; }
master_signal() {
	kill "-$1" "$MASTER" && wait_for 20 signal_taken "$(kill -l "$1")"
}

master_stop() {
	kill -TERM "$MASTER" || fail "dp-master had ended"
	master_wait || fail "dp-master: exit $?"
}

admin() { printf '%s\n' "$*" | socat -t "${ADMIN_WAIT:-30}" - "UNIX-CONNECT:$T/run/admin.sock"; }
worker_field() { admin workers | sed -n "s/^worker=$1 .*\b$2=\([^ ]*\).*/\1/p"; }
worker_pid() { worker_field "$1" pid; }
worker_state() { worker_field "$1" state; }
sanitized() { nm "$BUILD/dp-master" 2>/dev/null | grep -q __asan_init; }
replaced() { local p; p=$(worker_pid "$1"); [ "${p:-0}" != 0 ] && [ "$p" != "$2" ] && is_state "$1" ready; }
stalled_ms() {
	awk '$1 == "some" { sub(".*total=", ""); ms += $0 / 1000 } $1 == "cpu" { ms += $9 * 10 } END { printf "%d", ms }' \
		/proc/pressure/cpu /proc/stat 2>/dev/null
}
is_state() { [ "$(worker_state "$1")" = "$2" ]; }
