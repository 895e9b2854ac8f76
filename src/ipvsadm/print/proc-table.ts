// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the destinations of all services in one text. Over netlink they take a request per service, and ten
 * thousand requests take longer than all the rest of a listing. It has the columns of the default layout, as ipvsadm
 * prints them.
 *
 *     TCP  C0000201:0050 wrr
 *       -> AC100002:1F90      Masq    1      2          3
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { AF_INET, AF_INET6, parseIpv6 } from '../../base/addresses.ts';
import { MalformedError } from '../../base/errors.ts';
import { bytesText, type DestinationKey, namesByNumber, PROTOCOLS, type Service } from '../../ipvs/index.ts';

const PATH = '/proc/net/ip_vs';
const TITLE_LINES = 3;
const ROW = '  -> ';
const ROW_FORM = /^ {2}-> (?:[0-9A-F]{8}|\[[0-9a-f:]{39}\]):[0-9A-F]{4} {6}\w+ +\d+ +\d+ +\d+ *$/;
/** Between the port and the columns. */
const GAP = 6;

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
    let at = 0;
    for (let line = 0; line < TITLE_LINES; line++) at = nextLine(text, at);
    for (const service of services) {
      if (!text.startsWith(`${serviceName(service)} `, at)) return undefined;
      at = nextLine(text, at);
      starts.set(service, at);
      while (text.startsWith(ROW, at)) at = nextLine(text, at);
    }
    return at === text.length ? new ProcTable(text, starts) : undefined;
  }

  /** In the kernel's order. Throws MalformedError. */
  destinations(service: Service): ProcDestination[] {
    const text = this.#text;
    const destinations: ProcDestination[] = [];
    for (let at = this.#starts.get(service) ?? 0; text.startsWith(ROW, at); ) {
      const next = nextLine(text, at);
      destinations.push(parseRow(text.slice(at, next - 1)));
      at = next;
    }
    return destinations;
  }
}

/** The offset after the next newline. */
function nextLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

/** As the file names a service. */
function serviceName({ family, protocol, address, port, fwmark }: Service): string {
  if (fwmark) return `FWM  ${hex(fwmark, 8)}`;
  const digits = bytesText(address);
  const host = family === AF_INET6 ? `[${digits.replace(/(.{4})(?!$)/g, '$1:')}]` : digits.toUpperCase();
  return `${protocols[protocol] ?? protocol}  ${host}:${hex(port, 4)}`;
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');

function parseRow(row: string): ProcDestination {
  if (!ROW_FORM.test(row)) throw new MalformedError(`${PATH}: ${row}`);
  const ipv6 = row[ROW.length] === '[';
  const colon = ROW.length + (ipv6 ? 41 : 8);
  const address = ipv6
    ? parseIpv6(row.slice(ROW.length + 1, colon - 1))
    : ipv4Bytes(Number.parseInt(row.slice(ROW.length, colon), 16));
  if (!address) throw new MalformedError(`${PATH}: ${row}`);
  const columns = colon + 5;
  return {
    family: ipv6 ? AF_INET6 : AF_INET,
    address,
    port: Number.parseInt(row.slice(colon + 1, columns), 16),
    columns: row.slice(columns + GAP),
  };
}

function ipv4Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) bytes[i] = value >>> (24 - 8 * i);
  return bytes;
}

/** Reads a file of /proc into one buffer. The kernel returns a page per call, and readFileSync allocates 64 KiB for each. */
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
