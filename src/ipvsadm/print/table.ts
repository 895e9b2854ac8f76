// SPDX-License-Identifier: MIT
/** The services of a listing, each with its destinations: sorted, filtered, and read a page at a time. */
import type { Destination, DestinationKey, Ipvs, LocalAddress, Service } from '../../ipvs/index.ts';
import type { Filters } from '../command-line/filters.ts';
import { type ProcDestination, ProcTable } from './proc-table.ts';
import { sortDestinations, sortServices } from './sort.ts';

export interface ServiceWithDestinations<D extends DestinationKey = Destination> {
  service: Service;
  destinations: D[];
  /** The destinations as rows of the default layout in numbers, instead of objects. */
  rows?: string | undefined;
  /** Undefined unless the filters needed them. */
  localAddresses?: LocalAddress[] | undefined;
}

export interface ReadTableOptions {
  stats: boolean;
  /** ipvsadm's order; otherwise the kernel's. */
  sort: boolean;
  /** The entries may have `rows`. */
  numeric?: boolean;
  filters?: Filters | undefined;
  /** Only these services. */
  services?: readonly Service[] | undefined;
}

/** A source of services and their destinations. */
interface Source<D> {
  readonly services: readonly Service[];
  destinations(services: readonly Service[]): D[][] | Promise<D[][]>;
  rows?(service: Service, sort: boolean): string | undefined;
}

/** This many services fit into one message. For these, destinations are requested service by service. */
const FEW_SERVICES = 16;
/** Services read at once. */
const PAGE = 64;

/** Reads the table over netlink, a page of services at a time. No page is empty. */
export function readTable(ipvs: Ipvs, options: ReadTableOptions): AsyncGenerator<ServiceWithDestinations[]> {
  const { services, stats } = options;
  return read(ipvs, services ? netlinkSource(ipvs, services, stats) : allOverNetlink(ipvs, stats), options);
}

/** Reads the columns of the default layout: of a long table from /proc/net/ip_vs, which takes far fewer requests. */
export function readColumns(
  ipvs: Ipvs,
  options: ReadTableOptions,
): AsyncGenerator<ServiceWithDestinations<Destination | ProcDestination>[]> {
  const { services } = options;
  return read(ipvs, services ? netlinkSource(ipvs, services, false) : columnSource(ipvs), options);
}

async function allOverNetlink(ipvs: Ipvs, stats: boolean): Promise<Source<Destination>> {
  return netlinkSource(ipvs, await ipvs.services({ stats }), stats);
}

function netlinkSource(ipvs: Ipvs, services: readonly Service[], stats: boolean): Source<Destination> {
  const destinations = (page: readonly Service[]) =>
    Promise.all(page.map((service) => ipvs.destinations(service, { stats })));
  return { services, destinations };
}

async function columnSource(ipvs: Ipvs): Promise<Source<Destination | ProcDestination>> {
  const services = await ipvs.services({ once: true });
  if (services.length <= FEW_SERVICES) return netlinkSource(ipvs, services, false);
  const table = ProcTable.read(services);
  if (!table) return allOverNetlink(ipvs, false);
  return {
    services,
    destinations: (page) => page.map((service) => table.destinations(service)),
    rows: (service, sort) => table.ipv4Rows(service, sort),
  };
}

async function* read<D extends DestinationKey>(
  ipvs: Ipvs,
  opening: Source<D> | Promise<Source<D>>,
  { sort, numeric, filters }: ReadTableOptions,
): AsyncGenerator<ServiceWithDestinations<D>[]> {
  const source = await opening;
  let { services } = source;
  if (filters) {
    if (filters.has('laddr')) await ipvs.requireFeature('FULLNAT');
    services = services.filter((service) => filters.service(service));
  }
  if (sort) services = sortServices(services);
  for (let start = 0; start < services.length; start += PAGE) {
    const page = services.slice(start, start + PAGE);
    if (source.rows && numeric && !filters) {
      const rows = page.map((service) => source.rows?.(service, sort));
      if (!rows.includes(undefined)) {
        yield page.map((service, i) => ({ service, destinations: [], rows: rows[i] }));
        continue;
      }
    }
    const lists = await source.destinations(page);
    const entries: ServiceWithDestinations<D>[] = [];
    for (let i = 0; i < page.length; i++) {
      const list = lists[i] as D[];
      const entry = { service: page[i] as Service, destinations: sort ? sortDestinations(list) : list };
      const wanted = filters ? await filtered(entry, ipvs, filters) : entry;
      if (wanted) entries.push(wanted);
    }
    if (entries.length > 0) yield entries;
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
