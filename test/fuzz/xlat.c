// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state table and the window tracking of translations: the files of ip_vs.ko.
 *
 *   xlat table         prints each step as "STATE EVENT NEXT ACTION"
 *   xlat script        reads steps from standard input, prints a line for each:
 *                        syn|synack SEQ ACK WINDOW SCALE LENGTH
 *                        c|s FLAGS SEQ ACK WINDOW LENGTH    checks a segment, and notes it if it is plausible
 *                        reset
 *   xlat blind COUNT SEED WINDOW   prints how many of COUNT random segments of each kind are plausible on an open
 *                        connection
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ip_vs_tcpwin.h"
#include "ip_vs_xlat_state.h"

static const char *const states[] = { "NONE", "SYN",	   "SYN_PROP", "SYNACK", "SYNACK_PROP",
				      "OPEN", "OPEN_PROP", "CLOSING",  "LOST" };
static const char *const events[] = { "SYN",	 "RESYN",    "REPROP", "ANSWER", "ACCEPT",
				      "STRANGE", "PROGRESS", "OVER",   "TAKEN" };
static const char *const actions[] = { "MOVE", "PASS", "START", "PROPOSE", "COMMIT", "STALE", "DROP" };

static void table(void)
{
	for (int s = 0; s < IP_VS_XLAT_STATES; s++)
		for (int e = 0; e < IP_VS_XLAT_EVENTS; e++)
			printf("%s %s %s %s\n", states[s], events[e], states[ip_vs_xlat_steps[s][e].next],
			       actions[ip_vs_xlat_steps[s][e].action]);
}

static u8 parse_flags(const char *text)
{
	u8 flags = 0;

	for (; *text; text++)
		flags |= *text == 'F' ? IP_VS_TCPSEG_FIN :
			 *text == 'R' ? IP_VS_TCPSEG_RST :
			 *text == 'A' ? IP_VS_TCPSEG_ACK :
					0;
	return flags;
}

static void script(void)
{
	struct ip_vs_tcpwin w = {};
	char line[200];

	while (fgets(line, sizeof(line), stdin)) {
		char what[16], flags[16];
		unsigned long seq, ack, window, length;
		int scale;

		if (sscanf(line, "%15s %lu %lu %lu %d %lu", what, &seq, &ack, &window, &scale, &length) == 6 &&
		    !strncmp(what, "syn", 3)) {
			const struct ip_vs_tcpseg seg = {
				.seq = seq, .end = seq + 1 + length, .ack = ack, .window = window,
			};

			if (!strcmp(what, "syn"))
				ip_vs_tcpwin_syn(&w, &seg, scale);
			else
				ip_vs_tcpwin_synack(&w, &seg, scale);
			printf("ok\n");
		} else if (sscanf(line, "%15s %15s %lu %lu %lu %lu", what, flags, &seq, &ack, &window, &length) == 6) {
			const struct ip_vs_tcpseg seg = {
				.seq = seq, .end = seq + length + !!strchr(flags, 'F'), .ack = ack, .window = window,
				.flags = parse_flags(flags),
			};
			int dir = *what == 's';
			bool good = ip_vs_tcpwin_check(&w, dir, &seg);

			if (good && !(seg.flags & IP_VS_TCPSEG_RST))
				ip_vs_tcpwin_note(&w, dir, &seg);
			printf("%s\n", good ? "good" : "bad");
		} else {
			printf("? %s", line);
		}
	}
}

static u64 state;

static u32 any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static void blind(unsigned long count, u32 window)
{
	static const struct {
		const char *name;
		u8 flags;
		u32 length;
	} kinds[] = {
		{ "rst", IP_VS_TCPSEG_RST, 0 },
		{ "fin", IP_VS_TCPSEG_FIN | IP_VS_TCPSEG_ACK, 1 },
		{ "data", IP_VS_TCPSEG_ACK, 100 },
	};

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		unsigned long hits = 0;

		for (unsigned long i = 0; i < count; i++) {
			const struct ip_vs_tcpwin_end end = { .flags = IP_VS_TCPWIN_SEEN, .win = window };
			struct ip_vs_tcpwin w = { .from = { end, end } };
			struct ip_vs_tcpseg seg = { .flags = kinds[k].flags };

			for (int d = 0; d < 2; d++) {
				w.from[d].end = any();
				w.from[!d].acked = w.from[d].end;
				w.from[d].edge = w.from[d].end + window;
			}
			seg.seq = any();
			seg.end = seg.seq + kinds[k].length;
			seg.ack = any();
			hits += ip_vs_tcpwin_check(&w, any() & 1, &seg);
		}
		printf("%s %lu\n", kinds[k].name, hits);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "table"))
		table();
	else if (argc == 2 && !strcmp(argv[1], "script"))
		script();
	else if (argc == 5 && !strcmp(argv[1], "blind")) {
		state = strtoull(argv[3], NULL, 10) | 1;
		blind(strtoul(argv[2], NULL, 10), strtoul(argv[4], NULL, 10));
	} else
		return 2;
	return 0;
}
