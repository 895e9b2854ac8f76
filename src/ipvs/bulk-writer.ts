// SPDX-License-Identifier: MIT
/**
 * Writes requests that add services and destinations by the ten thousand: each is a copy of a template that the codec
 * wrote, with a few bytes changed, and allocates nothing. The codec writes the same bytes: test/property/
 * ipvs-bulk-writer.test.ts compares the two.
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
import { defaultDestination, defaultService } from './shapes.ts';
import { COMMAND, type CommandAttributes, DEST, SERVICE } from './tables.ts';
import type { DestinationConfig, ServiceConfig, ServiceKey } from './types.ts';

/** Bytes of one sendmsg. */
const ROOM = 64 << 10;
/** An upper bound of one message; the name of a scheduler has at most 15 characters. */
const LARGEST = 512;

const ADDRESSES = { [AF_INET]: new Uint8Array(4), [AF_INET6]: new Uint8Array(16) } as const;

const blankService = (family: Family): ServiceConfig =>
  defaultService({ family, protocol: IPPROTO_TCP, address: ADDRESSES[family], port: 0, fwmark: 0 });
const blankDestination = (family: Family): DestinationConfig =>
  defaultDestination({ family, address: ADDRESSES[family], port: 0 });

/** What differs between the messages of a template. */
const KEY_VALUES = ['protocol', 'address', 'port'] as const;
const DESTINATION_VALUES = [
  'address',
  'port',
  'method',
  'weight',
  'tunnelType',
  'tunnelPort',
  'tunnelFlags',
  'upperThreshold',
  'lowerThreshold',
] as const;

/** Offsets of the values in a message. */
type OffsetsOf<Names extends readonly string[]> = Record<Names[number], number>;
interface Offsets extends OffsetsOf<typeof KEY_VALUES> {
  destination: OffsetsOf<typeof DESTINATION_VALUES>;
}

interface Template {
  bytes: Buffer;
  offsets: Offsets;
}

/** A service without its key; most services of a table share these. */
interface Settings {
  family: Family;
  scheduler: string;
  flags: number;
  timeout: number;
  netmask: number;
  peName: string;
}

/** All that is written of a service and of a destination: what else one has is left to the general code. */
const SERVICE_PROPERTIES = new Set<string>([
  ...['family', 'fwmark', ...KEY_VALUES],
  ...['scheduler', 'flags', 'timeout', 'netmask', 'peName'],
]);
const DESTINATION_PROPERTIES = new Set<string>(['family', ...DESTINATION_VALUES]);

/** Whether `addService` can write it: it has an address, not a mark, and nothing but what is written. */
export function isBulkWritableService(service: ServiceConfig): boolean {
  const { fwmark, flags } = service;
  return fwmark === 0 && (flags & IP_VS_SVC_F_SYNPROXY) === 0 && !hasOthers(service, SERVICE_PROPERTIES);
}

/** Whether `addDestination` can write it. */
export function isBulkWritableDestination(destination: DestinationConfig): boolean {
  const method = destination.method & IP_VS_CONN_F_FWD_MASK;
  return method !== IP_VS_CONN_F_FULLNAT && !hasOthers(destination, DESTINATION_PROPERTIES);
}

function hasOthers(config: object, written: ReadonlySet<string>): boolean {
  for (const name in config) if (!written.has(name) && config[name as keyof typeof config] !== undefined) return true;
  return false;
}

export class BulkWriter {
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

  /** `address`: the four bytes as a number. The scheduler's name is ASCII, of at most 15 characters. */
  addIpv4Service(protocol: number, address: number, port: number, scheduler: string): void {
    this.#put(this.#serviceTemplate({ ...DEFAULTS, scheduler }), protocol, ipv4Bytes(address), port);
  }

  addIpv4Destination(
    protocol: number,
    address: number,
    port: number,
    server: { address: number; port: number; method: number; weight: number },
  ): void {
    const template = this.#destinationTemplate(AF_INET, AF_INET);
    const at = this.#put(template, protocol, ipv4Bytes(address), port);
    this.#putDestination(at, template, ipv4Bytes(server.address), server.port, server.method, server.weight);
  }

  /** Requires `isBulkWritableService`. */
  addService(service: ServiceConfig): void {
    this.#put(this.#serviceTemplate(service), service.protocol, service.address, service.port);
  }

  /** Requires `isBulkWritableDestination`, and `isBulkWritableService` of its service. */
  addDestination(key: ServiceKey, dest: DestinationConfig): void {
    const template = this.#destinationTemplate(key.family, dest.family);
    const at = this.#put(template, key.protocol, key.address, key.port);
    this.#putDestination(at, template, dest.address, dest.port, dest.method & IP_VS_CONN_F_FWD_MASK, dest.weight);
    const offsets = template.offsets.destination;
    this.#buffer[at + offsets.tunnelType] = dest.tunnelType;
    writeBE16(this.#buffer, dest.tunnelPort, at + offsets.tunnelPort);
    host.writeU16(this.#buffer, dest.tunnelFlags, at + offsets.tunnelFlags);
    host.writeU32(this.#buffer, dest.upperThreshold >>> 0, at + offsets.upperThreshold);
    host.writeU32(this.#buffer, dest.lowerThreshold >>> 0, at + offsets.lowerThreshold);
  }

  /** All messages, the last one with NLM_F_ACK; `clear` when they are answered. */
  finish(): Buffer {
    host.writeU16(this.#buffer, NLM_F_REQUEST | NLM_F_ACK, this.#last + 6);
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.count = 0;
    this.#length = 0;
  }

  #put({ bytes, offsets }: Template, protocol: number, address: Uint8Array, port: number): number {
    const at = this.#length;
    const buffer = this.#buffer;
    buffer.set(bytes, at);
    host.writeU16(buffer, protocol, at + offsets.protocol);
    for (let i = 0; i < address.length; i++) buffer[at + offsets.address + i] = address[i] as number;
    writeBE16(buffer, port, at + offsets.port);
    this.#last = at;
    this.#length += bytes.length;
    this.count++;
    return at;
  }

  #putDestination(
    at: number,
    { offsets: { destination: offsets } }: Template,
    address: Uint8Array,
    port: number,
    method: number,
    weight: number,
  ): void {
    const buffer = this.#buffer;
    for (let i = 0; i < address.length; i++) buffer[at + offsets.address + i] = address[i] as number;
    writeBE16(buffer, port, at + offsets.port);
    host.writeU32(buffer, method, at + offsets.method);
    host.writeU32(buffer, weight >>> 0, at + offsets.weight);
  }

  #serviceTemplate(settings: Settings): Template {
    if (this.#service && this.#settings && sameSettings(this.#settings, settings)) return this.#service;
    const { family, scheduler, flags, timeout, netmask, peName } = settings;
    const own = { scheduler, flags, timeout, netmask, peName };
    const key = JSON.stringify([family, own]);
    let template = this.#services.get(key);
    if (!template) {
      template = this.#template(IPVS_CMD_NEW_SERVICE, {
        service: serviceAttributes({ ...blankService(family), ...own }),
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
        service: serviceAttributes(blankService(service)),
        dest: destinationAttributes(blankDestination(dest)),
      });
      this.#destinations.set(key, template);
    }
    return template;
  }

  #template(command: number, attributes: CommandAttributes): Template {
    const writer = new MessageWriter().begin(this.#family.id, NLM_F_REQUEST);
    encodeTable(COMMAND as Table, writer.genericHeader(command, this.#family.version), attributes);
    const bytes = writer.finish();
    return {
      bytes,
      offsets: {
        ...offsetsOf(KEY_VALUES, SERVICE, payloadOffsets(bytes, COMMAND.service[0])),
        destination: offsetsOf(DESTINATION_VALUES, DEST, payloadOffsets(bytes, COMMAND.dest[0])),
      },
    };
  }
}

const DEFAULTS: Settings = blankService(AF_INET);

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

function offsetsOf<Names extends readonly string[]>(
  names: Names,
  table: Readonly<Record<Names[number], readonly [id: number, ...unknown[]]>>,
  found: ReadonlyMap<number, number>,
): OffsetsOf<Names> {
  const entries = names.map((name: Names[number]) => [name, found.get(table[name][0]) ?? 0]);
  return Object.fromEntries(entries) as OffsetsOf<Names>;
}

/** For each attribute of a nest, by type, the offset of its payload. */
function payloadOffsets(message: Buffer, nest: number): ReadonlyMap<number, number> {
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

/** Reused: each call overwrites the bytes of the last. */
const scratch = new Uint8Array(4);

function ipv4Bytes(address: number): Uint8Array {
  scratch[0] = address >>> 24;
  scratch[1] = address >>> 16;
  scratch[2] = address >>> 8;
  scratch[3] = address;
  return scratch;
}
