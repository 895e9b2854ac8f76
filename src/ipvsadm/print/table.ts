// SPDX-License-Identifier: MIT
/** The services of a listing, each with its destinations: sorted, filtered, and read ahead of printing. */
import type { Destination, Ipvs, LocalAddress, Service } from '../../ipvs/index.ts';
import type { Filters } from '../command-line/filters.ts';
import { ProcTable } from './proc-table.ts';
import { sortDestinations, sortServices } from './sort.ts';

export interface ServiceWithDestinations {
  service: Service;
  destinations: Destination[];
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
  /** The columns of /proc/net/ip_vs are enough. */
  columns?: boolean | undefined;
}

/** A source of services and their destinations. */
interface Source {
  readonly services: readonly Service[];
  destinations(service: Service): Destination[] | Promise<Destination[]>;
}

/** Up to so many services fit into one message, and their destinations are requested service by service. */
const FEW_SERVICES = 16;
/** Services whose destinations are being read ahead. */
const READ_AHEAD = 32;

export async function* readTable(ipvs: Ipvs, options: ReadTableOptions): AsyncGenerator<ServiceWithDestinations> {
  const { sort, filters } = options;
  const source = await openSource(ipvs, options);
  let services = [...source.services];
  if (filters) {
    if (filters.has('laddr')) await ipvs.requireFeature('FULLNAT');
    services = services.filter((service) => filters.service(service));
  }
  if (sort) sortServices(services);
  const ahead: (Destination[] | Promise<Destination[]>)[] = [];
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

async function openSource(ipvs: Ipvs, { stats, services, columns }: ReadTableOptions): Promise<Source> {
  if (services) return overNetlink(ipvs, services, stats);
  if (!columns) return overNetlink(ipvs, await ipvs.services({ stats }), stats);
  const read = await ipvs.services({ once: true });
  if (read.length <= FEW_SERVICES) return overNetlink(ipvs, read, stats);
  const table = ProcTable.read(read);
  if (!table) return overNetlink(ipvs, await ipvs.services(), stats);
  return { services: read, destinations: (service) => table.destinations(service) };
}

function overNetlink(ipvs: Ipvs, services: readonly Service[], stats: boolean): Source {
  const destinations = (service: Service) => {
    const reading = ipvs.destinations(service, { stats });
    // Awaited later; until then an error must not count as unhandled.
    reading.catch(() => {});
    return reading;
  };
  return { services, destinations };
}

/** The part of a service that matches the filters; undefined if there is none. */
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
