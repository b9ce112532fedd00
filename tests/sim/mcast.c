/*
 * tests/sim/mcast.c - `make sim-mcast`: what a session with thousands of
 * receivers costs, as a table, a picture and, on the last line, JSON.
 *
 *   sim-mcast [-o FILE.svg] [RECEIVERS...]
 *
 * docs/performance.md says what the columns mean.
 * SPDX-License-Identifier: ISC
 */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES (64 << 20)
#define RATE  12500000 /* 100 Mbit/s */
#define LOSS  0.02
#define SIZES 8 /* numbers of receivers, at most */
#define SEC   1000000000.0
#define LIMIT 5.0 /* percent of the rate that feedback may have */

static const char *const kinds[SIM_LOSSES] = { "independent", "bursty",
	"correlated" };
static const char *const colours[SIM_LOSSES] = { "#1b6ca8", "#c77d1e",
	"#5f8a3a" };

struct row {
	uint32_t receivers, complete;
	double seconds, of_ideal, of_bare, wire, ideal_wire;
	double peak_reports, mean_reports; /* a second */
	double peak_share, mean_share, bytes_share; /* percent */
};

static struct row rows[SIZES][SIM_LOSSES];
static struct sim_result last[SIM_LOSSES]; /* of the most receivers */
static unsigned nsizes;

static void
die(const char *what)
{
	fprintf(stderr, "sim-mcast: %s\n", what);
	exit(1);
}

static void
measure(struct row *w, struct sim_result *r, uint32_t receivers,
    enum sim_loss kind)
{
	const struct sim_conf c = { .receivers = receivers, .kind = kind,
		.loss = LOSS, .bytes = BYTES, .rate = RATE, .seed = 1 };

	if (sim_run(&c, r) < 0)
		die("out of memory");
	*w = (struct row){
		.receivers = receivers,
		.complete = r->complete,
		.seconds = (double)r->last_ns / SEC,
		.of_ideal = (double)r->last_ns / (double)r->ideal_ns,
		.of_bare = (double)r->last_ns / (double)r->bare_ns,
		.wire = (double)r->sender.wire_bytes / BYTES,
		.ideal_wire = (double)r->ideal_bytes / BYTES,
		.peak_reports = (double)r->peak_reports,
		.mean_reports = (double)r->reports * SEC / (double)r->over_ns,
		.peak_share = (double)r->peak_bytes * 100 / RATE,
		.mean_share = (double)r->report_bytes * 100 * SEC /
		    (double)r->over_ns / RATE,
		.bytes_share = (double)r->report_bytes * 100 /
		    (double)r->sender.wire_bytes,
	};
}

/* -- the table -- */

static void
print_row(const struct row *w, enum sim_loss kind)
{
	printf("%9u %-12s %9.3f %8.3f %8.3f %8.4f %8.4f %8.0f %8.0f %8.2f "
	       "%8.2f\n",
	    w->receivers, kinds[kind], w->seconds, w->of_ideal, w->of_bare,
	    w->wire, w->ideal_wire, w->peak_reports, w->mean_reports,
	    w->peak_share, w->mean_share);
	if (w->complete < w->receivers)
		printf("%9u of these went on by unicast\n",
		    w->receivers - w->complete);
	fflush(stdout);
}

static void
print_json(void)
{
	printf("\n{\"bench\":\"sim-mcast\",\"bytes\":%d,\"rate\":%d,\"loss\":%g,"
	       "\"rows\":[",
	    BYTES, RATE, LOSS);
	for (unsigned i = 0; i < nsizes; i++)
		for (unsigned k = 0; k < SIM_LOSSES; k++) {
			const struct row *w = &rows[i][k];

			printf("%s{\"case\":\"n=%u loss=%s\",\"peer\":null,"
			       "\"complete\":%u,\"seconds\":%.3f,"
			       "\"time_of_ideal\":%.4f,\"time_of_bare\":%.4f,"
			       "\"wire_of_file\":%.4f,"
			       "\"ideal_wire_of_file\":%.4f,"
			       "\"reports_s_peak\":%.0f,\"reports_s\":%.1f,"
			       "\"feedback_percent_peak\":%.3f,"
			       "\"feedback_percent\":%.3f,"
			       "\"feedback_percent_of_bytes\":%.3f}",
			    i + k > 0 ? "," : "", w->receivers, kinds[k],
			    w->complete, w->seconds, w->of_ideal, w->of_bare,
			    w->wire, w->ideal_wire, w->peak_reports,
			    w->mean_reports, w->peak_share, w->mean_share,
			    w->bytes_share);
		}
	printf("]}\n");
}

/* -- the picture -- */

#define LEFT  64 /* of all: room for the numbers of an axis */
#define WIDE  664
#define TALL  180 /* the plot above */
#define SMALL 184 /* a bar chart below, and its height */

static void
text(FILE *f, double x, double y, const char *anchor, const char *s)
{
	fprintf(f,
	    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y,
	    anchor, s);
}

static void
line(FILE *f, double x1, double y1, double x2, double y2, const char *how)
{
	fprintf(f,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1,
	    y1, x2, y2, how);
}

/* A step of 1, 2 or 5 times a power of ten, so that few reach `most`. */
static double
step_of(double most, double few)
{
	double step = 1e-3;

	for (int i = 0; most / step > few; i++)
		step *= i % 3 == 1 ? 2.5 : 2;
	return step;
}

static void
grid(FILE *f, double x, double y, double width, double height, double from,
    double to, double step)
{
	char s[32];

	for (double v = from; v <= to + step / 100; v += step) {
		double at = y + height - (v - from) / (to - from) * height;

		line(f, x, at, x + width, at, "stroke=\"#ddd\"");
		snprintf(s, sizeof(s), "%g", v);
		text(f, x - 6, at + 4, "end", s);
	}
}

static void
plot_time(FILE *f, double x, double y)
{
	double most = 0, step, seconds = 0;
	char s[64];

	for (unsigned k = 0; k < SIM_LOSSES; k++) {
		if ((double)last[k].over_ns / SEC > seconds)
			seconds = (double)last[k].over_ns / SEC;
		for (unsigned i = 0; i < SIM_BINS; i += 10) {
			double n = 0;

			for (unsigned j = i; j < i + 10; j++)
				n += last[k].bin_reports[j];
			most = n * 10 > most ? n * 10 : most;
		}
	}
	step = step_of(most, 6);
	most = (double)(int)(most / step + 1) * step;
	snprintf(s, sizeof(s), "Reports a second at the sender, %u receivers",
	    rows[nsizes - 1][0].receivers);
	text(f, x, y - 12, "start", s);
	grid(f, x, y, WIDE, TALL, 0, most, step);
	for (double v = 0; v <= seconds; v += step_of(seconds, 12)) {
		snprintf(s, sizeof(s), "%g", v);
		text(f, x + v / seconds * WIDE, y + TALL + 18, "middle", s);
	}
	text(f, x + WIDE, y + TALL + 34, "end",
	    "seconds; a mark: the last receiver has the file");
	for (unsigned k = 0; k < SIM_LOSSES; k++) {
		fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" "
			   "stroke-width=\"1.5\" points=\"",
		    colours[k]);
		for (unsigned i = 0; i < SIM_BINS && i / 100.0 < seconds;
		     i += 10) {
			double n = 0;

			for (unsigned j = i; j < i + 10; j++)
				n += last[k].bin_reports[j] * 10;
			fprintf(f, "%.1f,%.1f ", x + i / 100.0 / seconds * WIDE,
			    y + TALL - n / most * TALL);
		}
		fprintf(f, "\"/>\n");
		snprintf(s, sizeof(s),
		    "stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"3,3\"",
		    colours[k]);
		line(f, x + (double)last[k].last_ns / SEC / seconds * WIDE, y,
		    x + (double)last[k].last_ns / SEC / seconds * WIDE,
		    y + TALL, s);
	}
}

/* Bars by number of receivers; a line at `limit`, ticks at ideal[] if any. */
static void
bars(FILE *f, double x, double y, const char *title, double from, double to,
    double step, size_t field, size_t ideal, double limit)
{
	double group = (double)SMALL / nsizes, bar = group / 4.2, v, h;
	char s[32];

	text(f, x, y - 12, "start", title);
	grid(f, x, y, SMALL, SMALL, from, to, step);
	for (unsigned i = 0; i < nsizes; i++) {
		snprintf(s, sizeof(s), "%u", rows[i][0].receivers);
		text(f, x + (i + 0.5) * group, y + SMALL + 18, "middle", s);
		for (unsigned k = 0; k < SIM_LOSSES; k++) {
			const char *w = (const char *)&rows[i][k];
			double left = x + i * group + (k + 0.6) * bar;

			memcpy(&v, w + field, sizeof(v));
			v = v > to ? to : v;
			h = (v - from) / (to - from) * SMALL;
			fprintf(f,
			    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			    "height=\"%.1f\" fill=\"%s\"/>\n",
			    left, y + SMALL - h, bar * 0.86, h, colours[k]);
			if (ideal == 0)
				continue;
			memcpy(&v, w + ideal, sizeof(v));
			h = y + SMALL - (v - from) / (to - from) * SMALL;
			line(f, left - 1, h, left + bar * 0.86 + 1, h,
			    "stroke=\"#000\" stroke-width=\"1.5\"");
		}
	}
	h = y + SMALL - (limit - from) / (to - from) * SMALL;
	if (limit > 0)
		line(f, x, h, x + SMALL, h,
		    "stroke=\"#b02a2a\" stroke-width=\"1.5\"");
}

static double
most_of(size_t field)
{
	double most = 0, v;

	for (unsigned i = 0; i < nsizes; i++)
		for (unsigned k = 0; k < SIM_LOSSES; k++) {
			memcpy(&v, (const char *)&rows[i][k] + field,
			    sizeof(v));
			most = v > most ? v : most;
		}
	return most;
}

static void
picture(const char *path)
{
	FILE *f = fopen(path, "w");
	double below = 60 + TALL + 84, time = most_of(offsetof(struct row, of_ideal));
	double wire = most_of(offsetof(struct row, wire));

	if (f == NULL)
		die(path);
	fprintf(f,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" "
	    "height=\"580\" viewBox=\"0 0 760 580\" font-family=\"sans-serif\" "
	    "font-size=\"12\">\n<rect width=\"760\" height=\"580\" "
	    "fill=\"#fff\"/>\n");
	for (unsigned k = 0; k < SIM_LOSSES; k++) {
		fprintf(f,
		    "<rect x=\"%d\" y=\"10\" width=\"12\" height=\"12\" "
		    "fill=\"%s\"/>\n",
		    LEFT + 140 * (int)k, colours[k]);
		text(f, LEFT + 18 + 140 * k, 21, "start", kinds[k]);
	}
	text(f, LEFT + WIDE, 21, "end", "64 MiB at 100 Mbit/s, 2 % loss each");
	plot_time(f, LEFT, 60);
	bars(f, LEFT, below, "Reports, peak second, % of rate", 0, 6, 1,
	    offsetof(struct row, peak_share), 0, LIMIT);
	bars(f, LEFT + 240, below, "Time to the last / ideal", 1,
	    time < 1.25 ? 1.25 : time, time < 1.25 ? 0.05 : 0.25,
	    offsetof(struct row, of_ideal), 0, 0);
	bars(f, LEFT + 480, below, "Wire / file bytes; mark: ideal", 1,
	    wire < 1.25 ? 1.25 : wire, 0.05, offsetof(struct row, wire),
	    offsetof(struct row, ideal_wire), 0);
	text(f, LEFT + WIDE, below + SMALL + 38, "end", "receivers");
	fprintf(f, "</svg>\n");
	if (fclose(f) != 0)
		die(path);
}

int
main(int argc, char *argv[])
{
	static char *usual[] = { "1000", "10000", "50000", NULL };
	const char *svg = NULL;
	char **sizes;
	int c;

	while ((c = getopt(argc, argv, "o:")) != -1)
		if (c == 'o')
			svg = optarg;
		else
			die("[-o FILE.svg] [RECEIVERS...]");
	sizes = optind < argc ? argv + optind : usual;
	printf("%9s %-12s %9s %8s %8s %8s %8s %8s %8s %8s %8s\n", "receivers",
	    "loss", "last, s", "/ideal", "/bare", "wire", "ideal", "peak r/s",
	    "mean r/s", "peak %", "mean %");
	for (; sizes[nsizes] != NULL && nsizes < SIZES; nsizes++)
		for (unsigned k = 0; k < SIM_LOSSES; k++) {
			int n = atoi(sizes[nsizes]);

			if (n < 1 || n > 1000000)
				die("RECEIVERS: 1 to 1,000,000");
			measure(&rows[nsizes][k], &last[k], (uint32_t)n,
			    (enum sim_loss)k);
			print_row(&rows[nsizes][k], (enum sim_loss)k);
		}
	if (svg != NULL)
		picture(svg);
	print_json();
	return 0;
}
