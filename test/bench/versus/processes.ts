// SPDX-License-Identifier: MIT
// CPU time and memory of a program and its descendants, from /proc.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A file below /proc; undefined once the process is gone. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The process and its descendants. */
export function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // "PID (NAME) STATE PARENT ...", where a name may have any character.
    const parent = Number(
      read(`/proc/${name}/stat`)
        ?.replace(/^.*\) \S /s, '')
        .split(' ')[0],
    );
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (let i = 0; i < found.length; i += 1) found.push(...(children.get(found[i] ?? 0) ?? []));
  return found;
}

/**
 * Seconds on a CPU so far, in all threads of these processes: nanoseconds of the scheduler or, in a kernel that does not
 * tell them (User-mode Linux), ticks of 10 ms.
 */
export function cpuSeconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    if (read(`/proc/${pid}/schedstat`) === undefined) nanoseconds += 1e7 * ticks(pid);
    else for (const thread of threads(pid)) nanoseconds += Number(read(`${thread}/schedstat`)?.split(' ')[0] ?? 0);
  }
  return nanoseconds / 1e9;
}

/** User and system time of a process. */
function ticks(pid: number): number {
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  } catch {
    return [];
  }
}

/** Megabytes, proportional set size: what several share is divided among them. */
export function pssMegabytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids)
    kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')?.[1] ?? 0);
  return kilobytes / 1024;
}

/** Resolves once the program has been idle for two seconds, at the latest after `patience` ms. */
export async function settled(pid: number, patience = 180_000): Promise<void> {
  const end = performance.now() + patience;
  let quiet = 0;
  let before = cpuSeconds(family(pid));
  while (quiet < 4 && performance.now() < end) {
    await sleep(500);
    const now = cpuSeconds(family(pid));
    quiet = now - before < 0.05 ? quiet + 1 : 0;
    before = now;
  }
}
