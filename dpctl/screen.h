/*
 * dpctl/screen.h - a terminal that is drawn upon, and given back as it was.
 *
 * Shape:   one screen a process, on standard output; keys come from standard
 *          input where that is a terminal. Between screen_open() and
 *          screen_close() the signals that end or stop the program are held back
 *          and told by screen_wait(), so that no way out leaves the terminal
 *          changed; only SIGKILL does.
 * SPDX-License-Identifier: ISC
 */
#ifndef DPCTL_SCREEN_H
#define DPCTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum screen_event {
	SCREEN_TIME, /* nothing in so long */
	SCREEN_DRAW, /* another size, or back from a stop */
	SCREEN_QUIT, /* q, or no terminal any more */
};

int  screen_open(void); /* 0, or a negative errno */
void screen_size(int *columns, int *rows);
/* text, as it is: lines ended by "\n". False: it cannot be written. */
bool screen_draw(const char *text, size_t len);
enum screen_event screen_wait(int ms);
/* Gives the terminal back; dies of the signal that asked for it, if one did. */
void screen_close(void);

#endif
