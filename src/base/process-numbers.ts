// SPDX-License-Identifier: MIT
/** Memory, CPU time and descriptors of processes, for metrics. */
import { readdirSync, readFileSync } from 'node:fs';
import { steady, wallTime } from './clock.ts';

export interface ProcessNumbers {
  /** Bytes. */
  residentMemory: number;
  /** Seconds, of user and system. */
  cpu: number;
  /** Undefined: not readable, as of a process with other rights. */
  openFiles: number | undefined;
  maxFiles: number | undefined;
  /** Seconds since the epoch. */
  startedAt: number;
}

/** Linux reports times in hundredths of a second (sysconf(_SC_CLK_TCK)), and memory in pages. */
const TICKS = 100;
const PAGE = 4096;

/** Computed once: it identifies the process, and a change of the clock does not change it. */
const STARTED_AT = wallTime(steady() - process.uptime() * 1000) / 1000;

export function ownNumbers(): ProcessNumbers {
  const { user, system } = process.cpuUsage();
  return {
    residentMemory: process.memoryUsage.rss(),
    cpu: (user + system) / 1e6,
    ...files('self'),
    startedAt: STARTED_AT,
  };
}

/** Of another process; undefined: it has ended. */
export function numbersOf(pid: number): ProcessNumbers | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may contain anything. Fields are counted from 1 in proc(5); the first one here is the third.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (number: number) => Number(fields[number - 3]);
    const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
    return {
      residentMemory: field(24) * PAGE,
      cpu: (field(14) + field(15)) / TICKS,
      ...files(String(pid)),
      startedAt: Date.now() / 1000 - (uptime - field(22) / TICKS),
    };
  } catch {
    return undefined;
  }
}

function files(of: string): Pick<ProcessNumbers, 'openFiles' | 'maxFiles'> {
  try {
    const limits = readFileSync(`/proc/${of}/limits`, 'latin1');
    const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
    return { openFiles: readdirSync(`/proc/${of}/fd`).length, maxFiles: soft === undefined ? undefined : Number(soft) };
  } catch {
    return { openFiles: undefined, maxFiles: undefined };
  }
}
