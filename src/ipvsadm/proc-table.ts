// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the real servers of every service in one text, with the columns of the default listing. Over netlink
 * they have to be asked for service by service, and ten thousand questions take longer than everything else.
 *
 *     TCP  C0000201:0050 wrr
 *       -> AC100002:1F90      Masq    1      2          3
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { AF_INET, AF_INET6 } from '../base/addresses.ts';
import { MalformedError } from '../base/errors.ts';
import { once } from '../base/once.ts';
import { type DestinationKey, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, type ServiceKey } from '../ipvs/index.ts';

export const PROC_TABLE = '/proc/net/ip_vs';

/** A real server, and where in the text its columns stand: forwarding method, weight and connections. */
export interface ProcRow extends DestinationKey {
  readonly columns: number;
  readonly end: number;
}

/** So many real servers of a service are sorted by hand. */
const MANY = 64;

/** The rows of one service after the other, as long as all are of IPv4: without an object for each. */
export class Ipv4Rows {
  count = 0;
  /** By row: the address as a number, the port, where the columns are and where they end. */
  readonly address = new Uint32Array(MANY);
  readonly port = new Uint16Array(MANY);
  readonly columns = new Uint32Array(MANY);
  readonly end = new Uint32Array(MANY);

  add(address: number, port: number, columns: number, end: number, at: number): void {
    for (let i = this.count++; i > at; i--) this.#copy(i - 1, i);
    this.address[at] = address;
    this.port[at] = port;
    this.columns[at] = columns;
    this.end[at] = end;
  }

  /** Where a row belongs among those that are sorted already. */
  place(address: number, port: number): number {
    let at = this.count;
    for (; at > 0; at--) {
      const before = this.address[at - 1] as number;
      if (before < address || (before === address && (this.port[at - 1] as number) <= port)) break;
    }
    return at;
  }

  #copy(from: number, to: number): void {
    this.address[to] = this.address[from] as number;
    this.port[to] = this.port[from] as number;
    this.columns[to] = this.columns[from] as number;
    this.end[to] = this.end[from] as number;
  }
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  [IPPROTO_TCP]: 'TCP',
  [IPPROTO_UDP]: 'UDP',
  [IPPROTO_SCTP]: 'SCTP',
};

const NEWLINE = 10;
const BLANK = 32;
const COLON = 58;
const BRACKET = 91;
/** Columns of a row: where its address begins, how long that is, and what its port takes with the blanks behind it. */
const PLACE = 5;
const IPV4_PLACE = 8;
const IPV6_PLACE = 41;
const PORT = 11;
/** Without its newline. */
const IPV4_ROW = 60;

const INT32_MAX = 0x7fffffff;

/** Room for a table to begin with: what is longer than a service of four real servers each takes a larger one. */
const ROOM = 64 << 10;
const FOUR_ROWS = 5 * (IPV4_ROW + 1);

/** The text, and where in it the rows of each service are: of a table of millions nothing else is kept. */
export class ProcTable {
  readonly data: Buffer;
  /** Where the rows of each service begin; the next service, which is not indented, ends them. */
  readonly #starts: Uint32Array;

  constructor(data: Buffer, starts: Uint32Array) {
    this.data = data;
    this.#starts = starts;
  }

  /**
   * The real servers of the service at that place, in the kernel's order or sorted. False where rows() has to be asked:
   * they are too many, or not all of IPv4, or so far apart that ipvsadm's way of comparing makes a difference.
   */
  ipv4Rows(index: number, sort: boolean, rows: Ipv4Rows): boolean {
    const { data } = this;
    rows.count = 0;
    let lowest = 0xffffffff;
    let highest = 0;
    for (let at = this.#starts[index] ?? 0; at < data.length && data[at] === BLANK; ) {
      const place = at + PLACE;
      const colon = place + IPV4_PLACE;
      const end = endOfRow(data, at);
      if (data[place] === BRACKET || data[colon] !== COLON || end < colon + PORT || rows.count === MANY) return false;
      const address = ((hexAt(data, place, 4) << 16) | hexAt(data, place + 4, 4)) >>> 0;
      const port = hexAt(data, colon + 1, 4);
      rows.add(address, port, colon + PORT, end, sort ? rows.place(address, port) : rows.count);
      if (address < lowest) lowest = address;
      if (address > highest) highest = address;
      at = end + 1;
    }
    return !sort || rows.count === 0 || highest - lowest <= INT32_MAX;
  }

  /** The same of any family, in the kernel's order. Throws MalformedError. */
  rows(index: number): ProcRow[] {
    const rows: ProcRow[] = [];
    for (let at = this.#starts[index] ?? 0; this.data[at] === BLANK; ) {
      const end = endOfRow(this.data, at);
      rows.push(rowAt(this.data, at, end));
      at = end + 1;
    }
    return rows;
  }
}

/** Undefined where the file is not to be had, or tells of other services than these, or in another order. */
export function readProcTable(services: readonly ServiceKey[]): ProcTable | undefined {
  try {
    return parseProcTable(readWhole(PROC_TABLE, ROOM + services.length * FOUR_ROWS), services);
  } catch {
    return undefined;
  }
}

/** The kernel hands out a page at a time; readFileSync would make a buffer for each. `expected`: bytes. */
function readWhole(path: string, expected: number): Buffer {
  const file = openSync(path, 'r');
  try {
    let data = Buffer.allocUnsafeSlow(expected);
    for (let length = 0; ; ) {
      const count = readSync(file, data, length, data.length - length, null);
      if (count === 0) return data.subarray(0, length);
      length += count;
      if (length < data.length) continue;
      const larger = Buffer.allocUnsafeSlow(2 * data.length);
      data.copy(larger);
      data = larger;
    }
  } finally {
    closeSync(file);
  }
}

export function parseProcTable(data: Buffer, services: readonly ServiceKey[]): ProcTable | undefined {
  const starts = new Uint32Array(services.length);
  let count = 0;
  let start = 0;
  for (let line = 0; start < data.length; line++) {
    const end = endOfRow(data, start);
    // Three lines of heading.
    if (line >= 3 && data[start] !== BLANK) {
      const service = services[count];
      if (!service || !isOf(data, start, service)) return undefined;
      starts[count++] = end + 1;
    } else if (line >= 3 && count === 0) return undefined;
    start = end + 1;
  }
  return count === services.length ? new ProcTable(data, starts) : undefined;
}

/** Rows of IPv4 are equally long, unless a number is too long for its column. */
function endOfRow(data: Buffer, start: number): number {
  if (data[start] === BLANK && data[start + IPV4_ROW] === NEWLINE && data[start + PLACE] !== BRACKET)
    return start + IPV4_ROW;
  let at = start;
  while (at < data.length && data[at] !== NEWLINE) at++;
  return at;
}

/** Whether the line there is that service's. */
function isOf(data: Buffer, start: number, service: ServiceKey): boolean {
  const { family, protocol, address, port, fwmark } = service;
  if (family !== AF_INET || fwmark || protocol !== IPPROTO_TCP) return startsWith(data, start, `${labelOf(service)} `);
  // The same for what most are, without a text.
  for (let i = 0; i < 4; i++) if (hexAt(data, start + PLACE + 2 * i, 2) !== address[i]) return false;
  return startsWith(data, start, 'TCP  ') && hexAt(data, start + PLACE + IPV4_PLACE + 1, 4) === port;
}

function startsWith(data: Buffer, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (data[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** IPv6 is written `[2001:0db8:...]`. */
function rowAt(data: Buffer, start: number, end: number): ProcRow {
  const place = start + PLACE;
  const ipv6 = data[place] === BRACKET;
  const port = place + (ipv6 ? IPV6_PLACE : IPV4_PLACE);
  if (data[port] !== COLON || end < port + PORT)
    throw new MalformedError(`${PROC_TABLE}: ${data.toString('latin1', start, end)}`);
  const address = new Uint8Array(ipv6 ? 16 : 4);
  for (let i = 0; i < address.length; i++)
    address[i] = hexAt(data, ipv6 ? place + 1 + 5 * (i >> 1) + 2 * (i & 1) : place + 2 * i, 2);
  const columns = port + PORT;
  return { family: ipv6 ? AF_INET6 : AF_INET, address, port: hexAt(data, port + 1, 4), columns, end };
}

function hexAt(data: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const code = data[i] as number;
    // 0-9, then A-F and a-f alike.
    value = 16 * value + (code < 58 ? code - 48 : (code & 0x5f) - 55);
  }
  return value;
}

/** The two digits of each byte. */
const hex = once(() => {
  const lower = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
  return { lower, upper: lower.map((text) => text.toUpperCase()) };
});

/** How the file names a service. */
function labelOf({ family, protocol, address, port, fwmark }: ServiceKey): string {
  if (fwmark) return `FWM  ${fwmark.toString(16).toUpperCase().padStart(8, '0')}`;
  const { lower, upper } = hex();
  const digits = family === AF_INET6 ? lower : upper;
  let host = '';
  for (let i = 0; i < address.length; i++)
    host += `${family === AF_INET6 && i > 0 && i % 2 === 0 ? ':' : ''}${digits[address[i] ?? 0]}`;
  const place = family === AF_INET6 ? `[${host}]` : host;
  return `${PROTOCOLS[protocol] ?? protocol}  ${place}:${upper[port >> 8]}${upper[port & 255]}`;
}
