// SPDX-License-Identifier: MIT
/** The position of a target in its interval: pseudo-random, and the same by the clock after each start. */

/** Hashes a text to a number from 0 to below 1. FNV-1a with MurmurHash3's finalizer, so that similar ids are spread. */
export function fraction(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** The first of offset, offset + interval, offset + 2 * interval... after `now`. */
export function nextSlot(offset: number, interval: number, now: number): number {
  const slot = offset + Math.floor((now - offset) / interval + 1) * interval;
  // With large numbers the division may round to the slot at `now`.
  return slot > now ? slot : slot + interval;
}
