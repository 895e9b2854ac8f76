// SPDX-License-Identifier: MIT
/** Bytes of a stream, cut into lines of bounded length. */
import { MalformedError } from '../base/errors.ts';

const LINE_FEED = 10;

export class LineReader {
  readonly #longest: number;
  /** The line under way; joined once its end is there, so that a long one costs no copying. */
  #parts: Buffer[] = [];
  #length = 0;

  /** `longest` in bytes, without the line feed. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** The lines that `chunk` completes. Throws `MalformedError` for one that is too long or no UTF-8. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#longest) throw new MalformedError(`a line of more than ${this.#longest} bytes`);
    this.#parts.push(part);
  }

  #take(): string {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new MalformedError('a line that is no UTF-8');
    }
  }
}
