// SPDX-License-Identifier: MIT
/** Reads the output of a program and keeps its last line. */
import type { Readable } from 'node:stream';
import { quotable, shortened } from '../../base/printable.ts';

/** Bytes kept, and the maximum output of a program in bytes. */
const KEPT = 1024;
const MOST = 1 << 20;
/** Characters of the line that are used in a reason. */
const LINE = 200;

export class Output {
  #tail = Buffer.alloc(0);
  #length = 0;

  /** Calls back if the output exceeds the maximum. */
  constructor(stream: Readable | null, tooMuch: () => void) {
    stream?.on('data', (piece: Buffer) => {
      this.#length += piece.length;
      if (this.#length > MOST) {
        stream.destroy();
        tooMuch();
      }
      this.#tail = Buffer.from(Buffer.concat([this.#tail, piece]).subarray(-KEPT));
    });
    // A broken pipe is treated as the end of output.
    stream?.on('error', () => {});
  }

  /** The last non-blank line; '' if there is none. */
  get lastLine(): string {
    const lines = this.#tail.toString('utf8').split(/[\r\n]+/);
    const line = lines.findLast((text) => text.trim() !== '') ?? '';
    return quotable(shortened(line.trim(), LINE));
  }
}
