// SPDX-License-Identifier: MIT
/** Standard input, and whole files. */
import { readSync } from 'node:fs';

const CHUNK = 128 << 10;

/** Reads a descriptor to its end. Undefined if it has more than `most` bytes. Throws system errors. */
export function readWhole(fd: number, most: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, most + 1));
    const count = readSync(fd, chunk);
    if (count === 0) return Buffer.concat(chunks);
    length += count;
    if (length > most) return undefined;
    chunks.push(chunk.subarray(0, count));
  }
}

/**
 * Reads with blocking calls, because the program has nothing else to do, and creating a stream takes as long as starting
 * the program. A non-blocking descriptor is read through a stream.
 */
export async function* standardInput(): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(CHUNK);
    let length: number;
    try {
      length = readSync(0, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      yield* process.stdin;
      return;
    }
    if (length === 0) return;
    yield chunk.subarray(0, length);
  }
}
