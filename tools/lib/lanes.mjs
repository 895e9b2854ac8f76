// SPDX-License-Identifier: MIT
// Runs jobs that each need a VM, one or two at a time.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * @typedef {{ env: Record<string, string>, prefix: string }} Lane what a job gets: environment for its child, and the
 *   prefix of each line that it prints
 */

/** Memory for one more VM: 2 GB of its own and what QEMU and the page cache need beside it. */
const VM_KILOBYTES = 3 << 20;

/**
 * Returns how many VMs to run at a time: LVSD_TEST_VMS, else two where there are two processors and memory for both. A
 * caller that named a queue of its own (LVSD_LAB_LOCK) gets one.
 */
export function vmsAtOnce() {
  const asked = Number(process.env.LVSD_TEST_VMS);
  if (asked === 1 || asked === 2) return asked;
  if (process.env.LVSD_LAB_LOCK || availableParallelism() < 2) return 1;
  const available = /^MemAvailable: +(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(available ?? 0) > 2 * VM_KILOBYTES ? 2 : 1;
}

/**
 * Runs all jobs, the first ones first, and returns their results in the order of the jobs. Lane 2 takes the second
 * place of the lab's queue (lab/lock.ts), so other users of the lab still get their turn.
 * @template T
 * @param {((lane: Lane) => Promise<T>)[]} jobs
 * @param {Record<string, string>} env
 * @returns {Promise<T[]>}
 */
export async function inLanes(jobs, env) {
  const lanes = Math.min(vmsAtOnce(), jobs.length);
  /** @type {T[]} */
  const results = new Array(jobs.length);
  const waiting = jobs.map((job, at) => ({ job, at }));
  const drive = async (/** @type {Lane} */ lane) => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results[next.at] = await next.job(lane);
    }
  };
  await Promise.all(
    Array.from({ length: lanes }, (_, at) => {
      const place = at === 0 ? '' : String(at + 1);
      return drive({ env: { ...env, LVSD_LAB_PLACE: place }, prefix: lanes > 1 ? `${at + 1}| ` : '' });
    }),
  );
  return results;
}
