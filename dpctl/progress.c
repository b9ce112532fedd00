/*
 * dpctl/progress.c - one line that moves: how far, how fast, how long still.
 *
 * Runs in dpctl. Draws ten times a second at most, on a terminal only, and
 * wipes its line when it is done, so that logs and pipes never see it.
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "dpctl/dpctl.h"

enum { DRAW_MS = 100, BAR_MAX = 40 };

int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
terminal_width(void)
{
	struct winsize w = { 0 };

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ?
	    w.ws_col : 80;
}

void
progress_text(const struct progress *p, int64_t elapsed_ms, int width, char *out,
    size_t size)
{
	double	rate = elapsed_ms > 0 ? (double)p->done * 1000 / (double)elapsed_ms : 0;
	double	part = p->total > 0 ? (double)p->done / (double)p->total : 0;
	int64_t left = rate > 0 ? (int64_t)((double)(p->total - p->done) / rate + 0.5) : -1;
	char	rates[SIZE_TEXT], tail[64], eta[24] = "--:--", bar[BAR_MAX + 1];
	int	room, cells;

	if (part > 1)
		part = 1;
	if (left >= 0 && left < 360000)
		snprintf(eta, sizeof(eta), left < 3600 ? "%02d:%02d" : "%d:%02d:%02d",
		    (int)(left < 3600 ? left / 60 : left / 3600),
		    (int)(left < 3600 ? left % 60 : left / 60 % 60), (int)(left % 60));
	if (p->bytes)
		snprintf(tail, sizeof(tail), "%3.0f %% %10s/s %s left", part * 100,
		    size_text(rate, rates), eta);
	else
		snprintf(tail, sizeof(tail), "%3.0f %% %8.0f/s %s left", part * 100,
		    rate, eta);
	room = width - (int)strlen(tail) - 24;
	cells = room < 0 ? 0 : room > BAR_MAX ? BAR_MAX : room;
	for (int i = 0; i < cells; i++)
		bar[i] = i < (int)(part * cells) ? '#' : '.';
	bar[cells] = '\0';
	snprintf(out, size, "%-20.20s %s %s", p->what, bar, tail);
}

void
progress_begin(struct progress *p, const char *what, int64_t total, bool bytes)
{
	*p = (struct progress){ .what = what, .total = total, .bytes = bytes,
		.began_ms = clock_ms() };
	p->shown = total > 0 && isatty(STDERR_FILENO);
	p->drawn_ms = p->began_ms;
}

void
progress_at(struct progress *p, int64_t done)
{
	int64_t now;
	char	line[256];

	p->done = done;
	if (!p->shown || (now = clock_ms()) - p->drawn_ms < DRAW_MS)
		return;
	p->drawn_ms = now;
	progress_text(p, now - p->began_ms, terminal_width(), line, sizeof(line));
	tame(line);
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
}

void
progress_end(struct progress *p)
{
	if (p->shown && p->drawn_ms != p->began_ms)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
