// SPDX-License-Identifier: MIT
/**
 * Opens files that the configuration or an operator names, where only a regular file makes sense. Opening a FIFO would wait
 * for a writer, and all else that the process does with it; opening a device may act on it.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';

/** Of a file that is not one: follows its name and 'which' or 'it'. */
export const NOT_REGULAR = 'is not a regular file';

/** Opens a regular file for reading; undefined: it is something else. Throws system errors. */
export function openRegular(path: string): { fd: number; stat: Stats } | undefined {
  if (!statSync(path).isFile()) return undefined;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  // The path may name another file by now.
  const stat = fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  closeSync(fd);
  return undefined;
}

/** Reads a regular file of at most `largest` bytes. `wrong`: 'is not a regular file'. Throws system errors. */
export function readRegular(path: string, largest: number): Buffer | { wrong: string } {
  const open = openRegular(path);
  if (!open) return { wrong: NOT_REGULAR };
  try {
    if (open.stat.size > largest) return { wrong: `has more than ${largest >> 20} MiB` };
    return readFileSync(open.fd);
  } finally {
    closeSync(open.fd);
  }
}
