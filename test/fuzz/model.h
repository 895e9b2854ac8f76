/* SPDX-License-Identifier: GPL-2.0-only */
/* A slow second opinion on TCP option areas: a list of options instead of offsets and flags. */
#ifndef MODEL_H
#define MODEL_H

#include <linux/types.h>

enum { AREA_MAX = 40 };

struct option {
	u8 kind;
	unsigned int at, len; /* where its kind byte is, and how long it is with kind and length bytes */
};

struct area {
	struct option options[AREA_MAX]; /* in order, without NOPs and EOLs */
	unsigned int count;
	unsigned int end; /* where a receiver stops reading */
	bool malformed;	  /* it stopped because of a length that cannot be right */
};

/* Reads what a receiver reads. */
void model_read(const u8 *bytes, unsigned int len, struct area *area);

/* Whether the option is one that may pass FULLNAT; the rule is written as a list of (kind, length). */
bool model_kept(const struct option *option);

/* The last option of a kind that is kept, or NULL. */
const struct option *model_last_kept(const struct area *area, u8 kind);

/* Big-endian number of n bytes. */
u64 model_number(const u8 *bytes, unsigned int n);

#endif
