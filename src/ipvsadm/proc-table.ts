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
import { type DestinationKey, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, type ServiceKey } from '../ipvs/index.ts';
import type { Sortable } from './sort.ts';

const NONE = new Uint8Array(0);

export const PROC_TABLE = '/proc/net/ip_vs';

/** A real server, and where in the text its columns stand: forwarding method, weight and connections. */
export interface ProcRow extends DestinationKey {
  readonly columns: number;
  readonly end: number;
}

/** The same of an IPv4 address, ready to be sorted. */
export interface Ipv4Row extends Sortable {
  readonly columns: number;
  readonly end: number;
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

/** The text, and where in it the rows of each service are: of a table of millions nothing else is kept. */
export class ProcTable {
  readonly data: Buffer;
  /** Where the rows of each service begin; the next service, which is not indented, ends them. */
  readonly #starts: Uint32Array;

  constructor(data: Buffer, starts: Uint32Array) {
    this.data = data;
    this.#starts = starts;
  }

  /** The real servers of the service at that place, in the kernel's order; undefined unless all of them have IPv4. */
  ipv4Rows(index: number): Ipv4Row[] | undefined {
    const rows: Ipv4Row[] = [];
    for (let at = this.#starts[index] ?? 0; this.data[at] === BLANK; ) {
      const place = at + PLACE;
      const port = place + IPV4_PLACE;
      const end = endOfLine(this.data, at);
      if (this.data[place] === BRACKET || this.data[port] !== COLON || end < port + PORT) return undefined;
      const address = (hexAt(this.data, place, 4) << 16) | hexAt(this.data, place + 4, 4);
      rows.push({
        fwmark: 0,
        order: 0,
        family: AF_INET,
        number: address >>> 0,
        bytes: NONE,
        port: hexAt(this.data, port + 1, 4),
        columns: port + PORT,
        end,
      });
      at = end + 1;
    }
    return rows;
  }

  /** The same of any family. Throws MalformedError. */
  rows(index: number): ProcRow[] {
    const rows: ProcRow[] = [];
    for (let at = this.#starts[index] ?? 0; this.data[at] === BLANK; ) {
      const end = endOfLine(this.data, at);
      rows.push(rowAt(this.data, at, end));
      at = end + 1;
    }
    return rows;
  }
}

/** Undefined where the file is not to be had, or tells of other services than these, or in another order. */
export function readProcTable(services: readonly ServiceKey[]): ProcTable | undefined {
  try {
    return parseProcTable(readWhole(PROC_TABLE), services);
  } catch {
    return undefined;
  }
}

/** The kernel hands out a page at a time; readFileSync would make a buffer for each. */
function readWhole(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    let data = Buffer.allocUnsafeSlow(1 << 20);
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
    const end = endOfLine(data, start);
    // Three lines of heading.
    if (line >= 3 && data[start] !== BLANK) {
      const service = services[count];
      if (!service || !startsWith(data, start, `${labelOf(service)} `)) return undefined;
      starts[count++] = end + 1;
    } else if (line >= 3 && count === 0) return undefined;
    start = end + 1;
  }
  return count === services.length ? new ProcTable(data, starts) : undefined;
}

function endOfLine(data: Buffer, start: number): number {
  let at = start;
  while (at < data.length && data[at] !== NEWLINE) at++;
  return at;
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

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const UPPER_HEX = HEX.map((text) => text.toUpperCase());

/** How the file names a service. */
function labelOf({ family, protocol, address, port, fwmark }: ServiceKey): string {
  if (fwmark) return `FWM  ${fwmark.toString(16).toUpperCase().padStart(8, '0')}`;
  const digits = family === AF_INET6 ? HEX : UPPER_HEX;
  let host = '';
  for (let i = 0; i < address.length; i++)
    host += `${family === AF_INET6 && i > 0 && i % 2 === 0 ? ':' : ''}${digits[address[i] ?? 0]}`;
  const place = family === AF_INET6 ? `[${host}]` : host;
  return `${PROTOCOLS[protocol] ?? protocol}  ${place}:${UPPER_HEX[port >> 8]}${UPPER_HEX[port & 255]}`;
}
