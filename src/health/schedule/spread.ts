// SPDX-License-Identifier: MIT
/** Where in its interval a target is probed: as good as random, and the same at every start. */

/** Text -> a number from 0 up to, not including, 1. FNV-1a with the finish of MurmurHash3, so that near ids lie far apart. */
export function fraction(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** The first of the instants offset, offset + interval, offset + 2 interval... after `now`. */
export function nextSlot(offset: number, interval: number, now: number): number {
  const slot = offset + Math.floor((now - offset) / interval + 1) * interval;
  // With large numbers the division may round up to the slot that `now` is.
  return slot > now ? slot : slot + interval;
}
