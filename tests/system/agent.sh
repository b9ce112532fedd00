# tests/system/agent.sh - for the tests of dp-agent, after lib.sh.
#
#   repo_make              $T/repo, signed, with keys beside it
#   repo_add [ARG...]      dpctl repo add $T/repo ARG...
#   repo_publish           signs it anew; the whole must then verify
#   blob NAME BYTES        $T/in/NAME, random; prints its path
#   web NAME PORT [DIRECTIVE...]  nginx with the repository on 127.0.0.1:PORT;
#                          its pid in WEB_PID[NAME], log $T/NAME.access:
#                          "STATUS BODY-BYTES RANGE URI"
#   web_logged             once their logs have what was answered so far: nginx
#                          writes a line after the last byte of a body
#   web_kill NAME          SIGKILL
#   agent_conf URLS [LINE...]  writes $AC with these distribution points
#   agent [ARG...]         dp-agent with it, output in $T/agent.log; its status
#   has NAME               the target is in place and right
# SPDX-License-Identifier: ISC
AC=$T/agent.conf FILES=$T/files STATE=$T/state AGENT='' RC=0
declare -A WEB_PID
[ -x "$BUILD/dp-agent" ] || fail "dp-agent is not built"
command -v nginx >/dev/null || skip "needs nginx"

dpctl() { "$BUILD/dpctl" "$@" >>"$T/dpctl.log" 2>&1 || fail "dpctl $*"; }
repo_make() {
	dpctl repo init "$T/repo" --keys "$T/keys" --root-keys "$T/root-keys" "$@"
	mkdir -p "$T/in"
	chmod -R a+rX "$T/repo"
}
repo_add() { dpctl repo add "$T/repo" "$@"; }
repo_publish() {
	dpctl repo publish "$T/repo" "$@"
	dpctl repo verify "$T/repo"
	chmod -R a+rX "$T/repo"
}
blob() { mkdir -p "$(dirname "$T/in/$1")"; head -c "$2" /dev/urandom >"$T/in/$1"; echo "$T/in/$1"; }

web() {
	local name=$1 port=$2 root=${WEB_ROOT:-$T/repo}; shift 2
	cat >"$T/$name.nginx" <<-E
	daemon off; master_process off; pid $T/$name.nginx-pid; error_log $T/$name.errors;
	events { }
	http {
		log_format one '\$status \$body_bytes_sent "\$http_range" \$uri';
		access_log $T/$name.access one;
		client_body_temp_path $T/$name.tmp; proxy_temp_path $T/$name.tmp;
		fastcgi_temp_path $T/$name.tmp; uwsgi_temp_path $T/$name.tmp; scgi_temp_path $T/$name.tmp;
		server { listen unix:$T/$name.sock; access_log off; return 204; }
		server { listen 127.0.0.1:$port; root $root; $* }
	}
	E
	: >"$T/$name.access"
	rm -f "$T/$name.sock"
	run "$name" nginx -e "$T/$name.errors" -c "$T/$name.nginx"
	WEB_PID[$name]=$PID
	wait_for 20 curl -s -o "$T/$name.probe" "http://127.0.0.1:$port/"
	web_logged
	: >"$T/$name.access"
}
# One process serves all, and comes to this request after it has written those lines.
web_logged() {
	local name
	for name in "${!WEB_PID[@]}"; do curl -s -m 20 -o "$T/$name.probe" --unix-socket "$T/$name.sock" http://log/; done
}
web_kill() { kill -KILL "${WEB_PID[$1]}"; wait "${WEB_PID[$1]}" 2>/dev/null; unset "WEB_PID[$1]"; }

agent_conf() {
	local points=$1; shift
	cat >"$AC" <<-E
	[agent]
	distribution-points = $points
	root = ${ROOT:-$T/repo/metadata/1.root.json}
	target-dir = $FILES
	state-dir = $STATE
	run-dir = $T/agent-run
	libexec = $BUILD
	connect-timeout = 2
	stall-timeout = 5
	E
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$AC"
}
agent() {
	RC=0
	timeout 60 "$BUILD/dp-agent" --config "$AC" "$@" >>"$T/agent.log" 2>&1 || RC=$?
	web_logged
	return $RC
}
agent_start() { run agent "$BUILD/dp-agent" --config "$AC" "$@"; AGENT=$PID; }
child_pid() { pgrep -P "$1" -x "$2"; } # PARENT NAME
target_of() { basename "$1"; }
has() { cmp -s "$T/in/$1" "$FILES/packages/${2:-$1}"; }
placed() { find "$FILES" -type f -not -path '*/.dpoint/*' | wc -l; }
bytes_from() { awk '{ n += $2 } END { printf "%d", n }' "$T/$1.access"; }
part_bytes() { find "$FILES/.dpoint" -type f -printf '%s\n' 2>/dev/null | awk '{ n += $1 } END { printf "%d", n }'; }
part_over() { [ "$(part_bytes)" -gt "$1" ]; }
