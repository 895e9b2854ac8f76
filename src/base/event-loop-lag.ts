// SPDX-License-Identifier: MIT
/** How late timers of this process run, over fixed windows: those who ask must not shorten each other's. */
import { type EventLoopUtilization, type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** Milliseconds. */
const RESOLUTION = 20;
const WINDOW = 60_000;

export interface EventLoopNumbers {
  /** Seconds. */
  p50: number;
  p99: number;
  max: number;
  /** Part of the time in which it did not wait. */
  utilization: number;
}

export class EventLoopLag {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  readonly #timer: NodeJS.Timeout;
  #begin: EventLoopUtilization = performance.eventLoopUtilization();
  /** Of the last whole window. */
  #last: EventLoopNumbers | undefined;

  constructor() {
    this.#delay.enable();
    this.#timer = setInterval(() => {
      this.#last = this.#read();
      this.#begin = performance.eventLoopUtilization();
      this.#delay.reset();
    }, WINDOW).unref();
  }

  /** Of the last whole window; in the first one, of the time so far. */
  get numbers(): EventLoopNumbers {
    return this.#last ?? this.#read();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  #read(): EventLoopNumbers {
    // Nanoseconds between two runs of a timer; an empty histogram has no percentiles.
    const late = (nanoseconds: number) =>
      this.#delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - RESOLUTION / 1000);
    const { utilization } = performance.eventLoopUtilization(this.#begin);
    return {
      p50: late(this.#delay.percentile(50)),
      p99: late(this.#delay.percentile(99)),
      max: late(this.#delay.max),
      utilization,
    };
  }
}
