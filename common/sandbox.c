/*
 * common/sandbox.c - puts up the walls a program's table describes.
 *
 * Runs once in every worker, after start-up and before the first foreign byte.
 * See sandbox.h. Order: user and root (priv_drop), then no_new_privs, rlimits,
 * Landlock, seccomp.
 * SPDX-License-Identifier: ISC
 */
#include "common/sandbox.h"

#include "common/log.h"
#include "common/place.h"
#include "common/size.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIE(...) log_fatal(EXIT_OPERATOR, __VA_ARGS__)

/* What every worker needs to live, talk on its channels and end. */
static const struct sandbox_call base[] = {
	{ SYS_read, "channels' wake-ups, files that were handed over", 0, 0 },
	{ SYS_write, "log lines, wake-ups", 0, 0 },
	{ SYS_close, "descriptors that are done with", 0, 0 },
	{ SYS_pread64, "files that were handed over", 0, 0 },
	{ SYS_lseek, "files that were handed over", 0, 0 },
	{ SYS_fstat, "files that were handed over", 0, 0 },
	{ SYS_newfstatat, "how glibc asks fstat", 0, 0 },
	{ SYS_fcntl, "files given to a part of the worker", SANDBOX_ARG1,
	    F_DUPFD_CLOEXEC },
	{ SYS_fcntl, "open flags, asked by stdio and the loop", SANDBOX_ARG1,
	    F_GETFL },
	{ SYS_recvmsg, "channels", 0, 0 },
	{ SYS_sendmsg, "channels", 0, 0 },
	{ SYS_epoll_wait, "event loop", 0, 0 },
	{ SYS_epoll_pwait, "event loop", 0, 0 },
	{ SYS_epoll_ctl, "event loop", 0, 0 },
	{ SYS_clock_gettime, "time, where there is no vDSO", 0, 0 },
	{ SYS_gettimeofday, "time, where there is no vDSO", 0, 0 },
	{ SYS_brk, "memory", 0, 0 },
	{ SYS_mmap, "memory", SANDBOX_NO_EXEC, 0 },
	{ SYS_mprotect, "memory of new arenas", SANDBOX_NO_EXEC, 0 },
	{ SYS_mremap, "memory", 0, 0 },
	{ SYS_munmap, "memory", 0, 0 },
	{ SYS_madvise, "memory given back", 0, 0 },
	{ SYS_futex, "locks inside the libraries", 0, 0 },
	{ SYS_getrandom, "random numbers", 0, 0 },
	{ SYS_getpid, "libraries ask", 0, 0 },
	{ SYS_gettid, "abort()", 0, 0 },
	{ SYS_tgkill, "abort()", SANDBOX_SELF, 0 },
	{ SYS_rt_sigaction, "abort()", 0, 0 },
	{ SYS_rt_sigprocmask, "abort(), signals in the loop", 0, 0 },
	{ SYS_rt_sigreturn, "end of a signal handler", 0, 0 },
	{ SYS_restart_syscall, "after a stop and go", 0, 0 },
	{ SYS_exit, "end of a thread", 0, 0 },
	{ SYS_exit_group, "end", 0, 0 },
#ifdef DPOINT_SANITIZED
	{ SYS_sigaltstack, "sanitizer", 0, 0 },
	{ SYS_getrlimit, "sanitizer", 0, 0 },
	{ SYS_prlimit64, "sanitizer", 0, 0 },
	{ SYS_prctl, "sanitizer", 0, 0 },
	{ SYS_sched_yield, "sanitizer", 0, 0 },
	{ SYS_readlink, "sanitizer", 0, 0 },
	{ SYS_set_robust_list, "sanitizer", 0, 0 },
#endif
};

#ifdef DPOINT_SANITIZED
/* At the end the leak checker would stop all threads by ptrace and read /proc,
 * which is not to be had behind these walls; unit tests look for leaks. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
const char *__ubsan_default_options(void);
const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}
#endif

static void
become(const struct passwd *pw)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (setgroups(0, NULL) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0 ||
	    syscall(SYS_capset, &head, data) < 0)
		DIE("cannot become user %s: %s", pw->pw_name, strerror(errno));
}

/*
 * Makes dir the root of this process in a mount namespace of its own (one more
 * than its parent made, if it made one); everything else is unmounted, not
 * merely hidden.
 */
static void
pivot(const char *root)
{
	const char *dir = root != NULL ? root : "/tmp";
	unsigned long ro = root == NULL ? MS_RDONLY : 0;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		DIE("cannot make a mount namespace: %s", strerror(errno));
	if (root == NULL) {
		if (mount("dpoint", dir, "tmpfs",
			MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") < 0)
			DIE("cannot make an empty root: %s", strerror(errno));
	} else if (mount(dir, dir, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, dir, NULL,
		MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		NULL) < 0)
		DIE("cannot make %s the root: %s", dir, strerror(errno));
	if (chdir(dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		DIE("cannot enter %s as root: %s", dir, strerror(errno));
	if (ro != 0 && mount(NULL, "/", NULL,
			   MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV |
			       MS_NOEXEC,
			   NULL) < 0)
		DIE("cannot make the empty root read-only: %s",
		    strerror(errno));
}

void
priv_drop(const char *user, const char *root)
{
	const struct passwd *pw;

	if (geteuid() != 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			DIE("no_new_privs: %s", strerror(errno));
		log_debug("not root: keeps its user and its root directory");
		return;
	}
	/* looked up while there is still a file system */
	pw = place_user("", user);
	if (root == NULL || strcmp(root, "/") != 0)
		pivot(root);
	become(pw);
}

static void
limit(int what, rlim_t n)
{
	struct rlimit rl, now;

	if (getrlimit((__rlimit_resource_t)what, &now) == 0 &&
	    now.rlim_max != RLIM_INFINITY && n > now.rlim_max)
		n = now.rlim_max; /* cannot be raised without rights */
	rl.rlim_cur = rl.rlim_max = n;
	if (setrlimit((__rlimit_resource_t)what, &rl) < 0)
		DIE("rlimit %d to %llu: %s", what, (unsigned long long)n,
		    strerror(errno));
}

/*
 * Landlock by ABI: 1 paths, 2 refer, 3 truncate, 4 TCP, 5 ioctl on devices,
 * 6 abstract sockets and signals. Handled is what the kernel knows; allowed
 * only what the table lists.
 */
static void
landlock(const struct sandbox *s)
{
	struct {
		uint64_t fs, net, scoped;
	} attr = { 0 };
	const uint64_t rd = LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR;
	size_t size = sizeof(uint64_t);
	int    abi, fd;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_debug("kernel without Landlock: the filter stands alone");
		return;
	}
	attr.fs = (1ULL << 13) - 1; /* ABI 1: execute .. make_sym */
	if (abi >= 2)
		attr.fs |= 1ULL << 13; /* refer */
	if (abi >= 3)
		attr.fs |= 1ULL << 14; /* truncate */
	if (abi >= 4) {
		attr.net = s->connects ? 1 : 3; /* bind, connect of TCP */
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 5)
		attr.fs |= 1ULL << 15; /* ioctl_dev */
	if (abi >= 6) {
		attr.scoped = 3; /* abstract sockets, signals */
		size = 3 * sizeof(uint64_t);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		DIE("Landlock ABI %d: %s", abi, strerror(errno));
	for (const struct sandbox_path *p = s->paths;
	    p != NULL && p->path != NULL; p++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = p->writable ? attr.fs & ~1ULL : rd,
			.parent_fd = open(p->path, O_PATH | O_CLOEXEC),
		};
		struct stat st;

		if (rule.parent_fd < 0)
			continue; /* absent: nothing to allow */
		if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
			rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
			    LANDLOCK_ACCESS_FS_WRITE_FILE | (1ULL << 14);
		if (syscall(SYS_landlock_add_rule, fd,
			LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			DIE("Landlock: %s: %s", p->path, strerror(errno));
		close(rule.parent_fd);
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		DIE("Landlock: %s", strerror(errno));
	close(fd);
}

/* TCP connects by sending, too: with this flag, to any address, on a socket that
 * is connected to nobody (tcp(7)). A listener is one once it has been shut down,
 * and it has the machine's network; Landlock does not look there. */
static int
add_send(scmp_filter_ctx ctx, int nr)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
	    SCMP_CMP(nr == SYS_sendmsg ? 2U : 3U, SCMP_CMP_MASKED_EQ,
		MSG_FASTOPEN, 0));
}

static int
add_rule(scmp_filter_ctx ctx, const struct sandbox_call *c)
{
	const uint32_t ok = SCMP_ACT_ALLOW;
	int	       r = 0;
	const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

	switch (c->rule) {
	case SANDBOX_ALLOW:
		if (c->nr == SYS_sendmsg || c->nr == SYS_sendto ||
		    c->nr == SYS_sendmmsg)
			return add_send(ctx, c->nr);
		return seccomp_rule_add(ctx, ok, c->nr, 0);
	case SANDBOX_NO_EXEC:
		return seccomp_rule_add(ctx, ok, c->nr, 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	case SANDBOX_THREAD:
		return seccomp_rule_add(ctx, ok, c->nr, 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
	case SANDBOX_SELF:
		return seccomp_rule_add(ctx, ok, c->nr, 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	case SANDBOX_INPROGRESS:
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINPROGRESS), c->nr,
		    0);
	case SANDBOX_ENOSYS:
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), c->nr, 0);
	case SANDBOX_ARG0:
		return seccomp_rule_add(ctx, ok, c->nr, 1,
		    SCMP_A0(SCMP_CMP_EQ, c->value));
	case SANDBOX_TCP:
		for (int i = 0; r == 0 && i < 2; i++)
			r = seccomp_rule_add(ctx, ok, c->nr, 3,
			    SCMP_A0(SCMP_CMP_EQ, i == 0 ? AF_INET : AF_INET6),
			    SCMP_A1(SCMP_CMP_EQ,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
			    SCMP_A2(SCMP_CMP_EQ, IPPROTO_TCP));
		return r;
	case SANDBOX_ARG1:
		return seccomp_rule_add(ctx, ok, c->nr, 1,
		    SCMP_A1(SCMP_CMP_EQ, c->value));
	}
	return -EINVAL;
}

/* A descriptor above all others that must not send, by whatever name. The kernel
 * takes 32 bits of an argument and the filter compares 64: a number with more is
 * above it as well. */
static int
add_base_rule(scmp_filter_ctx ctx, const struct sandbox_call *c, int hears_fd)
{
	const scmp_datum_t fd = (scmp_datum_t)hears_fd;

	if (hears_fd > 0 && (c->nr == SYS_write || c->nr == SYS_sendmsg))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, c->nr, 1,
		    SCMP_A0(SCMP_CMP_LT, fd));
	if (hears_fd > 0 && c->nr == SYS_fcntl && c->value == F_DUPFD_CLOEXEC)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, c->nr, 2,
		    SCMP_A0(SCMP_CMP_LT, fd), SCMP_A1(SCMP_CMP_EQ, c->value));
	return add_rule(ctx, c);
}

static void
filter(const struct sandbox *s)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int		r = ctx == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* a binary tree: the frequent calls do not pay for the long list */
	if (r == 0)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; r == 0 && i < COUNT(base); i++)
		r = add_base_rule(ctx, &base[i], s->hears_fd);
	for (size_t i = 0; r == 0 && i < s->ncalls; i++)
		if ((r = add_rule(ctx, &s->calls[i])) < 0)
			log_err("sandbox: rule %zu, call %d: \"%s\"", i,
			    s->calls[i].nr, s->calls[i].why);
	if (r == 0)
		r = seccomp_load(ctx);
	if (r < 0)
		DIE("seccomp: %s", strerror(-r));
	seccomp_release(ctx);
}

void
sandbox_enter(const struct sandbox *s)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		DIE("no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		DIE("dumpable: %s", strerror(errno));
	limit(RLIMIT_NOFILE, s->max_fds);
	limit(RLIMIT_CORE, 0);
	if (s->max_file > 0)
		limit(RLIMIT_FSIZE, s->max_file);
	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_MSGQUEUE, 0);
	landlock(s);
	filter(s);
}
