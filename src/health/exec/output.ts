// SPDX-License-Identifier: MIT
/** What a program writes, of which the last line is wanted and the rest only read away. */
import type { Readable } from 'node:stream';
import { printable, shortened } from '../../base/printable.ts';

/** Bytes that are kept, and bytes after which a program has written too much. */
const KEPT = 1024;
const MOST = 1 << 20;
/** Characters of the line that goes into a reason. */
const LINE = 200;

export class Output {
  #tail = Buffer.alloc(0);
  #length = 0;

  /** Calls back when that is too much. */
  constructor(stream: Readable | null, tooMuch: () => void) {
    stream?.on('data', (piece: Buffer) => {
      this.#length += piece.length;
      if (this.#length > MOST) {
        stream.destroy();
        tooMuch();
      }
      this.#tail = Buffer.from(Buffer.concat([this.#tail, piece]).subarray(-KEPT));
    });
    // A pipe that breaks has nothing more to say.
    stream?.on('error', () => {});
  }

  /** The last line that is not blank; '' when there is none. */
  get lastLine(): string {
    const lines = this.#tail.toString('utf8').split(/[\r\n]+/);
    const line = lines.findLast((text) => text.trim() !== '') ?? '';
    return printable(shortened(line.trim(), LINE));
  }
}
