/*
 * dp-master/main.c - the root half: start, reload and end of the suite.
 *
 * Runs as root. Parses its command line and the administrator's files; of the
 * workers it takes fixed-size messages only (slot.c), of any network nothing.
 * SPDX-License-Identifier: ISC
 */
#include "dp-master/master.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/place.h"
#include "common/size.h"
#include "common/spawn.h"
#include "common/wr.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who asks others ends first. */
static const enum peer_role stop_order[] = { PEER_GATEWAY, PEER_SERVE,
	PEER_MCAST, PEER_SCAN, PEER_PROBE, PEER_LISTEN, PEER_LDAP, PEER_FETCH,
	PEER_CONNECT, PEER_STORE, PEER_CONTROL };

static struct master master;

static void
usage(FILE *f)
{
	fputs("usage: dp-master [--config FILE] [--check-config | --dump-config]\n"
	      "  -c, --config FILE   instead of /etc/dpoint/dpoint.conf\n"
	      "  -t, --check-config  say whether it is good, and exit\n"
	      "  -d, --dump-config   print what holds and where it is given\n"
	      "  -f, --foreground    stay in the foreground (always so)\n"
	      "  -h, --help; -V, --version\n"
	      "SIGHUP reloads, SIGTERM and SIGINT drain and end. Exit: 0 as\n"
	      "told, 100 an operator must act, 111 temporary.\n", f);
}

/* May end the process: --help, --check-config and the like. */
static void
parse_args(struct master *m, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 't' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	char err[CONF_ERR_MAX];
	int  c, action = 0;

	m->file = "/etc/dpoint/dpoint.conf";
	while ((c = getopt_long(argc, argv, "c:tdfhV", options, NULL)) != -1)
		switch (c) {
		case 'c':
			m->file = optarg;
			break;
		case 't':
		case 'd':
			action = c;
			break;
		case 'f':
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			puts("dp-master " DPOINT_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(EXIT_OPERATOR);
		}
	if (optind < argc)
		log_fatal(EXIT_OPERATOR, "unexpected argument \"%s\"; usage: "
		    "dp-master --help", argv[optind]);
	if (conf_set_load(m->file, &m->conf, err) < 0)
		log_fatal(EXIT_OPERATOR, "%s", err);
	if (action == 't')
		printf("%s: good\n", m->file);
	else if (action == 'd')
		settings_dump(&m->conf->s, m->conf->src);
	if (action != 0)
		exit(fflush(stdout) == 0 ? 0 : EXIT_TEMPORARY);
}

/* -- what must be there before the first worker -- */

static void
find_users(struct master *m)
{
	if (!m->is_root) {
		log_warn("NOT ROOT: every worker runs as this user, without "
			 "namespaces; for a developer's machine only");
		return;
	}
	for (int i = PEER_CONTROL; i < PEER_MAX; i++)
		m->slots[i].uid = place_user(m->conf->s.master.user_prefix,
		    peer_role_name(peer_role_kind((enum peer_role)i)))->pw_uid;
}

static void
prepare(struct master *m)
{
	const struct settings *s = &m->conf->s;
	char		       err[CONF_ERR_MAX], lock[300];

	m->is_root = geteuid() == 0;
	m->systemd = strcmp(s->master.start, "systemd") == 0;
	if (m->systemd && !m->is_root)
		log_fatal(EXIT_OPERATOR, "master.start: systemd needs root: "
					 "workers are known by their user");
	find_users(m);
	umask(022);
	place_make_dir("master.run-dir", s->master.run_dir, 0755, 0);
	snprintf(lock, sizeof(lock), "%s/master.lock", s->master.run_dir);
	place_lock("master.run-dir", lock, "dp-master");
	place_make_dir("store.dir", s->store.dir, 0700,
	    m->slots[PEER_STORE].uid);
	if (conf_set_open(m->conf, NULL, err) < 0)
		log_fatal(EXIT_OPERATOR, "%s", err);
	m->admin_fd = place_socket("master.run-dir", s->master.run_dir,
	    "admin.sock", SOCK_STREAM);
	if (m->systemd)
		m->register_fd = place_socket("master.run-dir",
		    s->master.run_dir, "master.sock", SOCK_SEQPACKET);
}

/* -- workers that systemd starts -- */

static void
on_register(void *ctx, int events)
{
	struct master *m = ctx;
	struct slot   *s = NULL;
	uid_t	       uid;
	pid_t	       pid;
	int	       fd, pidfd, r;

	(void)events;
	if ((fd = accept4(m->register_fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
		return;
	if (peer_process(fd, &uid, &pid, &pidfd) < 0) {
		close(fd);
		return;
	}
	for (int i = PEER_CONTROL; i < PEER_MAX; i++)
		if (m->slots[i].uid == uid && s == NULL)
			s = &m->slots[i];
	if (s == NULL || m->stopping || slot_is_alive(s)) {
		log_warn("registration of process %ld, user %ld: refused, %s",
		    (long)pid, (long)uid, s == NULL ? "no worker has this user"
			: "this worker is already here");
		close(pidfd);
		close(fd);
		return;
	}
	if (s->state != WORKER_STOPPED || s->ready_at != 0)
		s->restarts++;
	if ((r = slot_adopt(s, pid, pidfd, fd)) < 0)
		log_err_err(r, "worker %s: killed", peer_role_name(s->role));
}

/* -- reload -- */

static void
reload_end(struct master *m, const char *error)
{
	uint8_t	  buf[CONF_ERR_MAX + 8];
	struct wr w = wr_to(buf, sizeof(buf));
	uint32_t  id;

	if (error == NULL)
		log_info("configuration: reloaded");
	else
		log_err("configuration: not reloaded, the old one stays in "
			"force: %s", error);
	notify_send("READY=1");
	if (m->slots[PEER_CONTROL].hello) { /* SIGHUP asks with number 0 */
		wr_u8(&w, error == NULL);
		wr_str(&w, error == NULL ? "" : error);
		(void)ipc_send(m->slots[PEER_CONTROL].ch, MSG_RELOADED,
		    m->reload_id, buf, w.len);
	}
	id = m->reload_next_id;
	m->reload_id = m->reload_next_id = 0;
	if (m->reload_again) {
		m->reload_again = false;
		master_reload(m, id);
	}
}

/* Who failed may try again, and who is wanted no more may end. */
static void
supply_all(struct master *m)
{
	for (int i = PEER_CONTROL; i < PEER_MAX; i++) {
		struct slot *s = &m->slots[i];

		if (s->state == WORKER_FAILED || s->state == WORKER_OFF)
			slot_start(s);
		else if (!slot_is_wanted(s) && s->state != WORKER_DRAINING)
			slot_shutdown(s);
		if (s->hello)
			slot_supply(s);
		if (s->hello && s->state != WORKER_DRAINING)
			m->reload_waits |= 1U << i;
	}
}

void
master_reload(struct master *m, uint32_t id)
{
	struct conf_set *next;
	char		 err[CONF_ERR_MAX];

	if (m->stopping)
		return;
	if (m->previous != NULL) { /* control's askers are told at the end */
		m->reload_again = true;
		m->reload_next_id = id != 0 ? id : m->reload_next_id;
		return;
	}
	m->reload_id = id;
	notify_reloading();
	if (conf_set_load(m->file, &next, err) < 0 ||
	    settings_check_fixed(&m->conf->s, &next->s, next->src, err) < 0 ||
	    conf_set_open(next, m->conf, err) < 0) {
		conf_set_free(&next);
		reload_end(m, err);
		return;
	}
	m->previous = m->conf;
	m->conf = next;
	m->reload_refused[0] = '\0';
	settings_log_level(&next->s);
	supply_all(m);
	master_reload_answer(&m->slots[PEER_MASTER], true);
}

/* A worker took the new configuration, refused it, or died over it. */
void
master_reload_answer(struct slot *s, bool ok)
{
	struct master *m = s->m;

	m->reload_waits &= ~(1U << s->role);
	if (m->previous == NULL) {
		if (!ok) {
			log_err("worker %s: refuses what is in force, killed",
			    peer_role_name(s->role));
			slot_kill(s);
		}
		return;
	}
	if (!ok)
		snprintf(m->reload_refused, sizeof(m->reload_refused),
		    "worker %s refused it, see its log line",
		    peer_role_name(s->role));
	if (m->reload_waits != 0)
		return;
	if (m->reload_refused[0] == '\0') {
		conf_set_free(&m->previous);
		reload_end(m, NULL);
		return;
	}
	/* all or none: those who took it get the old one back */
	conf_set_free(&m->conf);
	m->conf = m->previous;
	m->previous = NULL;
	settings_log_level(&m->conf->s);
	supply_all(m);
	reload_end(m, m->reload_refused);
}

/* -- life and end -- */

static void
stop_next(struct master *m)
{
	for (size_t i = 0; i < COUNT(stop_order); i++) {
		bool wait = false; /* one kind after the other */

		for (int k = PEER_CONTROL; k < PEER_MAX; k++) {
			struct slot *s = &m->slots[k];

			if (peer_role_kind(s->role) != stop_order[i])
				continue;
			if (s->state != WORKER_STOPPED &&
			    s->state != WORKER_DRAINING)
				slot_shutdown(s); /* may call us again */
			wait = wait || slot_is_alive(s);
		}
		if (wait)
			return;
	}
	loop_stop(m->loop, 0);
}

void
master_state_changed(struct slot *s)
{
	struct master *m = s->m;

	if (m->stopping) {
		if (s->state == WORKER_STOPPED)
			stop_next(m);
		return;
	}
	if (s->role == PEER_CONTROL)
		m->ping_sent = m->pong_seen = 0;
	for (int i = PEER_CONTROL; i < PEER_MAX; i++)
		if (m->ready || (m->slots[i].state != WORKER_READY &&
				    m->slots[i].state != WORKER_OFF))
			return;
	m->ready = true;
	log_info("every worker is ready");
	notify_send("READY=1\nSTATUS=every worker is ready");
}

static void
on_drain_timeout(void *ctx)
{
	struct master *m = ctx;

	log_warn("what is under way took too long: killing the rest");
	m->stopping = 2;
	for (int i = PEER_CONTROL; i < PEER_MAX; i++)
		slot_kill(&m->slots[i]);
}

/* Control watches the others, this control; not while we did not run ourselves. */
static void
on_pulse(void *ctx)
{
	struct master	  *m = ctx;
	struct slot	  *s = &m->slots[PEER_CONTROL];
	struct master_conf c = m->conf->s.master;
	uint8_t		   buf[8];
	struct wr	   w = wr_to(buf, sizeof(buf));
	uint64_t	   now = loop_now_ms(m->loop);

	if (m->pulse_due != 0 && now > m->pulse_due + 250)
		m->stood_still += now - m->pulse_due;
	m->pulse_due = now + c.health_interval * 1000;
	loop_timer_set(m->pulse, c.health_interval * 1000);
	if (s->state != WORKER_READY || !s->hello || m->stopping)
		return;
	if (m->ping_sent == m->pong_seen) { /* answered, or the first */
		m->stood_still = 0;
		wr_u64(&w, m->ping_sent = now);
		(void)ipc_send(s->ch, MSG_PING, 0, buf, w.len);
	} else if (now - m->ping_sent - m->stood_still >=
	    c.health_timeout * 1000) {
		log_warn("worker control: hangs, killed");
		slot_kill(s);
	}
}

static void
on_signal(void *ctx, int signo)
{
	struct master *m = ctx;

	if (signo == SIGHUP) {
		master_reload(m, 0);
		return;
	}
	if (m->stopping) {
		on_drain_timeout(m);
		return;
	}
	log_info("ending: draining the workers");
	notify_send("STOPPING=1");
	m->stopping = 1;
	loop_timer_set(m->drain, m->conf->s.master.drain_timeout * 1000);
	stop_next(m);
}

int
main(int argc, char *argv[])
{
	static const int    signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct master	   *m = &master;
	struct loop_signal *sig;
	struct loop_io	   *reg;
	int		    r, fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		; /* 0 to 2 are taken, whoever started us */
	close(fd);
	log_init("dp-master");
	parse_args(m, argc, argv);
	settings_log_level(&m->conf->s);
	notify_init();
	prepare(m);
	signal(SIGPIPE, SIG_IGN);
	r = loop_new(&m->loop);
	for (size_t i = 0; r == 0 && i < COUNT(signals); i++)
		r = loop_signal_new(m->loop, signals[i], on_signal, m, &sig);
	if (r < 0 || (r = slots_init(m)) < 0 ||
	    (r = loop_timer_new(m->loop, on_drain_timeout, m, &m->drain)) < 0 ||
	    (r = loop_timer_new(m->loop, on_pulse, m, &m->pulse)) < 0 ||
	    (m->systemd &&
		(r = loop_io_new(m->loop, m->register_fd, LOOP_READ,
		     on_register, m, &reg)) < 0))
		log_fatal(EXIT_TEMPORARY, "start: %s", strerror(-r));
	for (int i = PEER_CONTROL; i < PEER_MAX; i++)
		slot_start(&m->slots[i]);
	on_pulse(m);
	if (m->systemd) /* which starts the workers after us */
		notify_send("READY=1\nSTATUS=waiting for the workers");
	r = loop_run(m->loop);
	log_info("ended");
	return r == 0 ? 0 : EXIT_TEMPORARY;
}
