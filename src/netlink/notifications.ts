// SPDX-License-Identifier: MIT
/** Multicast groups, on a separate socket, so that a burst of events neither delays nor loses answers. */
import type { NetlinkOverrunError } from '../base/errors.ts';
import type { MessageView } from './reader.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

export interface NotificationHandlers {
  /** The view is valid only during the call. */
  message(view: MessageView): void;
  /** Events were lost: read the state again. */
  overrun(error: NetlinkOverrunError): void;
  /** The subscription has ended. */
  failed(error: Error): void;
}

export class Subscription {
  readonly #socket: NetlinkSocket;

  constructor(
    protocol: number,
    groups: readonly number[],
    handlers: NotificationHandlers,
    options: NetlinkSocketOptions = {},
  ) {
    this.#socket = new NetlinkSocket(protocol, handlers, { slots: 16, ...options });
    try {
      for (const group of groups) this.#socket.join(group);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
    this.#socket.hold(true);
  }

  get portId(): number {
    return this.#socket.portId;
  }

  /** Whether waiting for events keeps the process alive. The default is that it does. */
  hold(held: boolean): void {
    this.#socket.hold(held);
  }

  close(): void {
    this.#socket.close();
  }
}
