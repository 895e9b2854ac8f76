// SPDX-License-Identifier: MIT
/** -L: the table, or one service of it. */
import type { Destination, Ipvs, IpvsInfo, LocalAddress, Service } from '../ipvs/index.ts';
import type { Filters } from './filters/index.ts';
import type { Invocation } from './invocation.ts';
import { destinationRow, type Format, type Layout, layoutFor } from './layouts.ts';
import type { Lookup } from './lookup.ts';
import type { Output } from './output.ts';
import { listProcTable } from './proc-listing.ts';
import { readProcTable } from './proc-table.ts';
import type { Session } from './session.ts';
import { sortDestinations, sortServices } from './sort.ts';

export interface ServiceWithDestinations {
  service: Service;
  destinations: Destination[];
  /** Undefined unless the filters had to look at them. */
  localAddresses?: LocalAddress[] | undefined;
}

export interface ReadTableOptions {
  stats: boolean;
  sort: boolean;
  filters?: Filters | undefined;
}

/** Up to so many services come in one message, and their destinations are asked for one service at a time. */
const FEW = 16;

/** Destinations being read ahead of the one that is printed. */
const READ_AHEAD = 32;

/** Services in ipvsadm's order, or the kernel's, each with its destinations. */
export async function* readTable(
  ipvs: Ipvs,
  { stats, sort, filters }: ReadTableOptions,
  services?: readonly Service[],
): AsyncGenerator<ServiceWithDestinations> {
  let all = services ? [...services] : await ipvs.services({ stats });
  if (filters) {
    if (filters.has('laddr')) await ipvs.requireFeature('FULLNAT');
    all = all.filter((service) => filters.service(service));
  }
  if (sort) sortServices(all);
  const ahead: Promise<Destination[]>[] = [];
  for (const [index, service] of all.entries()) {
    while (ahead.length < READ_AHEAD && index + ahead.length < all.length) {
      const reading = ipvs.destinations(all[index + ahead.length] as Service, { stats });
      // It is awaited in its turn; until then an error must not count as unhandled.
      reading.catch(() => {});
      ahead.push(reading);
    }
    const destinations = (await ahead.shift()) ?? [];
    if (sort) sortDestinations(destinations);
    const entry = { service, destinations };
    const wanted = filters ? await filtered(entry, ipvs, filters) : entry;
    if (wanted) yield wanted;
  }
}

/** What the filters leave of a service; undefined: nothing. */
async function filtered(
  { service, destinations }: ServiceWithDestinations,
  ipvs: Ipvs,
  filters: Filters,
): Promise<ServiceWithDestinations | undefined> {
  const entry: ServiceWithDestinations = {
    service,
    destinations: destinations.filter((dest) => filters.destination(dest)),
  };
  if (filters.has('dest') && entry.destinations.length === 0) return undefined;
  if (!filters.has('laddr')) return entry;
  if (!service.numLocalAddresses) return undefined;
  entry.localAddresses = (await ipvs.localAddresses(service)).filter((one) => filters.localAddress(one));
  return entry.localAddresses.length > 0 ? entry : undefined;
}

/** Fetches the names that a page of the table needs. */
export async function fetchNames(page: readonly ServiceWithDestinations[], lookup: Lookup): Promise<void> {
  await lookup.fetchNames(
    page.flatMap(({ service, destinations }) => [...(service.fwmark ? [] : [service]), ...destinations]),
  );
}

export function versionNumber({ version }: IpvsInfo): string {
  return `${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`;
}

export function versionText(info: IpvsInfo): string {
  return `IP Virtual Server version ${versionNumber(info)} (size=${info.tableSize})`;
}

/** Prints the whole table, or the one service that the command line names. */
export async function list(
  { options, service: key, filters }: Invocation,
  ipvs: Ipvs,
  info: IpvsInfo,
  { lookup, output, strict }: Session,
): Promise<void> {
  const layout = layoutFor(options);
  const format = { exact: options.has('exact'), names: options.has('numeric') ? undefined : lookup, wide: strict };
  const reading = { stats: layout.needsStats === true, sort: !options.has('nosort'), filters };
  let one: readonly Service[] | undefined;
  let few: readonly Service[] | undefined;
  if (options.has('service-address')) one = [await ipvs.service(key, reading)];
  else if (layout.inProc && !format.names && !filters) {
    const services = await ipvs.services({ once: true });
    if (services.length <= FEW) few = services;
    else if (await listFromProc(services, info, layout, format, reading.sort, output)) return;
  }
  const table = readTable(ipvs, reading, one ?? few);
  const first = await table.next();
  if (!one) output.out(`${versionText(info)}\n`);
  output.out(titleText(layout));
  for (let entry = first; !entry.done; entry = await table.next()) {
    if (format.names) await fetchNames([entry.value], format.names);
    printEntry(entry.value, layout, format, output);
  }
}

/** A large table in two readings instead of one for each service; false where that cannot be. */
async function listFromProc(
  services: readonly Service[],
  info: IpvsInfo,
  layout: Layout,
  format: Format,
  sort: boolean,
  output: Output,
): Promise<boolean> {
  // What V8 gains by inlining it does not earn back in the tenth of a second that is left. It reads this flag whenever it
  // sets about a function, so that it may be changed.
  (await import('node:v8')).setFlagsFromString('--no-turbo-inlining');
  const table = readProcTable(services);
  if (!table) return false;
  output.out(`${versionText(info)}\n${titleText(layout)}`);
  listProcTable(table, services, layout, format, sort, output);
  return true;
}

function titleText({ title }: Layout): string {
  return `${title[0]}\n${title[1]}\n`;
}

function printEntry(
  { service, destinations }: ServiceWithDestinations,
  layout: Layout,
  format: Format,
  output: Output,
): void {
  output.out(`${layout.service(service, format)}\n`);
  for (const dest of destinations) output.out(destinationRow(service, dest, layout, format));
}
