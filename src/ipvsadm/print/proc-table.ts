// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the destinations of all services in one text, with the columns of the default layout as ipvsadm
 * prints them. Netlink needs a request per service, and ten thousand requests take longer than the rest of a listing.
 *
 *     TCP  C0000201:0050 wrr
 *       -> AC100002:1F90      Masq    1      2          3
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { AF_INET, AF_INET6, parseIpv6 } from '../../base/addresses.ts';
import { MalformedError } from '../../base/errors.ts';
import { bytesText, type DestinationKey, namesByNumber, PROTOCOLS, type Service } from '../../ipvs/index.ts';
import { firstWord, type Place, sortPlaces } from './sort.ts';

const PATH = '/proc/net/ip_vs';
const TITLE_LINES = 3;
const IPV4_ROW = / {2}-> [0-9A-F]{8}:[0-9A-F]{4} {6}\w+ +\d+ +\d+ +\d+ *\n/y;
const ROW = / {2}-> (?:[0-9A-F]{8}|\[[0-9a-f:]{39}\]):[0-9A-F]{4} {6}\w+ +\d+ +\d+ +\d+ *\n/y;
/** Offset of the address in a line, of services as of rows. */
const ADDRESS = 5;
const IPV4_DIGITS = 8;
const IPV6_DIGITS = 41;
const PORT_DIGITS = 4;
/** Between the port and the columns. */
const GAP = 6;
/** Offsets in a row of IPv4. */
const IPV4_PORT = ADDRESS + IPV4_DIGITS + 1;
const IPV4_COLUMNS = IPV4_PORT + PORT_DIGITS + GAP;

const BLANK = 32;
const BRACKET = 91;

const protocols = namesByNumber(PROTOCOLS, 'kernel');

/** A destination with its columns as text. */
export interface ProcDestination extends DestinationKey {
  readonly columns: string;
}

export class ProcTable {
  readonly #text: string;
  /** For each service, the offset of the line below it. */
  readonly #starts: ReadonlyMap<Service, number>;

  private constructor(text: string, starts: ReadonlyMap<Service, number>) {
    this.#text = text;
    this.#starts = starts;
  }

  /** Reads the file. Undefined if it cannot be read, or does not list exactly these services, in this order. */
  static read(services: readonly Service[]): ProcTable | undefined {
    try {
      return ProcTable.parse(readText(PATH), services);
    } catch {
      return undefined;
    }
  }

  static parse(text: string, services: readonly Service[]): ProcTable | undefined {
    const starts = new Map<Service, number>();
    if (text !== '' && !text.endsWith('\n')) return undefined;
    let at = 0;
    for (let line = 0; line < TITLE_LINES; line++) at = nextLine(text, at);
    for (const service of services) {
      if (!isLineOf(service, text, at)) return undefined;
      at = nextLine(text, at);
      starts.set(service, at);
      while (isRow(text, at)) at = nextLine(text, at);
    }
    return at === text.length ? new ProcTable(text, starts) : undefined;
  }

  /**
   * The rows of a service in numbers, as `destinations` and `destinationRow` make them, without objects for addresses.
   * Undefined if one of them is not of IPv4.
   */
  ipv4Rows(service: Service, sort: boolean): string | undefined {
    const text = this.#text;
    const rows: Place<string>[] = [];
    for (let at = this.#starts.get(service) ?? 0; isRow(text, at); at = IPV4_ROW.lastIndex) {
      IPV4_ROW.lastIndex = at;
      if (!IPV4_ROW.test(text)) return undefined;
      const word = hexAt(text, at + ADDRESS, IPV4_DIGITS);
      const port = hexAt(text, at + IPV4_PORT, PORT_DIGITS);
      const label = `${word >>> 24}.${(word >> 16) & 255}.${(word >> 8) & 255}.${word & 255}:${port}`;
      const columns = text.slice(at + IPV4_COLUMNS, IPV4_ROW.lastIndex);
      const row = `  -> ${label.padEnd(28)} ${columns}`;
      rows.push({ fwmark: 0, kind: 0, word, ipv6: undefined, port, item: row });
    }
    if (sort) sortPlaces(rows);
    let all = '';
    for (const { item } of rows) all += item;
    return all;
  }

  /** In the kernel's order. Throws MalformedError. */
  destinations(service: Service): ProcDestination[] {
    const text = this.#text;
    const destinations: ProcDestination[] = [];
    for (let at = this.#starts.get(service) ?? 0; isRow(text, at); at = ROW.lastIndex) {
      ROW.lastIndex = at;
      const dest = ROW.test(text) ? rowAt(text, at, ROW.lastIndex - 1) : undefined;
      if (!dest) throw new MalformedError(`${PATH}: unexpected line: ${text.slice(at, nextLine(text, at)).trimEnd()}`);
      destinations.push(dest);
    }
    return destinations;
  }
}

/** Not the next service, and not the end: reading beyond it would make V8 compile the caller again. */
function isRow(text: string, at: number): boolean {
  return at < text.length && text.charCodeAt(at) === BLANK;
}

/** The offset after the next newline. */
function nextLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

function isLineOf({ family, protocol, address, port, fwmark }: Service, text: string, at: number): boolean {
  if (fwmark) return text.startsWith('FWM  ', at) && hexAt(text, at + ADDRESS, 8) === (fwmark | 0);
  if (!text.startsWith(protocols[protocol] ?? `${protocol}`, at)) return false;
  const start = text.indexOf(' ', at) + 2;
  if (family === AF_INET)
    return (
      hexAt(text, start, IPV4_DIGITS) === firstWord(address) &&
      hexAt(text, start + IPV4_DIGITS + 1, PORT_DIGITS) === port
    );
  const digits = `[${bytesText(address).replace(/(.{4})(?!$)/g, '$1:')}]:`;
  return text.startsWith(digits, start) && hexAt(text, start + digits.length, PORT_DIGITS) === port;
}

function rowAt(text: string, start: number, end: number): ProcDestination | undefined {
  const ipv6 = text.charCodeAt(start + ADDRESS) === BRACKET;
  const colon = start + ADDRESS + (ipv6 ? IPV6_DIGITS : IPV4_DIGITS);
  const address = ipv6
    ? parseIpv6(text.slice(start + ADDRESS + 1, colon - 1))
    : ipv4Bytes(hexAt(text, start + ADDRESS, IPV4_DIGITS));
  if (!address) return undefined;
  return {
    family: ipv6 ? AF_INET6 : AF_INET,
    address,
    port: hexAt(text, colon + 1, PORT_DIGITS),
    columns: text.slice(colon + 1 + PORT_DIGITS + GAP, end),
  };
}

/** A number in upper-case hexadecimal; eight digits as a signed number. */
function hexAt(text: string, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const code = text.charCodeAt(i);
    value = (value << 4) | (code - (code < 58 ? 48 : 55));
  }
  return value;
}

function ipv4Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) bytes[i] = value >>> (24 - 8 * i);
  return bytes;
}

/**
 * Reads a file of /proc into one buffer. The kernel returns a page per call, and readFileSync allocates 64 KiB for
 * each.
 */
function readText(path: string): string {
  const fd = openSync(path, 'r');
  try {
    let data = Buffer.allocUnsafeSlow(1 << 20);
    let length = 0;
    for (;;) {
      const count = readSync(fd, data, length, data.length - length, null);
      if (count === 0) return data.toString('latin1', 0, length);
      length += count;
      if (length === data.length) data = Buffer.concat([data], 2 * length);
    }
  } finally {
    closeSync(fd);
  }
}
