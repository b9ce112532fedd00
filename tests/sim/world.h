/*
 * tests/sim/world.h - one multicast session in virtual time: dp-mcast's sender
 * and thousands of dp-agent's receivers, the real state machines of both, over
 * a network that is nothing but a delay and losses.
 *
 * Shape:   sim_run() is a function of its configuration alone: the same numbers
 *          come out each time. Receivers keep nothing (receiver_conf.write is
 *          NULL); packets of data have a number and no bytes.
 * Units:   bytes on the wire are whole Ethernet frames without preamble and
 *          checksum, sealed, as the sender's pace counts them; loss is 0..1.
 * Errors:  0 or -ENOMEM.
 * SPDX-License-Identifier: ISC
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "dp-mcast/sender.h"

enum sim_loss {
	SIM_INDEPENDENT, /* each packet for each receiver */
	SIM_BURSTY,	 /* Gilbert-Elliott: ten in a row, on the average */
	SIM_CORRELATED,	 /* a quarter at the root, half on 64 shared links */
	SIM_LOSSES,
};

struct sim_conf {
	uint32_t receivers;
	enum sim_loss kind;
	double loss; /* of the packets of each receiver, and of its reports */
	uint64_t bytes; /* of the file */
	uint64_t rate;	/* bytes a second on the wire */
	uint64_t seed;
};

#define SIM_BIN	 UINT64_C(10000000) /* ns */
#define SIM_BINS 12000		    /* two minutes */

struct sim_result {
	uint64_t last_ns;  /* until the last receiver had the file */
	/* The same for a sender that knows of each block beforehand how many
	 * symbols the worst receiver will need, and sends these and no more;
	 * and for a network without loss. */
	uint64_t ideal_ns, bare_ns;
	uint64_t over_ns; /* until the last report */
	uint64_t ideal_bytes; /* what that sender sends */
	uint64_t reports, report_bytes; /* that came to the sender's port */
	struct sender_stats sender;
	uint32_t complete, left; /* receivers */
	/* Of the second with the most bytes of reports. */
	uint64_t peak_reports, peak_bytes;
	/* Of each bin. */
	uint32_t bin_reports[SIM_BINS], bin_bytes[SIM_BINS],
	    bin_complete[SIM_BINS];
};

int sim_run(const struct sim_conf *conf, struct sim_result *out);

#endif
