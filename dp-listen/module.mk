# dp-listen/ - parses what the network says; sends nothing.
PROGS += dp-listen
dp-listen_SRCS := \
	dp-listen/main.c \
	dp-listen/arp.c \
	dp-listen/cdp.c \
	dp-listen/dhcp.c \
	dp-listen/dhcp6.c \
	dp-listen/dns.c \
	dp-listen/echo.c \
	dp-listen/ether.c \
	dp-listen/heard.c \
	dp-listen/ip.c \
	dp-listen/listen.c \
	dp-listen/lldp.c \
	dp-listen/llmnr.c \
	dp-listen/mdns.c \
	dp-listen/mld.c \
	dp-listen/ndp.c \
	dp-listen/netbios.c \
	dp-listen/packet.c \
	dp-listen/rdns.c \
	dp-listen/recent.c \
	dp-listen/ring.c \
	dp-listen/sandbox.c \
	dp-listen/show.c \
	dp-listen/snmp.c \
	dp-listen/ssdp.c
dp-listen_PKGS := libpcap
dp-listen_TESTS := check_listen_arp check_listen_cdp check_listen_dhcp check_listen_dhcp6 check_listen_dns \
	check_listen_ether check_listen_lldp check_listen_llmnr check_listen_mdns check_listen_mld check_listen_ndp \
	check_listen_netbios check_listen_rdns check_listen_recent check_listen_snmp check_listen_ssdp
dp-listen_FUZZ := fuzz_arp fuzz_cdp fuzz_dhcp fuzz_dhcp6 fuzz_dns fuzz_echo fuzz_ether fuzz_heard fuzz_lldp \
	fuzz_llmnr fuzz_mdns fuzz_mld fuzz_ndp fuzz_netbios fuzz_rdns fuzz_snmp fuzz_ssdp
