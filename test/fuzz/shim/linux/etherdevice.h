/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel header that includes the unaligned helpers on every version. */
#ifndef SHIM_ETHERDEVICE_H
#define SHIM_ETHERDEVICE_H

#include <linux/types.h>

static inline u16 get_unaligned_be16(const void *from)
{
	const u8 *p = from;

	return p[0] << 8 | p[1];
}

static inline u32 get_unaligned_be32(const void *from)
{
	const u8 *p = from;

	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline void put_unaligned_be32(u32 value, void *to)
{
	u8 *p = to;

	p[0] = value >> 24;
	p[1] = value >> 16;
	p[2] = value >> 8;
	p[3] = value;
}

#endif
