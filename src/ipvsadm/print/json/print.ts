// SPDX-License-Identifier: MIT
/**
 * --json: a listing as one document, printed entry by entry, since a table may be large. One entry per line, or with
 * --watch one document per line. Always in numbers; it has the columns of all layouts (--stats, --rate, ...), so these
 * options have no effect on it.
 */
import { AF_INET, AF_INET6, formatAddress } from '../../../base/addresses.ts';
import {
  IP_VS_STATE_MASTER,
  type Ipvs,
  type IpvsInfo,
  type LocalAddress,
  type Service,
  type SyncDaemon,
} from '../../../ipvs/index.ts';
import type { Invocation } from '../../command-line/invocation.ts';
import { type Connection, readConnections } from '../../connection-table.ts';
import type { Output } from '../../output.ts';
import { versionNumber } from '../listing.ts';
import { sortServices } from '../sort.ts';
import { readTable } from '../table.ts';
import { localAddressJson, serviceJson, serviceKeyJson } from './table.ts';
import { type Json, jsonText } from './text.ts';

/** Prints nothing before the first entry is read, so that an error leaves standard output empty. */
export async function printJson(line: Invocation, ipvs: Ipvs, info: IpvsInfo, output: Output): Promise<void> {
  const { options } = line;
  const glue = line.watch === undefined ? '\n' : '';
  if (options.has('timeout')) {
    const { tcp, tcpFin, udp } = await ipvs.timeouts();
    output.out(`${jsonText({ timeouts: { tcp, tcpFin, udp } })}\n`);
  } else if (options.has('daemon')) {
    output.out(`${jsonText({ daemons: (await ipvs.daemons()).map(daemonJson) })}\n`);
  } else if (options.has('connection')) await list({}, 'connections', connections(line), glue, output);
  else if (line.command === 'get-laddr') await list({}, 'services', localAddresses(line, ipvs), glue, output);
  else {
    const head = { version: versionNumber(info), tableSize: info.tableSize };
    await list(head, 'services', services(line, ipvs, info), glue, output);
  }
}

/** `{...head, "name": [...]}`. */
async function list(
  head: { readonly [name: string]: Json },
  name: string,
  entries: AsyncGenerator<Json>,
  glue: string,
  output: Output,
): Promise<void> {
  const first = await entries.next();
  const start = jsonText(head).slice(1, -1);
  output.out(`{${start}${start && ','}"${name}":[`);
  let separator = glue;
  for (let entry = first; !entry.done; entry = await entries.next()) {
    output.out(`${separator}${jsonText(entry.value)}`);
    separator = `,${glue}`;
  }
  output.out(`${glue}]}\n`);
}

async function* services(line: Invocation, ipvs: Ipvs, info: IpvsInfo): AsyncGenerator<Json> {
  const { options, filters } = line;
  const one = options.has('service-address') ? [await ipvs.service(line.service, { stats: true })] : undefined;
  const fullnat = info.features.has('FULLNAT');
  const table = readTable(ipvs, { stats: true, sort: !options.has('nosort'), filters, services: one });
  for await (const page of table)
    for (const { service, destinations, localAddresses } of page) {
      const pool = localAddresses ?? (fullnat ? await poolOf(ipvs, service) : undefined);
      yield serviceJson({ service, destinations, localAddresses: pool });
    }
}

async function* localAddresses({ options, service: key, filters }: Invocation, ipvs: Ipvs): AsyncGenerator<Json> {
  await ipvs.requireFeature('FULLNAT');
  const all = options.has('service-address') ? [await ipvs.service(key)] : await ipvs.services();
  for (const service of sortServices(all)) {
    if (filters && !filters.service(service)) continue;
    const pool = (await poolOf(ipvs, service)).filter((entry) => filters?.localAddress(entry) ?? true);
    if (pool.length > 0 || !filters?.has('laddr'))
      yield { ...serviceKeyJson(service), localAddresses: pool.map(localAddressJson) };
  }
}

async function poolOf(ipvs: Ipvs, service: Service): Promise<LocalAddress[]> {
  return service.numLocalAddresses ? ipvs.localAddresses(service) : [];
}

async function* connections({ filters }: Invocation): AsyncGenerator<Json> {
  for await (const connection of readConnections())
    if (filters?.connection(connection) ?? true) yield connectionJson(connection);
}

function connectionJson({ protocol, state, seconds, client, virtual, destination, peName, peData }: Connection): Json {
  const at = ({ family, address, port }: Connection['client']) => ({ address: formatAddress(family, address), port });
  return {
    protocol: protocol.toLowerCase(),
    state,
    expires: seconds,
    client: at(client),
    service: at(virtual),
    realServer: at(destination),
    persistenceEngine: peName === undefined ? undefined : { name: peName, data: peData ?? '' },
  };
}

function daemonJson({ state, interface: device, syncId, maxLength, group, port, ttl }: SyncDaemon): Json {
  return {
    state: state === IP_VS_STATE_MASTER ? 'master' : 'backup',
    interface: device,
    syncId,
    maxLength,
    group: group?.some((byte) => byte !== 0)
      ? formatAddress(group.length === 16 ? AF_INET6 : AF_INET, group)
      : undefined,
    port,
    ttl,
  };
}
