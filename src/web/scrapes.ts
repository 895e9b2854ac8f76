// SPDX-License-Identifier: MIT
/** `/metrics`: asks the daemon for its numbers and writes them as text for Prometheus. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import { monotonic } from '../base/clock.ts';
import { EventLoopLag } from '../base/event-loop-lag.ts';
import { ownNumbers } from '../base/process-numbers.ts';
import { ControlClient } from '../control/client.ts';
import { readMetricsOptions } from '../control/lvsctl/metrics-options.ts';
import type { Stats } from '../control/metrics/stats.ts';
import { DOWN_TEXT, metricsText, scrapeText } from '../control/metrics/text.ts';
import { problemLine } from './problems.ts';
import { acceptsGzip, allowParameters, Places, single, writePart } from './respond.ts';

/** Scrapes at a time. */
const MOST = 4;
/** Milliseconds. */
const LONGEST = 30_000;
const PARAMETERS = ['collect[]', 'detail', 'max_series'];

export class Scrapes {
  readonly #socket: string;
  readonly #lag = new EventLoopLag();
  readonly #onProblem: (problem: string | undefined) => void;
  readonly #places = new Places(MOST, { text: `${MOST} scrapes are running already`, retryAfter: '5' });

  /** `onProblem`: why the daemon does not answer; undefined: it does. */
  constructor(socket: string, onProblem: (problem: string | undefined) => void) {
    this.#socket = socket;
    this.#onProblem = onProblem;
  }

  close(): void {
    this.#lag.close();
  }

  serve(request: IncomingMessage, response: ServerResponse, parameters: URLSearchParams): Promise<void> {
    return this.#places.serve(
      response,
      () => optionsOf(parameters),
      async (options) => {
        const timer = setTimeout(() => response.destroy(), LONGEST);
        try {
          await this.#write(request, response, options);
        } finally {
          clearTimeout(timer);
        }
      },
    );
  }

  async #write(
    request: IncomingMessage,
    response: ServerResponse,
    options: ReturnType<typeof readMetricsOptions>,
  ): Promise<void> {
    const start = monotonic();
    const parts = await this.#parts(options, response);
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    const zip = acceptsGzip(request);
    if (zip) response.setHeader('Content-Encoding', 'gzip');
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const out = zip ? createGzip({ level: constants.Z_BEST_SPEED }) : response;
    if (out !== response) out.pipe(response);
    for (const part of parts) {
      if (!(await writePart(out, response, part))) break;
      await turn();
    }
    out.end(scrapeText((monotonic() - start) / 1000));
  }

  /** The text in parts; that of a daemon that is down if it does not answer, or as nobody expects. */
  async #parts(options: ReturnType<typeof readMetricsOptions>, response: ServerResponse): Promise<Iterable<string>> {
    try {
      const stats = await this.#stats(options.detail, response);
      if (!stats) return [];
      stats.summary.processes.push({ name: 'web', loop: this.#lag.numbers, ...ownNumbers() });
      const parts = metricsText(stats, options);
      // All series are counted before the first part: a number that is missing is an error here.
      const { value: first } = parts.next();
      this.#onProblem(undefined);
      return chain(first ?? '', parts);
    } catch (error) {
      // A scraper that has gone says nothing of the daemon.
      if (!response.destroyed) this.#onProblem(problemLine(error));
      return [DOWN_TEXT];
    }
  }

  /** Undefined: the scraper has gone. */
  async #stats(detail: string | undefined, response: ServerResponse): Promise<Stats | undefined> {
    let client: ControlClient | undefined;
    const close = () => client?.close();
    try {
      client = await ControlClient.open(this.#socket);
      if (response.destroyed) return undefined;
      response.once('close', close);
      return await client.stats(detail === undefined ? {} : { detail });
    } finally {
      response.removeListener('close', close);
      client?.close();
    }
  }
}

function* chain(first: string, rest: Iterable<string>): Generator<string> {
  yield first;
  yield* rest;
}

/** Throws UsageError. */
function optionsOf(parameters: URLSearchParams): ReturnType<typeof readMetricsOptions> {
  allowParameters(parameters, PARAMETERS);
  const collect = parameters.getAll('collect[]');
  return readMetricsOptions(
    {
      detail: single(parameters, 'detail'),
      collect: collect.length > 0 ? collect : undefined,
      'max-series': single(parameters, 'max_series'),
    },
    { detail: 'detail', collect: 'collect[]', maxSeries: 'max_series' },
  );
}
