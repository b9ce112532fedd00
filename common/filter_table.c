/*
 * common/filter_table.c - compiles a pcap expression into a table of C.
 *
 * Runs when dpoint is built: reads the expression from standard input, writes
 * the instructions of a classic BPF program for Ethernet. So libpcap has no
 * part in the process that attaches it.
 * SPDX-License-Identifier: ISC
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define SNAPLEN 65535 /* what an accepting filter returns */

int
main(void)
{
	struct bpf_program prog;
	char		   text[4096];
	size_t		   n = fread(text, 1, sizeof(text) - 1, stdin);
	pcap_t		  *p = pcap_open_dead(DLT_EN10MB, SNAPLEN);

	text[n] = '\0';
	if (p == NULL || n == sizeof(text) - 1 ||
	    pcap_compile(p, &prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		fprintf(stderr, "filter_table: %s\n",
		    p == NULL ? "no memory" : pcap_geterr(p));
		return EXIT_FAILURE;
	}
	puts("/* written by common/filter_table.c */");
	for (unsigned i = 0; i < prog.bf_len; i++)
		printf("{ 0x%04x, %u, %u, 0x%08x },\n", prog.bf_insns[i].code,
		    prog.bf_insns[i].jt, prog.bf_insns[i].jf,
		    prog.bf_insns[i].k);
	pcap_freecode(&prog);
	pcap_close(p);
	return EXIT_SUCCESS;
}
