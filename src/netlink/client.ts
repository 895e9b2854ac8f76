// SPDX-License-Identifier: MIT
/** Client of one netlink protocol. Opens on demand a socket for commands, one for dumps, and one per subscription. */
import type { NetlinkError } from '../base/errors.ts';
import { CommandChannel } from './commands.ts';
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from './constants.ts';
import { DumpChannel } from './dumps.ts';
import { type NotificationHandlers, Subscription } from './notifications.ts';
import type { MessageView } from './reader.ts';
import type { NetlinkSocketOptions } from './socket.ts';
import { MessageWriter } from './writer.ts';

export interface NetlinkClientOptions extends NetlinkSocketOptions {
  /** Milliseconds to wait for an answer; default 10,000. Adding a service may load a scheduler's module. */
  timeout?: number | undefined;
}

export interface RequestOptions {
  /** NLM_F_CREATE and the like, in addition to NLM_F_REQUEST and NLM_F_ACK. */
  flags?: number | undefined;
  timeout?: number | undefined;
  onReply?: ((view: MessageView) => void) | undefined;
}

const TIMEOUT = 10_000;

export class NetlinkClient {
  readonly #protocol: number;
  readonly #options: NetlinkClientOptions;
  readonly #writer = new MessageWriter();
  #commands: CommandChannel | undefined;
  #dumps: DumpChannel | undefined;

  constructor(protocol: number, options: NetlinkClientOptions = {}) {
    this.#protocol = protocol;
    this.#options = options;
  }

  /** The port id of the command socket, which identifies our own changes in notifications. */
  get portId(): number {
    return this.#commandChannel().portId;
  }

  /** Sends one request and resolves when it is acknowledged. Requests are executed in the order of the calls. */
  request(type: number, write: (writer: MessageWriter) => void, options: RequestOptions = {}): Promise<void> {
    try {
      const message = this.#message(type, NLM_F_REQUEST | NLM_F_ACK | (options.flags ?? 0), write);
      const { onReply, timeout = this.#timeout } = options;
      return this.#commandChannel().request(message, { onReply, timeout });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sends encoded messages, of which only the last requests an ack. Resolves with errors by message index. */
  sendAll(messages: Buffer): Promise<ReadonlyMap<number, NetlinkError>> {
    try {
      return this.#commandChannel().sendAll(messages, this.#timeout);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Reads a whole table, one item per message; `decode` returns undefined to skip one. */
  dump<T>(
    type: number,
    write: (writer: MessageWriter) => void,
    decode: (view: MessageView) => T | undefined,
    options: { timeout?: number } = {},
  ): Promise<T[]> {
    try {
      const message = this.#message(type, NLM_F_REQUEST | NLM_F_DUMP, write);
      return this.#dumpChannel().dump(message, decode, { timeout: options.timeout ?? this.#timeout });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  subscribe(groups: readonly number[], handlers: NotificationHandlers): Subscription {
    return new Subscription(this.#protocol, groups, handlers, this.#options);
  }

  /** Rejects pending requests. Subscriptions are closed separately. */
  close(): void {
    this.#commands?.close();
    this.#dumps?.close();
  }

  get #timeout(): number {
    return this.#options.timeout ?? TIMEOUT;
  }

  #commandChannel(): CommandChannel {
    this.#commands ??= new CommandChannel(this.#protocol, this.#options);
    return this.#commands;
  }

  #dumpChannel(): DumpChannel {
    this.#dumps ??= new DumpChannel(this.#protocol, this.#options);
    return this.#dumps;
  }

  #message(type: number, flags: number, write: (writer: MessageWriter) => void): Buffer {
    write(this.#writer.begin(type, flags));
    return this.#writer.finish();
  }
}
