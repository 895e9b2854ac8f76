// SPDX-License-Identifier: MIT
/**
 * Makes the VRRP process run when its timers are due, whatever else the machine does: SCHED_RR for all of its threads,
 * else the highest nice value. Threads that wait for one another (garbage collection) need the same priority.
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { isSystemError, native } from '../base/native.ts';

const SCHED_RR = 2;
/** Of 1 to 99: above every normal process, below what the kernel needs itself. */
const PRIORITY = 10;
const HIGHEST_NICE = -20;
const RLIMIT_RTTIME = 15;
/** Microseconds of CPU time without a system call that blocks: an endless loop ends by SIGXCPU. */
const LONGEST_RUN = 1_000_000;

export type Scheduling = 'SCHED_RR' | 'nice -20' | 'normal';

/** Raises the priority of every thread that there is now; call it again when there may be more. */
export function raisePriority(): Scheduling {
  try {
    native().setResourceLimit(RLIMIT_RTTIME, LONGEST_RUN, LONGEST_RUN);
    for (const thread of readdirSync('/proc/self/task')) setThread(Number(thread));
    return 'SCHED_RR';
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  try {
    setPriority(HIGHEST_NICE);
    return 'nice -20';
  } catch {
    return 'normal';
  }
}

function setThread(thread: number): void {
  try {
    native().setScheduler(thread, SCHED_RR, PRIORITY);
  } catch (error) {
    // The thread has ended meanwhile.
    if (!isSystemError(error) || error.code !== 'ESRCH') throw error;
  }
}
