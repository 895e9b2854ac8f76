// SPDX-License-Identifier: MIT
/** Generic netlink: resolves families by name, sends their commands, reads their dumps. */
import { isErrno } from '../base/errno.ts';
import { EXIT, LvsdError, type NetlinkError } from '../base/errors.ts';
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
  GENL_HDRLEN,
  GENL_ID_CTRL,
  NETLINK_GENERIC,
} from './constants.ts';
import type { NotificationHandlers, Subscription } from './notifications.ts';
import type { AttributeReader, MessageView } from './reader.ts';
import type { MessageWriter } from './writer.ts';

export interface GenericFamily {
  readonly name: string;
  readonly id: number;
  readonly version: number;
  readonly maxAttribute: number;
  /** Multicast groups by name. */
  readonly groups: ReadonlyMap<string, number>;
}

/** The kernel has no such family: its module is not loaded and could not be loaded. */
export class UnknownFamilyError extends LvsdError {
  constructor(name: string, message = `the kernel has no generic netlink family ${name}; load its module`) {
    super('ERR_LVSD_UNKNOWN_FAMILY', message, EXIT.KERNEL_LACKS);
  }
}

export interface GenericNetlinkOptions extends NetlinkClientOptions {
  /** Message of UnknownFamilyError, if the caller can say more than the default. */
  unknownFamily?: string;
}

/** One message of a family: its command and a cursor over its attributes. */
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
  readonly #unknownFamily: string | undefined;

  constructor({ unknownFamily, ...options }: GenericNetlinkOptions = {}) {
    this.#unknownFamily = unknownFamily;
    this.#client = new NetlinkClient(NETLINK_GENERIC, options);
  }

  /** Resolves a family, for which the kernel may load its module. Cached until a request with its id fails. */
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

  /** Sends a command and resolves with its answers, each converted by `decode`. */
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

  /** Sends a command that has no answer but an ack. Cheaper than `request`, for large numbers. */
  command(name: string, command: number, write: WriteAttributes): Promise<void> {
    const family = this.#resolved.get(name);
    if (!family) return this.request(name, command, write).then(() => {});
    return this.#client
      .request(family.id, header(family, command, write))
      .catch((error: unknown) =>
        this.#retry(name, family, error, (fresh) => this.#client.request(fresh.id, header(fresh, command, write))),
      );
  }

  /** Sends encoded messages, of which only the last requests an ack. Resolves with errors by message index. */
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

  /** Subscribes to multicast groups of a family. Handlers receive whole messages. */
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

  /** A reloaded module gets a new family id: on ENOENT, resolves again and retries only if the id has changed. */
  async #withFamily<T>(name: string, act: (family: GenericFamily) => Promise<T>): Promise<T> {
    const family = await this.family(name);
    try {
      return await act(family);
    } catch (error) {
      return this.#retry(name, family, error, act);
    }
  }

  async #retry<T>(
    name: string,
    family: GenericFamily,
    error: unknown,
    act: (family: GenericFamily) => Promise<T>,
  ): Promise<T> {
    if (!isErrno(error, 'ENOENT')) throw error;
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
      if (isErrno(error, 'ENOENT')) throw new UnknownFamilyError(name, this.#unknownFamily);
      throw error;
    }
    const [family] = families;
    if (!family) throw new UnknownFamilyError(name, this.#unknownFamily);
    return family;
  }
}

function header(family: GenericFamily, command: number, write: WriteAttributes): WriteAttributes {
  return (writer) => write(writer.genericHeader(command, family.version));
}

function collect<T>(items: T[], item: T | undefined): void {
  if (item !== undefined) items.push(item);
}

/** Parses the generic header of a message. */
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
