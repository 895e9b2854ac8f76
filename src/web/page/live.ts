// SPDX-License-Identifier: MIT
/** `/live`: the view of one viewer as server-sent events, each with the parts that changed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Places, writePart } from '../respond.ts';
import type { Hub } from './hub.ts';
import { keyOf, type LiveMessage, type LiveQuery, type Rows } from './messages.ts';
import { readLiveQuery } from './query.ts';

/** Viewers at a time. */
const MOST = 20;
/** Milliseconds after which a viewer gets a message without a change: it knows that the server lives. */
const HEARTBEAT = 3000;

export class LiveStreams {
  readonly #hub: Hub;
  readonly #places = new Places(MOST, { text: `${MOST} viewers look at the page already`, retryAfter: '10' });

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  serve(request: IncomingMessage, response: ServerResponse, parameters: URLSearchParams): Promise<void> {
    const read = () => readLiveQuery(parameters);
    return this.#places.serve(response, read, (query) => this.#stream(request, response, query));
  }

  async #stream(request: IncomingMessage, response: ServerResponse, query: LiveQuery): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.flushHeaders();
    const viewer = new Viewer(query);
    let changed = false;
    let wake = () => {};
    const stop = this.#hub.watch(query.open, () => {
      changed = true;
      wake();
    });
    response.on('close', () => wake());
    try {
      do {
        changed = false;
        const message = viewer.message(this.#hub, Date.now());
        if (message && !(await writePart(response, response, `data: ${JSON.stringify(message)}\n\n`))) return;
        // The server had no time for its sockets if many viewers wait.
        if (!changed && !response.destroyed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, HEARTBEAT);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
      } while (!response.destroyed);
    } finally {
      stop();
      response.end();
    }
  }
}

/** Remembers the parts that one viewer has, and makes messages of those that changed. */
export class Viewer {
  readonly #query: LiveQuery;
  /** The parts as they were sent. */
  readonly #sent = new Map<keyof LiveMessage, string>();
  /** Rows that were sent, with the number of readings then. */
  #curves = new Map<string, number>();
  #readings = -1;
  #event = 0;

  constructor(query: LiveQuery) {
    this.#query = query;
  }

  /** Undefined: the daemon has not answered yet. */
  message(hub: Pick<Hub, 'snapshot' | 'problem' | 'age' | 'history' | 'events' | 'repaired'>, now: number) {
    const { snapshot, problem, age, history } = hub;
    if (!snapshot && problem === undefined) return undefined;
    const message: LiveMessage = { now, age: Math.round(age ?? 0), ...(problem !== undefined && { problem }) };
    const events = hub.events.filter(({ number }) => number > this.#event);
    if (events.length > 0) message.events = events.map(({ event }) => event);
    this.#event = events.at(-1)?.number ?? this.#event;
    if (!snapshot) return message;
    const { history: sums, ...head } = snapshot.head(hub.repaired);
    const known = this.#readings === history.count || this.#readings === history.count - 1;
    if (this.#isNews('head', head)) message.head = known ? head : { ...head, ...(sums && { history: sums }) };
    const side = snapshot.side();
    if (this.#isNews('side', side)) message.side = side;
    const detail = snapshot.detail(this.#query);
    if (detail !== undefined && this.#isNews('open', detail)) message.open = detail;
    const rows = snapshot.rows(this.#query);
    // All counters may stand still: the curves go on.
    if (this.#isNews('rows', rows) || history.count !== this.#readings)
      message.rows = this.#withCurves(rows, hub.history);
    this.#readings = history.count;
    return message;
  }

  #isNews(part: keyof LiveMessage, value: unknown): boolean {
    const text = JSON.stringify(value);
    if (this.#sent.get(part) === text) return false;
    this.#sent.set(part, text);
    return true;
  }

  #withCurves({ rows, ...rest }: Rows, history: Hub['history']): Rows {
    const { count } = history;
    const before = this.#curves;
    this.#curves = new Map(rows.map((row) => [keyOf(row), count]));
    return {
      ...rest,
      rows: rows.map((row) => {
        const key = keyOf(row);
        const had = before.get(key);
        if (had === count) return row;
        const curve = history.of(key, 'connections');
        return had === count - 1 ? { ...row, point: curve.at(-1) ?? null } : { ...row, history: curve };
      }),
    };
  }
}
