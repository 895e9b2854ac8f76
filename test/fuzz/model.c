// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

void model_read(const u8 *bytes, unsigned int len, struct area *area)
{
	unsigned int at = 0;

	area->count = 0;
	area->malformed = false;
	for (; at < len && bytes[at] != 0;) {
		struct option option = { .kind = bytes[at], .at = at, .len = 1 };

		if (option.kind != 1) {
			option.len = at + 1 < len ? bytes[at + 1] : 0;
			if (option.len < 2 || at + option.len > len) {
				area->malformed = true;
				break;
			}
			area->options[area->count++] = option;
		}
		at += option.len;
	}
	area->end = at;
}

bool model_kept(const struct option *option)
{
	static const u8 kept[][2] = { { 2, 4 }, { 3, 3 }, { 4, 2 }, { 8, 10 }, { 5, 10 }, { 5, 18 }, { 5, 26 }, { 5, 34 } };

	for (unsigned int i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (option->kind == kept[i][0] && option->len == kept[i][1])
			return true;
	return false;
}

const struct option *model_last_kept(const struct area *area, u8 kind)
{
	const struct option *last = NULL;

	for (unsigned int i = 0; i < area->count; i++)
		if (area->options[i].kind == kind && model_kept(&area->options[i]))
			last = &area->options[i];
	return last;
}

u64 model_number(const u8 *bytes, unsigned int n)
{
	u64 number = 0;

	while (n--)
		number = number * 256 + *bytes++;
	return number;
}
