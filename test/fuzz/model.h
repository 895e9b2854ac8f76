/* SPDX-License-Identifier: GPL-2.0-only */
/* A slow model of TCP option areas: a list of options instead of offsets and flags. */
#ifndef MODEL_H
#define MODEL_H

#include <linux/types.h>

enum { AREA_MAX = 40 };

struct option {
	u8 kind;
	unsigned int at, len; /* offset of its kind byte; length with kind and length bytes */
};

struct area {
	struct option options[AREA_MAX]; /* in order, without NOPs and EOLs */
	unsigned int count;
	unsigned int end; /* offset where a receiver stops reading */
	bool malformed;	  /* it stopped because of an invalid length */
};

/* Reads an area as a receiver does. */
void model_read(const u8 *bytes, unsigned int len, struct area *area);

/* Whether FULLNAT forwards the option, by a list of (kind, length). */
bool model_kept(const struct option *option);

/* The last option of a kind that is kept, or NULL. */
const struct option *model_last_kept(const struct area *area, u8 kind);

/* Big-endian number of n bytes. */
u64 model_number(const u8 *bytes, unsigned int n);

#endif
