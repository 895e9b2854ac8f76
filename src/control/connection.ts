// SPDX-License-Identifier: MIT
/** One client of the control socket. Handles its requests in order and sends its events, with bounded memory. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { monotonic } from '../base/clock.ts';
import { LvsdError, MalformedError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { PeerCredentials } from '../base/native.ts';
import { shortened } from '../base/printable.ts';
import type { EventLog } from './events/log.ts';
import { type EventsQuery, readQuery } from './events/query.ts';
import { failureLine, INTERNAL_ERROR, notificationLine, type RpcError, readRequest, resultLine } from './json-rpc.ts';
import { LineReader } from './lines.ts';
import {
  INVALID_PARAMS,
  INVALID_REQUEST,
  LONGEST_REQUEST,
  LVSD_ERROR,
  METHOD_NOT_FOUND,
  NOT_PERMITTED,
} from './messages.ts';
import { isMethod, METHODS, type Method, type Params, type Result } from './methods.ts';
import { readParameters } from './parameters.ts';

/** The daemon's implementation of each method except `events`. A thrown LvsdError is sent to the client. */
export type Handlers = {
  readonly [M in Exclude<Method, 'events'>]: (
    params: Params<M>,
    peer: PeerCredentials,
    notify: Notify,
  ) => Result<M> | Promise<Result<M>>;
};

/** Sends a part of an answer as a notification. Resolves when the client may get the next one. */
export type Notify = (method: string, params: unknown) => Promise<void>;

export interface ConnectionContext {
  readonly handlers: Handlers;
  readonly events: EventLog;
  readonly log: Log;
  /** The only methods that are allowed; undefined: all. */
  readonly methods?: ReadonlySet<Method> | undefined;
  /** Milliseconds that an answer may remain unread. */
  readonly patience: number;
  /** Milliseconds without a whole request, after which a client that follows no events is disconnected. */
  readonly idle: number;
}

/** Milliseconds that a part of the stored events may remain unread. */
const SLOWEST_READER = 10 * 60_000;

/** 'uid 0, pid 4711' */
export const peerText = ({ uid, pid }: PeerCredentials) => `uid ${uid}, pid ${pid}`;

export class Connection {
  readonly #socket: Socket;
  readonly peer: PeerCredentials;
  readonly #context: ConnectionContext;
  readonly #reader = new LineReader(LONGEST_REQUEST);
  #lines: string[] = [];
  #busy = false;
  #ended = false;
  /** Instant of the last request. */
  #since = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Since when a follower of events has not read. */
  #asleepSince: number | undefined;
  /** Ends the following of events. */
  #following: AbortController | undefined;

  constructor(socket: Socket, peer: PeerCredentials, context: ConnectionContext, onClose: () => void) {
    this.#socket = socket;
    this.peer = peer;
    this.#context = context;
    this.#waitForRequest();
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => {
      this.#ended = true;
      // The last line may lack its line feed.
      this.#take(() => this.#reader.end());
      if (!this.#busy) socket.end();
    });
    // The client disconnected; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#following?.abort();
      clearTimeout(this.#idle);
      onClose();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Milliseconds since the last request, or since a follower of events has not read; 0 while there is a request. */
  get idleFor(): number {
    // A follower that does not read gives its place to others.
    if (this.#following) return this.#asleepSince === undefined ? 0 : monotonic() - this.#asleepSince;
    return this.#busy ? 0 : monotonic() - this.#since;
  }

  #waitForRequest(): void {
    this.#since = monotonic();
    clearTimeout(this.#idle);
    const { idle } = this.#context;
    this.#idle = setTimeout(() => {
      if (this.#busy || this.#following) return;
      this.#fail(null, { code: INVALID_REQUEST, message: `no request for ${idle / 1000} s: disconnected` });
      this.#socket.destroySoon();
    }, idle).unref();
  }

  #received(chunk: Buffer): void {
    this.#take(() => this.#reader.push(chunk));
  }

  /** Answers lines that were received; ends the connection if they cannot be read. */
  #take(read: () => string[]): void {
    try {
      this.#lines.push(...read());
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      // The start of the next line is unknown.
      this.#socket.pause();
      this.#fail(null, { code: INVALID_REQUEST, message: error.message });
      this.#socket.end();
      this.#socket.setTimeout(this.#context.patience, () => this.#socket.destroy());
      return;
    }
    if (!this.#busy && this.#lines.length > 0) void this.#work();
  }

  /** Answers the received lines; reading pauses until then. */
  async #work(): Promise<void> {
    this.#busy = true;
    this.#socket.pause();
    for (let line = this.#lines.shift(); line !== undefined && !this.#socket.destroyed; line = this.#lines.shift()) {
      await this.#answer(line);
      await this.#drained();
    }
    this.#busy = false;
    this.#waitForRequest();
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
      const message = `unknown method ${JSON.stringify(shortened(method, 40))}; methods: ${Object.keys(METHODS).join(', ')}`;
      fail({ code: METHOD_NOT_FOUND, message });
      return;
    }
    const { methods } = this.#context;
    if (methods && !methods.has(method)) {
      fail({ code: NOT_PERMITTED, message: 'not permitted on read.sock; use control.sock' });
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

  /** `after` runs once the answer has been written. */
  async #call(method: Method, params: Params<Method>): Promise<{ result: unknown; after?: () => void }> {
    const { handlers, log } = this.#context;
    if (method === 'events') return await this.#events(params as Params<'events'>);
    if (METHODS[method].changes) {
      const words = Object.entries(params).map(([key, value]) => ` ${key} ${shortened(String(value), 200)}`);
      const { uid, gid, pid } = this.peer;
      log.info(`${method}${words.join('')}: requested by ${peerText(this.peer)}`, { uid, gid, pid });
    }
    const handler = handlers[method] as (given: typeof params, peer: PeerCredentials, notify: Notify) => unknown;
    const notify: Notify = async (name, part) => {
      this.#socket.write(notificationLine(name, part));
      await this.#drained();
    };
    return { result: await handler(params, this.peer, notify) };
  }

  #rpcError(method: Method, error: unknown): RpcError {
    if (error instanceof LvsdError) {
      // For an invalid configuration, the client gets every line and the log the first.
      const [first = ''] = error.message.split('\n', 1);
      if (METHODS[method].changes)
        this.#context.log.warn(`${method} requested by ${peerText(this.peer)} failed: ${first}`);
      return { code: LVSD_ERROR - error.exitCode, message: error.message, data: { code: error.code } };
    }
    const text = error instanceof Error ? error.message : String(error);
    this.#context.log.error(`${method} failed: ${text}`, { stack: error instanceof Error ? error.stack : undefined });
    return { code: INTERNAL_ERROR, message: `lvsd: internal error: ${text}` };
  }

  #fail(id: string | number | null, error: RpcError): void {
    this.#socket.write(failureLine({ id, error }));
  }

  /** Sends what is stored, then the answer, then, for a follower, later events: each batch once the last one was read. */
  async #events(params: Params<'events'>): Promise<{ result: Result<'events'>; after?: () => void }> {
    const { events } = this.#context;
    const query = readQuery(params);
    let cursor = events.cursor;
    for await (const { items, next } of events.read(query)) {
      this.#socket.write(notificationLine('events', items));
      cursor = next;
      await this.#drained(SLOWEST_READER);
      if (this.#socket.destroyed) break;
    }
    return { result: { cursor }, ...(query.follow && { after: () => this.#follow(query, cursor) }) };
  }

  #follow(query: EventsQuery, cursor: string): void {
    this.#following?.abort();
    const following = new AbortController();
    this.#following = following;
    this.#sendEvents(query, cursor, following.signal).catch((error: unknown) => {
      this.#context.log.error(`events: ${error instanceof Error ? error.message : String(error)}`);
      this.#socket.destroy();
    });
  }

  async #sendEvents(query: EventsQuery, cursor: string, signal: AbortSignal): Promise<void> {
    for await (const { items } of this.#context.events.follow(query, cursor, signal)) {
      this.#socket.write(notificationLine('events', items));
      // However long it takes: what is read later comes from the store.
      if (!this.#socket.writableNeedDrain) continue;
      this.#asleepSince = monotonic();
      await once(this.#socket, 'drain', { signal }).catch(() => {});
      this.#asleepSince = undefined;
    }
  }

  async #drained(patience = this.#context.patience): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return;
    const timer = setTimeout(() => {
      this.#context.log.warn(`control client (${peerText(this.peer)}) does not read its answer: disconnected`);
      this.#socket.destroy();
    }, patience);
    const stop = new AbortController();
    const { signal } = stop;
    try {
      await Promise.race([once(this.#socket, 'drain', { signal }), once(this.#socket, 'close', { signal })]);
    } catch {
      // The socket failed and closes.
    } finally {
      stop.abort();
      clearTimeout(timer);
    }
  }
}
