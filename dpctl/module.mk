# dpctl/ - the administrator's command line.
PROGS += dpctl
dpctl_SRCS := \
	dpctl/main.c \
	dpctl/admin.c \
	dpctl/args.c \
	dpctl/ca.c \
	dpctl/commands.c \
	dpctl/files.c \
	dpctl/keys.c \
	dpctl/progress.c \
	dpctl/page.c \
	dpctl/page_devices.c \
	dpctl/repo.c \
	dpctl/repo_add.c \
	dpctl/repo_cmd.c \
	dpctl/repo_verify.c \
	dpctl/report.c \
	dpctl/say.c \
	dpctl/scan.c \
	dpctl/screen.c \
	dpctl/snapshot.c \
	dpctl/svg.c \
	dpctl/table.c \
	dpctl/top.c
dpctl_PKGS := jansson libcrypto
dpctl_TESTS := check_dpctl_args check_dpctl_ca check_dpctl_devices check_dpctl_repo check_dpctl_text
