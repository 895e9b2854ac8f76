// SPDX-License-Identifier: MIT
// IPv4 packets as bytes: built for raw clients and routers, taken apart from captures. Numbers are host order.
import { parseIpv4 } from '../../../src/base/addresses.ts';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export interface IpFields {
  source: string;
  destination: string;
  ttl?: number;
  df?: boolean;
}

export interface SegmentFields extends IpFields {
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack?: number;
  flags: number;
  window?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
}

/** A TCP segment as captured; `bytes` is the packet from the IP header on. */
export interface Segment {
  kind: 'tcp';
  source: string;
  destination: string;
  ttl: number;
  df: boolean;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  options: Option[];
  optionBytes: Buffer;
  payload: Buffer;
  bytes: Buffer;
}

/** An ICMP message as captured; `quoted` is the packet that an error is about, as far as it is quoted. */
export interface Icmp {
  kind: 'icmp';
  source: string;
  destination: string;
  ttl: number;
  type: number;
  code: number;
  mtu: number;
  checksumsRight: boolean;
  quoted: Quoted | undefined;
  bytes: Buffer;
}

export interface Quoted {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  checksumRight: boolean;
}

export interface Option {
  kind: number;
  data: Buffer;
}

/** Checksum of RFC 1071; 0 for bytes with a correct checksum. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const formatIpv4 = (bytes: Uint8Array) => bytes.join('.');

function address(text: string): Uint8Array {
  const bytes = parseIpv4(text);
  if (!bytes) throw new TypeError(`not an IPv4 address: ${text}`);
  return bytes;
}

export function ipPacket(fields: IpFields, protocol: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + body.length, 2);
  header.writeUInt16BE(fields.df === false ? 0 : 0x4000, 6);
  header[8] = fields.ttl ?? 64;
  header[9] = protocol;
  header.set(address(fields.source), 12);
  header.set(address(fields.destination), 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, body]);
}

export function tcpPacket(fields: SegmentFields): Buffer {
  const options = Buffer.from(fields.options ?? []);
  const padded = Buffer.concat([options, Buffer.alloc((4 - (options.length & 3)) & 3)]);
  if (padded.length > 40) throw new RangeError('more than 40 bytes of options');
  const header = Buffer.alloc(20);
  header.writeUInt16BE(fields.sourcePort, 0);
  header.writeUInt16BE(fields.destinationPort, 2);
  header.writeUInt32BE(fields.seq >>> 0, 4);
  header.writeUInt32BE((fields.ack ?? 0) >>> 0, 8);
  header[12] = ((20 + padded.length) / 4) << 4;
  header[13] = fields.flags;
  header.writeUInt16BE(fields.window ?? 64240, 14);
  const segment = Buffer.concat([header, padded, fields.payload ?? Buffer.alloc(0)]);
  const pseudo = Buffer.alloc(12);
  pseudo.set(address(fields.source), 0);
  pseudo.set(address(fields.destination), 4);
  pseudo[9] = 6;
  pseudo.writeUInt16BE(segment.length, 10);
  segment.writeUInt16BE(checksum(Buffer.concat([pseudo, segment])), 16);
  return ipPacket(fields, 6, segment);
}

/** An ICMP error from `fields.source` about `packet`, of which it quotes `quote` bytes behind the IP header. */
export function icmpError(
  fields: IpFields,
  type: number,
  code: number,
  packet: Uint8Array,
  { mtu = 0, quote = 8 } = {},
): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header[1] = code;
  header.writeUInt16BE(mtu, 6);
  const message = Buffer.concat([header, packet.subarray(0, 20 + quote)]);
  message.writeUInt16BE(checksum(message), 2);
  return ipPacket(fields, 1, message);
}

function parseOptions(area: Buffer): Option[] {
  const options: Option[] = [];
  for (let at = 0; at < area.length; ) {
    const kind = area[at] ?? 0;
    if (kind === 0) break;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = area[at + 1] ?? 0;
    if (length < 2 || at + length > area.length) break;
    options.push({ kind, data: area.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

function parseQuoted(packet: Buffer): Quoted | undefined {
  const ihl = ((packet[0] ?? 0) & 15) * 4;
  if (packet.length < ihl + 8) return undefined;
  return {
    source: formatIpv4(packet.subarray(12, 16)),
    destination: formatIpv4(packet.subarray(16, 20)),
    sourcePort: packet.readUInt16BE(ihl),
    destinationPort: packet.readUInt16BE(ihl + 2),
    seq: packet.readUInt32BE(ihl + 4),
    checksumRight: checksum(packet.subarray(0, ihl)) === 0,
  };
}

/** Parses an IPv4 packet; undefined if it is a fragment, or neither TCP nor ICMP. */
export function parse(bytes: Buffer): Segment | Icmp | undefined {
  if (bytes.length < 20 || (bytes[0] ?? 0) >> 4 !== 4) return undefined;
  const ihl = ((bytes[0] ?? 0) & 15) * 4;
  const total = bytes.readUInt16BE(2);
  const fragment = bytes.readUInt16BE(6);
  const body = bytes.subarray(ihl, Math.min(total, bytes.length));
  const common = {
    source: formatIpv4(bytes.subarray(12, 16)),
    destination: formatIpv4(bytes.subarray(16, 20)),
    ttl: bytes[8] ?? 0,
    bytes,
  };
  if (fragment & 0x3fff) return undefined;
  if (bytes[9] === 1 && body.length >= 8) {
    const type = body[0] ?? 0;
    return {
      ...common,
      kind: 'icmp',
      type,
      code: body[1] ?? 0,
      mtu: body.readUInt16BE(6),
      checksumsRight: checksum(bytes.subarray(0, ihl)) === 0 && checksum(body) === 0,
      quoted: type === 3 || type === 11 ? parseQuoted(body.subarray(8)) : undefined,
    };
  }
  if (bytes[9] !== 6 || body.length < 20) return undefined;
  const length = ((body[12] ?? 0) >> 4) * 4;
  const optionBytes = body.subarray(20, length);
  return {
    ...common,
    kind: 'tcp',
    df: (fragment & 0x4000) !== 0,
    sourcePort: body.readUInt16BE(0),
    destinationPort: body.readUInt16BE(2),
    seq: body.readUInt32BE(4),
    ack: body.readUInt32BE(8),
    flags: body[13] ?? 0,
    window: body.readUInt16BE(14),
    options: parseOptions(optionBytes),
    optionBytes,
    payload: body.subarray(length),
  };
}

/** Options as bytes: `toa(port, address)`, `option(kind, ...data)`, joined with Buffer.concat. */
export function option(kind: number, ...data: number[]): Buffer {
  return Buffer.from([kind, data.length + 2, ...data]);
}

export function toa(port: number, from: string, kind = 254): Buffer {
  return option(kind, port >> 8, port & 255, ...address(from));
}

export const mss = (bytes: number) => option(2, bytes >> 8, bytes & 255);

export function timestamps(value: number, echo: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeUInt32BE(value >>> 0, 0);
  data.writeUInt32BE(echo >>> 0, 4);
  return option(8, ...data);
}

/** The address and port of a TOA option's data. */
export function readToa({ data }: Option): string {
  return data.length === 6
    ? `${formatIpv4(data.subarray(2))}:${data.readUInt16BE(0)}`
    : `malformed ${data.toString('hex')}`;
}
