// SPDX-License-Identifier: MIT
/** Server of the control socket. */

import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { PeerCredentials } from '../base/native.ts';
import { Connection, type Handlers, peerText } from './connection.ts';
import type { EventLog } from './event-log.ts';
import { failureLine } from './json-rpc.ts';
import { UnixListener } from './listener.ts';
import { INVALID_REQUEST } from './messages.ts';

export type { Handlers } from './connection.ts';

export interface ControlServerOptions {
  path: string;
  handlers: Handlers;
  events: EventLog;
  log: Log;
  /** Maximum number of clients. */
  clients?: number;
  /** Milliseconds that an answer may remain unread. */
  patience?: number;
}

const CLIENTS = 32;
const PATIENCE = 30_000;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #listener: UnixListener;

  /** Starts listening. Throws AlreadyRunningError, or LvsdError if the socket cannot be created. */
  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#listener = new UnixListener(options.path, (socket, peer) => this.#open(socket, peer), options.log);
  }

  /** Closes all connections and removes the socket. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #open(socket: Socket, peer: PeerCredentials): void {
    const { handlers, events, log, clients = CLIENTS, patience = PATIENCE } = this.#options;
    if (this.#connections.size >= clients) {
      log.warn(`control client (${peerText(peer)}) rejected: the limit of ${clients} clients is reached`);
      socket.on('error', () => {});
      const message = `lvsd already serves ${clients} clients: try again later`;
      socket.end(failureLine({ id: null, error: { code: INVALID_REQUEST, message } }), () => socket.destroy());
      return;
    }
    const connection = new Connection(socket, peer, { handlers, events, log, patience }, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    log.debug(`control client connected: ${peerText(peer)}`);
  }
}
