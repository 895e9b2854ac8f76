// SPDX-License-Identifier: MIT
/** -L -c: the connections. */
import { numbersByName, PROTOCOLS } from '../../ipvs/index.ts';
import type { Filters } from '../command-line/filters.ts';
import { type Connection, readConnections } from '../connection-table.ts';
import { endpointText, type Lookup } from '../lookup.ts';
import type { Output } from '../output.ts';

const protocols: Readonly<Record<string, number>> = numbersByName(PROTOCOLS, 'kernel');

export function connectionTitle(withPe: boolean): string {
  const columns = ['pro expire', 'state'.padEnd(11), 'source'.padEnd(18), 'virtual'.padEnd(18)];
  const last = withPe ? ['destination'.padEnd(18), 'pe name'.padEnd(16), 'pe_data'] : ['destination'];
  return `IPVS connection entries\n${[...columns, ...last].join(' ')}\n`;
}

export function connectionRow(connection: Connection, withPe: boolean, names: Lookup | undefined): string {
  const { protocol, client, virtual, destination, state, seconds, peName, peData } = connection;
  const number = protocols[protocol] ?? 0;
  const text = ({ family, address, port }: Connection['client']) => endpointText(family, address, port, number, names);
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

/** Prints the connections that match the filters. */
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
