# dp-ldap/ - network polling: reads the computers of a directory.
PROGS += dp-ldap
dp-ldap_SRCS := \
	dp-ldap/main.c \
	dp-ldap/computer.c \
	dp-ldap/directory.c \
	dp-ldap/reading.c \
	dp-ldap/sandbox.c \
	dp-ldap/tls_layer.c
dp-ldap_PKGS := ldap lber
dp-ldap_TESTS := check_ldap_computer
dp-ldap_FUZZ := fuzz_ldap_computer
