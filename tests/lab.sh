# tests/lab.sh - processes and namespaces of a lab, for scripts that source it.
#
# The script sets LAB (a directory that is the lab's alone) and NETNS (names of
# its network namespaces). Everything started is remembered by process id and
# start time, so that another process that got the same id is never touched.
# SPDX-License-Identifier: ISC

# lab_run NAMESPACE NAME COMMAND...: in the background, output to log/NAME.
lab_run() {
	local ns=$1 name=$2 pid
	shift 2
	mkdir -p "$LAB/log" "$LAB/pid"
	setsid ip netns exec "$ns" "$@" >"$LAB/log/$name" 2>&1 </dev/null &
	pid=$!
	echo "$pid $(_lab_born $pid)" >"$LAB/pid/$name"
}
lab_pid() { cut -d' ' -f1 "$LAB/pid/$1"; }
_lab_born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
lab_alive() { # NAME
	local pid born
	read -r pid born 2>/dev/null <"$LAB/pid/$1" && [ -n "$born" ] && [ "$(_lab_born "$pid")" = "$born" ]
}

# lab_stop [NAME...]: TERM, after ten seconds KILL; all if none is named.
lab_stop() {
	local name i left
	[ -d "$LAB/pid" ] || return 0
	[ $# -gt 0 ] || set -- $(ls "$LAB/pid")
	for i in $(seq 120); do
		left=
		for name in "$@"; do
			if ! lab_alive "$name"; then rm -f "$LAB/pid/$name"; continue; fi
			left=1
			case $i in
			1) kill -TERM "$(lab_pid "$name")" ;;
			100) kill -KILL "$(lab_pid "$name")" ;;
			esac
		done
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	return 1
}

# lab_clean: ends everything, namespaces and directory included.
lab_clean() {
	local n pid
	lab_stop
	for n in $NETNS; do
		[ -e "/run/netns/$n" ] || continue
		for pid in $(ip netns pids "$n"); do kill -KILL "$pid" 2>/dev/null; done
		ip netns del "$n"
	done
	rm -rf "$LAB"
}

# lab_wait SECONDS NAME COMMAND...: until the command holds; 1, with the end of
# the log of NAME, if it does not or the process ends before.
lab_wait() {
	local tries=$(($1 * 20)) name=$2 i
	shift 2
	for i in $(seq $tries); do
		"$@" && return 0
		lab_alive "$name" || break
		sleep 0.05
	done
	echo "$name did not come up; the end of its log:" >&2
	tail -n 20 "$LAB/log/$name" >&2
	return 1
}
lab_listens() { ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q .; } # NS PORT
