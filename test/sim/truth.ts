// SPDX-License-Identifier: MIT
// The true state of one real server over a year, and the result of a probe at a given time.
import { instants, pick, type Random } from './random.ts';

export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;

export interface Span {
  from: number;
  to: number;
}

export interface Truth {
  /** Times without any answer, in order, without overlaps. */
  outages: readonly Span[];
  /** Times in which a third of the probes are lost, in order, without overlaps. */
  storms: readonly Span[];
  /** The first probe after each of these is lost. */
  losses: readonly number[];
}

function spans(random: Random, mean: number, end: number, length: () => number): Span[] {
  const found: Span[] = [];
  for (const from of instants(random, mean, end)) {
    const last = found.at(-1);
    if (!last || from > last.to) found.push({ from, to: from + length() });
  }
  return found;
}

/** `often`: number of events, relative to a normal year. */
export function makeTruth(random: Random, end: number, often = 1): Truth {
  // From a second, like a restart, to days, like a broken disk on a weekend.
  const length = (): number =>
    pick(random, [SECOND, 5 * SECOND, 20 * SECOND, 60 * SECOND, HOUR, 8 * HOUR, 2 * DAY]) * (0.5 + random());
  return {
    outages: spans(random, (12 * DAY) / often, end, length),
    storms: spans(random, (30 * DAY) / often, end, () => 300 * SECOND * random()),
    losses: instants(random, (3 * DAY) / often, end),
  };
}

/** Answers of a real server over time. */
export class Walk {
  readonly #truth: Truth;
  readonly #random: Random;
  #outage = 0;
  #storm = 0;
  #loss = 0;
  #lost = false;

  constructor(truth: Truth, random: Random) {
    this.#truth = truth;
    this.#random = random;
  }

  /** Whether a probe at this instant is answered; instants must increase. */
  probe(at: number): boolean {
    const { outages, storms, losses } = this.#truth;
    while ((outages[this.#outage]?.to ?? Infinity) <= at) this.#outage++;
    while ((storms[this.#storm]?.to ?? Infinity) <= at) this.#storm++;
    let lost = false;
    while ((losses[this.#loss] ?? Infinity) <= at) {
      this.#loss++;
      lost = true;
    }
    if ((storms[this.#storm]?.from ?? Infinity) <= at) lost ||= this.#random() < 1 / 3;
    this.#lost = lost;
    return !lost && (outages[this.#outage]?.from ?? Infinity) > at;
  }

  /** Until when all probes have the same result as the last one, at `at`. */
  calmUntil(at: number): number {
    const { outages, storms, losses } = this.#truth;
    const edge = (span: Span | undefined): number => (!span ? Infinity : span.from > at ? span.from : span.to);
    // After a lost probe, and in a storm, the next result may differ.
    if (this.#lost || (storms[this.#storm]?.from ?? Infinity) <= at) return at;
    return Math.min(edge(outages[this.#outage]), edge(storms[this.#storm]), losses[this.#loss] ?? Infinity);
  }
}
