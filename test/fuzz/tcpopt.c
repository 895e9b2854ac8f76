// SPDX-License-Identifier: GPL-2.0-only
// Runs net/netfilter/ipvs/ip_vs_tcpopt.c on option areas and compares each result with the model's.
// usage: tcpopt COUNT SEED. Prints counts of the cases; exit status 1 at the first difference, with the area in hex.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "ip_vs_tcpopt.h"
#include "model.h"

static u64 number, seed;
static u8 toa_kind;
static const u8 *current;
static unsigned int current_len;

static struct {
	u64 flag[10], malformed, removed, no_room, blocks_dropped, sack_lost, translated;
} seen;

// Areas are in heap blocks of exactly their length, so that the sanitizer reports every access beyond either end.
static u8 *block[2][AREA_MAX + 1];

static void differs(const char *what)
{
	fprintf(stderr, "%s: area %llu of seed %llu, toa kind %u, %u bytes:", what, (unsigned long long)number,
		(unsigned long long)seed, toa_kind, current_len);
	for (unsigned int i = 0; i < current_len; i++)
		fprintf(stderr, " %02x", current[i]);
	fprintf(stderr, "\n");
	exit(1);
}

static void expect(bool truth, const char *what)
{
	if (!truth)
		differs(what);
}

static bool is_toa(u8 kind)
{
	return kind == toa_kind || kind == 253 || kind == 254;
}

static u16 flag_of(u8 kind)
{
	switch (kind) {
	case 2:
		return IP_VS_TCPOPT_F_MSS;
	case 3:
		return IP_VS_TCPOPT_F_WSCALE;
	case 4:
		return IP_VS_TCPOPT_F_SACKPERM;
	case 5:
		return IP_VS_TCPOPT_F_SACK;
	default:
		return IP_VS_TCPOPT_F_TS;
	}
}

static u16 expected_flags(const struct area *area)
{
	u16 flags = area->malformed ? IP_VS_TCPOPT_F_BAD : 0;

	for (unsigned int i = 0; i < area->count; i++) {
		const struct option *option = &area->options[i];

		if (model_kept(option)) {
			if (model_last_kept(area, option->kind) != option)
				flags |= IP_VS_TCPOPT_F_DUP;
			flags |= flag_of(option->kind);
		} else if (is_toa(option->kind)) {
			flags |= IP_VS_TCPOPT_F_TOA;
		} else if (option->kind == 19 || option->kind == 29) {
			flags |= IP_VS_TCPOPT_F_SIGNED;
		} else {
			flags |= IP_VS_TCPOPT_F_FOREIGN;
		}
	}
	for (unsigned int at = area->end; at < current_len; at++)
		if (current[at])
			flags |= IP_VS_TCPOPT_F_BAD;
	return flags;
}

static void check_parse(const struct area *area, struct ip_vs_tcpopt *o)
{
	const struct option *option;

	memset(o, 0xaa, sizeof(*o));
	ip_vs_tcpopt_parse(current, current_len, toa_kind, o);
	expect(o->flags == expected_flags(area), "parse: flags");
	option = model_last_kept(area, 2);
	if (option)
		expect(o->mss == model_number(current + option->at + 2, 2) && o->mss_off == option->at, "parse: MSS");
	option = model_last_kept(area, 3);
	if (option)
		expect(o->wscale == current[option->at + 2], "parse: window scale");
	option = model_last_kept(area, 8);
	if (option)
		expect(o->tsval == model_number(current + option->at + 2, 4) &&
			       o->tsecr == model_number(current + option->at + 6, 4) && o->ts_off == option->at,
		       "parse: timestamps");
	option = model_last_kept(area, 5);
	if (option)
		expect(o->sack_off == option->at && o->sack_len == option->len, "parse: SACK");
	for (int bit = 0; bit < 10; bit++)
		seen.flag[bit] += o->flags >> bit & 1;
	seen.malformed += area->malformed;
}

// Some receivers do not stop at EOL, and must not find TOA after it.
static bool careless_receiver_sees_toa(const u8 *bytes, unsigned int len)
{
	for (unsigned int at = 0; at < len;) {
		if (bytes[at] <= 1) {
			at++;
			continue;
		}
		if (is_toa(bytes[at]))
			return true;
		at += at + 1 < len && bytes[at + 1] > 1 ? bytes[at + 1] : 1;
	}
	return false;
}

static void check_scrub(const struct area *area, const struct ip_vs_tcpopt *o)
{
	u8 wanted[AREA_MAX], *bytes = block[1][current_len];
	unsigned int toa = 0;
	struct ip_vs_tcpopt again, left = *o;
	struct area after;

	if (current_len) {
		memcpy(wanted, current, current_len);
		memcpy(bytes, current, current_len);
	}
	for (unsigned int i = 0; i < area->count; i++) {
		const struct option *option = &area->options[i];
		bool forged = !model_kept(option) && is_toa(option->kind);

		toa += forged;
		if (forged || (model_kept(option) && model_last_kept(area, option->kind) != option))
			memset(wanted + option->at, 1, option->len);
	}
	if (area->end < current_len)
		memset(wanted + area->end, 0, current_len - area->end);

	expect(ip_vs_tcpopt_scrub(bytes, current_len, toa_kind) == toa, "scrub: how many");
	expect(!current_len || !memcmp(bytes, wanted, current_len), "scrub: bytes");
	expect(!careless_receiver_sees_toa(bytes, current_len), "scrub: a careless receiver sees TOA");
	model_read(bytes, current_len, &after);
	for (unsigned int i = 0; i < after.count; i++)
		expect(!is_toa(after.options[i].kind), "scrub: TOA left");
	ip_vs_tcpopt_parse(bytes, current_len, toa_kind, &again);
	left.flags &= ~(IP_VS_TCPOPT_F_TOA | IP_VS_TCPOPT_F_BAD | IP_VS_TCPOPT_F_DUP);
	expect(!memcmp(&again, &left, sizeof(left)), "scrub: the description changed");
	expect(ip_vs_tcpopt_scrub(bytes, current_len, toa_kind) == 0, "scrub: TOA removed the second time");
	expect(!current_len || !memcmp(bytes, wanted, current_len), "scrub: bytes, the second time");
	seen.removed += toa;
}

static void check_rebuild(const struct area *area, const struct ip_vs_tcpopt *o)
{
	static const u8 order[] = { 2, 4, 8, 3 };
	static const u8 lengths[] = { 0, 8, 20 };
	u8 toa[AREA_MAX], *out = block[1][AREA_MAX];
	unsigned int toa_len = some(4) ? lengths[some(3)] : 2 + some(39), need = toa_len, min_len = some(41), len, blocks, fit;
	const struct option *option, *sack = model_last_kept(area, 5);
	unsigned int at_option = 0, kept = 0;
	struct area after;
	bool dropped = some(2);

	for (unsigned int i = 2; i < toa_len; i++)
		toa[i] = some(256);
	if (toa_len) {
		toa[0] = toa_kind;
		toa[1] = toa_len;
	}
	for (unsigned int i = 0; i < sizeof(order); i++) {
		option = model_last_kept(area, order[i]);
		need += option ? option->len : 0;
	}
	blocks = sack ? (sack->len - 2) / 8 : 0;
	for (fit = blocks; fit > 0 && need + 2 + 8 * fit > AREA_MAX; fit--)
		;

	len = ip_vs_tcpopt_rebuild(out, current, o, toa, toa_len, min_len, &dropped);
	if (need > AREA_MAX) {
		expect(len == 0, "rebuild: more than 40 bytes");
		seen.no_room++;
		return;
	}
	expect(len % 4 == 0 && len <= AREA_MAX && len >= min_len, "rebuild: length");
	expect(len == 0 ? need + min_len == 0 : len >= need, "rebuild: shorter than its options");
	expect(dropped == (fit < blocks), "rebuild: dropped_sack");
	seen.blocks_dropped += fit < blocks && fit > 0;
	seen.sack_lost += blocks > 0 && fit == 0;

	model_read(out, len, &after);
	expect(!after.malformed && after.end == len, "rebuild: malformed");
	if (toa_len) {
		expect(after.count > 0 && after.options[0].at == 0 && after.options[0].len == toa_len &&
			       !memcmp(out, toa, toa_len),
		       "rebuild: TOA is not first");
		at_option = 1;
	}
	for (unsigned int i = at_option; i < after.count; i++) {
		const struct option *old = model_last_kept(area, after.options[i].kind);

		expect(old && model_kept(&after.options[i]), "rebuild: a new option");
		if (old->kind == 5) {
			expect(after.options[i].len == 2 + 8 * fit, "rebuild: number of SACK blocks");
			expect(!memcmp(out + after.options[i].at + 2, current + old->at + 2, 8 * fit), "rebuild: SACK");
		} else {
			expect(!memcmp(out + after.options[i].at, current + old->at, old->len), "rebuild: a kept option");
		}
		if (old->kind == 8 && toa_len <= 20 && !sack)
			expect(after.options[i].at % 4 == 2, "rebuild: timestamps not aligned");
		expect(!(kept & flag_of(old->kind)), "rebuild: an option twice");
		kept |= flag_of(old->kind);
	}
	for (unsigned int i = 0; i < sizeof(order); i++)
		expect(!!model_last_kept(area, order[i]) == !!(kept & flag_of(order[i])), "rebuild: an option is missing");
	expect((fit > 0) == !!(kept & IP_VS_TCPOPT_F_SACK), "rebuild: SACK is missing");
}

static u32 some_delta(void)
{
	return some(3) ? some(0xffffffff) : 0;
}

static void add(u8 *bytes, u64 delta)
{
	u64 sum = model_number(bytes, 4) + delta;

	for (int i = 3; i >= 0; i--, sum /= 256)
		bytes[i] = sum % 256;
}

static void check_xlat(const struct area *area, const struct ip_vs_tcpopt *o)
{
	u8 wanted[AREA_MAX], *bytes = block[1][current_len];
	const struct option *ts = model_last_kept(area, 8), *sack = model_last_kept(area, 5);
	u32 tsval = some_delta(), tsecr = some_delta(), edges = some_delta();

	if (!current_len)
		return;
	memcpy(bytes, current, current_len);
	memcpy(wanted, current, current_len);
	if (ts) {
		add(wanted + ts->at + 2, tsval);
		add(wanted + ts->at + 6, 0x100000000 - tsecr);
	}
	for (unsigned int at = 2; sack && at < sack->len; at += 4)
		add(wanted + sack->at + at, 0x100000000 - edges);
	ip_vs_tcpopt_xlat(bytes, o, tsval, tsecr, edges);
	expect(!memcmp(bytes, wanted, current_len), "xlat: bytes");
	ip_vs_tcpopt_xlat(bytes, o, -tsval, -tsecr, -edges);
	expect(!memcmp(bytes, current, current_len), "xlat: the inverse does not restore the area");
	seen.translated += ts || sack;
}

int main(int argc, char **argv)
{
	static const char *names[] = { "mss", "wscale", "sackperm", "ts", "sack", "signed", "toa", "foreign", "bad", "dup" };
	static const u8 kinds[] = { 254, 254, 253, 200, 28 };
	u64 count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	u8 bytes[AREA_MAX];

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	seed_with(seed);
	for (int set = 0; set < 2; set++)
		for (int len = 0; len <= AREA_MAX; len++)
			block[set][len] = malloc(len);
	for (number = 0; number < count; number++) {
		struct ip_vs_tcpopt o;
		struct area area;

		toa_kind = kinds[some(sizeof(kinds))];
		current_len = some_area(bytes, toa_kind);
		if (current_len)
			memcpy(block[0][current_len], bytes, current_len);
		current = block[0][current_len];
		model_read(current, current_len, &area);
		check_parse(&area, &o);
		check_scrub(&area, &o);
		check_rebuild(&area, &o);
		check_xlat(&area, &o);
		expect(!current_len || !memcmp(current, bytes, current_len), "the input was changed");
	}
	printf("{\"areas\":%llu", (unsigned long long)count);
	for (int bit = 0; bit < 10; bit++)
		printf(",\"%s\":%llu", names[bit], (unsigned long long)seen.flag[bit]);
	printf(",\"malformed\":%llu,\"toaRemoved\":%llu,\"noRoom\":%llu,\"blocksDropped\":%llu,\"sackLost\":%llu,\"translated\":%llu}\n",
	       (unsigned long long)seen.malformed, (unsigned long long)seen.removed, (unsigned long long)seen.no_room,
	       (unsigned long long)seen.blocks_dropped, (unsigned long long)seen.sack_lost, (unsigned long long)seen.translated);
	return 0;
}
