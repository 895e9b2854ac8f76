// SPDX-License-Identifier: MIT
// Seeded random numbers.

/** From 0 up to 1. */
export type Random = () => number;

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

/** Instants of events that come at random, `mean` milliseconds apart, up to `end`. */
export function instants(random: Random, mean: number, end: number): number[] {
  const found: number[] = [];
  const gap = (): number => mean * -Math.log(1 - random());
  for (let at = gap(); at < end; at += gap()) found.push(at);
  return found;
}
