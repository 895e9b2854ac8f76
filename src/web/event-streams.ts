// SPDX-License-Identifier: MIT
/**
 * `/events`: events as a stream of server-sent events (html.spec.whatwg.org, section 9.2). The id of each is its cursor, so
 * that a browser that connects again goes on after the last one it got.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LvsdError, UsageError } from '../base/errors.ts';
import { ControlClient } from '../control/client.ts';
import { type EventsParams, readQuery } from '../control/events/query.ts';
import { type EventItem, isGap } from '../control/events/types.ts';
import { allowParameters, Places, respond, single, writePart } from './respond.ts';

/** Streams at a time: fewer than clients of the read-only socket. */
const MOST = 20;
/** Milliseconds between two comments, which keep the connection open in between. */
const HEARTBEAT = 15_000;
/** Stored events that come first, without a cursor. */
const FIRST = 100;
const MOST_FIRST = 10_000;
/** Numbers in which these are looked for: a filter must not read the whole store each time. */
const WITHIN = 20_000;
const PARAMETERS = ['after', 'service', 'server', 'kinds', 'limit'];

export class EventStreams {
  readonly #socket: string;
  readonly #places = new Places(MOST, { text: `${MOST} clients follow events already`, retryAfter: '60' });

  constructor(socket: string) {
    this.#socket = socket;
  }

  serve(request: IncomingMessage, response: ServerResponse, parameters: URLSearchParams): Promise<void> {
    const read = () => paramsOf(parameters, request.headers['last-event-id']);
    return this.#places.serve(response, read, (params) => this.#stream(request, response, params));
  }

  async #stream(request: IncomingMessage, response: ServerResponse, params: EventsParams): Promise<void> {
    let client: ControlClient;
    try {
      client = await ControlClient.open(this.#socket);
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      respond(response, 503, `${error.message}\n`, { 'Retry-After': '5' });
      return;
    }
    // 'close' may have been emitted while the socket was opened.
    if (response.destroyed) {
      client.close();
      return;
    }
    response.on('close', () => client.close());
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.flushHeaders();
    const heartbeat = setInterval(() => {
      // Not even the last comment was read.
      if (response.writableLength > 0) response.destroy();
      else response.write(': \n\n');
    }, HEARTBEAT);
    try {
      for await (const item of client.events(params))
        if (!(await writePart(response, response, eventText(item)))) break;
    } catch (error) {
      // The daemon has ended, or the client has gone. A browser connects again.
      if (!(error instanceof LvsdError)) throw error;
    } finally {
      clearInterval(heartbeat);
      client.close();
      response.end();
    }
  }
}

/** JSON has no line feed, which would end the field. */
export function eventText(item: EventItem): string {
  if (isGap(item)) return `event: gap\ndata: ${JSON.stringify(item.gap)}\n\n`;
  return `id: ${item.epoch}:${item.sequence}\ndata: ${JSON.stringify(item)}\n\n`;
}

/** Throws UsageError. `last`: of a client that connects again. */
function paramsOf(parameters: URLSearchParams, last: string | string[] | undefined): EventsParams {
  allowParameters(parameters, PARAMETERS);
  const given = Object.fromEntries(
    ['service', 'server', 'kinds'].flatMap((name) => {
      const value = single(parameters, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const after = typeof last === 'string' && last !== '' ? last : single(parameters, 'after');
  const limit = single(parameters, 'limit') ?? (after === undefined ? `${FIRST}` : undefined);
  if (limit !== undefined && !(/^\d{1,5}$/.test(limit) && Number(limit) <= MOST_FIRST))
    throw new UsageError(`limit takes a number up to ${MOST_FIRST}, not ${limit}`);
  const params: EventsParams = {
    ...given,
    follow: true,
    ...(after === undefined ? { within: WITHIN } : { after }),
    ...(limit !== undefined && { limit: Number(limit) }),
  };
  readQuery(params);
  return params;
}
