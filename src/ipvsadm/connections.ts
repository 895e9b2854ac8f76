// SPDX-License-Identifier: MIT
/** -L -c: /proc/net/ip_vs_conn in readable form. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { AF_INET, AF_INET6, type Family, parseIpv6 } from '../base/addresses.ts';
import { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from '../ipvs/index.ts';
import type { Filters } from './filters/index.ts';
import { endpointText, type Lookup } from './lookup.ts';
import { Fatal } from './outcome.ts';
import type { Output } from './output.ts';

const PATH = '/proc/net/ip_vs_conn';
const PROTOCOLS: Readonly<Record<string, number>> = { TCP: IPPROTO_TCP, UDP: IPPROTO_UDP, SCTP: IPPROTO_SCTP };

interface Endpoint {
  family: Family;
  address: Uint8Array;
  port: number;
}

export interface Connection {
  protocol: string;
  client: Endpoint;
  virtual: Endpoint;
  destination: Endpoint;
  state: string;
  seconds: number;
  peName: string | undefined;
  peData: string | undefined;
}

/** One line of the file; undefined if it is none. */
export function parseConnection(line: string): Connection | undefined {
  const [protocol = '', ...fields] = line.trim().split(/\s+/);
  const [client, virtual, destination] = [0, 2, 4].map((at) => endpoint(fields[at], fields[at + 1]));
  const [state, expires, peName, peData] = fields.slice(6);
  const seconds = Number(expires);
  if (!client || !virtual || !destination || state === undefined || !/^\d+$/.test(expires ?? '')) return undefined;
  return { protocol, client, virtual, destination, state, seconds, peName, peData };
}

/** IPv4 is eight hexadecimal digits, IPv6 text, the port four hexadecimal digits. */
function endpoint(host = '', port = ''): Endpoint | undefined {
  if (!/^[0-9A-Fa-f]{4}$/.test(port)) return undefined;
  const ipv6 = parseIpv6(host);
  if (ipv6) return { family: AF_INET6, address: ipv6, port: Number.parseInt(port, 16) };
  if (!/^[0-9A-Fa-f]{8}$/.test(host)) return undefined;
  return { family: AF_INET, address: Buffer.from(host, 'hex'), port: Number.parseInt(port, 16) };
}

export function connectionTitle(withPe: boolean): string {
  const columns = ['pro expire', 'state'.padEnd(11), 'source'.padEnd(18), 'virtual'.padEnd(18)];
  const last = withPe ? ['destination'.padEnd(18), 'pe name'.padEnd(16), 'pe_data'] : ['destination'];
  return `IPVS connection entries\n${[...columns, ...last].join(' ')}\n`;
}

export function connectionRow(connection: Connection, withPe: boolean, names: Lookup | undefined): string {
  const { protocol, client, virtual, destination, state, seconds, peName, peData } = connection;
  const number = PROTOCOLS[protocol] ?? 0;
  const text = ({ family, address, port }: Endpoint) => endpointText(family, address, port, number, names);
  const two = (value: number) => String(value).padStart(2, '0');
  const columns = [
    protocol.padEnd(3),
    `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`.padEnd(6),
    state.padEnd(11),
    text(client).padEnd(18),
    text(virtual).padEnd(18),
  ];
  if (!withPe || peName === undefined || peData === undefined) return `${[...columns, text(destination)].join(' ')}\n`;
  return `${[...columns, text(destination).padEnd(18), peName.padEnd(16), peData].join(' ')}\n`;
}

/** Every connection; a table of millions goes through line by line. Throws Fatal. */
export async function* readConnections(): AsyncGenerator<Connection> {
  const lines = createInterface({ input: createReadStream(PATH) });
  let first = true;
  try {
    for await (const line of lines) {
      const connection = first ? undefined : parseConnection(line);
      if (connection) yield connection;
      else if (!first) throw new Fatal(1, `unexpected input from ${line}`);
      first = false;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === 'open') throw new Fatal(1, `cannot open file ${PATH}`);
    throw error;
  }
}

/** Prints every connection that the filters let through. */
export async function listConnections(
  withPe: boolean,
  names: Lookup | undefined,
  filters: Filters | undefined,
  output: Output,
): Promise<void> {
  const connections = readConnections();
  const first = await connections.next();
  output.out(connectionTitle(withPe));
  for (let entry = first; !entry.done; entry = await connections.next()) {
    const connection = entry.value;
    if (filters && !filters.connection(connection)) continue;
    if (names) await names.fetchNames([connection.client, connection.virtual, connection.destination]);
    output.out(connectionRow(connection, withPe, names));
  }
}
