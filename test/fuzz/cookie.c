// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYN cookies, the very file that goes into ip_vs.ko.
 *
 *   cookie hash                 hashes of 16 and of 24 bytes by the key and the message of SipHash's reference vectors
 *   cookie pack MSS WSCALE SACK prints the options that come back
 *   cookie trips COUNT SEED     makes COUNT cookies and checks each in its own period, those around it, for the ISNs
 *                               around its own, with another key and another offer; prints how many checks of each
 *                               kind found data, and how many found the right one
 *   cookie forged COUNT SEED    how many of COUNT random ACKs are taken for good ones, by the two ISNs that each allows
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ip_vs_cookie.h"

static u64 state;

static u64 any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL;
}

static struct ip_vs_cookie_flow any_flow(void)
{
	u64 addrs = any(), ports = any();

	return (struct ip_vs_cookie_flow){
		.saddr = addrs >> 32, .daddr = addrs, .sport = ports >> 32, .dport = ports >> 16,
		.offer = any() >> 32,
	};
}

static void hash(void)
{
	const siphash_key_t key = { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };

	printf("%016llx\n", (unsigned long long)siphash_2u64(key.key[0], key.key[1], &key));
	printf("%016llx\n",
	       (unsigned long long)siphash_3u64(key.key[0], key.key[1], 0x1716151413121110ULL, &key));
}

static void pack(char **argv)
{
	struct ip_vs_cookie_opts opts = {
		.mss = atoi(argv[0]), .wscale = atoi(argv[1]), .sack = atoi(argv[2]),
	};
	u8 data = ip_vs_cookie_pack(&opts);

	ip_vs_cookie_unpack(data, &opts);
	printf("%u %u %u\n", opts.mss, opts.wscale, opts.sack);
	if (ip_vs_cookie_pack(&opts) != data)
		exit(1);
}

struct kind {
	const char *name;
	int period; /* of the check, from that of the cookie */
	u32 isn;    /* added to the client's */
	bool key;   /* another key */
	bool offer; /* another offer */
	unsigned long found, right;
};

static struct kind kinds[] = {
	{ .name = "same" },
	{ .name = "next", .period = 1 },
	{ .name = "previous", .period = -1 },
	{ .name = "late", .period = 2 },
	{ .name = "early", .period = -2 },
	{ .name = "isn+1", .isn = 1 },
	{ .name = "isn-1", .isn = -1 },
	{ .name = "other key", .key = true },
	{ .name = "other offer", .offer = true },
};

static void trips(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct ip_vs_cookie_flow flow = any_flow();
		siphash_key_t keys[2] = { { { any(), any() } }, { { any(), any() } } };
		u32 isn = any() >> 32, period = any() >> 32, cookie;
		u8 data = any() >> 32;

		cookie = ip_vs_cookie_make(&flow, isn, data, period, &keys[0]);
		for (unsigned int k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			struct kind *kind = &kinds[k];
			struct ip_vs_cookie_flow changed = flow;
			int got;

			changed.offer += kind->offer;
			got = ip_vs_cookie_check(&changed, isn + kind->isn, cookie, period + kind->period,
						 &keys[kind->key]);
			kind->found += got >= 0;
			kind->right += got == data;
		}
	}
	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		printf("%s: %lu %lu\n", kinds[k].name, kinds[k].found, kinds[k].right);
}

static void forged(unsigned long count)
{
	siphash_key_t key = { { any(), any() } };
	u32 period = any() >> 32;
	unsigned long hits = 0;

	for (unsigned long i = 0; i < count; i++) {
		struct ip_vs_cookie_flow flow = any_flow();
		u64 numbers = any();
		u32 seq = numbers >> 32, cookie = numbers;

		hits += ip_vs_cookie_check(&flow, seq - 1, cookie, period, &key) >= 0 ||
			ip_vs_cookie_check(&flow, seq, cookie, period, &key) >= 0;
	}
	printf("%lu\n", hits);
}

int main(int argc, char **argv)
{
	if (argc == 4)
		state = strtoull(argv[3], NULL, 10) | 1;
	if (argc == 2 && !strcmp(argv[1], "hash"))
		hash();
	else if (argc == 5 && !strcmp(argv[1], "pack"))
		pack(argv + 2);
	else if (argc == 4 && !strcmp(argv[1], "trips"))
		trips(strtoul(argv[2], NULL, 10));
	else if (argc == 4 && !strcmp(argv[1], "forged"))
		forged(strtoul(argv[2], NULL, 10));
	else
		return 2;
	return 0;
}
