// SPDX-License-Identifier: MIT
import { closeSync, readSync } from 'node:fs';
import { openRegular } from './regular-file.ts';

/** Bytes that are examined, as many as bash(1) does to distinguish a text from a binary. */
const EXAMINED = 80;

/**
 * Whether a program is a text without an interpreter line. The kernel refuses those with ENOEXEC, and execvp(3) then
 * runs them by /bin/sh. False if it is not a file that can be read.
 */
export function needsShell(path: string): boolean {
  const head = Buffer.alloc(EXAMINED);
  let length = 0;
  try {
    const open = openRegular(path);
    if (!open) return false;
    try {
      length = readSync(open.fd, head);
    } finally {
      closeSync(open.fd);
    }
  } catch {
    return false;
  }
  const text = head.subarray(0, length);
  return !text.toString('latin1').startsWith('#!') && !text.includes(0);
}
