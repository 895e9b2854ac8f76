// SPDX-License-Identifier: MIT
/** Generic netlink: families found by name, commands and dumps of a family. */
import { LvsdError, NetlinkError } from '../base/errors.ts';
import { NetlinkClient, type NetlinkClientOptions, type RequestOptions } from './client.ts';
import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_ATTR_MAXATTR,
  CTRL_ATTR_MCAST_GROUPS,
  CTRL_ATTR_MCAST_GRP_ID,
  CTRL_ATTR_MCAST_GRP_NAME,
  CTRL_ATTR_VERSION,
  CTRL_CMD_GETFAMILY,
  ENOENT,
  GENL_HDRLEN,
  GENL_ID_CTRL,
  NETLINK_GENERIC,
} from './constants.ts';
import type { NotificationHandlers, Subscription } from './notifications.ts';
import { type AttributeReader, MessageView } from './reader.ts';
import type { MessageWriter } from './writer.ts';

export interface GenericFamily {
  readonly name: string;
  readonly id: number;
  readonly version: number;
  readonly maxAttribute: number;
  /** Multicast groups by name. */
  readonly groups: ReadonlyMap<string, number>;
}

/** The kernel knows no such family: its module is not loaded, and could not be. */
export class UnknownFamilyError extends LvsdError {
  constructor(name: string) {
    super('ERR_LVSD_UNKNOWN_FAMILY', `the kernel has no generic netlink family ${name}`);
  }
}

/** One message of a family: `command` and a cursor over its attributes. */
export interface GenericMessage {
  readonly command: number;
  readonly attributes: AttributeReader;
}

export type WriteAttributes = (writer: MessageWriter) => void;

const nothing: WriteAttributes = () => {};
const CTRL_VERSION = 2;

export class GenericNetlink {
  readonly #client: NetlinkClient;
  readonly #families = new Map<string, Promise<GenericFamily>>();
  readonly #resolved = new Map<string, GenericFamily>();

  constructor(options: NetlinkClientOptions = {}) {
    this.#client = new NetlinkClient(NETLINK_GENERIC, options);
  }

  /** Finds a family; the kernel may load its module for that. Remembered until it proves wrong. */
  family(name: string): Promise<GenericFamily> {
    let found = this.#families.get(name);
    if (!found) {
      found = this.#resolve(name);
      this.#families.set(name, found);
      found.then(
        (family) => this.#resolved.set(name, family),
        () => this.#families.delete(name),
      );
    }
    return found;
  }

  /** Sends a command and resolves with the messages that came before its ack, each made by `decode`. */
  async request<T = never>(
    name: string,
    command: number,
    write: WriteAttributes = nothing,
    decode?: (message: GenericMessage) => T | undefined,
    options: RequestOptions = {},
  ): Promise<T[]> {
    return this.#withFamily(name, async (family) => {
      const items: T[] = [];
      await this.#client.request(family.id, header(family, command, write), {
        ...options,
        onReply: decode && ((view) => collect(items, decode(genericMessage(view)))),
      });
      return items;
    });
  }

  /** Sends a command that is answered by its ack alone; made for thousands of them. */
  command(name: string, command: number, write: WriteAttributes): Promise<void> {
    const family = this.#resolved.get(name);
    if (!family) return this.request(name, command, write).then(() => {});
    return this.#client
      .request(family.id, header(family, command, write))
      .catch((error: unknown) =>
        this.#again(name, family, error, (fresh) => this.#client.request(fresh.id, header(fresh, command, write))),
      );
  }

  /** Sends finished messages, of which the last alone asks for its ack: the errors, by the place of the message. */
  sendAll(messages: Buffer): Promise<ReadonlyMap<number, NetlinkError>> {
    return this.#client.sendAll(messages);
  }

  /** Reads a whole table. */
  async dump<T>(
    name: string,
    command: number,
    write: WriteAttributes,
    decode: (message: GenericMessage) => T | undefined,
    options: { timeout?: number } = {},
  ): Promise<T[]> {
    return this.#withFamily(name, (family) =>
      this.#client.dump(family.id, header(family, command, write), (view) => decode(genericMessage(view)), options),
    );
  }

  /** Reads a whole table that is long: `decode` gets its messages by the thousand, in a loop that V8 can make code of. */
  async dumpAll<T>(
    name: string,
    command: number,
    write: WriteAttributes,
    decode: (attributes: AttributeReader) => T,
  ): Promise<T[]> {
    const pieces = await this.#withFamily(name, (family) =>
      this.#client.dumpWhole(family.id, header(family, command, write)),
    );
    const items: T[] = [];
    for (const piece of pieces) {
      const view = new MessageView(piece, 0, piece.length);
      while (view.next()) items.push(decode(view.attributes(GENL_HDRLEN)));
    }
    return items;
  }

  /** Listens to multicast groups of a family; the view given to the handlers is the whole message. */
  async subscribe(name: string, groups: readonly string[], handlers: NotificationHandlers): Promise<Subscription> {
    const family = await this.family(name);
    const ids = groups.map((group) => {
      const id = family.groups.get(group);
      if (id === undefined)
        throw new LvsdError('ERR_LVSD_UNKNOWN_GROUP', `generic netlink family ${name} has no group ${group}`);
      return id;
    });
    return this.#client.subscribe(ids, handlers);
  }

  close(): void {
    this.#client.close();
  }

  /** Modules come back under another id: on ENOENT look again, and try again only if the id has changed. */
  async #withFamily<T>(name: string, act: (family: GenericFamily) => Promise<T>): Promise<T> {
    const family = await this.family(name);
    try {
      return await act(family);
    } catch (error) {
      return this.#again(name, family, error, act);
    }
  }

  async #again<T>(
    name: string,
    family: GenericFamily,
    error: unknown,
    act: (family: GenericFamily) => Promise<T>,
  ): Promise<T> {
    if (!(error instanceof NetlinkError) || error.errno !== ENOENT) throw error;
    this.#families.delete(name);
    const fresh = await this.family(name);
    if (fresh.id === family.id) throw error;
    return act(fresh);
  }

  async #resolve(name: string): Promise<GenericFamily> {
    const families: GenericFamily[] = [];
    try {
      await this.#client.request(
        GENL_ID_CTRL,
        (writer) => writer.genericHeader(CTRL_CMD_GETFAMILY, CTRL_VERSION).string(CTRL_ATTR_FAMILY_NAME, name),
        { onReply: (view) => families.push(readFamily(genericMessage(view).attributes)) },
      );
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === ENOENT) throw new UnknownFamilyError(name);
      throw error;
    }
    const [family] = families;
    if (!family) throw new UnknownFamilyError(name);
    return family;
  }
}

function header(family: GenericFamily, command: number, write: WriteAttributes): WriteAttributes {
  return (writer) => write(writer.genericHeader(command, family.version));
}

function collect<T>(items: T[], item: T | undefined): void {
  if (item !== undefined) items.push(item);
}

/** Takes the generic header off a message. */
export function genericMessage(view: MessageView): GenericMessage {
  const attributes = view.attributes(GENL_HDRLEN);
  return { command: view.buffer[view.start] ?? 0, attributes };
}

function readFamily(attributes: AttributeReader): GenericFamily {
  const family = { name: '', id: 0, version: 0, maxAttribute: 0, groups: new Map<string, number>() };
  while (attributes.next()) {
    if (attributes.type === CTRL_ATTR_FAMILY_ID) family.id = attributes.u16();
    else if (attributes.type === CTRL_ATTR_FAMILY_NAME) family.name = attributes.string();
    else if (attributes.type === CTRL_ATTR_VERSION) family.version = attributes.u32();
    else if (attributes.type === CTRL_ATTR_MAXATTR) family.maxAttribute = attributes.u32();
    else if (attributes.type === CTRL_ATTR_MCAST_GROUPS) readGroups(attributes.nested(), family.groups);
  }
  return family;
}

function readGroups(list: AttributeReader, groups: Map<string, number>): void {
  while (list.next()) {
    const group = list.nested();
    let name = '';
    let id = 0;
    while (group.next()) {
      if (group.type === CTRL_ATTR_MCAST_GRP_NAME) name = group.string();
      else if (group.type === CTRL_ATTR_MCAST_GRP_ID) id = group.u32();
    }
    groups.set(name, id);
  }
}
