// SPDX-License-Identifier: MIT
/** Standard output and error: complete, in order, and through a small buffer. */
import { writeSync } from 'node:fs';

const FLUSH_AT = 64 << 10;

export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** To be called before the process exits. */
  flush(): void;
  /** The reader of standard output has closed it. */
  readonly closed: boolean;
}

export class StandardOutput implements Output {
  #pending = '';
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  out(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= FLUSH_AT) this.flush();
  }

  err(text: string): void {
    this.flush();
    writeAll(2, Buffer.from(text));
  }

  flush(): void {
    const text = this.#pending;
    this.#pending = '';
    if (text !== '' && !writeAll(1, Buffer.from(text))) this.#closed = true;
  }
}

/**
 * Writes everything. Returns false if the reader has closed the pipe, as `head` does. The pipe may be non-blocking,
 * because another process of the pipeline shares it: on EAGAIN it waits.
 */
function writeAll(fd: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else if (code === 'EPIPE') return false;
      else throw error;
    }
  }
  return true;
}
