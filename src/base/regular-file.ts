// SPDX-License-Identifier: MIT
/**
 * Opens files that the configuration or an operator names, where only a regular file makes sense. Opening a FIFO would wait
 * for a writer, and all else that the process does with it; opening a device may act on it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';

/** Of a file that is not one: follows its name and 'which' or 'it'. */
export const NOT_REGULAR = 'is not a regular file';

/** Bytes that are read at a time. */
const PART = 1 << 16;

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

/**
 * Reads a descriptor to its end; undefined: that is after more than `largest` bytes. The size of a file says less: it may
 * grow, and those of /proc have none. Throws system errors.
 */
export function readBounded(fd: number, largest: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let left = largest; ; ) {
    const part = Buffer.alloc(Math.min(left + 1, PART));
    const count = readSync(fd, part, 0, part.length, null);
    if (count === 0) return Buffer.concat(parts);
    left -= count;
    if (left < 0) return undefined;
    parts.push(part.subarray(0, count));
  }
}

/** Reads a regular file of at most `largest` bytes. `wrong`: 'is not a regular file'. Throws system errors. */
export function readRegular(path: string, largest: number): Buffer | { wrong: string } {
  const open = openRegular(path);
  if (!open) return { wrong: NOT_REGULAR };
  try {
    return readBounded(open.fd, largest) ?? { wrong: `has more than ${largest >> 20} MiB` };
  } finally {
    closeSync(open.fd);
  }
}
