// SPDX-License-Identifier: MIT
/** Rates of the last readings of many services, in one array each. Pure. */
import type { Rates } from '../../control/lvsctl/top/rates.ts';
import type { Point } from './messages.ts';

/** Readings kept: with one every 5 s, those of 10 minutes. */
export const READINGS = 120;
const SERIES = 3;

export class History {
  /** Instants of the readings, oldest first. */
  #at: number[] = [];
  /** Index of the next reading in each ring. */
  #next = 0;
  /** Number of readings ever added: of one that a viewer has, later ones are news. */
  #count = 0;
  #rings = new Map<string, Float32Array>();

  get count(): number {
    return this.#count;
  }

  get at(): readonly number[] {
    return this.#at;
  }

  /** Adds a reading. Services that it lacks are forgotten. */
  add(at: number, rates: Iterable<{ key: string } & Rates>): void {
    const rings = new Map<string, Float32Array>();
    for (const { key, connections, inBytes, outBytes } of rates) {
      const ring = this.#rings.get(key) ?? new Float32Array(SERIES * READINGS).fill(Number.NaN);
      ring.set([connections, inBytes, outBytes], this.#next * SERIES);
      rings.set(key, ring);
    }
    this.#rings = rings;
    this.#at = [...this.#at, at].slice(-READINGS);
    this.#next = (this.#next + 1) % READINGS;
    this.#count++;
  }

  /** The rates of a service, oldest first, as many as `at` has. */
  of(key: string, rate: keyof Rates): Point[] {
    const ring = this.#rings.get(key);
    const offset = { connections: 0, inBytes: 1, outBytes: 2 }[rate];
    const { length } = this.#at;
    return Array.from({ length }, (_, i) => {
      const index = (this.#next - length + i + READINGS) % READINGS;
      return point(ring?.[index * SERIES + offset] ?? Number.NaN);
    });
  }
}

/** Three digits are enough for a curve; JSON has no NaN. */
export const point = (value: number): Point => (Number.isNaN(value) ? null : Number(value.toPrecision(3)));
