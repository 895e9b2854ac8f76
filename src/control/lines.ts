// SPDX-License-Identifier: MIT
/** Splits a stream of bytes into lines of limited length. */
import { MalformedError } from '../base/errors.ts';

const LINE_FEED = 10;

export class LineReader {
  readonly #longest: number;
  /** Parts of the current line, joined at its end so that long lines are copied once. */
  #parts: Buffer[] = [];
  #length = 0;

  /** `longest` in bytes, without the line feed. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Returns the lines that `chunk` completes. Throws MalformedError if one is too long or not UTF-8. */
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

  /** Returns what follows the last line feed, if anything does, at the end of the stream. */
  end(): string[] {
    return this.#length > 0 ? [this.#take()] : [];
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#longest) throw new MalformedError(`line longer than ${this.#longest} bytes`);
    this.#parts.push(part);
  }

  #take(): string {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new MalformedError('line is not valid UTF-8');
    }
  }
}
