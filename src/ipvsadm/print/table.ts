// SPDX-License-Identifier: MIT
/** The services of a listing, each with its destinations: sorted, filtered, and read ahead of printing. */
import type { Destination, DestinationKey, Ipvs, LocalAddress, Service } from '../../ipvs/index.ts';
import type { Filters } from '../command-line/filters.ts';
import { type ProcDestination, ProcTable } from './proc-table.ts';
import { sortDestinations, sortServices } from './sort.ts';

export interface ServiceWithDestinations<D extends DestinationKey = Destination> {
  service: Service;
  destinations: D[];
  /** Undefined unless the filters had to look at them. */
  localAddresses?: LocalAddress[] | undefined;
}

export interface ReadTableOptions {
  stats: boolean;
  /** ipvsadm's order; otherwise the kernel's. */
  sort: boolean;
  filters?: Filters | undefined;
  /** Only these services. */
  services?: readonly Service[] | undefined;
}

/** A source of services and their destinations. */
interface Source<D> {
  readonly services: readonly Service[];
  destinations(service: Service): D[] | Promise<D[]>;
}

/** Up to so many services fit into one message, and their destinations are requested service by service. */
const FEW_SERVICES = 16;
/** Services whose destinations are being read ahead. */
const READ_AHEAD = 32;

/** Reads the table over netlink. */
export function readTable(ipvs: Ipvs, options: ReadTableOptions): AsyncGenerator<ServiceWithDestinations> {
  const { services, stats } = options;
  return read(ipvs, services ? netlinkSource(ipvs, services, stats) : allOverNetlink(ipvs, stats), options);
}

/** Reads the columns of the default layout: of a long table from /proc/net/ip_vs, which takes far fewer requests. */
export function readColumns(
  ipvs: Ipvs,
  options: ReadTableOptions,
): AsyncGenerator<ServiceWithDestinations<Destination | ProcDestination>> {
  const { services } = options;
  return read(ipvs, services ? netlinkSource(ipvs, services, false) : columnSource(ipvs), options);
}

async function allOverNetlink(ipvs: Ipvs, stats: boolean): Promise<Source<Destination>> {
  return netlinkSource(ipvs, await ipvs.services({ stats }), stats);
}

function netlinkSource(ipvs: Ipvs, services: readonly Service[], stats: boolean): Source<Destination> {
  const destinations = (service: Service) => {
    const reading = ipvs.destinations(service, { stats });
    // Awaited later; until then an error must not count as unhandled.
    reading.catch(() => {});
    return reading;
  };
  return { services, destinations };
}

async function columnSource(ipvs: Ipvs): Promise<Source<Destination | ProcDestination>> {
  const services = await ipvs.services({ once: true });
  if (services.length <= FEW_SERVICES) return netlinkSource(ipvs, services, false);
  const table = ProcTable.read(services);
  return table ? { services, destinations: (service) => table.destinations(service) } : allOverNetlink(ipvs, false);
}

async function* read<D extends DestinationKey>(
  ipvs: Ipvs,
  opening: Source<D> | Promise<Source<D>>,
  { sort, filters }: ReadTableOptions,
): AsyncGenerator<ServiceWithDestinations<D>> {
  const source = await opening;
  let services = [...source.services];
  if (filters) {
    if (filters.has('laddr')) await ipvs.requireFeature('FULLNAT');
    services = services.filter((service) => filters.service(service));
  }
  if (sort) sortServices(services);
  const ahead: (D[] | Promise<D[]>)[] = [];
  for (const [index, service] of services.entries()) {
    while (ahead.length < READ_AHEAD && index + ahead.length < services.length)
      ahead.push(source.destinations(services[index + ahead.length] as Service));
    const destinations = (await ahead.shift()) ?? [];
    if (sort) sortDestinations(destinations);
    const entry = { service, destinations };
    const wanted = filters ? await filtered(entry, ipvs, filters) : entry;
    if (wanted) yield wanted;
  }
}

/** The part of a service that matches the filters; undefined if there is none. */
async function filtered<D extends DestinationKey>(
  { service, destinations }: ServiceWithDestinations<D>,
  ipvs: Ipvs,
  filters: Filters,
): Promise<ServiceWithDestinations<D> | undefined> {
  const entry: ServiceWithDestinations<D> = {
    service,
    destinations: destinations.filter((dest) => filters.destination(dest)),
  };
  if (filters.has('dest') && entry.destinations.length === 0) return undefined;
  if (!filters.has('laddr')) return entry;
  if (!service.numLocalAddresses) return undefined;
  entry.localAddresses = (await ipvs.localAddresses(service)).filter((one) => filters.localAddress(one));
  return entry.localAddresses.length > 0 ? entry : undefined;
}
