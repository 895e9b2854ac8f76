/* SPDX-License-Identifier: GPL-2.0-only */
/* SipHash-2-4 of two and three words, as in the kernel. */
#ifndef SHIM_SIPHASH_H
#define SHIM_SIPHASH_H

#include <linux/types.h>

typedef struct {
	u64 key[2];
} siphash_key_t;

static inline u64 siphash_rotate(u64 value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void siphash_round(u64 v[4])
{
	v[0] += v[1];
	v[1] = siphash_rotate(v[1], 13) ^ v[0];
	v[0] = siphash_rotate(v[0], 32);
	v[2] += v[3];
	v[3] = siphash_rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = siphash_rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = siphash_rotate(v[1], 17) ^ v[2];
	v[2] = siphash_rotate(v[2], 32);
}

static inline void siphash_word(u64 v[4], u64 word)
{
	v[3] ^= word;
	siphash_round(v);
	siphash_round(v);
	v[0] ^= word;
}

static inline u64 siphash_words(const u64 *words, unsigned int count, const siphash_key_t *key)
{
	u64 v[4] = {
		key->key[0] ^ 0x736f6d6570736575ULL,
		key->key[1] ^ 0x646f72616e646f6dULL,
		key->key[0] ^ 0x6c7967656e657261ULL,
		key->key[1] ^ 0x7465646279746573ULL,
	};

	for (unsigned int i = 0; i < count; i++)
		siphash_word(v, words[i]);
	siphash_word(v, (u64)(count * 8) << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline u64 siphash_2u64(u64 first, u64 second, const siphash_key_t *key)
{
	const u64 words[] = { first, second };

	return siphash_words(words, 2, key);
}

static inline u64 siphash_3u64(u64 first, u64 second, u64 third, const siphash_key_t *key)
{
	const u64 words[] = { first, second, third };

	return siphash_words(words, 3, key);
}

#endif
