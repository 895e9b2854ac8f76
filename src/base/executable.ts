// SPDX-License-Identifier: MIT
import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes that are looked at, as bash(1) does to tell a text from a binary. */
const LOOKED_AT = 80;

/**
 * Whether a program is a text without an interpreter line. The kernel refuses those, and execvp(3) then runs them by
 * /bin/sh, which nobody asked for. False if the file cannot be read.
 */
export function needsShell(path: string): boolean {
  const head = Buffer.alloc(LOOKED_AT);
  let length = 0;
  try {
    const fd = openSync(path, 'r');
    try {
      length = readSync(fd, head);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
  const text = head.subarray(0, length);
  return !text.toString('latin1').startsWith('#!') && !text.includes(0);
}
