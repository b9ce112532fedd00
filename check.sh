#!/bin/bash
# check.sh - installs what is missing, builds with -Werror, runs every test.
#
# For Debian 12 as root, a fresh machine included; nothing is downloaded when
# all packages are there.  Closes with one line "N passed, N failed, N skipped"
# and exits 0 only if the build and every test went well.
#
# usage: check.sh [--setup]	(--setup: packages and users only, no tests)
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")" || exit 1
scratch=()
trap 'rm -f "${scratch[@]}"' EXIT

die() { echo "check.sh: $*" >&2; echo "0 passed, 1 failed"; exit 1; }

# Packages of packaging/build-deps that dpkg does not have.  "P unless C": not
# where the command C is there from elsewhere.  "P unpacked": not installed, since
# that would change the machine; its files are in $unpacked/P.
unpacked=/var/cache/dpoint-check
missing() {
	sed 's/#.*//' packaging/build-deps | while read -r p word c; do
		if [ "$word" = unpacked ]; then
			[ -d "$unpacked/$p" ] || echo "$p:unpacked"
			continue
		fi
		[ "$word" = unless ] && command -v "$c" >/dev/null && continue
		[ -z "$p" ] || [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# The services among the packages (nginx, lighttpd) must not start: tests run
# their own.  policy-rc.d is Debian's way to say so.
install_packages() {
	local policy=/usr/sbin/policy-rc.d
	[ "$(id -u)" -eq 0 ] || die "must be root to install: $*"
	command -v apt-get >/dev/null || die "no apt-get here: this needs Debian 12"
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
		scratch+=($policy)
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update || echo "check.sh: apt-get update failed; trying with the lists there are" >&2
	local p names=()
	for p; do
		case $p in
		*:unpacked) unpack_package "${p%:unpacked}" || exit 1 ;;
		*) names+=("$p") ;;
		esac
	done
	[ ${#names[@]} -eq 0 ] || apt-get -qq -y --no-install-recommends install "${names[@]}" >/dev/null ||
		die "apt-get could not install: ${names[*]}"
}
unpack_package() (
	mkdir -p "$unpacked" && d=$(mktemp -d "$unpacked/.new.XXXXXX") && cd "$d" || die "no directory in $unpacked"
	trap 'rm -rf "$d"' EXIT
	apt-get -qq -o APT::Sandbox::User=root download "$1" >/dev/null && dpkg -x "$1"_*.deb files &&
	    mv files "$unpacked/$1" || die "apt-get could not download: $1"
)

# The users of packaging/sysusers/dpoint.conf, where systemd-sysusers is not.
make_users() {
	local conf=packaging/sysusers/dpoint.conf t name rest
	[ -f $conf ] || return 0
	if command -v systemd-sysusers >/dev/null && systemd-sysusers "$PWD/$conf" 2>/dev/null; then
		return 0
	fi
	while read -r t name rest; do
		case $t in
		g) getent group "$name" >/dev/null || groupadd -r "$name" ;;
		u|'u!') getent passwd "$name" >/dev/null ||
		   useradd -r -U -M -d / -s /usr/sbin/nologin "$name" ;;
		m) usermod -a -G "$rest" "$name" ;;
		esac || die "cannot make $name of $conf"
	done < <(grep -v '^#' $conf)
}

bad() { echo "check.sh: \"$1\": expected nothing or one of --setup, --help" >&2; exit 2; }
[ $# -le 1 ] || bad "$2"
case ${1--} in
-|--setup) ;;
-h|--help) sed -n '2,/SPDX/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
*) bad "$1" ;;
esac

todo=$(missing | tr '\n' ' ')
if [ -n "$todo" ]; then
	echo "== installing $todo"
	# shellcheck disable=SC2086 # a list of names
	install_packages $todo
fi
[ "$(id -u)" -ne 0 ] || make_users
[ "${1-}" != --setup ] || exit 0

jobs=$(nproc)
echo "== building with -Werror"
make -j"$jobs" --no-print-directory -s WERROR=-Werror all || die "the build failed"
make -j"$jobs" --no-print-directory -s WERROR=-Werror unit-tests fuzzers || die "the tests do not build"

log=$(mktemp) || die "no temporary file"
scratch+=("$log")
echo "== testing"
make -k --no-print-directory -s WERROR=-Werror check 2>&1 | tee "$log"
rc=${PIPESTATUS[0]}

# Every kind of test must have reported; one that did not counts as failed.
awk -v rc="$rc" '
/^(unit|fuzz|system): [0-9]+ passed, [0-9]+ failed/ {
	kinds++; ok += $2; bad += $4; if ($7 ~ /^skipped/) skip += $6
}
END {
	bad += 3 - kinds
	if (rc != 0 && bad == 0) bad = 1
	printf "%d passed, %d failed%s\n", ok, bad, skip ? ", " skip " skipped" : ""
	exit bad != 0 || ok == 0
}' "$log"
