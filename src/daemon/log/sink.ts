// SPDX-License-Identifier: MIT
/** Lines into a stream that may be slow, stuck or broken: what waits is bounded, what is dropped is counted. */
import type { Writable } from 'node:stream';

export interface SinkLimits {
  lines: number;
  bytes: number;
}

const LIMITS: SinkLimits = { lines: 10_000, bytes: 4 << 20 };
/** Milliseconds that the end of the program waits for a slow reader. */
const PATIENCE = 1000;

export class LineSink {
  readonly #stream: Writable;
  readonly #limits: SinkLimits;
  readonly #note: (dropped: number) => string;
  #waiting = 0;
  #dropped = 0;
  #whenEmpty: (() => void) | undefined;

  /** `note` makes the line that tells how many were dropped. */
  constructor(stream: Writable, note: (dropped: number) => string, limits = LIMITS) {
    this.#stream = stream;
    this.#note = note;
    this.#limits = limits;
    // A reader that went away must not end the daemon; every write reports for itself.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#waiting >= this.#limits.lines || this.#stream.writableLength >= this.#limits.bytes) this.drop();
    else this.#write(line, 1);
  }

  /** Counts a line that will not come. */
  drop(): void {
    this.#dropped++;
  }

  /** When everything is out, or nobody took it for a second. */
  flush(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** `lost`: how many lines are gone if this one is. */
  #write(line: string, lost: number): void {
    this.#waiting++;
    this.#stream.write(line, (error) => {
      this.#waiting--;
      if (error) this.#dropped += lost;
      else if (this.#dropped > 0 && this.#waiting <= this.#limits.lines / 2) this.#confess();
      if (this.#waiting === 0) this.#whenEmpty?.();
    });
  }

  #confess(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#write(this.#note(dropped), dropped);
  }
}
