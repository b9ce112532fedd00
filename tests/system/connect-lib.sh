# tests/system/connect-lib.sh - a gateway for HTTP CONNECT, and a host beyond it;
# sourced after lib.sh and gateway-lib.sh.
#
#   far                  makes the host: 198.51.100.2 and 2001:db8::2, names of $1
#                        (lines of /etc/hosts) beside it; we are .1 and ::1
#   on_far NAME CMD...   runs there in the background, as `run` does
#   tconf KEY=VALUE...   gconf with proxy-listen on 127.0.0.1:3128 and [::1]:3128
#   ttconf KEY=VALUE...  with proxy-tls-listen on 3129 instead, and the files of
#                        terminating_people
#   tunnel CASE [ARG...] of connect.py; by TLS with the certificate TLS=$T/NAME
#   repository CERT      a package and a repository of it in $T, which the host
#                        serves by HTTPS on 443 and 444
#   apt_conf             apt_ is then apt-get, with nothing of this machine's and
#                        what is on standard input
#   shell_on_far         sshd, as shell.example
#   ssh_conf COMMAND     sh_ is then ssh with this ProxyCommand
# SPDX-License-Identifier: ISC
TUNNEL=$HERE/tests/system/connect.py
FAR=dpoint-$$-far

far() {
	ip netns add "$FAR" || fail "ip netns"
	trap 'rc=$?; ip netns del "$FAR"; (exit $rc); cleanup' EXIT
	ip link add far0 type veth peer name far1 netns "$FAR" || fail "ip link add"
	ip addr add 198.51.100.1/24 dev far0
	ip addr add 2001:db8::1/64 dev far0 nodad
	ip link set far0 up
	ip -n "$FAR" addr add 198.51.100.2/24 dev far1
	ip -n "$FAR" addr add 2001:db8::2/64 dev far1 nodad
	ip -n "$FAR" link set far1 up
	ip -n "$FAR" link set lo up
	printf '127.0.0.1 localhost\n%s\n' "$1" >"$T/hosts"
	mountpoint -q /etc/hosts || mount --bind "$T/hosts" /etc/hosts || fail "mount"
}
on_far() { local n=$1; shift; run "$n" ip netns exec "$FAR" "$@"; }
tconf() {
	gconf "server=127.0.0.1:9" "sni=server.example" "proxy-listen=127.0.0.1:3128 [::1]:3128" \
		"proxy-from=127.0.0.1/32 ::1/128" "$@"
}
ttconf() {
	gconf "listen=" "proxy-tls-listen=127.0.0.1:3129 [::1]:3129" "cert=$T/gateway.crt" "key=$T/gateway.key" \
		"client-ca=$PEM" "client-crl=$T/ca/ca.crl" "$@"
}
tunnel() { timeout 120 /usr/bin/python3 "$TUNNEL" "$@"; }

repository() { # CERT
	mkdir -p "$T/repo" "$T/pkg/DEBIAN" "$T/pkg/usr/share/dpoint-hello"
	cat >"$T/pkg/DEBIAN/control" <<-E
	Package: dpoint-hello
	Version: 1.0
	Architecture: all
	Maintainer: Nobody <nobody@example>
	Description: proves that it came
	E
	head -c 3000000 /dev/urandom >"$T/pkg/usr/share/dpoint-hello/data"
	dpkg-deb -b --root-owner-group "$T/pkg" "$T/repo/dpoint-hello_1.0_all.deb" >"$T/deb.log" || fail "dpkg-deb"
	(cd "$T/repo" && dpkg-scanpackages -m . >Packages 2>>"$T/deb.log") || fail "dpkg-scanpackages"
	cat >"$T/nginx.conf" <<-E
	daemon off; user root; pid $T/nginx.pid; error_log $T/nginx-errors;
	events {}
	http {
		access_log $T/access;
		server {
			listen 198.51.100.2:443 ssl; listen 198.51.100.2:444 ssl;
			ssl_certificate $1.crt; ssl_certificate_key $1.key;
			root $T/repo;
		}
	}
	E
	on_far nginx nginx -e "$T/nginx-errors" -c "$T/nginx.conf"
	wait_for 20 ip netns exec "$FAR" curl -sko /dev/null https://198.51.100.2/Packages
}
apt_conf() {
	mkdir -p "$T/apt/lists/partial" "$T/apt/archives/partial" "$T/root/dpkg/updates" "$T/root/dpkg/info" "$T/root/dpkg/triggers" "$T/target"
	: >"$T/root/dpkg/status"
	cat >"$T/apt.conf" <<-E
	Dir "/"; Dir::State "$T/apt"; Dir::State::lists "$T/apt/lists"; Dir::State::status "$T/root/dpkg/status";
	Dir::Cache "$T/apt"; Dir::Cache::archives "$T/apt/archives"; Dir::Etc::sourcelist "$T/sources"; Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::parts "/dev/null"; Dir::Etc::preferencesparts "/dev/null"; Dir::Log "$T/apt";
	APT::Sandbox::User "root"; APT::Architecture "amd64"; APT::Install-Recommends "false"; Acquire::Languages "none"; Acquire::Retries "0";
	DPkg::Options { "--root=$T/target"; "--admindir=$T/root/dpkg"; "--force-not-root"; "--force-script-chrootless"; "--log=$T/dpkg-log"; };
	Dpkg::Use-Pty "false"; DPkg::Run-Directory "/";
	$(cat)
	E
	echo "deb [trusted=yes] https://deb.example ./" >"$T/sources"
	: >"$T/access"
}
apt_() { APT_CONFIG=$T/apt.conf DEBIAN_FRONTEND=noninteractive timeout 120 apt-get -q "$@" >>"$T/apt.log" 2>&1; }
apt_installs() { # what the repository has
	apt_ update -o APT::Update::Error-Mode=any || fail "apt-get update"
	apt_ install -y dpoint-hello || fail "apt-get install: $(tail -n 5 "$T/apt.log")"
	cmp "$T/pkg/usr/share/dpoint-hello/data" "$T/target/usr/share/dpoint-hello/data" || fail "not installed"
	# by apt; nginx says so behind its last byte
	wait_for 20 grep -q '"GET /./dpoint-hello_1.0_all.deb HTTP/1.1" 200 .*Debian APT-HTTP' "$T/access"
}

shell_on_far() {
	ssh-keygen -qt ed25519 -N '' -f "$T/host" && ssh-keygen -qt ed25519 -N '' -f "$T/user" || fail "ssh-keygen"
	mkdir -p /run/sshd # sshd wants it; empty
	cat >"$T/sshd_config" <<-E
	Port 22
	ListenAddress 198.51.100.2
	HostKey $T/host
	PidFile none
	AuthorizedKeysFile $T/user.pub
	PasswordAuthentication no
	PermitRootLogin yes
	StrictModes no
	UsePAM no
	LogLevel VERBOSE
	Subsystem sftp internal-sftp
	E
	echo "shell.example $(cut -d' ' -f1,2 "$T/host.pub")" >"$T/known"
	on_far sshd /usr/sbin/sshd -De -f "$T/sshd_config"
	wait_for 20 grep -q 'Server listening' "$T/sshd.log"
}
ssh_conf() { # COMMAND
	cat >"$T/ssh_config" <<-E
	Host *
		User root
		IdentityFile $T/user
		IdentitiesOnly yes
		UserKnownHostsFile $T/known
		GlobalKnownHostsFile /dev/null
		BatchMode yes
		ProxyCommand $1
	E
}
sh_() { timeout 60 ssh -F "$T/ssh_config" "$@"; }
sh_carries() { # both ways at once, whole; the exit status and the half-close come through
	[ "$(sh_ shell.example 'echo "$SSH_CONNECTION"' 2>"$T/ssh.log" | cut -d' ' -f1,3,4)" = "198.51.100.1 198.51.100.2 22" ] ||
		fail "no shell: $(cat "$T/ssh.log")"
	head -c 20000000 /dev/urandom >"$T/in"
	sh_ shell.example 'cat; exit 7' <"$T/in" >"$T/out"
	[ $? -eq 7 ] || fail "exit status"
	cmp "$T/in" "$T/out" || fail "another file"
}
