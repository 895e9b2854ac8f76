// SPDX-License-Identifier: MIT
/** Standard input. */
import { readSync } from 'node:fs';

const CHUNK = 128 << 10;

/**
 * Reads with blocking calls: there is nothing else to do meanwhile, and to create a stream takes as long as to start the
 * program. A non-blocking descriptor is read through a stream.
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
