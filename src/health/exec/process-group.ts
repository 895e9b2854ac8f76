// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

/** Clock ticks after boot at which the process started, field 22 of proc(5)'s stat; '' if there is no such process. */
export function startTime(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may contain anything; the start time is the 20th field after it.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Signals every process of the group; no effect if none is left. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // ESRCH: the group is empty.
  }
}
