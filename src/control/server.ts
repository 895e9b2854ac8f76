// SPDX-License-Identifier: MIT
/** The daemon's side of the control socket. */

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
  /** Most clients at once. */
  clients?: number;
  /** Milliseconds that a client may leave an answer unread. */
  patience?: number;
}

const CLIENTS = 32;
const PATIENCE = 30_000;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #listener: UnixListener;

  /** Listens at once. Throws `AlreadyRunningError`, or `LvsdError` that says why there is no socket. */
  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#listener = new UnixListener(options.path, (socket, peer) => this.#open(socket, peer), options.log);
  }

  /** Ends every connection and removes the socket. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #open(socket: Socket, peer: PeerCredentials): void {
    const { handlers, events, log, clients = CLIENTS, patience = PATIENCE } = this.#options;
    if (this.#connections.size >= clients) {
      log.warn(`a client (${peerText(peer)}) was turned away: there are ${clients} already`);
      socket.on('error', () => {});
      const message = `lvsd serves ${clients} clients already`;
      socket.end(failureLine({ id: null, error: { code: INVALID_REQUEST, message } }), () => socket.destroy());
      return;
    }
    const connection = new Connection(socket, peer, { handlers, events, log, patience }, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    log.debug(`a client came: ${peerText(peer)}`);
  }
}
