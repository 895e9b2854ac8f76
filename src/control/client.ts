// SPDX-License-Identifier: MIT
/** Client of the control socket, used by lvsctl and `lvsd plan`. */
import { connect, type Socket } from 'node:net';
import { EXIT, type ExitCode, LvsdError, MalformedError, RefusedError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import type { EventItem } from './events/types.ts';
import { requestLine } from './json-rpc.ts';
import { LineReader } from './lines.ts';
import { INVALID_PARAMS, LONGEST_LINE, LVSD_ERROR } from './messages.ts';
import { METHODS, type Method, type Params, type Result } from './methods.ts';
import type { Stats } from './metrics/stats.ts';
import { readAnswer, readEvents, readRows, readRpcError } from './shapes/answers.ts';

export const DEFAULT_SOCKET = '/run/lvsd/control.sock';
/** Milliseconds to wait for an answer, unless the method has its own timeout. */
const TIMEOUT = 60_000;

/** Events that wait for their reader. */
const MOST_WAITING = 5000;
/** Rows of one answer: twice those of 10,000 services of 16 real servers each, and more. */
const MOST_ROWS = 400_000;
/** Characters of all of them: several times those of as many rows with long names. */
const MOST_TEXT = 128 << 20;

/** No process listens on the socket. */
export class NoDaemonError extends LvsdError {
  constructor(path: string) {
    super('ERR_LVSD_NO_DAEMON', `no daemon answers on ${path}: is lvsd running? (systemctl status lvsd)`);
  }
}

/** The daemon rejected the request: message and exit code are its own; or the error is not of its shape. */
function failureOf(error: unknown): LvsdError {
  try {
    const { code, message, data } = readRpcError(error);
    return new RefusedError(message, { code: data?.code, exitCode: exitCodeOf(code) });
  } catch (wrong) {
    if (wrong instanceof LvsdError) return wrong;
    throw wrong;
  }
}

function exitCodeOf(code: number): ExitCode {
  if (code === INVALID_PARAMS) return EXIT.USAGE;
  return Object.values(EXIT).find((exit) => exit !== EXIT.OK && LVSD_ERROR - exit === code) ?? EXIT.RUNTIME;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #reader = new LineReader(LONGEST_LINE);
  readonly #waiting = new Map<number, Waiting>();
  #events: EventItem[] = [];
  /** Rows of the pending answer to `stats`, and how many more of them and characters may come; undefined: nobody waits. */
  #tables: (Omit<Stats, 'summary'> & { room: number; space: number }) | undefined;
  #wake: (() => void) | undefined;
  #next = 1;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () =>
      this.#fail(
        new LvsdError(
          'ERR_LVSD_DISCONNECTED',
          'lvsd closed the connection: it may have stopped (systemctl status lvsd)',
        ),
      ),
    );
  }

  /** Throws NoDaemonError, or LvsdError with exit code 4 if permission is denied. */
  static async open(path = DEFAULT_SOCKET): Promise<ControlClient> {
    const socket = connect({ path });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
    } catch (error) {
      throw explained(error, path);
    }
    socket.removeAllListeners('error');
    return new ControlClient(socket);
  }

  /**
   * `limit`: milliseconds to wait, instead of the method's. Throws RefusedError if the daemon rejects the request, LvsdError
   * if no answer arrives or it is not of the method's shape.
   */
  call<M extends Method>(method: M, params: Params<M>, limit = METHODS[method].timeout ?? TIMEOUT): Promise<Result<M>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new LvsdError(
            'ERR_LVSD_TIMEOUT',
            `lvsd did not answer ${method} within ${limit / 1000}s: it may be overloaded or hang (systemctl status lvsd)`,
          ),
        );
      }, limit);
      const answered = (result: unknown) => {
        try {
          resolve(readAnswer(method, result));
        } catch (error) {
          reject(error as Error);
        }
      };
      this.#waiting.set(id, { resolve: answered, reject, timer });
      this.#socket.write(requestLine(id, method, params));
    });
  }

  /** Stored events; with `follow` also later ones, until the connection ends, with an error. */
  async *events(params: Params<'events'>): AsyncGenerator<EventItem> {
    let answered = false;
    let failure: Error | undefined;
    const wake = () => this.#wake?.();
    this.call('events', params).then(
      () => {
        answered = true;
        wake();
      },
      (error: Error) => {
        failure = error;
        wake();
      },
    );
    for (;;) {
      const items = this.#events;
      this.#events = [];
      yield* items;
      this.#socket.resume();
      if (this.#events.length > 0) continue;
      if (failure ?? this.#failure) throw failure ?? this.#failure;
      if (answered && !params.follow) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Counters and states; one question at a time. */
  async stats(params: Params<'stats'>): Promise<Stats> {
    const tables = { services: [], realServers: [], localAddresses: [], room: MOST_ROWS, space: MOST_TEXT };
    this.#tables = tables;
    try {
      const summary = await this.call('stats', params);
      const { services, realServers, localAddresses } = tables;
      return { summary, services, realServers, localAddresses };
    } finally {
      this.#tables = undefined;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    try {
      for (const line of this.#reader.push(chunk)) this.#message(line);
    } catch (error) {
      this.#fail(
        error instanceof LvsdError
          ? error
          : new MalformedError('the process that serves the control socket does not speak JSON-RPC'),
      );
    }
  }

  #message(line: string): void {
    const message = JSON.parse(line) as {
      id?: number | null;
      method?: string;
      params?: unknown;
      result?: unknown;
      error?: unknown;
    };
    if (message.method === 'events') {
      for (const item of readEvents(message.params)) this.#events.push(item);
      // The rest waits in the daemon, which keeps no queue for it.
      if (this.#events.length > MOST_WAITING) this.#socket.pause();
      this.#wake?.();
    } else if (message.method === 'rows') {
      this.#rows(message.params, line.length);
    } else if (typeof message.id === 'number') {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      clearTimeout(waiting?.timer);
      if (message.error !== undefined) waiting?.reject(failureOf(message.error));
      else waiting?.resolve(message.result);
    } else if (message.error !== undefined) {
      // Without an id: the connection as a whole was rejected.
      this.#fail(failureOf(message.error));
    }
  }

  /** `length`: characters of the notification. Throws MalformedError. */
  #rows(params: unknown, length: number): void {
    const { table, rows } = readRows(params);
    if (!this.#tables) return;
    this.#tables.room -= rows.length;
    if (this.#tables.room < 0) throw new MalformedError(`lvsd sent more than ${MOST_ROWS} rows in one answer`);
    this.#tables.space -= length;
    if (this.#tables.space < 0) throw new MalformedError(`lvsd sent more than ${MOST_TEXT >> 20} MiB in one answer`);
    for (const row of rows) this.#tables[table].push(row);
  }

  #fail(error: Error): void {
    this.#failure ??= isSystemError(error)
      ? new LvsdError('ERR_LVSD_DISCONNECTED', `lvsd closed the connection before it answered (${error.code})`)
      : error;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#failure);
    }
    this.#waiting.clear();
    this.#wake?.();
    this.#socket.destroy();
  }
}

function explained(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return new NoDaemonError(path);
  const denied = error.code === 'EACCES' || error.code === 'EPERM';
  const text = denied
    ? `permission denied for ${path} (${error.code}): run as root`
    : `cannot open ${path}: ${error.message}`;
  return new LvsdError('ERR_LVSD_CONTROL_SOCKET', text, denied ? EXIT.NOT_PERMITTED : EXIT.RUNTIME);
}
