// SPDX-License-Identifier: MIT
// Services whose real servers fail together, for measuring how soon that is noticed.
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../../src/base/clock.ts';
import type { SetupService } from './versus/setups.ts';

/** Seconds. */
const pace = { interval: 2, timeout: 1, failures: 3 };
const SERVICES = 6;
const SERVERS = 4;

/** Services at ports of `address`, with real servers at `network`.0, .1 and so on. */
export function failingServices(address: string, network: string, port: number): SetupService[] {
  return Array.from({ length: SERVICES }, (_, i) => ({
    name: `failing${i}`,
    address,
    port: 8000 + i,
    check: { type: 'tcp' },
    pace,
    servers: Array.from({ length: SERVERS }, (_, j) => ({ address: `${network}.${i * SERVERS + j}`, port, weight: 1 })),
  }));
}

/**
 * Waits for the beginning of an interval of the checks. When a target is probed in it depends on the clock alone, so that
 * failures at this instant are noticed after the same time.
 */
export async function beginningOfInterval(): Promise<void> {
  const interval = pace.interval * 1000;
  await sleep(interval - (monotonic() % interval));
}
