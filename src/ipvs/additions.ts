// SPDX-License-Identifier: MIT
/**
 * Services and destinations added by the ten thousand: IPv4, plain, each message a copy of one that the codec wrote, with
 * the few bytes changed in which it differs. Nothing is allocated for one of them.
 */
import { AF_INET } from '../base/addresses.ts';
import { encodeTable, type Table } from '../netlink/attributes.ts';
import { GENL_HDRLEN, NLM_F_ACK, NLM_F_REQUEST, NLMSG_HDRLEN } from '../netlink/constants.ts';
import { host } from '../netlink/endian.ts';
import { AttributeReader } from '../netlink/reader.ts';
import { MessageWriter } from '../netlink/writer.ts';
import { destinationAttributes, serviceAttributes } from './codec.ts';
import { IPPROTO_TCP, IPVS_CMD_NEW_DEST, IPVS_CMD_NEW_SERVICE } from './constants.ts';
import { COMMAND, type CommandAttributes, DEST, SERVICE } from './tables.ts';
import type { DestinationConfig, ServiceConfig } from './types.ts';

/** Bytes of one sendmsg. */
const ROOM = 64 << 10;
/** Larger than any of the messages: the name of a scheduler has at most 15 characters. */
const LARGEST = 512;

const SERVICE_SPECIMEN: ServiceConfig = {
  ...{ family: AF_INET, protocol: IPPROTO_TCP, address: new Uint8Array(4), port: 0, fwmark: 0 },
  ...{ scheduler: '', flags: 0, timeout: 0, netmask: 0xffffffff, peName: '' },
};
const DESTINATION_SPECIMEN: DestinationConfig = {
  ...{ family: AF_INET, address: new Uint8Array(4), port: 0, method: 0, weight: 0, upperThreshold: 0 },
  ...{ lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 },
};

/** A message, and where in it the values of a service and of a destination lie. */
interface Template {
  bytes: Buffer;
  protocol: number;
  address: number;
  port: number;
  server: { address: number; port: number; method: number; weight: number };
}

export class Additions {
  /** Messages in the buffer. */
  count = 0;
  readonly #family: { id: number; version: number };
  readonly #buffer = Buffer.allocUnsafeSlow(ROOM);
  readonly #services = new Map<string, Template>();
  readonly #destination: Template;
  #length = 0;
  #last = 0;

  constructor(family: { id: number; version: number }) {
    this.#family = family;
    const attributes = {
      service: serviceAttributes(SERVICE_SPECIMEN),
      dest: destinationAttributes(DESTINATION_SPECIMEN),
    };
    this.#destination = this.#template(IPVS_CMD_NEW_DEST, attributes);
  }

  get full(): boolean {
    return this.#length + LARGEST > ROOM;
  }

  /** `address`: its four bytes as a number. The scheduler's name is ASCII, of 15 characters at most. */
  addService(protocol: number, address: number, port: number, scheduler: string): void {
    let template = this.#services.get(scheduler);
    if (!template) {
      template = this.#template(IPVS_CMD_NEW_SERVICE, {
        service: serviceAttributes({ ...SERVICE_SPECIMEN, scheduler }),
      });
      this.#services.set(scheduler, template);
    }
    this.#put(template, protocol, address, port);
  }

  addDestination(
    protocol: number,
    address: number,
    port: number,
    server: { address: number; port: number; method: number; weight: number },
  ): void {
    const at = this.#put(this.#destination, protocol, address, port);
    const places = this.#destination.server;
    writeBytes(this.#buffer, at + places.address, server.address, 4);
    writeBytes(this.#buffer, at + places.port, server.port, 2);
    host.writeU32(this.#buffer, server.method, at + places.method);
    host.writeU32(this.#buffer, server.weight, at + places.weight);
  }

  /** All messages, the last of which asks for its ack; `clear` them once they are answered. */
  finish(): Buffer {
    host.writeU16(this.#buffer, NLM_F_REQUEST | NLM_F_ACK, this.#last + 6);
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.count = 0;
    this.#length = 0;
  }

  #put(template: Template, protocol: number, address: number, port: number): number {
    const at = this.#length;
    const buffer = this.#buffer;
    buffer.set(template.bytes, at);
    host.writeU16(buffer, protocol, at + template.protocol);
    writeBytes(buffer, at + template.address, address, 4);
    writeBytes(buffer, at + template.port, port, 2);
    this.#last = at;
    this.#length += template.bytes.length;
    this.count++;
    return at;
  }

  #template(command: number, attributes: CommandAttributes): Template {
    const writer = new MessageWriter().begin(this.#family.id, NLM_F_REQUEST);
    encodeTable(COMMAND as Table, writer.genericHeader(command, this.#family.version), attributes);
    const bytes = writer.finish();
    const service = places(bytes, COMMAND.service[0]);
    const dest = places(bytes, COMMAND.dest[0]);
    const place = (found: ReadonlyMap<number, number>, id: number) => found.get(id) ?? 0;
    return {
      bytes,
      protocol: place(service, SERVICE.protocol[0]),
      address: place(service, SERVICE.address[0]),
      port: place(service, SERVICE.port[0]),
      server: {
        address: place(dest, DEST.address[0]),
        port: place(dest, DEST.port[0]),
        method: place(dest, DEST.method[0]),
        weight: place(dest, DEST.weight[0]),
      },
    };
  }
}

/** Where the payloads of a nest's attributes start. */
function places(message: Buffer, nest: number): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const top = new AttributeReader(message, NLMSG_HDRLEN + GENL_HDRLEN, message.length);
  while (top.next()) {
    if (top.type !== nest) continue;
    const inner = top.nested();
    while (inner.next()) found.set(inner.type, inner.start);
  }
  return found;
}

/** In network order. */
function writeBytes(buffer: Buffer, at: number, value: number, count: number): void {
  for (let i = 0; i < count; i++) buffer[at + i] = value >>> (8 * (count - 1 - i));
}
