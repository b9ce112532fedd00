/*
 * tests/escape/escape.c - a worker that has been taken over.
 *
 * Linked once per role with that role's own sandbox table and put in the
 * worker's place. It starts as the worker does (worker_start, priv_drop,
 * sandbox_enter), then tries what an attacker would. A try is refused when the
 * kernel says no for the right reason; anything else is printed. What must end
 * in the master killing us (attacks on the channel) takes one life each: the
 * file attack.ROLE beside the program counts them.
 * SPDX-License-Identifier: ISC
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "common/size.h"
#include "common/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

extern const struct sandbox SANDBOX;

static enum peer_role role;
static pid_t	      parent, sibling;
static int	      passed = -1; /* a file of our own, as if handed over */
static void	     *page;	   /* data we would like to run */
static char	      run_dir[256];

/* What is a role's right is no escape of that role. */
#define CONNECT (1U << PEER_CONNECT)
#define STORE	(1U << PEER_STORE)
#define FETCH	(1U << PEER_FETCH)
#define LISTEN_ONLY (~(1U << PEER_LISTEN))
#define AGENT	(1U << 31) /* the agent's child */

static long
try_open_at(const char *path, int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}
static long t_open_shadow(void) { return try_open_at("/etc/shadow", O_RDONLY); }
static long t_open_passwd(void) { return try_open_at("/etc/passwd", O_RDONLY); }
static long t_open_root(void) { return try_open_at("/", O_RDONLY | O_DIRECTORY); }
static long t_open_above(void) { return try_open_at("../../../../etc", O_RDONLY); }
static long t_open_tmp(void) { return try_open_at("/tmp/escaped", O_CREAT | O_WRONLY); }
static long t_open_tmpfile(void) { return try_open_at("/tmp", O_TMPFILE | O_RDWR); }
static long t_proc_self_mem(void) { return try_open_at("/proc/self/mem", O_RDWR); }
static long t_proc_maps(void) { return try_open_at("/proc/self/maps", O_RDONLY); }
static long
proc_of_parent(const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)parent, what);
	return try_open_at(path, flags);
}
static long t_proc_parent_mem(void) { return proc_of_parent("mem", O_RDWR); }
static long t_proc_parent_fd(void) { return proc_of_parent("fd/3", O_RDWR); }
static long t_proc_sysrq(void) { return try_open_at("/proc/sysrq-trigger", O_WRONLY); }
static long
t_openat2(void)
{
	uint64_t how[3] = { O_RDONLY, 0, 0 };

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
}
static long t_creat(void) { return syscall(SYS_creat, "/tmp/escaped", 0600); }
static long t_mkdir(void) { return syscall(SYS_mkdir, "/tmp/escaped", 0700); }
static long t_mknod(void) { return syscall(SYS_mknod, "/tmp/escaped", S_IFCHR | 0600, 0x103); }
static long t_unlink(void) { return syscall(SYS_unlink, "/etc/passwd"); }
static long t_rename(void) { return syscall(SYS_rename, "/etc/passwd", "/etc/q"); }
static long t_symlink(void) { return syscall(SYS_symlink, "/etc/passwd", "/tmp/q"); }
static long t_link(void) { return syscall(SYS_link, "/etc/passwd", "/tmp/q"); }
static long t_chmod(void) { return syscall(SYS_chmod, "/", 0777); }
static long t_chown(void) { return syscall(SYS_chown, "/", 0, 0); }
static long t_fchmod(void) { return syscall(SYS_fchmod, passed, 04777); }
static long t_fchmodat(void) { return syscall(SYS_fchmodat, passed, "", 04777); }
static long t_fchown(void) { return syscall(SYS_fchown, passed, 0, 0); }
static long t_fsetxattr(void) { return syscall(SYS_fsetxattr, passed, "user.x", "y", 1, 0); }
static long t_setflags(void) { return fcntl(passed, F_SETFL, O_DIRECT | O_NOATIME); }
static long t_chroot(void) { return syscall(SYS_chroot, "/"); }
static long t_pivot(void) { return syscall(SYS_pivot_root, "/", "/"); }
static long t_mount(void) { return mount("x", "/", "tmpfs", 0, NULL); }
static long t_umount(void) { return umount2("/", MNT_DETACH); }
static long t_open_tree(void) { return syscall(428, AT_FDCWD, "/", 1); }
static long t_fsopen(void) { return syscall(430, "tmpfs", 0); }
static long t_by_handle(void) { return syscall(SYS_open_by_handle_at, passed, page, O_RDONLY); }
static long t_fanotify(void) { return syscall(SYS_fanotify_init, 0, O_RDONLY); }
static long t_inotify(void) { return syscall(SYS_inotify_init1, 0); }

static long
t_exec(void)
{
	char *argv[] = { "/bin/sh", "-c", "true", NULL };

	return execve("/bin/sh", argv, NULL);
}
static long
t_exec_fd(void)
{
	char *argv[] = { "x", NULL };

	return syscall(SYS_execveat, passed, "", argv, NULL, AT_EMPTY_PATH);
}
static long t_fork(void) { return syscall(SYS_fork); }
static long t_vfork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static long t_clone3(void)
{
	uint64_t a[11] = { 0 };

	a[4] = SIGCHLD;
	return syscall(SYS_clone3, a, sizeof(a));
}
static long t_exec_map(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long t_exec_map_file(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE,
	    passed, 0);
}
static long t_mprotect(void) { return mprotect(page, 4096, PROT_READ | PROT_EXEC); }
static long t_pkey(void) { return syscall(SYS_pkey_mprotect, page, 4096, PROT_EXEC, -1); }
static long t_personality(void) { return syscall(SYS_personality, 0x0400000); }
static long t_memfd(void) { return syscall(SYS_memfd_create, "x", 0); }

static long t_tcp4(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_TCP); }
static long t_tcp6(void) { return socket(AF_INET6, SOCK_STREAM, 0); }
static long t_udp4(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static long t_udp6(void) { return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
static long t_mptcp(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP); }
static long t_sctp(void) { return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP); }
static long t_icmp(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long t_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long t_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long t_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long t_alg(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long t_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long t_socketpair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

/* The worst case: a socket is there already, whoever gave it. */
static int unix_fd = -1, tcp_fd = -1, udp_fd = -1;

static long
to_unix(const char *path, size_t len, bool bind_it)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t	   n = (socklen_t)(offsetof(struct sockaddr_un,
				   sun_path) + len);

	memcpy(un.sun_path, path, len);
	return bind_it ? bind(unix_fd, (struct sockaddr *)&un, n)
		       : connect(unix_fd, (struct sockaddr *)&un, n);
}
static long t_abstract(void) { return to_unix("\0dpoint-escape", 14, false); }
static long t_abstract_bind(void) { return to_unix("\0dpoint-other", 13, true); }
static long t_unix_path(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%.80s/admin.sock", run_dir);
	return to_unix(path, strlen(path) + 1, false);
}
static const struct sockaddr_in lo = { .sin_family = AF_INET,
	.sin_port = 0x0900, .sin_addr = { 0x0100007f } };
static long t_connect(void) { return connect(tcp_fd, (const void *)&lo, sizeof(lo)); }
static long t_fastopen(void)
{
	return sendto(tcp_fd, "x", 1, MSG_FASTOPEN, (const void *)&lo, sizeof(lo));
}
/* The master's listener is of another network, and connected to nobody once shut
 * down; as it does not block, to connect begins with EINPROGRESS. */
static int listen_fd = -1;
static long
by_listener(long r)
{
	return r == -1 && errno == EINPROGRESS ? 0 : r;
}
static long t_fastopen_listener(void)
{
	(void)shutdown(listen_fd, SHUT_RD);
	return by_listener(sendto(listen_fd, "x", 1, MSG_FASTOPEN,
	    (const void *)&lo, sizeof(lo)));
}
static long t_fastopen_sendmsg(void)
{
	struct iovec  iov = { "x", 1 };
	struct msghdr mh = { .msg_name = (void *)(uintptr_t)&lo,
		.msg_namelen = sizeof(lo), .msg_iov = &iov, .msg_iovlen = 1 };

	(void)shutdown(listen_fd, SHUT_RD);
	return by_listener(sendmsg(listen_fd, &mh, MSG_FASTOPEN));
}
static long t_sendto_udp(void)
{
	return sendto(udp_fd, "x", 1, 0, (const void *)&lo, sizeof(lo));
}
static long t_bind(void) { return bind(tcp_fd, (const void *)&lo, sizeof(lo)); }
/* The listener's own: it hears all frames, and a packet socket sends as well. Each
 * descriptor of it that there is has its turn. */
static int capture, captures[64];
static size_t ncaptures;

static int
frame(struct msghdr *mh)
{
	static uint8_t		  bytes[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = 1,
		.sll_halen = 6 };
	static struct iovec	  iov = { bytes, sizeof(bytes) };

	*mh = (struct msghdr){ .msg_name = &ll, .msg_namelen = sizeof(ll),
		.msg_iov = &iov, .msg_iovlen = 1 };
	return capture;
}
static long t_capture_sendmsg(void)
{
	struct msghdr mh;
	int	      fd = frame(&mh);

	return sendmsg(fd, &mh, 0);
}
static long t_capture_sendmsg_high(void) /* more than the kernel looks at */
{
	struct msghdr mh;
	long	      fd = frame(&mh);

	return syscall(SYS_sendmsg, fd | 1L << 32, &mh, 0);
}
static long t_capture_sendmmsg(void)
{
	struct mmsghdr mm = { .msg_len = 0 };
	int	       fd = frame(&mm.msg_hdr);

	return sendmmsg(fd, &mm, 1, 0);
}
static long t_capture_sendto(void)
{
	struct msghdr mh;
	int	      fd = frame(&mh);

	return sendto(fd, mh.msg_iov->iov_base, 60, 0, mh.msg_name,
	    mh.msg_namelen);
}
static long t_capture_bind(void)
{
	struct msghdr mh;
	int	      fd = frame(&mh);

	return bind(fd, mh.msg_name, mh.msg_namelen);
}
static long t_capture_write(void) { return write(capture, page, 60); }
static long t_capture_writev(void)
{
	struct iovec iov = { page, 60 };

	return writev(capture, &iov, 1);
}
static long t_capture_pwrite(void) { return pwrite(capture, page, 60, 0); }
static long t_capture_dup(void) { return dup(capture); }
static long t_capture_dup2(void) { return dup2(capture, 20); }
static long t_capture_fcntl(void) { return fcntl(capture, F_DUPFD_CLOEXEC, 0); }
static long t_capture_fcntl_too(void) { return fcntl(capture, F_DUPFD, 0); }
static long t_capture_sendfile(void) { return syscall(SYS_sendfile, capture, passed, NULL, 60); }
static long t_capture_splice(void) { return syscall(SYS_splice, passed, NULL, capture, NULL, 60, 0); }
static long t_capture_filter(void)
{
	int on = 1;

	return setsockopt(capture, SOL_SOCKET, SO_DETACH_FILTER, &on,
	    sizeof(on));
}
static long t_capture_ioctl(void) { return ioctl(capture, SIOCSIFFLAGS, page); }

static long t_listen(void) { return listen(tcp_fd, 1); }

static long t_kill_parent(void) { return kill(parent, SIGTERM); }
static long t_kill_sibling(void) { return kill(sibling, SIGKILL); }
static long t_kill_all(void) { return kill(-1, SIGTERM); }
static long t_tgkill(void) { return syscall(SYS_tgkill, sibling, sibling, SIGKILL); }
static long t_tkill(void) { return syscall(SYS_tkill, sibling, SIGKILL); }
static long t_sigqueue(void) { return syscall(SYS_rt_sigqueueinfo, sibling, SIGTERM, page); }
static long t_pidfd(void) { return syscall(SYS_pidfd_open, parent, 0); }
static long t_pidfd_getfd(void) { return syscall(SYS_pidfd_getfd, passed, 3, 0); }
static long t_pidfd_signal(void) { return syscall(SYS_pidfd_send_signal, passed, SIGKILL, 0, 0); }
static long t_ptrace(void) { return ptrace(PTRACE_ATTACH, sibling, NULL, NULL); }
static long t_ptrace_parent(void) { return ptrace(PTRACE_SEIZE, parent, NULL, NULL); }
static long t_traceme(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static long
t_vm_read(void)
{
	struct iovec a = { page, 8 }, b = { (void *)0x400000, 8 };

	return process_vm_readv(parent, &a, 1, &b, 1, 0);
}
static long
t_vm_write(void)
{
	struct iovec a = { page, 8 }, b = { (void *)0x400000, 8 };

	return process_vm_writev(sibling, &a, 1, &b, 1, 0);
}
static long t_kcmp(void) { return syscall(SYS_kcmp, parent, sibling, 0, 0, 0); }
static long t_prlimit(void)
{
	struct rlimit rl = { 1, 1 };

	return syscall(SYS_prlimit64, parent, RLIMIT_NOFILE, &rl, NULL);
}
static long t_rlimit(void)
{
	struct rlimit rl = { 1 << 20, 1 << 20 };

	return syscall(SYS_setrlimit, RLIMIT_NOFILE, &rl);
}
static long t_nice(void) { return setpriority(PRIO_PROCESS, 0, -20); }

static long t_userns(void) { return unshare(CLONE_NEWUSER); }
static long t_netns(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNET); }
static long t_setns(void) { return setns(passed, 0); }
static long t_io_uring(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 4, &p);
}
static long t_bpf(void)
{
	char attr[64] = { 0 };

	return syscall(SYS_bpf, 0, attr, sizeof(attr));
}
static long t_perf(void) { return syscall(SYS_perf_event_open, page, 0, -1, -1, 0); }
static long t_userfault(void) { return syscall(SYS_userfaultfd, 1); }
static long t_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 1); }
static long t_add_key(void) { return syscall(SYS_add_key, "user", "x", "y", 1, -3); }
static long t_request_key(void) { return syscall(SYS_request_key, "user", "x", NULL, -3); }
static long t_module(void) { return syscall(SYS_finit_module, passed, "", 0); }
static long t_kexec(void) { return syscall(SYS_kexec_load, 0, 0, NULL, 0); }
static long t_reboot(void) { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0x01234567, 0); }
static long t_iopl(void) { return syscall(SYS_iopl, 3); }
static long t_ldt(void) { return syscall(SYS_modify_ldt, 1, page, 16); }
static long t_clock(void) { return syscall(SYS_clock_settime, 0, page); }
static long t_hostname(void) { return sethostname("x", 1); }
static long t_shm(void) { return syscall(SYS_shmget, 0x64, 4096, 01666); }
static long t_msgq(void) { return syscall(SYS_msgget, 0x64, 01666); }
static long t_setuid(void) { return syscall(SYS_setuid, 0); }
static long t_setresuid(void) { return syscall(SYS_setresuid, 0, 0, 0); }
static long t_setgroups(void) { return syscall(SYS_setgroups, 0, NULL); }
static long
t_capset(void)
{
	uint32_t head[2] = { 0x20080522, 0 }, data[6] = { ~0U, ~0U, ~0U };

	return syscall(SYS_capset, head, data);
}
#ifndef DPOINT_SANITIZED
static long t_dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
#endif
static long t_tiocsti(void) { return ioctl(2, TIOCSTI, "x"); }

/* A bomb: descriptors until no more; must end at the worker's own limit. */
static long
t_descriptors(void)
{
	uint64_t n = 0;
	int	 last = -1;

	while (n < 300000) {
		int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			break;
		last = fd;
		n++;
	}
	if (n < 300000 && errno == EMFILE && n <= SANDBOX.max_fds)
		errno = EPERM; /* as it should be */
	else
		last = -2;
	for (int fd = last; n > 0 && fd > 2; fd--)
		if (fd != passed && fd != unix_fd && fd != tcp_fd &&
		    fd != udp_fd && fd != listen_fd && n-- > 0)
			close(fd);
	return last == -2 ? 0 : -1;
}

#define T(f, not) { #f, f, not }
static const struct {
	const char *name;
	long (*fn)(void);
	unsigned not_for;
} tries[] = {
	T(t_descriptors, 0), /* first: it closes what it opened, by number */
	T(t_open_shadow, 0), T(t_open_passwd, 0), T(t_open_root, STORE),
	T(t_open_above, 0), T(t_open_tmp, 0), T(t_open_tmpfile, 0),
	T(t_proc_self_mem, 0), T(t_proc_maps, 0), T(t_proc_parent_mem, 0),
	T(t_proc_parent_fd, 0), T(t_proc_sysrq, 0), T(t_openat2, 0),
	T(t_creat, 0), T(t_mkdir, 0), T(t_mknod, 0), T(t_unlink, 0),
	T(t_rename, 0), T(t_symlink, 0), T(t_link, 0), T(t_chmod, 0),
	T(t_chown, 0), T(t_fchmod, STORE), T(t_fchmodat, 0), T(t_fchown, 0),
	T(t_fsetxattr, 0), T(t_setflags, FETCH), T(t_chroot, 0), T(t_pivot, 0),
	T(t_mount, 0), T(t_umount, 0), T(t_open_tree, 0), T(t_fsopen, 0),
	T(t_by_handle, 0), T(t_fanotify, 0), T(t_inotify, 0), T(t_exec, 0),
	T(t_exec_fd, 0), T(t_fork, 0), T(t_vfork, 0), T(t_clone3, 0),
	T(t_exec_map, 0), T(t_exec_map_file, 0), T(t_mprotect, 0),
	T(t_pkey, 0), T(t_personality, 0), T(t_memfd, AGENT), T(t_tcp4, 0),
	T(t_tcp6, 0), T(t_udp4, 0), T(t_udp6, 0), T(t_mptcp, 0), T(t_sctp, 0),
	T(t_icmp, 0), T(t_packet, 0), T(t_netlink, 0), T(t_vsock, 0),
	T(t_alg, 0), T(t_unix, 0), T(t_socketpair, 0), T(t_abstract, CONNECT),
	T(t_abstract_bind, 0), T(t_unix_path, CONNECT), T(t_connect, CONNECT),
	T(t_fastopen, 0), T(t_fastopen_listener, 0),
	T(t_fastopen_sendmsg, 0), T(t_sendto_udp, CONNECT), T(t_bind, 0),
	T(t_listen, 0), T(t_kill_parent, 0), T(t_kill_sibling, 0),
	T(t_kill_all, 0), T(t_tgkill, 0), T(t_tkill, 0), T(t_sigqueue, 0),
	T(t_pidfd, 0), T(t_pidfd_getfd, 0), T(t_pidfd_signal, 0),
	T(t_ptrace, 0), T(t_ptrace_parent, 0), T(t_traceme, 0),
	T(t_vm_read, 0), T(t_vm_write, 0), T(t_kcmp, 0), T(t_prlimit, 0),
	T(t_rlimit, 0), T(t_nice, 0), T(t_userns, 0), T(t_netns, 0),
	T(t_setns, 0), T(t_io_uring, 0), T(t_bpf, 0), T(t_perf, 0),
	T(t_userfault, 0), T(t_keyctl, 0), T(t_add_key, 0),
	T(t_request_key, 0), T(t_module, 0), T(t_kexec, 0), T(t_reboot, 0),
	T(t_iopl, 0), T(t_ldt, 0), T(t_clock, 0), T(t_hostname, 0),
	T(t_shm, 0), T(t_msgq, 0), T(t_setuid, 0), T(t_setresuid, 0),
	T(t_setgroups, 0), T(t_capset, 0), T(t_tiocsti, 0),
	T(t_capture_sendmsg, LISTEN_ONLY), T(t_capture_sendmsg_high, LISTEN_ONLY),
	T(t_capture_sendmmsg, LISTEN_ONLY), T(t_capture_sendto, LISTEN_ONLY),
	T(t_capture_bind, LISTEN_ONLY), T(t_capture_write, LISTEN_ONLY),
	T(t_capture_writev, LISTEN_ONLY), T(t_capture_pwrite, LISTEN_ONLY),
	T(t_capture_dup, LISTEN_ONLY), T(t_capture_dup2, LISTEN_ONLY),
	T(t_capture_fcntl, LISTEN_ONLY), T(t_capture_fcntl_too, LISTEN_ONLY),
	T(t_capture_sendfile, LISTEN_ONLY), T(t_capture_splice, LISTEN_ONLY),
	T(t_capture_filter, LISTEN_ONLY), T(t_capture_ioctl, LISTEN_ONLY),
#ifndef DPOINT_SANITIZED /* the sanitizer's own right */
	T(t_dumpable, 0),
#endif
};

/* Right reasons. In dp-store's own root the file may simply not be there, and
 * libcurl is told that its connect is under way where nothing happens. No
 * network is what the empty network namespace answers. */
static bool
is_refusal(int e)
{
	return e == EPERM || e == EACCES || e == ENOSYS || e == EINPROGRESS ||
	    e == ENETUNREACH ||
	    (e == ENOENT && role == PEER_STORE);
}

/* -- attacks on the channel: each ends this life -- */

static int channel = 3; /* the master's */

static void
send_raw(const void *bytes, size_t len, int nfds)
{
	char		ctl[CMSG_SPACE(250 * sizeof(int))] = { 0 };
	int		fds[250] = { 0 }; /* our own standard input, often */
	struct iovec	iov = { (void *)bytes, len };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds > 0) {
		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nfds * sizeof(int));
	}
	(void)sendmsg(channel, &mh, MSG_NOSIGNAL);
}

static uint8_t big[MSG_MAX + 4096];

static void a_short(void) { send_raw("\0\7", 2, 0); }
static void a_oversized(void) { big[1] = MSG_READY; send_raw(big, sizeof(big), 0); }
static void a_garbled(void) { memset(big, 0xa5, 512); send_raw(big, 512, 0); }
static void a_bomb(void) { send_raw("\0\7\0\0\0\0\0\0", 8, 250); }
static void a_one_fd(void) { send_raw("\0\7\0\0\0\0\0\0", 8, 1); }
static void a_hello_again(void) { send_raw("\0\1\0\0\0\0\0\0\0\1\2", 11, 0); }
static void a_long_ready(void) { send_raw("\0\7\0\0\0\0\0\0more", 12, 0); }
static void a_kill_nobody(void) { send_raw("\0\21\0\0\0\0\0\0\1", 9, 0); }

static const struct {
	const char *name;
	void (*fn)(void);
} attacks[] = {
	{ "short message", a_short },
	{ "oversized message", a_oversized },
	{ "garbled message", a_garbled },
	{ "descriptor bomb", a_bomb },
	{ "descriptor nobody asked for", a_one_fd },
	{ "second hello", a_hello_again },
	{ "ready with a payload", a_long_ready },
	{ "kill that is not ours to ask", a_kill_nobody },
};

#ifndef ALONE
static char count_path[512];
#endif
static FILE *count_file; /* opened while we still may */
static int   sleeper;    /* an epoll that nothing wakes */

#ifndef ALONE
/* Which life this is; an attack that is survived writes "survived". */
static unsigned
next_life(unsigned *survived)
{
	char	 word[32];
	unsigned n = 0;

	if ((count_file = fopen(count_path, "a+")) == NULL)
		log_fatal(EXIT_OPERATOR, "%s: %s", count_path, strerror(errno));
	while (fscanf(count_file, "%31s", word) == 1)
		*(strcmp(word, "survived") == 0 ? survived : &n) += 1;
	fputs("life\n", count_file);
	fflush(count_file);
	return n;
}
#endif

static void
attack(const char *what, void (*fn)(void))
{
	struct epoll_event ev;

	log_info("attack: %s", what);
	fn();
	(void)epoll_wait(sleeper, &ev, 1, 15000); /* a peer may be starting */
	log_err("ESCAPED: %s", what);
	if (count_file != NULL) {
		fputs("survived\n", count_file);
		fflush(count_file);
	}
	_exit(111);
}

/* -- the life of a quiet worker afterwards -- */

static struct worker *w;

/* Instead of all this: a file attack.peers beside us names the peers whose
 * channels are attacked, one a life; "ready" is said to the master twice. */
static char victim[32];
static bool of_peers;

static void
a_ready_twice(void)
{
	send_raw("\0\7\0\0\0\0\0\0", 8, 0);
	send_raw("\0\7\0\0\0\0\0\0", 8, 0);
}

static void
attack_peer(void)
{
	enum peer_role r;

	if (peer_role_from_name(victim, &r) < 0)
		attack("ready when nobody asked", a_ready_twice);
	if ((channel = worker_peer(w, r)) < 0)
		log_fatal(EXIT_OPERATOR, "no channel to %s", victim);
	attack(victim, a_garbled);
}

static int
on_ping(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	return ipc_send(worker_master(w), MSG_PONG, 0, m->rd.p, m->rd.left);
}
static int
on_ignore(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	(void)m;
	return 0;
}
static const struct ipc_handler extra[] = {
	{ MSG_PING, 0, 8, 8, on_ping },
	{ MSG_WORKER, 0, 14, 14, on_ignore },
};
static void
on_peer(void *ctx, enum peer_role r, int fd)
{
	(void)ctx;
	(void)r;
	close(fd);
}
static const struct worker_ops ops = { .peer = on_peer,
	.from_master = { extra, COUNT(extra) } };

static void
find_family(void)
{
	char  path[64];
	FILE *f;
	int   pid;

	parent = getppid();
	sibling = parent;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent,
	    (int)parent);
	if ((f = fopen(path, "r")) == NULL)
		return;
	while (fscanf(f, "%d", &pid) == 1)
		if (pid != getpid())
			sibling = pid;
	fclose(f);
}

/* Becomes what the worker is at that point; the life it is in. */
static unsigned
become_worker(int argc, char *argv[], unsigned *survived)
{
#ifdef ALONE /* the agent's child: its parent speaks otherwise on descriptor 3 */
	(void)argc;
	(void)argv;
	(void)survived;
	log_init("dp-" ROLE_NAME);
	role = PEER_FETCH;
	find_family();
	priv_drop("dp-agent", NULL);
	return COUNT(attacks);
#else
	const struct settings *s;
	char		       user[64], self[400], peers[500];
	FILE		      *f;
	ssize_t		       n = readlink("/proc/self/exe", self,
		       sizeof(self) - 1);
	unsigned	       life;

	(void)peer_role_from_name(ROLE_NAME, &role);
	w = worker_start(role, argc, argv);
	s = worker_settings(w);
	(void)worker_loop(w);
	self[n > 0 ? n : 0] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	snprintf(count_path, sizeof(count_path), "%sattack." ROLE_NAME, self);
	snprintf(run_dir, sizeof(run_dir), "%s", s->master.run_dir);
	life = next_life(survived);
	snprintf(peers, sizeof(peers), "%sattack.peers", self);
	if ((f = fopen(peers, "r")) != NULL) {
		of_peers = true;
		for (unsigned i = 0; i <= life; i++)
			if (fscanf(f, "%31s", victim) != 1)
				victim[0] = '\0';
		fclose(f);
	}
	find_family();
	snprintf(user, sizeof(user), "%s" ROLE_NAME, s->master.user_prefix);
	priv_drop(user, role == PEER_CONNECT ? "/"
		: role == PEER_STORE	     ? s->store.dir
					     : NULL);
	return life;
#endif
}

/* The listener's socket, where the listener has it; it does send until then. */
static void
hear(void)
{
	struct msghdr mh;
	char	      name[16];
	int	      fd, domain;
	socklen_t     len = sizeof(domain);

	if (SANDBOX.hears_fd == 0 || w == NULL)
		return;
	fd = worker_socket(w, "scan.enable", 0, name, sizeof(name));
	capture = dup3(fd, SANDBOX.hears_fd, O_CLOEXEC);
	close(fd);
	if (sendmsg(frame(&mh), &mh, 0) != 60)
		log_fatal(EXIT_OPERATOR, "cannot prepare: %s", strerror(errno));
	for (fd = 0; fd < (int)COUNT(captures); fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_PACKET)
			captures[ncaptures++] = fd;
}

static void
try_one(const char *name, long (*fn)(void), unsigned *tried, unsigned *refused)
{
	long r;

	++*tried;
	errno = 0;
	r = fn();
	if (r == -1 && is_refusal(errno))
		++*refused;
	else
		log_err("ESCAPED: %s: result %ld, %s", name + 2, r,
		    strerror(errno));
}

/* One the master made, if there is one; else ours, in our own network. */
static int
find_listener(void)
{
	int	  is = 0;
	socklen_t len = sizeof(is);

	for (int fd = 3; fd < 256; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &len) == 0 &&
		    is)
			return fd;
	return tcp_fd;
}

int
main(int argc, char *argv[])
{
	unsigned survived = 0, life, tried = 0, refused = 0;

	life = become_worker(argc, argv, &survived);
	hear(); /* first: its number is for the next */
	sleeper = epoll_create1(EPOLL_CLOEXEC);
	passed = memfd_create("passed", MFD_CLOEXEC);
	unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (passed < 0 || unix_fd < 0 || tcp_fd < 0 || udp_fd < 0 ||
	    page == MAP_FAILED || ftruncate(passed, 4096) < 0)
		log_fatal(EXIT_OPERATOR, "cannot prepare: %s", strerror(errno));
	listen_fd = find_listener();
	sandbox_enter(&SANDBOX);
	if (of_peers) {
		if (victim[0] != '\0')
			attack_peer();
		return worker_run(w, &ops, NULL) == 0 ? EXIT_SUCCESS
						      : EXIT_FAILURE;
	}
	if (life < COUNT(attacks))
		attack(attacks[life].name, attacks[life].fn);
	if (w != NULL) {
		tried = COUNT(attacks);
		refused = COUNT(attacks) - survived;
	}
	for (size_t i = 0; i < COUNT(tries); i++) {
		size_t turns = tries[i].not_for == LISTEN_ONLY ? ncaptures : 1;

		if (tries[i].not_for & (1U << role | (w == NULL ? AGENT : 0)))
			continue;
		for (size_t k = 0; k < turns; k++) {
			capture = captures[k];
			try_one(tries[i].name, tries[i].fn, &tried, &refused);
		}
	}
	log_info("dp-" ROLE_NAME ": escapes tried %u, refused %u", tried,
	    refused);
	if (w == NULL)
		return tried == refused ? EXIT_SUCCESS : EXIT_FAILURE;
	return worker_run(w, &ops, NULL) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
