/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GENERATE_H
#define GENERATE_H

#include <linux/types.h>

/* A number below `below` (not 0), from the sequence of the seed. */
u32 some(u32 below);
void seed_with(u64 seed);

/* Fills an area of at most 40 bytes, valid or not, and returns its length. */
unsigned int some_area(u8 *bytes, u8 toa_kind);

#endif
