// SPDX-License-Identifier: MIT
/** Server of the control socket. */
import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { PeerCredentials } from '../base/native.ts';
import { Connection, type Handlers, peerText } from './connection.ts';
import type { EventLog } from './events/log.ts';
import { failureLine } from './json-rpc.ts';
import { UnixListener } from './listener.ts';
import { INVALID_REQUEST } from './messages.ts';
import type { Method } from './methods.ts';

export type { Handlers } from './connection.ts';

export interface ControlServerOptions {
  path: string;
  handlers: Handlers;
  events: EventLog;
  log: Log;
  /** The only methods that are allowed; default: all. */
  methods?: ReadonlySet<Method>;
  /** A group whose members may connect. */
  group?: number;
  /** Maximum number of clients. */
  clients?: number;
  /** Milliseconds that an answer may remain unread. */
  patience?: number;
  /** Milliseconds without a whole request, after which a client that follows no events is disconnected. */
  idle?: number;
}

const CLIENTS = 32;
const PATIENCE = 30_000;
const IDLE = 60_000;
/** Milliseconds that a client must have been idle to make room for another. */
const LEAST_IDLE = 2000;
/** Milliseconds for a rejected client to read the reason. */
const LINGER = 1000;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #listener: UnixListener;

  /** Starts listening. Throws AlreadyRunningError, or LvsdError if the socket cannot be created. */
  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#listener = new UnixListener(
      options.path,
      (socket, peer) => this.#open(socket, peer),
      options.log,
      options.group,
    );
  }

  get clients(): number {
    return this.#connections.size;
  }

  /** Closes all connections and removes the socket. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #open(socket: Socket, peer: PeerCredentials): void {
    const { handlers, events, log, methods, clients = CLIENTS, patience = PATIENCE, idle = IDLE } = this.#options;
    if (this.#connections.size >= clients && !this.#makeRoom()) {
      log.warn(`control client (${peerText(peer)}) rejected: the limit of ${clients} clients is reached`);
      const message = `lvsd already serves ${clients} clients: try again later`;
      reject(socket, failureLine({ id: null, error: { code: INVALID_REQUEST, message } }));
      return;
    }
    const connection = new Connection(socket, peer, { handlers, events, log, methods, patience, idle }, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    log.debug(`control client connected: ${peerText(peer)}`);
  }

  /** Disconnects the client that has been idle longest: clients that are silent must not lock out the others. */
  #makeRoom(): boolean {
    const [idlest] = [...this.#connections].sort((a, b) => b.idleFor - a.idleFor);
    if (!idlest || idlest.idleFor < LEAST_IDLE) return false;
    this.#options.log.warn(`control client (${peerText(idlest.peer)}) disconnected for another one: it was idle`);
    idlest.destroy();
    this.#connections.delete(idlest);
    return true;
  }
}

/** Sends a last line. The client's request is read, so that its write does not fail before it has read the line. */
function reject(socket: Socket, line: string): void {
  socket.on('error', () => {});
  socket.on('end', () => socket.destroy());
  socket.resume();
  socket.end(line);
  setTimeout(() => socket.destroy(), LINGER).unref();
}
