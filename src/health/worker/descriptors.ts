// SPDX-License-Identifier: MIT
/** How many sockets the process may have. */
import { readFileSync } from 'node:fs';

/** Descriptors for everything but probes: channels, programs' pipes, connections that wait for the peer's end. */
const OTHERS = 128;

/** Probes at once that the process has descriptors for: its limit of open files (proc(5), limits), less an eighth. */
export function socketLimit(): number {
  const text = readFileSync('/proc/self/limits', 'latin1');
  const files = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.max(1, Math.floor((files * 7) / 8) - OTHERS);
}
