/*
 * dpctl/screen.c - see screen.h.
 *
 * Runs in dpctl. Writes escapes of its own only: text is tamed by who made it.
 * SPDX-License-Identifier: ISC
 */
#include "dpctl/screen.h"

#include "dpctl/dpctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* the other screen, no cursor, no wrapping of long lines; and back */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct {
	bool	       open, has_keys;
	struct termios before;
	sigset_t       held, mask;
	int	       signals, died_of;
} screen;

static bool
put(const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd f = { STDOUT_FILENO, POLLOUT, 0 };

			(void)poll(&f, 1, 1000);
		} else if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void
enter(void)
{
	struct termios raw = screen.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ^C stays a signal */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (screen.has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)put(ENTER, sizeof(ENTER) - 1);
}

static void
leave(void)
{
	(void)put(LEAVE, sizeof(LEAVE) - 1);
	if (screen.has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

int
screen_open(void)
{
	static const int held[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE,
		SIGTSTP, SIGWINCH };

	sigemptyset(&screen.held);
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		sigaddset(&screen.held, held[i]);
	if (sigprocmask(SIG_BLOCK, &screen.held, &screen.mask) < 0)
		return -errno;
	screen.signals = signalfd(-1, &screen.held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen.signals < 0) {
		int e = errno;

		(void)sigprocmask(SIG_SETMASK, &screen.mask, NULL);
		return -e;
	}
	screen.has_keys = isatty(STDIN_FILENO) &&
	    tcgetattr(STDIN_FILENO, &screen.before) == 0;
	screen.open = true;
	enter();
	return 0;
}

void
screen_size(int *columns, int *rows)
{
	struct winsize w = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	*columns = w.ws_col > 0 ? w.ws_col : 80;
	*rows = w.ws_row > 0 ? w.ws_row : 24;
}

bool
screen_draw(const char *text, size_t len)
{
	const char *end;

	if (!put("\033[H", 3))
		return false;
	for (; len > 0; len -= (size_t)(end - text) + 1, text = end + 1) {
		if ((end = memchr(text, '\n', len)) == NULL)
			break;
		/* no newline after the last row: it would scroll */
		if (!put(text, (size_t)(end - text)) || !put("\033[K", 3) ||
		    ((size_t)(end - text) + 1 < len && !put("\r\n", 2)))
			return false;
	}
	return put("\033[J", 3);
}

/* Stopped by the user: the terminal is the shell's until we go on. */
static void
stop(void)
{
	leave();
	(void)raise(SIGSTOP);
	enter();
}

static enum screen_event
on_signal(void)
{
	struct signalfd_siginfo s;
	enum screen_event	e = SCREEN_TIME;

	while (read(screen.signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGWINCH) {
			e = SCREEN_DRAW;
			continue;
		}
		if (s.ssi_signo == SIGTSTP) {
			stop();
			e = SCREEN_DRAW;
			continue;
		}
		screen.died_of = (int)s.ssi_signo;
		return SCREEN_QUIT;
	}
	return e;
}

enum screen_event
screen_wait(int ms)
{
	struct pollfd	  f[2] = { { screen.signals, POLLIN, 0 },
		     { screen.has_keys ? STDIN_FILENO : -1, POLLIN, 0 } };
	int64_t		  until = clock_ms() + ms, left;
	enum screen_event e;
	char		  key;

	while ((left = until - clock_ms()) > 0) {
		if (poll(f, 2, (int)left) <= 0)
			continue;
		if (f[0].revents != 0 && (e = on_signal()) != SCREEN_TIME)
			return e;
		if (f[1].revents == 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
			return SCREEN_QUIT;
	}
	return SCREEN_TIME;
}

void
screen_close(void)
{
	if (!screen.open)
		return;
	screen.open = false;
	leave();
	close(screen.signals);
	if (screen.died_of != 0) {
		(void)signal(screen.died_of, SIG_DFL);
		(void)raise(screen.died_of);
	}
	(void)sigprocmask(SIG_SETMASK, &screen.mask, NULL);
}
