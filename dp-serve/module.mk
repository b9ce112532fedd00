# dp-serve/ - HTTP/1.1 and HTTPS content server.
PROGS += dp-serve
dp-serve_SRCS := \
	dp-serve/main.c \
	dp-serve/api.c \
	dp-serve/blocks.c \
	dp-serve/conn.c \
	dp-serve/content.c \
	dp-serve/inbox.c \
	dp-serve/range.c \
	dp-serve/sandbox.c \
	dp-serve/serve.c
dp-serve_PKGS :=
dp-serve_TESTS := check_conn check_range
dp-serve_FUZZ := fuzz_range
