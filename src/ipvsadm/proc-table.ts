// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the real servers of every service in one text, with the columns of the default listing. Over netlink
 * they have to be asked for service by service, and ten thousand questions take longer than everything else.
 */
import { readFileSync } from 'node:fs';
import { AF_INET, AF_INET6 } from '../base/addresses.ts';
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

/** For each service its real servers; undefined where the file is not to be had, or tells of other services than these. */
export function readProcRows(services: readonly ServiceKey[]): ProcRow[][] | undefined {
  try {
    return parseProcRows(readFileSync(PROC_TABLE, 'latin1'), services);
  } catch {
    return undefined;
  }
}

export function parseProcRows(text: string, services: readonly ServiceKey[]): ProcRow[][] | undefined {
  const tables: ProcRow[][] = [];
  let rows: ProcRow[] = [];
  // Three lines of heading.
  let start = text.indexOf('\n', text.indexOf('\n', text.indexOf('\n') + 1) + 1) + 1;
  for (let end = text.indexOf('\n', start); end >= 0; start = end + 1, end = text.indexOf('\n', start)) {
    if (text.startsWith('  -> ', start)) {
      const row = rowAt(text, start + 5, end);
      if (!row || tables.length === 0) return undefined;
      rows.push(row);
    } else {
      const service = services[tables.length];
      if (!service || !text.startsWith(`${labelOf(service)} `, start)) return undefined;
      rows = [];
      tables.push(rows);
    }
  }
  return tables.length === services.length ? tables : undefined;
}

/** `AC100002:1F90      Masq    1 ...`, or with the address as `[2001:0db8:...]`. */
function rowAt(text: string, at: number, end: number): ProcRow | undefined {
  const ipv6 = text[at] === '[';
  const colon = at + (ipv6 ? 41 : 8);
  if (text[colon] !== ':' || end < colon + 11) return undefined;
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
