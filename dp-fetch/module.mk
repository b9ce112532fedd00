# dp-fetch - TUF client and downloader.
PROGS += dp-fetch
dp-fetch_SRCS := \
	dp-fetch/main.c \
	dp-fetch/bucket.c \
	dp-fetch/forward.c \
	dp-fetch/job.c \
	dp-fetch/repo.c \
	dp-fetch/sandbox.c \
	dp-fetch/set.c \
	dp-fetch/source.c \
	dp-fetch/want.c
dp-fetch_PKGS := libcurl
dp-fetch_TESTS := check_fetch
dp-fetch_FUZZ := fuzz_url
