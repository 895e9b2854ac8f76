// SPDX-License-Identifier: MIT
/** Standard input. */
import { readSync } from 'node:fs';

const PIECE = 128 << 10;

/**
 * Read by blocking: there is nothing to do before the next piece comes, and a stream costs as much as the start of a
 * program. Only a descriptor that somebody made non-blocking is left to one.
 */
export async function* standardInput(): AsyncGenerator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(PIECE);
    let length: number;
    try {
      length = readSync(0, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      yield* process.stdin;
      return;
    }
    if (length === 0) return;
    yield piece.subarray(0, length);
  }
}
