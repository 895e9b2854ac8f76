// SPDX-License-Identifier: MIT
/** Standard output and error, written whole and in order, from a buffer that stays small. */
import { writeSync } from 'node:fs';

const FLUSH_AT = 64 << 10;

export interface Output {
  /** Text, or the bytes of it, which are the caller's again afterwards. */
  out(text: string | Uint8Array): void;
  err(text: string): void;
  /** To be called before the process ends. */
  flush(): void;
  /** Nobody reads standard output any more. */
  readonly gone: boolean;
}

export class StandardOutput implements Output {
  #pending = '';
  #gone = false;

  get gone(): boolean {
    return this.#gone;
  }

  out(text: string | Uint8Array): void {
    if (typeof text === 'string') {
      this.#pending += text;
      if (this.#pending.length >= FLUSH_AT) this.flush();
      return;
    }
    this.flush();
    if (!writeAll(1, text)) this.#gone = true;
  }

  err(text: string): void {
    this.flush();
    writeAll(2, Buffer.from(text));
  }

  flush(): void {
    const text = this.#pending;
    this.#pending = '';
    if (text !== '' && !writeAll(1, Buffer.from(text))) this.#gone = true;
  }
}

/** A pipe may be non-blocking, because a neighbour in the pipeline made it so: EAGAIN means wait. False: nobody reads. */
function writeAll(fd: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      // The reader has gone, as under `| head`: nothing is left to do.
      else if (code === 'EPIPE') return false;
      else throw error;
    }
  }
  return true;
}
