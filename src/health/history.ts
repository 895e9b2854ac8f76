// SPDX-License-Identifier: MIT
/**
 * History of a target's checks, in bounded memory: a target that never fails costs one object with two numbers. Pure.
 */
import type { FailureCode } from '../base/failure-codes.ts';
import type { Result } from './machine.ts';

/** Results kept as one bit each. */
const RECENT = 30;
/** Failures kept with time and reason. */
const FAILURES = 10;
/** Reasons that are counted separately; failures for further ones are counted together. */
const REASONS = 8;
/** Longest reason, in characters. */
const LONGEST_REASON = 200;

export interface Failure {
  /** Milliseconds since the epoch. */
  at: number;
  reason: string;
  code?: FailureCode | undefined;
  /** Milliseconds. */
  latency: number;
}

/** As data, for the control socket. */
export interface CheckHistory {
  /** The last results, oldest first: '+' for a success, '-' for a failure. */
  recent: string;
  /** The last failures, oldest first. */
  failures: Failure[];
  /** Failures by reason, most frequent first; the reason '' stands for all others. */
  reasons: { reason: string; count: number }[];
}

export const EMPTY_HISTORY: CheckHistory = { recent: '', failures: [], reasons: [] };

export class History {
  /** The last results; the lowest bit is the newest, 1 a success. */
  #bits = 0;
  #count = 0;
  #failures: Failure[] | undefined;
  #reasons: Map<string, number> | undefined;

  add({ at, ok, reason, code, latency }: Result): void {
    this.#bits = ((this.#bits << 1) | (ok ? 1 : 0)) & (2 ** RECENT - 1);
    if (this.#count < RECENT) this.#count++;
    if (ok) return;
    const short = reason.slice(0, LONGEST_REASON);
    this.#failures ??= [];
    if (this.#failures.length >= FAILURES) this.#failures.shift();
    this.#failures.push({ at, reason: short, code, latency });
    this.#reasons ??= new Map();
    const counted = this.#reasons.has(short) || this.#reasons.size < REASONS ? short : '';
    this.#reasons.set(counted, (this.#reasons.get(counted) ?? 0) + 1);
  }

  data(): CheckHistory {
    const bits = this.#bits
      .toString(2)
      .padStart(RECENT, '0')
      .slice(RECENT - this.#count);
    const reasons = [...(this.#reasons ?? [])].map(([reason, count]) => ({ reason, count }));
    return {
      recent: bits.replaceAll('1', '+').replaceAll('0', '-'),
      failures: [...(this.#failures ?? [])],
      reasons: reasons.sort((a, b) => b.count - a.count),
    };
  }
}
