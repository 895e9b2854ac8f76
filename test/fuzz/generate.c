// SPDX-License-Identifier: GPL-2.0-only
#include "generate.h"

static u64 state = 1;

void seed_with(u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15u + 1;
}

u32 some(u32 below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (u32)((state * 0x2545f4914f6cdd1du) >> 32) % below;
}

static void noise(u8 *bytes, unsigned int len)
{
	while (len--)
		*bytes++ = some(256);
}

/* One option, mostly with its valid length. */
static unsigned int some_option(u8 *bytes, unsigned int room, u8 toa_kind)
{
	static const struct {
		u8 kind, len;
	} menu[] = { { 2, 4 }, { 2, 4 }, { 3, 3 }, { 3, 3 }, { 4, 2 }, { 4, 2 }, { 8, 10 }, { 8, 10 }, { 8, 10 },
		     { 5, 10 }, { 5, 18 }, { 5, 26 }, { 5, 34 }, { 254, 8 }, { 254, 20 }, { 253, 8 }, { 19, 18 }, { 29, 16 },
		     { 30, 12 }, { 34, 10 }, { 6, 6 }, { 255, 2 } };
	u32 pick = some(sizeof(menu) / sizeof(menu[0]) + 2);
	u8 kind, len;

	if (pick < sizeof(menu) / sizeof(menu[0])) {
		kind = menu[pick].kind;
		len = menu[pick].len;
	} else {
		kind = toa_kind;
		len = 2 + some(19);
	}
	if (some(24) == 0)
		len = some(44);
	if (len > room && some(8) != 0)
		return 0;
	noise(bytes, len < room ? len : room);
	bytes[0] = kind;
	if (room > 1)
		bytes[1] = len;
	if (len < 1)
		return 1;
	return len < room ? len : room;
}

unsigned int some_area(u8 *bytes, u8 toa_kind)
{
	unsigned int len = some(5) ? 4 * some(11) : some(41), at = 0;

	if (some(16) == 0) {
		noise(bytes, len);
		return len;
	}
	if (some(16) == 0) {
		/* The options of most segments: timestamps. */
		len = 12;
		noise(bytes, len);
		bytes[0] = bytes[1] = 1;
		bytes[2] = 8;
		bytes[3] = 10;
		return len;
	}
	while (at < len) {
		u32 what = some(10);

		if (what < 3)
			bytes[at++] = 1;
		else if (what == 3 && some(8) == 0)
			break;
		else
			at += some_option(bytes + at, len - at, toa_kind);
		if (some(12) == 0)
			break;
	}
	while (at < len)
		bytes[at++] = some(200) ? (some(3) ? 1 : 0) : some(256);
	if (len && some(10) == 0)
		bytes[some(len)] = some(256);
	return len;
}
