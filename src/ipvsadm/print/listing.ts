// SPDX-License-Identifier: MIT
/** -L: the table, or one service of it. */
import type { Destination, DestinationKey, Ipvs, IpvsInfo } from '../../ipvs/index.ts';
import type { Invocation } from '../command-line/invocation.ts';
import type { Lookup } from '../lookup.ts';
import type { Session } from '../session.ts';
import { destinationRow, layoutFor } from './layouts.ts';
import type { ProcDestination } from './proc-table.ts';
import { readColumns, readTable, type ServiceWithDestinations } from './table.ts';

type ListedService = ServiceWithDestinations<Destination | ProcDestination>;

/** Prints the whole table, or the one service that the command line names. */
export async function list(
  { options, service: key, filters }: Invocation,
  ipvs: Ipvs,
  info: IpvsInfo,
  { lookup, output, strict }: Session,
): Promise<void> {
  const layout = layoutFor(options);
  const format = { exact: options.has('exact'), names: options.has('numeric') ? undefined : lookup, wide: strict };
  const stats = layout.needsStats === true;
  const one = options.has('service-address') ? [await ipvs.service(key, { stats })] : undefined;
  const reading = { stats, sort: !options.has('nosort'), numeric: !format.names, filters, services: one };
  const pages: AsyncGenerator<ListedService[]> = layout.inProc ? readColumns(ipvs, reading) : readTable(ipvs, reading);
  // An error in the first reading leaves standard output empty.
  const first = await pages.next();
  if (!one) output.out(`${versionText(info)}\n`);
  output.out(`${layout.title[0]}\n${layout.title[1]}\n`);
  for (let page = first; !page.done; page = await pages.next()) {
    if (format.names) await fetchNames(page.value, format.names);
    let text = '';
    for (const { service, destinations, rows } of page.value) {
      text += `${layout.service(service, format)}\n${rows ?? ''}`;
      for (const dest of destinations) text += destinationRow(service, dest, layout, format);
    }
    output.out(text);
  }
}

/** Looks up the host names that entries need. */
export async function fetchNames(
  entries: readonly ServiceWithDestinations<DestinationKey>[],
  lookup: Lookup,
): Promise<void> {
  await lookup.fetchNames(
    entries.flatMap(({ service, destinations }) => [...(service.fwmark ? [] : [service]), ...destinations]),
  );
}

export function versionNumber({ version }: IpvsInfo): string {
  return `${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`;
}

export function versionText(info: IpvsInfo): string {
  return `IP Virtual Server version ${versionNumber(info)} (size=${info.tableSize})`;
}
