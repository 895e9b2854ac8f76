// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the real servers of every service in one text, with the columns of the default listing. Over netlink
 * they have to be asked for service by service, and ten thousand questions take longer than everything else.
 */
import { readFileSync } from 'node:fs';
import { AF_INET, AF_INET6 } from '../base/addresses.ts';
import { MalformedError } from '../base/errors.ts';
import { type DestinationKey, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, type ServiceKey } from '../ipvs/index.ts';

export const PROC_TABLE = '/proc/net/ip_vs';

/** A real server, and its forwarding method, weight and connections in the columns in which they are printed. */
export interface ProcRow extends DestinationKey {
  readonly columns: string;
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  [IPPROTO_TCP]: 'TCP',
  [IPPROTO_UDP]: 'UDP',
  [IPPROTO_SCTP]: 'SCTP',
};

/** The real servers of services, each made when it is asked for: of a table of millions only the text is kept. */
export class ProcTable {
  readonly #text: string;
  /** Where the rows of each service begin; at the end, where the last ones end. */
  readonly #starts: Uint32Array;

  constructor(text: string, starts: Uint32Array) {
    this.#text = text;
    this.#starts = starts;
  }

  /** Of the service at that place, in the kernel's order. Throws MalformedError. */
  rows(index: number): ProcRow[] {
    const rows: ProcRow[] = [];
    const last = this.#starts[index + 1] ?? 0;
    for (let at = this.#starts[index] ?? 0; at < last && this.#text.startsWith(ROW, at); ) {
      const end = this.#text.indexOf('\n', at);
      rows.push(rowAt(this.#text, at + ROW.length, end));
      at = end + 1;
    }
    return rows;
  }
}

const ROW = '  -> ';

/** Undefined where the file is not to be had, or tells of other services than these, or in another order. */
export function readProcTable(services: readonly ServiceKey[]): ProcTable | undefined {
  try {
    return parseProcTable(readFileSync(PROC_TABLE, 'latin1'), services);
  } catch {
    return undefined;
  }
}

export function parseProcTable(text: string, services: readonly ServiceKey[]): ProcTable | undefined {
  const starts = new Uint32Array(services.length + 1);
  let count = 0;
  // Three lines of heading.
  let start = text.indexOf('\n', text.indexOf('\n', text.indexOf('\n') + 1) + 1) + 1;
  for (let end = text.indexOf('\n', start); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
    if (text.charCodeAt(start) === BLANK) {
      if (count === 0) return undefined;
      continue;
    }
    const service = services[count];
    if (!service || !text.startsWith(`${labelOf(service)} `, start)) return undefined;
    starts[count++] = end + 1;
  }
  starts[count] = text.length;
  return count === services.length ? new ProcTable(text, starts) : undefined;
}

const BLANK = 32;

/** `AC100002:1F90      Masq    1 ...`, or with the address as `[2001:0db8:...]`. */
function rowAt(text: string, at: number, end: number): ProcRow {
  const ipv6 = text[at] === '[';
  const colon = at + (ipv6 ? 41 : 8);
  if (text[colon] !== ':' || end < colon + 11) throw new MalformedError(`${PROC_TABLE}: ${text.slice(at, end)}`);
  const address = ipv6 ? ipv6At(text, at + 1) : ipv4At(text, at);
  const port = hexAt(text, colon + 1, 4);
  return { family: ipv6 ? AF_INET6 : AF_INET, address, port, columns: text.slice(colon + 11, end) };
}

function ipv4At(text: string, at: number): Uint8Array {
  const address = new Uint8Array(4);
  for (let i = 0; i < 4; i++) address[i] = hexAt(text, at + 2 * i, 2);
  return address;
}

function ipv6At(text: string, at: number): Uint8Array {
  const address = new Uint8Array(16);
  for (let i = 0; i < 16; i++) address[i] = hexAt(text, at + 5 * (i >> 1) + 2 * (i & 1), 2);
  return address;
}

function hexAt(text: string, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const code = text.charCodeAt(i);
    // 0-9, then A-F and a-f alike.
    value = 16 * value + (code < 58 ? code - 48 : (code & 0x5f) - 55);
  }
  return value;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** How the file names a service. */
function labelOf({ family, protocol, address, port, fwmark }: ServiceKey): string {
  if (fwmark) return `FWM  ${fwmark.toString(16).toUpperCase().padStart(8, '0')}`;
  let host = '';
  for (let i = 0; i < address.length; i++)
    host += `${family === AF_INET6 && i > 0 && i % 2 === 0 ? ':' : ''}${HEX[address[i] ?? 0]}`;
  const place = family === AF_INET6 ? `[${host}]` : host.toUpperCase();
  return `${PROTOCOLS[protocol] ?? protocol}  ${place}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}
