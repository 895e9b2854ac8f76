// SPDX-License-Identifier: MIT
/**
 * A service without its statistics, read in one go: tables of ten thousand are listed by a program that has to have ended
 * before V8 has compiled the general way through attribute tables. What is not as the kernel writes it is left to that.
 */
import { AF_INET, AF_INET6 } from '../base/addresses.ts';
import { NLA_HDRLEN, NLA_TYPE_MASK } from '../netlink/constants.ts';
import { host } from '../netlink/endian.ts';
import type { AttributeReader } from '../netlink/reader.ts';
import { netmaskOnWire } from './codec.ts';
import { COMMAND, SERVICE } from './tables.ts';
import type { Service } from './types.ts';

const [COMMAND_SERVICE] = COMMAND.service;
const [FAMILY] = SERVICE.family;
const [PROTOCOL] = SERVICE.protocol;
const [ADDRESS] = SERVICE.address;
const [PORT] = SERVICE.port;
const [FWMARK] = SERVICE.fwmark;
const [SCHEDULER] = SERVICE.scheduler;
const [FLAGS] = SERVICE.flags;
const [TIMEOUT] = SERVICE.timeout;
const [NETMASK] = SERVICE.netmask;
const [LOCAL_ADDRESSES] = SERVICE.numLocalAddresses;
/** What a few services have is read the general way. */
const SELDOM = [SERVICE.peName, SERVICE.portMin, SERVICE.portMax].map(([type]) => type);

const TYPES = 64;
const ANY = 0xffff;
/** No attribute is so long. */
const NEVER = 0xfffe;
/** The length that an attribute has, by its type; 0 where it is not wanted. */
const LENGTHS = new Uint16Array(TYPES);
for (const type of [FAMILY, PROTOCOL, PORT]) LENGTHS[type] = 2;
for (const type of [FWMARK, TIMEOUT, NETMASK, LOCAL_ADDRESSES]) LENGTHS[type] = 4;
LENGTHS[FLAGS] = 8;
LENGTHS[ADDRESS] = 16;
LENGTHS[SCHEDULER] = ANY;
for (const type of SELDOM) LENGTHS[type] = NEVER;

/** Of the service being read, by type: where its attribute is (0: nowhere), how long it is, and what its first bytes say. */
const places = new Uint32Array(TYPES);
const sizes = new Uint16Array(TYPES);
const values = new Uint32Array(TYPES);

/** The service that is all there is to read; undefined, and nothing read: readService() has to look. */
export function readPlainService({ buffer, position: start, end }: AttributeReader): Service | undefined {
  if (start + NLA_HDRLEN > end) return undefined;
  const size = host.readU16(buffer, start);
  const type = host.readU16(buffer, start + 2) & NLA_TYPE_MASK;
  if (size < NLA_HDRLEN || start + size !== end || type !== COMMAND_SERVICE) return undefined;
  if (!find(buffer, start + NLA_HDRLEN, end)) return undefined;
  const family = values[FAMILY] as number;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  lastScheduler = name(buffer, places[SCHEDULER] as number, sizes[SCHEDULER] as number, lastScheduler);
  const port = places[PORT] as number;
  const address = new Uint8Array(family === AF_INET ? 4 : 16);
  const at = places[ADDRESS] as number;
  if (at > 0) for (let i = 0; i < address.length; i++) address[i] = buffer[at + i] as number;
  return {
    family,
    protocol: values[PROTOCOL] as number,
    address,
    port: port > 0 ? ((buffer[port] as number) << 8) | (buffer[port + 1] as number) : 0,
    fwmark: values[FWMARK] as number,
    scheduler: lastScheduler,
    flags: values[FLAGS] as number,
    timeout: values[TIMEOUT] as number,
    netmask: netmaskOnWire(family, values[NETMASK] as number),
    peName: '',
    portMin: undefined,
    portMax: undefined,
    numLocalAddresses: places[LOCAL_ADDRESSES] ? (values[LOCAL_ADDRESSES] as number) : undefined,
    stats: undefined,
  };
}

/** False where something is of another length than the kernel gives it, or seldom there. */
function find(buffer: Buffer, start: number, end: number): boolean {
  places.fill(0);
  values.fill(0);
  for (let next = start; next + NLA_HDRLEN <= end; ) {
    const size = host.readU16(buffer, next);
    const type = host.readU16(buffer, next + 2) & NLA_TYPE_MASK;
    if (size < NLA_HDRLEN || next + size > end) return false;
    const wanted = type < TYPES ? (LENGTHS[type] as number) : 0;
    if (wanted !== 0) {
      if (wanted !== ANY && wanted !== size - NLA_HDRLEN) return false;
      places[type] = next + NLA_HDRLEN;
      sizes[type] = size - NLA_HDRLEN;
      if (wanted !== ANY)
        values[type] = wanted === 2 ? host.readU16(buffer, next + NLA_HDRLEN) : host.readU32(buffer, next + NLA_HDRLEN);
    }
    next += (size + 3) & ~3;
  }
  return true;
}

/** Of most tables every service has the same. */
let lastScheduler = '';

/** Up to the first NUL; `guess` if it is that. */
function name(buffer: Buffer, start: number, length: number, guess: string): string {
  if (start === 0) return '';
  let at = 0;
  while (at < length && buffer[start + at] !== 0 && buffer[start + at] === guess.charCodeAt(at)) at++;
  if (at === guess.length && (at === length || buffer[start + at] === 0)) return guess;
  const nul = buffer.subarray(start, start + length).indexOf(0);
  return buffer.toString('utf8', start, nul < 0 ? start + length : start + nul);
}
