// SPDX-License-Identifier: MIT
/** Reads /proc/net/ip_vs_conn. */
import { createReadStream } from 'node:fs';
import { AF_INET, AF_INET6, type Family, parseIpv6 } from '../base/addresses.ts';
import { Fatal } from './errors.ts';

const PATH = '/proc/net/ip_vs_conn';

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

/** Parses one line of the file; undefined if it is malformed. */
export function parseConnection(line: string): Connection | undefined {
  const [protocol = '', ...fields] = line.trim().split(/\s+/);
  const [client, virtual, destination] = [0, 2, 4].map((at) => endpoint(fields[at], fields[at + 1]));
  const [state, expires, peName, peData] = fields.slice(6);
  const seconds = Number(expires);
  if (!client || !virtual || !destination || state === undefined || !/^\d+$/.test(expires ?? '')) return undefined;
  return { protocol, client, virtual, destination, state, seconds, peName, peData };
}

/** An IPv4 address is eight hexadecimal digits, an IPv6 address is text, a port four hexadecimal digits. */
function endpoint(host = '', port = ''): Endpoint | undefined {
  if (!/^[0-9A-Fa-f]{4}$/.test(port)) return undefined;
  const ipv6 = parseIpv6(host);
  if (ipv6) return { family: AF_INET6, address: ipv6, port: Number.parseInt(port, 16) };
  if (!/^[0-9A-Fa-f]{8}$/.test(host)) return undefined;
  return { family: AF_INET, address: Buffer.from(host, 'hex'), port: Number.parseInt(port, 16) };
}

/** Streams the connections, because there may be millions. Throws Fatal. */
export async function* readConnections(): AsyncGenerator<Connection> {
  // Imported here because most runs list no connections.
  const { createInterface } = await import('node:readline');
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
