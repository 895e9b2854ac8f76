// SPDX-License-Identifier: MIT
/**
 * Writes lines to a stream that may be slow, stuck or broken. Buffers a limited number, and counts the lines it drops.
 */
import type { Writable } from 'node:stream';

export interface SinkLimits {
  lines: number;
  bytes: number;
}

const LIMITS: SinkLimits = { lines: 10_000, bytes: 4 << 20 };
/** Milliseconds that `flush` waits for a slow reader. */
const FLUSH_TIMEOUT = 1000;

export class LineSink {
  readonly #stream: Writable;
  readonly #limits: SinkLimits;
  readonly #note: (dropped: number) => string;
  #waiting = 0;
  /** Not reported yet. */
  #dropped = 0;
  /** Lines that were dropped since the start. */
  lost = 0;
  #whenEmpty: (() => void) | undefined;

  /** `note` creates the line that reports the number of dropped lines. */
  constructor(stream: Writable, note: (dropped: number) => string, limits = LIMITS) {
    this.#stream = stream;
    this.#note = note;
    this.#limits = limits;
    // Without a listener, an error would end the daemon. Each write reports its own errors.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#waiting >= this.#limits.lines || this.#stream.writableLength >= this.#limits.bytes) this.drop();
    else this.#write(line, 1);
  }

  /** Counts a line as dropped. */
  drop(): void {
    this.#dropped++;
    this.lost++;
  }

  /** Resolves when everything is written, or after a second. */
  flush(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FLUSH_TIMEOUT);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** `lost`: number of lines to count as dropped if this write fails. */
  #write(line: string, lost: number): void {
    this.#waiting++;
    this.#stream.write(line, (error) => {
      this.#waiting--;
      if (error) {
        this.#dropped += lost;
        this.lost++;
      } else if (this.#dropped > 0 && this.#waiting <= this.#limits.lines / 2) this.#reportDropped();
      if (this.#waiting === 0) this.#whenEmpty?.();
    });
  }

  #reportDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#write(this.#note(dropped), dropped);
  }
}
