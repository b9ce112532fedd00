# relay-lib.sh - a lab for relays of TLS connections, for benchmarks that source it.
#
# The script sets NS (a network namespace), W (a directory, the lab's alone) and
# NEEDS (commands). relay_lab makes both, with certificates in $W/pki: srv, cli (a
# device) and relay (a distribution point), of one CA.
# SPDX-License-Identifier: ISC
BIN=$(realpath "${BUILD:-build}")
GWLOAD=$BIN/tests/gwload
LAB=$W NETNS=$NS
die() { echo "bench: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces"
[ "$(nproc)" -ge 2 ] || die "needs two cores"
for p in $NEEDS; do
	command -v "$p" >/dev/null || die "$p is missing; ./check.sh --setup installs it"
done
ulimit -n "$(ulimit -Hn)"
. tests/lab.sh

start() { lab_run $NS "$1" taskset -c "$2" "${@:3}"; } # NAME CORE COMMAND...
family() { # NAME...: processes of the lab and all below them
	ps -eo pid=,ppid= | awk -v roots="$(for n in "$@"; do lab_pid "$n"; done | tr '\n' ' ')" '
	BEGIN { n = split(roots, r); for (i = 1; i <= n; i++) is[r[i]] = 1 }
	{ up[$1] = $2 }
	END { for (p in up) for (q = p; q > 1; q = up[q]) if (q in is) { print p; break } }'
}
# bytes of anonymous memory of all of them
anon_of() { for p in $(family "$@"); do grep '^RssAnon' "/proc/$p/status"; done 2>/dev/null | awk '{ n += $2 } END { printf "%.0f", n * 1024 }'; }

relay_lab() {
	trap 'rc=$?; trap - EXIT; lab_clean; exit $rc' EXIT
	trap 'exit 130' INT TERM
	lab_clean
	mkdir -p "$W/log" "$W/pki" && chmod 755 "$W" || die "cannot make $W"
	dpctl() { "$BIN/dpctl" "$@" >"$W/log/dpctl" 2>&1 || { cat "$W/log/dpctl" >&2; die "failed: dpctl $*"; }; }
	dpctl ca init "$W/ca"
	cp "$W/ca/ca.crt" "$W/pki/"
	dpctl ca issue "$W/ca" srv --server --ip 127.0.0.1 --dns localhost --out "$W/pki"
	dpctl ca issue "$W/ca" cli --device new --out "$W/pki"
	dpctl ca issue "$W/ca" relay --dp new --ip 127.0.0.1 --dns localhost --out "$W/pki"
	cat "$W/pki/relay.crt" "$W/pki/relay.key" >"$W/pki/relay.pem"
	ip netns add $NS && ip -n $NS link set lo up || die "no network namespace"
	ip netns exec $NS sysctl -qw net.ipv4.ip_local_port_range="10240 65535" net.core.somaxconn=16384 \
	    net.ipv4.tcp_max_syn_backlog=16384
}
