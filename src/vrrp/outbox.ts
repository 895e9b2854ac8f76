// SPDX-License-Identifier: MIT
/**
 * Messages to the daemon. While it does not read, a bounded number of them wait; of what must not be lost, the latest of
 * each instance is kept until there is room, and the rest is dropped and counted.
 */
import type { FromVrrp } from './messages.ts';

/** Messages that may wait in the channel. */
export const MAX_WAITING = 256;

export class Outbox {
  readonly #write: (message: FromVrrp, done: () => void) => void;
  #waiting = 0;
  /** By kind and instance, oldest first. */
  readonly #kept = new Map<string, FromVrrp>();
  #dropped = 0;

  /** `write` sends a message and calls `done` when the channel has taken it. */
  constructor(write: (message: FromVrrp, done: () => void) => void) {
    this.#write = write;
  }

  send(message: FromVrrp): void {
    const key = keyOf(message);
    if (this.#waiting < MAX_WAITING && this.#kept.size === 0) this.#pass(message);
    else if (key === undefined) this.#dropped += 1;
    else {
      // Last in order: a transition comes after those that were kept before.
      this.#kept.delete(key);
      this.#kept.set(key, message);
    }
  }

  #pass(message: FromVrrp): void {
    this.#waiting += 1;
    this.#write(message, () => {
      this.#waiting -= 1;
      this.#flush();
    });
  }

  #flush(): void {
    for (const [key, message] of this.#kept) {
      if (this.#waiting >= MAX_WAITING) return;
      this.#kept.delete(key);
      this.#pass(message);
    }
    if (this.#dropped === 0 || this.#waiting >= MAX_WAITING) return;
    const text = `lvsd did not read the messages of its VRRP process: ${this.#dropped} were dropped`;
    this.#dropped = 0;
    this.#pass({ type: 'log', level: 'warn', text });
  }
}

/** Undefined: the message may be lost. */
function keyOf(message: FromVrrp): string | undefined {
  if (message.type !== 'last-messages' && message.type !== 'state') return undefined;
  return `${message.type} ${message.instance}`;
}
