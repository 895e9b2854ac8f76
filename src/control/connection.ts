// SPDX-License-Identifier: MIT
/** One client of the control socket: its requests one after the other, its events as they come, memory bounded. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { LvsdError, MalformedError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { PeerCredentials } from '../base/native.ts';
import { shortened } from '../base/printable.ts';
import type { EventLog } from './event-log.ts';
import { failureLine, INTERNAL_ERROR, notificationLine, type RpcError, readRequest, resultLine } from './json-rpc.ts';
import { LineReader } from './lines.ts';
import {
  type DaemonEvent,
  INVALID_PARAMS,
  INVALID_REQUEST,
  LONGEST_REQUEST,
  LVSD_ERROR,
  METHOD_NOT_FOUND,
  type Method,
  type Methods,
} from './messages.ts';
import { CHANGING, isMethod, METHODS, readParameters } from './parameters.ts';

/** What the daemon does for each method; `events` is the server's own. A thrown `LvsdError` goes to the client. */
export type Handlers = {
  readonly [M in Exclude<Method, 'events'>]: (
    params: Methods[M]['params'],
    peer: PeerCredentials,
  ) => Methods[M]['result'] | Promise<Methods[M]['result']>;
};

export interface ConnectionContext {
  readonly handlers: Handlers;
  readonly events: EventLog;
  readonly log: Log;
  /** Milliseconds that a client may leave an answer unread. */
  readonly patience: number;
}

/** Bytes of events that a client may leave unread. */
const UNREAD_EVENTS = 1 << 20;

/** 'uid 0, pid 4711' */
export const peerText = ({ uid, pid }: PeerCredentials) => `uid ${uid}, pid ${pid}`;

export class Connection {
  readonly #socket: Socket;
  readonly #peer: PeerCredentials;
  readonly #context: ConnectionContext;
  readonly #reader = new LineReader(LONGEST_REQUEST);
  #lines: string[] = [];
  #busy = false;
  #ended = false;
  #unsubscribe: (() => void) | undefined;

  constructor(socket: Socket, peer: PeerCredentials, context: ConnectionContext, onClose: () => void) {
    this.#socket = socket;
    this.#peer = peer;
    this.#context = context;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => {
      this.#ended = true;
      if (!this.#busy) socket.end();
    });
    // A client that went away; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#unsubscribe?.();
      onClose();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    try {
      this.#lines.push(...this.#reader.push(chunk));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      // Where the next line starts is unknown from here on.
      this.#socket.pause();
      this.#fail(null, { code: INVALID_REQUEST, message: error.message });
      this.#socket.end();
      this.#socket.setTimeout(this.#context.patience, () => this.#socket.destroy());
      return;
    }
    if (!this.#busy && this.#lines.length > 0) void this.#work();
  }

  /** Answers what has come; reads no more before it has. */
  async #work(): Promise<void> {
    this.#busy = true;
    this.#socket.pause();
    for (let line = this.#lines.shift(); line !== undefined && !this.#socket.destroyed; line = this.#lines.shift()) {
      await this.#answer(line);
      await this.#drained();
    }
    this.#busy = false;
    if (this.#ended) this.#socket.end();
    else if (!this.#socket.destroyed) this.#socket.resume();
  }

  async #answer(line: string): Promise<void> {
    const request = readRequest(line);
    if ('error' in request) {
      this.#socket.write(failureLine(request));
      return;
    }
    const { id, method } = request;
    const fail = (error: RpcError) => {
      if (id !== undefined) this.#fail(id, error);
    };
    if (!isMethod(method)) {
      const message = `no method ${JSON.stringify(shortened(method, 40))}; there are ${METHODS.join(', ')}`;
      fail({ code: METHOD_NOT_FOUND, message });
      return;
    }
    const params = readParameters(method, request.params);
    if ('wrong' in params) {
      fail({ code: INVALID_PARAMS, message: params.wrong });
      return;
    }
    try {
      const { result, after } = await this.#call(method, params);
      if (id !== undefined) this.#socket.write(resultLine(id, result));
      after?.();
    } catch (error) {
      fail(this.#rpcError(method, error));
    }
  }

  /** `after` runs once the answer is on its way. */
  async #call(method: Method, params: Methods[Method]['params']): Promise<{ result: unknown; after?: () => void }> {
    const { handlers, events, log } = this.#context;
    if (method === 'events') {
      const { after, follow } = params as Methods['events']['params'];
      const result: Methods['events']['result'] = { events: events.since(after) };
      return follow ? { result, after: () => this.#follow(result.events.at(-1)?.sequence ?? after ?? 0) } : { result };
    }
    if (CHANGING.has(method)) {
      const words = Object.entries(params).map(([key, value]) => ` ${key} ${shortened(String(value), 200)}`);
      const { uid, gid, pid } = this.#peer;
      log.info(`${method}${words.join('')}: asked for by ${peerText(this.#peer)}`, { uid, gid, pid });
    }
    const handler = handlers[method] as (given: typeof params, peer: PeerCredentials) => unknown;
    return { result: await handler(params, this.#peer) };
  }

  #rpcError(method: Method, error: unknown): RpcError {
    if (error instanceof LvsdError) {
      // Of a wrong file the client gets every line, the log the first.
      const [first = ''] = error.message.split('\n', 1);
      if (CHANGING.has(method)) this.#context.log.warn(`${method} for ${peerText(this.#peer)}: ${first}`);
      return { code: LVSD_ERROR - error.exitCode, message: error.message, data: { code: error.code } };
    }
    const text = error instanceof Error ? error.message : String(error);
    this.#context.log.error(`${method} failed: ${text}`, { stack: error instanceof Error ? error.stack : undefined });
    return { code: INTERNAL_ERROR, message: `lvsd failed: ${text}` };
  }

  #fail(id: string | number | null, error: RpcError): void {
    this.#socket.write(failureLine({ id, error }));
  }

  #follow(sent: number): void {
    this.#unsubscribe?.();
    const send = (event: DaemonEvent) => {
      this.#socket.write(notificationLine('event', event));
      if (this.#socket.writableLength <= UNREAD_EVENTS) return;
      this.#context.log.warn(`a client (${peerText(this.#peer)}) does not read its events: cut off`);
      this.#socket.destroy();
    };
    // What happened since the answer was put together.
    for (const event of this.#context.events.since(sent)) send(event);
    this.#unsubscribe = this.#context.events.subscribe(send);
  }

  async #drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return;
    const timer = setTimeout(() => {
      this.#context.log.warn(`a client (${peerText(this.#peer)}) does not read its answer: cut off`);
      this.#socket.destroy();
    }, this.#context.patience);
    const stop = new AbortController();
    const { signal } = stop;
    try {
      await Promise.race([once(this.#socket, 'drain', { signal }), once(this.#socket, 'close', { signal })]);
    } catch {
      // An error of the socket: it closes.
    } finally {
      stop.abort();
      clearTimeout(timer);
    }
  }
}
