// SPDX-License-Identifier: MIT
/** Memory, CPU time and descriptors of this process, for metrics. */
import { readdirSync } from 'node:fs';
import { steady, wallTime } from './clock.ts';

export interface ProcessNumbers {
  /** Bytes. */
  residentMemory: number;
  /** Seconds, of user and system. */
  cpu: number;
  openFiles: number;
  /** Seconds since the epoch. */
  startedAt: number;
}

export function ownNumbers(): ProcessNumbers {
  const { user, system } = process.cpuUsage();
  return {
    residentMemory: process.memoryUsage.rss(),
    cpu: (user + system) / 1e6,
    openFiles: readdirSync('/proc/self/fd').length,
    startedAt: wallTime(steady() - process.uptime() * 1000) / 1000,
  };
}
