// SPDX-License-Identifier: MIT
/** The limit of sockets of the process. */
import { readFileSync } from 'node:fs';

/** Descriptors reserved for channels, pipes of programs and connections that wait for the peer to close. */
const OTHERS = 128;

/** Maximum of simultaneous probes by the limit of open files (proc(5), limits), less an eighth. */
export function socketLimit(): number {
  const text = readFileSync('/proc/self/limits', 'latin1');
  const files = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.max(1, Math.floor((files * 7) / 8) - OTHERS);
}
