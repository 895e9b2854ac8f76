// SPDX-License-Identifier: MIT
/** Connections that only have to come about: what ends in one turn of the event loop is heard of in one go. */
import { errnoName } from '../../base/errno.ts';
import { CONNECT_STEPS, type NativeConnector, native } from '../../base/native.ts';
import { type Endpoint, stepVerdict } from '../common/dial.ts';
import { errorVerdict } from '../common/errors.ts';
import { success, type Verdict } from '../verdict.ts';

const CONNECTED = success('connected');
/** Connections whose end is heard of by one call. */
const RESULTS = 256;

export class Connections {
  readonly #connector: NativeConnector;
  readonly #results = new Int32Array(2 * RESULTS);
  /** By number. */
  readonly #waiting: (((verdict: Verdict) => void) | undefined)[] = [];
  #count = 0;
  #scheduled = false;

  constructor() {
    this.#connector = new (native().Connector)();
    this.#connector.watch(() => this.#collect());
    this.#connector.unref();
  }

  /** Calls back once, perhaps before this returns, unless what it returns is called before. */
  begin({ address, bind, mark }: Endpoint, done: (verdict: Verdict) => void): () => void {
    const number = this.#connector.connect(address, bind?.bytes ?? null, mark | 0);
    if (number < 0) {
      const step = CONNECT_STEPS[-number >> 12] ?? 'socket';
      done(stepVerdict(step, errnoName(-number & 0xfff), mark));
      return () => {};
    }
    this.#waiting[number] = done;
    if (this.#count++ === 0) this.#connector.ref();
    // Near by, all of a batch are there when the last of them has been sent: that saves waiting to be told.
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#collect();
      });
    }
    return () => {
      if (this.#waiting[number] !== done) return;
      this.#forget(number);
      this.#connector.cancel(number);
    };
  }

  #forget(number: number): void {
    this.#waiting[number] = undefined;
    if (--this.#count === 0) this.#connector.unref();
  }

  #collect(): void {
    const results = this.#results;
    for (let count = RESULTS; count === RESULTS; ) {
      count = this.#connector.collect(results);
      for (let i = 0; i < count; i++) {
        const number = results[2 * i] as number;
        const error = results[2 * i + 1] as number;
        const done = this.#waiting[number];
        // One that was given up a moment before.
        if (!done) continue;
        this.#forget(number);
        done(error === 0 ? CONNECTED : errorVerdict(errnoName(error)));
      }
    }
  }
}
