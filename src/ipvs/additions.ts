// SPDX-License-Identifier: MIT
/**
 * Services and destinations added by the ten thousand: each message is a copy of one that the codec wrote, with the few
 * bytes changed in which it differs. Nothing is allocated for one of them.
 */
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { encodeTable, type Table } from '../netlink/attributes.ts';
import { GENL_HDRLEN, NLM_F_ACK, NLM_F_REQUEST, NLMSG_HDRLEN } from '../netlink/constants.ts';
import { host } from '../netlink/endian.ts';
import { AttributeReader } from '../netlink/reader.ts';
import { MessageWriter } from '../netlink/writer.ts';
import { destinationAttributes, serviceAttributes } from './codec.ts';
import {
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_SVC_F_SYNPROXY,
  IPPROTO_TCP,
  IPVS_CMD_NEW_DEST,
  IPVS_CMD_NEW_SERVICE,
} from './constants.ts';
import { COMMAND, type CommandAttributes, DEST, SERVICE } from './tables.ts';
import type { DestinationConfig, ServiceConfig, ServiceKey } from './types.ts';

/** Bytes of one sendmsg. */
const ROOM = 64 << 10;
/** Larger than any of the messages: the name of a scheduler has at most 15 characters. */
const LARGEST = 512;

const ADDRESSES = { [AF_INET]: new Uint8Array(4), [AF_INET6]: new Uint8Array(16) } as const;

const serviceSpecimen = (family: Family): ServiceConfig => ({
  ...{ family, protocol: IPPROTO_TCP, address: ADDRESSES[family], port: 0, fwmark: 0 },
  ...{ scheduler: '', flags: 0, timeout: 0, netmask: family === AF_INET ? 0xffffffff : 128, peName: '' },
});
const destinationSpecimen = (family: Family): DestinationConfig => ({
  ...{ family, address: ADDRESSES[family], port: 0, method: 0, weight: 0, upperThreshold: 0 },
  ...{ lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 },
});

/** Where in a message the values of a service lie, and those of a destination. */
interface Places {
  protocol: number;
  address: number;
  port: number;
  server: {
    address: number;
    port: number;
    method: number;
    weight: number;
    tunnelType: number;
    tunnelPort: number;
    tunnelFlags: number;
    upperThreshold: number;
    lowerThreshold: number;
  };
}

interface Template {
  bytes: Buffer;
  places: Places;
}

/** What of a service is the same in most of a table: all but its key. */
interface Settings {
  family: Family;
  scheduler: string;
  flags: number;
  timeout: number;
  netmask: number;
  peName: string;
}

/** Whether `service` can write this: it is told apart by its address and has nothing of the patched kernel's. */
export function isPlainService({ fwmark, flags, portMin, portMax }: ServiceConfig): boolean {
  return fwmark === 0 && portMin === undefined && portMax === undefined && (flags & IP_VS_SVC_F_SYNPROXY) === 0;
}

/** Whether `destination` can write this. */
export function isPlainDestination({ method }: DestinationConfig): boolean {
  return (method & IP_VS_CONN_F_FWD_MASK) !== IP_VS_CONN_F_FULLNAT;
}

export class Additions {
  /** Messages in the buffer. */
  count = 0;
  readonly #family: { id: number; version: number };
  readonly #buffer = Buffer.allocUnsafeSlow(ROOM);
  readonly #services = new Map<string, Template>();
  readonly #destinations = new Map<number, Template>();
  #settings: Settings | undefined;
  #service: Template | undefined;
  #length = 0;
  #last = 0;

  constructor(family: { id: number; version: number }) {
    this.#family = family;
  }

  get full(): boolean {
    return this.#length + LARGEST > ROOM;
  }

  /** `address`: its four bytes as a number. The scheduler's name is ASCII, of 15 characters at most. */
  addService(protocol: number, address: number, port: number, scheduler: string): void {
    this.#put(this.#serviceTemplate({ ...PLAIN, scheduler }), protocol, number4(address), port);
  }

  addDestination(
    protocol: number,
    address: number,
    port: number,
    server: { address: number; port: number; method: number; weight: number },
  ): void {
    const template = this.#destinationTemplate(AF_INET, AF_INET);
    const at = this.#put(template, protocol, number4(address), port);
    this.#putServer(at, template, number4(server.address), server.port, server.method, server.weight);
  }

  /** One that `isPlainService`. */
  service(service: ServiceConfig): void {
    this.#put(this.#serviceTemplate(service), service.protocol, service.address, service.port);
  }

  /** One that `isPlainDestination`, of a service that `isPlainService`. */
  destination(key: ServiceKey, dest: DestinationConfig): void {
    const template = this.#destinationTemplate(key.family, dest.family);
    const at = this.#put(template, key.protocol, key.address, key.port);
    this.#putServer(at, template, dest.address, dest.port, dest.method & IP_VS_CONN_F_FWD_MASK, dest.weight);
    const places = template.places.server;
    this.#buffer[at + places.tunnelType] = dest.tunnelType;
    writeBE16(this.#buffer, dest.tunnelPort, at + places.tunnelPort);
    host.writeU16(this.#buffer, dest.tunnelFlags, at + places.tunnelFlags);
    host.writeU32(this.#buffer, dest.upperThreshold >>> 0, at + places.upperThreshold);
    host.writeU32(this.#buffer, dest.lowerThreshold >>> 0, at + places.lowerThreshold);
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

  #put({ bytes, places }: Template, protocol: number, address: Uint8Array, port: number): number {
    const at = this.#length;
    const buffer = this.#buffer;
    buffer.set(bytes, at);
    host.writeU16(buffer, protocol, at + places.protocol);
    for (let i = 0; i < address.length; i++) buffer[at + places.address + i] = address[i] as number;
    writeBE16(buffer, port, at + places.port);
    this.#last = at;
    this.#length += bytes.length;
    this.count++;
    return at;
  }

  #putServer(
    at: number,
    { places: { server } }: Template,
    address: Uint8Array,
    port: number,
    method: number,
    weight: number,
  ): void {
    const buffer = this.#buffer;
    for (let i = 0; i < address.length; i++) buffer[at + server.address + i] = address[i] as number;
    writeBE16(buffer, port, at + server.port);
    host.writeU32(buffer, method, at + server.method);
    host.writeU32(buffer, weight >>> 0, at + server.weight);
  }

  #serviceTemplate(settings: Settings): Template {
    if (this.#service && this.#settings && sameSettings(this.#settings, settings)) return this.#service;
    const { family, scheduler, flags, timeout, netmask, peName } = settings;
    const own = { scheduler, flags, timeout, netmask, peName };
    const key = JSON.stringify([family, own]);
    let template = this.#services.get(key);
    if (!template) {
      template = this.#template(IPVS_CMD_NEW_SERVICE, {
        service: serviceAttributes({ ...serviceSpecimen(family), ...own }),
      });
      this.#services.set(key, template);
    }
    this.#settings = { family, ...own };
    this.#service = template;
    return template;
  }

  #destinationTemplate(service: Family, dest: Family): Template {
    const key = 256 * service + dest;
    let template = this.#destinations.get(key);
    if (!template) {
      template = this.#template(IPVS_CMD_NEW_DEST, {
        service: serviceAttributes(serviceSpecimen(service)),
        dest: destinationAttributes(destinationSpecimen(dest)),
      });
      this.#destinations.set(key, template);
    }
    return template;
  }

  #template(command: number, attributes: CommandAttributes): Template {
    const writer = new MessageWriter().begin(this.#family.id, NLM_F_REQUEST);
    encodeTable(COMMAND as Table, writer.genericHeader(command, this.#family.version), attributes);
    const bytes = writer.finish();
    const service = places(bytes, COMMAND.service[0]);
    const dest = places(bytes, COMMAND.dest[0]);
    const place = (found: ReadonlyMap<number, number>, [id]: readonly [number, ...unknown[]]) => found.get(id) ?? 0;
    return {
      bytes,
      places: {
        protocol: place(service, SERVICE.protocol),
        address: place(service, SERVICE.address),
        port: place(service, SERVICE.port),
        server: {
          address: place(dest, DEST.address),
          port: place(dest, DEST.port),
          method: place(dest, DEST.method),
          weight: place(dest, DEST.weight),
          tunnelType: place(dest, DEST.tunnelType),
          tunnelPort: place(dest, DEST.tunnelPort),
          tunnelFlags: place(dest, DEST.tunnelFlags),
          upperThreshold: place(dest, DEST.upperThreshold),
          lowerThreshold: place(dest, DEST.lowerThreshold),
        },
      },
    };
  }
}

const PLAIN: Settings = { family: AF_INET, scheduler: '', flags: 0, timeout: 0, netmask: 0xffffffff, peName: '' };

function sameSettings(a: Settings, b: Settings): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.family === b.family &&
    a.flags === b.flags &&
    a.timeout === b.timeout &&
    a.netmask === b.netmask &&
    a.peName === b.peName
  );
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

function writeBE16(buffer: Buffer, value: number, at: number): void {
  buffer[at] = value >>> 8;
  buffer[at + 1] = value;
}

/** The last one's bytes are overwritten by the next. */
const scratch = new Uint8Array(4);

function number4(address: number): Uint8Array {
  scratch[0] = address >>> 24;
  scratch[1] = address >>> 16;
  scratch[2] = address >>> 8;
  scratch[3] = address;
  return scratch;
}
