// SPDX-License-Identifier: MIT
/** The rows of `stats`, and the counts of real servers by their states, from the same source. */
import { formatAddress } from '../../base/addresses.ts';
import { wallTime } from '../../base/clock.ts';
import { inTurns } from '../../base/in-turns.ts';
import {
  type Cell,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  type Row,
  rowsOf,
  SERVICE_COLUMNS,
  type StatsSummary,
  UNPROBED,
} from '../../control/metrics/stats.ts';
import type { TargetState, TargetStates } from '../../health/types.ts';
import {
  type DestinationConfig,
  destinationKey,
  FORWARDING,
  type LocalAddress,
  namesByNumber,
  STATISTICS,
  type Statistic,
} from '../../ipvs/index.ts';
import { endpointText, serviceText } from '../../plan/texts.ts';
import type { RuntimeState } from '../model/runtime-state.ts';
import type { RealServer, VirtualService } from '../model/virtual-services.ts';
import type { Reading } from './sampler.ts';

const FORWARD_NAMES = namesByNumber(FORWARDING, 'yaml');

const serviceCells = rowsOf(SERVICE_COLUMNS);
const realServerCells = rowsOf(REAL_SERVER_COLUMNS);
const localAddressCells = rowsOf(LOCAL_ADDRESS_COLUMNS);

/** Services that are counted in one turn of the event loop. */
const SERVICES_A_TURN = 200;

export interface Source {
  runtime: RuntimeState;
  reading: Reading;
  states: TargetStates;
  /** Of a target, since lvsd started. */
  transitions(id: string): number;
}

/** The destinations that lvsd has put, or leaves, into the table of a service. */
function destinations(service: VirtualService, runtime: RuntimeState): DestinationConfig[] {
  const all = service.realServers.map(({ destination }) => destination);
  if (service.sorryServer) all.push(service.sorryServer);
  return [...all, ...runtime.drainingOf(service).map(({ destination }) => destination)];
}

export function* serviceRows(source: Source, refused: ReadonlyMap<string, unknown>): Generator<Row> {
  for (const service of source.runtime.services) yield serviceRow(service, source, refused.has(service.spec.name));
}

function serviceRow(service: VirtualService, { runtime, reading }: Source, refused: boolean): Row {
  const { spec, config, key, virtual, realServers, sorryServer } = service;
  const quorumUp = runtime.quorumUp(service);
  const keys = new Set(destinations(service, runtime).map((one) => destinationKey(key, one.address, one.port)));
  const sum = (statistic: Statistic): number => {
    let total = 0;
    for (const one of keys) total += reading.destinations.get(one, statistic) ?? 0;
    return total;
  };
  const up = realServers.filter((server) => ['up', 'unchecked'].includes(runtime.serverState(service, server)));
  const forwards = [...new Set(realServers.map(({ destination }) => FORWARD_NAMES[destination.method] ?? ''))];
  const counter = (statistic: Statistic): Cell => reading.services.get(key, statistic) ?? null;
  return serviceCells({
    service: spec.name,
    virtual: serviceText(config),
    protocol: config.fwmark ? '' : virtual.protocol,
    address: config.fwmark ? '' : formatAddress(config.family, config.address),
    port: config.fwmark ? '' : config.port,
    fwmark: config.fwmark || '',
    scheduler: spec.scheduler,
    forward: forwards.length > 1 ? 'mixed' : (forwards[0] ?? ''),
    pool: spec.localAddresses?.name ?? '',
    realServers: realServers.length,
    realServersUp: up.length,
    weight: runtime.weight(service),
    quorum: spec.quorum,
    quorumUp: Number(quorumUp),
    sorry: Number(sorryServer !== undefined && !quorumUp),
    refused: Number(refused),
    active: sum('active'),
    inactive: sum('inactive'),
    connections: counter('connections'),
    inPackets: counter('inPackets'),
    outPackets: counter('outPackets'),
    inBytes: counter('inBytes'),
    outBytes: counter('outBytes'),
    ...localPorts(reading.localAddresses.get(key)),
  });
}

function localPorts(addresses: readonly LocalAddress[] | undefined) {
  const sum = (value: (one: LocalAddress) => number): Cell =>
    addresses ? addresses.reduce((total, one) => total + value(one), 0) : null;
  return {
    localPorts: sum(({ portsTotal }) => portsTotal),
    localPortsInUse: sum(({ portsInUse }) => portsInUse),
    localPortsExhausted: sum(({ exhausted }) => Number(exhausted)),
    localPortConflicts: sum(({ conflicts }) => Number(conflicts)),
  };
}

export function* allServerRows(services: readonly VirtualService[], source: Source): Generator<Row> {
  for (const service of services) yield* serverRows(service, source);
}

/** Real servers of the file, then those that were removed from it and drain. */
function* serverRows(service: VirtualService, source: Source): Generator<Row> {
  const { runtime, states, transitions } = source;
  const virtual = serviceText(service.config);
  for (const server of service.realServers) {
    const state = runtime.serverState(service, server);
    const known = server.targets.flatMap(({ id }) => states.get(id) ?? []);
    const sum = (value: (one: TargetState) => number) => known.reduce((total, one) => total + value(one), 0);
    const last = known.find((one) => one.last)?.last;
    yield serverRow(service, server.destination, server.spec.name, source, {
      virtual,
      up: isUnprobed(server, source) ? UNPROBED : Number(state !== 'down'),
      draining: state === 'draining',
      checks:
        known.length === 0
          ? NO_CHECKS
          : {
              lastChange: wallTime(Math.max(...known.map(({ since }) => since))) / 1000,
              checks: sum(({ probes }) => probes),
              failures: sum(({ failures }) => failures),
              transitions: server.targets.reduce((total, { id }) => total + transitions(id), 0),
              latency: last ? last.latency / 1000 : null,
            },
    });
  }
  const configured = new Set(service.realServers.map(({ spec }) => spec.name));
  for (const { destination, name, wasDown } of runtime.drainingOf(service)) {
    const label = name ?? endpointText(destination.family, destination.address, destination.port);
    // Another server has its name by now.
    if (configured.has(label)) continue;
    yield serverRow(service, destination, label, source, {
      virtual,
      up: Number(!wasDown),
      draining: true,
      checks: NO_CHECKS,
    });
  }
}

const NO_CHECKS = { lastChange: null, checks: null, failures: null, transitions: null, latency: null };

function serverRow(
  { key, spec }: VirtualService,
  destination: DestinationConfig,
  name: string,
  { reading }: Source,
  {
    virtual,
    up,
    draining,
    checks,
  }: { virtual: string; up: number; draining: boolean; checks: Record<keyof typeof NO_CHECKS, Cell> },
): Row {
  const { family, address, port, method, weight } = destination;
  const numbers = reading.destinations.row(destinationKey(key, address, port));
  const number = (statistic: Statistic): Cell => numbers?.[STATISTICS.indexOf(statistic)] ?? null;
  return realServerCells({
    service: spec.name,
    virtual,
    realServer: name,
    address: formatAddress(family, address),
    port,
    forward: FORWARD_NAMES[method] ?? '',
    up,
    weight: number('weight'),
    configuredWeight: weight,
    draining: Number(draining),
    active: number('active'),
    inactive: number('inactive'),
    persistent: number('persistent'),
    connections: number('connections'),
    inPackets: number('inPackets'),
    outPackets: number('outPackets'),
    inBytes: number('inBytes'),
    outBytes: number('outBytes'),
    ...checks,
  });
}

/** True if its checks have no result yet, and no operator has decided. */
function isUnprobed(server: RealServer, { states }: Source): boolean {
  return server.targets.length > 0 && server.targets.every(({ id }) => states.get(id)?.probed !== true);
}

export async function serverCounts(source: Source): Promise<StatsSummary['realServers']> {
  const counts = { up: 0, down: 0, draining: 0, unchecked: 0, disabled: 0, unprobed: 0 };
  const { runtime } = source;
  await inTurns(runtime.services, SERVICES_A_TURN, (service) => {
    for (const server of service.realServers) {
      const { forced } = runtime.overridesOf(service, server);
      const state = runtime.serverState(service, server);
      if (forced?.kind === 'disable') counts.disabled++;
      else if (state !== 'draining' && !forced && isUnprobed(server, source)) counts.unprobed++;
      else counts[state]++;
    }
  });
  return counts;
}

/** One row for each address of a pool, summed over the services that use it. */
export async function localAddressRows(services: readonly VirtualService[], reading: Reading): Promise<Row[]> {
  const none = { ports: 0, portsInUse: 0, connections: 0, draining: 0, exhausted: 0, conflicts: 0 };
  const sums = new Map<string, typeof none & { pool: string; localAddress: string }>();
  await inTurns(services, SERVICES_A_TURN, ({ key, spec }) => {
    for (const one of reading.localAddresses.get(key) ?? []) {
      const pool = spec.localAddresses?.name ?? '';
      const localAddress = formatAddress(one.family, one.address);
      const sum = sums.get(`${pool} ${localAddress}`) ?? { pool, localAddress, ...none };
      sums.set(`${pool} ${localAddress}`, sum);
      sum.ports += one.portsTotal;
      sum.portsInUse += one.portsInUse;
      sum.connections += one.connections;
      sum.draining = Math.max(sum.draining, Number(one.draining));
      sum.exhausted += Number(one.exhausted);
      sum.conflicts += Number(one.conflicts);
    }
  });
  return Array.from(sums.values(), localAddressCells);
}
