// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests toa_option.h in user space: known lists with known results, then random
 * lists in buffers of exactly their size, so that a sanitizer reports every
 * overrun. A client that is found must be in the list.
 *
 *   option-fuzz ROUNDS SEED
 */
#include <stdio.h>
#include <stdlib.h>

#include "../toa_option.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct toa_form forms[] = {
	{ .kind = 254, .len = 8, .addrlen = 4 },
	{ .kind = 253, .len = 20, .addrlen = 16 },
};

static const struct {
	const char *name;
	enum toa_verdict verdict;
	unsigned int len;
	__u8 opt[40];
} known[] = {
	{ "nothing", TOA_NONE, 0, { 0 } },
	{ "timestamps", TOA_NONE, 12, { 1, 1, 8, 10 } },
	{ "TOA", TOA_FOUND, 8, { 254, 8, 1, 2, 10, 0, 0, 1 } },
	{ "TOA at an odd place", TOA_FOUND, 9,
	  { 1, 254, 8, 1, 2, 10, 0, 0, 1 } },
	{ "TOA behind the end", TOA_NONE, 9, { 0, 254, 8, 1, 2, 10, 0, 0, 1 } },
	{ "TOA behind an experiment", TOA_FOUND, 12,
	  { 254, 4, 9, 9, 254, 8, 1, 2, 10, 0, 0, 1 } },
	{ "experiment alone", TOA_MALFORMED, 4, { 254, 4, 9, 9 } },
	{ "cut short", TOA_MALFORMED, 7, { 254, 8, 1, 2, 10, 0, 0 } },
	{ "kind alone", TOA_MALFORMED, 1, { 254 } },
	{ "length 0", TOA_MALFORMED, 4, { 8, 0, 1, 1 } },
	{ "length 1", TOA_MALFORMED, 4, { 8, 1, 1, 1 } },
	{ "port 0", TOA_MALFORMED, 8, { 254, 8, 0, 0, 10, 0, 0, 1 } },
	{ "address 0", TOA_MALFORMED, 8, { 254, 8, 1, 2, 0, 0, 0, 0 } },
	{ "IPv6", TOA_FOUND, 20, { 253, 20, 1, 2, 0x20, 1, 0xd, 0xb8, 1 } },
	{ "broken behind TOA", TOA_FOUND, 12,
	  { 254, 8, 1, 2, 10, 0, 0, 1, 8, 99, 0, 0 } },
};

static enum toa_verdict scan(const __u8 *opt, unsigned int len,
			     struct toa_end *client)
{
	/* malloc(0) may be NULL; one spare byte would hide an overrun */
	__u8 *copy = malloc(len ? len : 1);
	enum toa_verdict verdict;

	if (!copy)
		abort();
	memcpy(copy, opt, len);
	verdict = toa_scan(copy, len, forms, ARRAY_SIZE(forms), client);
	free(copy);
	return verdict;
}

/* Whether a TOA option with port and address of @client is in the list. */
static int is_in(const __u8 *opt, unsigned int len,
		     const struct toa_end *client)
{
	unsigned int i, f;

	for (f = 0; f < ARRAY_SIZE(forms); f++) {
		unsigned int n = forms[f].addrlen;

		for (i = 0; i + forms[f].len <= len; i++) {
			if (opt[i] == forms[f].kind &&
			    opt[i + 1] == forms[f].len &&
			    !memcmp(opt + i + 2, &client->port, 2) &&
			    !memcmp(opt + i + 4,
				    client->addr.s6_addr + 16 - n, n))
				return 1;
		}
	}
	return 0;
}

static unsigned int state;

static unsigned int next(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Mostly small kinds, ours, and valid lengths: random bytes rarely are. */
static unsigned int make(__u8 *opt)
{
	static const __u8 usual[] = { 0, 1, 2, 3, 4, 5, 8, 10, 20, 253, 254 };
	unsigned int len = next() % 41, i;

	for (i = 0; i < len; i++)
		opt[i] = next() % 4 ? usual[next() % sizeof(usual)] : next();
	if (len >= 8 && next() % 2) {
		i = next() % (len - 7);
		opt[i] = 254;
		opt[i + 1] = 8;
	}
	return len;
}

int main(int argc, char **argv)
{
	unsigned long rounds, found = 0, broken = 0, i;
	struct toa_end client;
	__u8 opt[40];

	if (argc != 3)
		return 2;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (scan(known[i].opt, known[i].len, &client) !=
		    known[i].verdict) {
			fprintf(stderr, "wrong: %s\n", known[i].name);
			return 1;
		}
	}
	rounds = strtoul(argv[1], NULL, 10);
	state = strtoul(argv[2], NULL, 10) | 1;
	for (i = 0; i < rounds; i++) {
		unsigned int len = make(opt);

		switch (scan(opt, len, &client)) {
		case TOA_FOUND:
			found++;
			if (!client.port || !is_in(opt, len, &client)) {
				fprintf(stderr, "not in the list: round %lu\n", i);
				return 1;
			}
			break;
		case TOA_MALFORMED:
			broken++;
			break;
		case TOA_NONE:
			break;
		}
	}
	printf("%lu lists: %lu with TOA, %lu malformed\n", rounds, found,
	       broken);
	return 0;
}
