// SPDX-License-Identifier: MIT
/** The answer to `stats`, from the runtime state, health states and a reading of the kernel's counters. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { formatAddress } from '../../base/addresses.ts';
import { monotonic, wallTime } from '../../base/clock.ts';
import { errnoName } from '../../base/errno.ts';
import { UsageError } from '../../base/errors.ts';
import type { EventLoopLag } from '../../base/event-loop-lag.ts';
import { DURATION_BOUNDS, HistogramCounts } from '../../base/histogram.ts';
import { inTurns } from '../../base/in-turns.ts';
import { numbersOf, ownNumbers } from '../../base/process-numbers.ts';
import { version } from '../../base/version.ts';
import type { Notify } from '../../control/connection.ts';
import type { EventLog } from '../../control/events/log.ts';
import type { Params } from '../../control/methods.ts';
import { parseKernelCounters } from '../../control/metrics/kernel-counters.ts';
import {
  type Cell,
  DETAILS,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  ROWS,
  type Row,
  rowsOf,
  SERVICE_COLUMNS,
  type StatsPart,
  type StatsSummary,
  UNPROBED,
} from '../../control/metrics/stats.ts';
import type { HealthMonitor } from '../../health/monitor.ts';
import type { TargetState, TargetStates } from '../../health/types.ts';
import {
  type DestinationConfig,
  destinationKey,
  FORWARDING,
  IP_VS_STATE_MASTER,
  type LocalAddress,
  namesByNumber,
  STATISTICS,
  type Statistic,
} from '../../ipvs/index.ts';
import { netlinkCounts } from '../../netlink/index.ts';
import { endpointText, serviceText } from '../../plan/texts.ts';
import type { Daemon } from '../daemon.ts';
import type { HookRunner } from '../hooks/hooks.ts';
import type { Loader } from '../loader.ts';
import { kindOf } from '../model/overrides.ts';
import type { RuntimeState } from '../model/runtime-state.ts';
import type { RealServer, VirtualService } from '../model/virtual-services.ts';
import type { Kernel } from '../reconcile/kernel.ts';
import type { Vrrp } from '../vrrp.ts';
import type { Reading, Sampled, Sampler } from './sampler.ts';

const FORWARD_NAMES = namesByNumber(FORWARDING, 'yaml');

const serviceCells = rowsOf(SERVICE_COLUMNS);
const realServerCells = rowsOf(REAL_SERVER_COLUMNS);
const localAddressCells = rowsOf(LOCAL_ADDRESS_COLUMNS);

/** Milliseconds. */
const LEAST_AGE = 500;
/** Services that are counted in one turn of the event loop. */
const SERVICES_A_TURN = 200;

export interface StatsParts {
  daemon: Daemon;
  kernel: Kernel;
  sampler: Sampler;
  health: () => Promise<TargetStates>;
  vrrp: Vrrp;
  loader: Loader;
  events: EventLog;
  /** Undefined: no checks are made. */
  monitor: HealthMonitor | undefined;
  hooks: HookRunner | undefined;
  lag: EventLoopLag;
  logLinesDropped: () => number;
  controlClients: () => Readonly<Record<string, number>>;
}

/** Sends the rows and returns the rest. Throws UsageError, and errors of netlink. */
export async function stats(
  parts: StatsParts,
  { detail: wanted, service: only, maxAge }: Params<'stats'>,
  notify: Notify,
): Promise<StatsSummary> {
  const { daemon, kernel, sampler, health, vrrp, monitor } = parts;
  const { detail, maxSeries, minInterval } = daemon.config.metrics;
  const level = DETAILS.indexOf((wanted ?? detail) as (typeof DETAILS)[number]);
  if (level < 0) throw new UsageError(`found detail ${wanted}; allowed: ${DETAILS.join(', ')}`);
  const age = maxAge === undefined ? minInterval : Math.max(LEAST_AGE, maxAge);
  const { runtime } = daemon;
  const [reading, states, info, routers, syncDaemons] = await Promise.all([
    sampler.read(() => runtime.services.map(sampled), age),
    health(),
    kernel.reader.info(),
    vrrp.numbers(),
    kernel.reader.daemons(),
  ]);
  const refused = daemon.reconciler.backoff.failures;
  const { services } = runtime;
  const source = { runtime, reading, states, transitions: (id: string) => monitor?.transitionsOf(id) ?? 0 };
  if (level >= DETAILS.indexOf('services')) await sendRows(notify, 'services', serviceRows(source, refused));
  const whole = level >= DETAILS.indexOf('real_servers');
  const shown = whole ? services : services.filter(({ spec }) => spec.name === only);
  await sendRows(notify, 'realServers', allServerRows(shown, source));
  // Few beside the real servers; `lvsctl top` shows them with services.
  if (level >= DETAILS.indexOf('services'))
    await sendRows(notify, 'localAddresses', await localAddressRows(services, reading));
  const counts = await serverCounts(source);
  const { overrides } = runtime;
  const kinds = (kind: string) => overrides.filter((one) => kindOf(one) === kind).length;
  return {
    defaults: { detail, maxSeries },
    version: version(),
    node: process.version,
    kernel: release(),
    modules: info.buildId ?? '',
    features: [...info.features],
    ...configNumbers(parts),
    services: services.length,
    realServers: counts,
    refusedServices: refused.size,
    paused: daemon.reconciler.paused,
    overrides: { drain: kinds('drain'), disable: kinds('disable'), up: kinds('up'), weight: kinds('weight') },
    checkTargets: states.size,
    ...activity(parts),
    table: {
      age: Math.max(0, monotonic() - reading.at) / 1000,
      at: reading.at / 1000,
      reading: sampler.durations,
    },
    ipvs: wholeTable(),
    kernelCounters: kernelCounters(),
    processes: processes(parts, routers.pid),
    restarts: { ...(monitor && { health: monitor.numbers.restarts }), vrrp: routers.restarts },
    vrrp: routers.instances,
    vrrpLateness: routers.lateness,
    vrrpTransitions: routers.transitions,
    syncDaemons: syncDaemons.map(({ state, interface: device, syncId }) => ({
      role: state === IP_VS_STATE_MASTER ? 'master' : 'backup',
      device,
      id: syncId,
    })),
  };
}

function configNumbers({ loader }: StatsParts) {
  return {
    reloadSuccessful: loader.error === undefined,
    reloadedAt: wallTime(loader.loadedAt) / 1000,
    config: { file: loader.file, sha256: loader.digest },
    reloads: { ...loader.reloads },
  };
}

/** What the daemon has counted of its own work. */
function activity({ daemon, monitor, hooks, events, logLinesDropped, controlClients }: StatsParts) {
  const { counts } = daemon.reconciler;
  const errors = [...netlinkCounts.errors].map(([errno, count]) => [errnoName(errno), count] as const);
  return {
    checks: monitor ? checkNumbers(monitor) : null,
    reconcile: {
      open: counts.open,
      operations: counts.operations.rows,
      durations: counts.durations.histogram,
      cycles: { ...counts.cycles },
      lastSuccess: counts.lastSuccess === undefined ? null : wallTime(counts.lastSuccess) / 1000,
      drift: { ...counts.drift },
    },
    netlink: {
      errors: Object.fromEntries(errors),
      overruns: netlinkCounts.overruns,
      dumpRetries: netlinkCounts.dumpRetries,
    },
    hooks: {
      runs: { ...(hooks?.runs ?? {}) },
      durations: (hooks?.durations ?? new HistogramCounts(DURATION_BOUNDS)).histogram,
    },
    events: Object.fromEntries(events.counts),
    eventsDropped: events.dropped,
    logLinesDropped: logLinesDropped(),
    controlClients: controlClients(),
  };
}

function checkNumbers({ numbers }: HealthMonitor): StatsSummary['checks'] {
  const { results, failures, durations, lateness, lanes, lost, transitions } = numbers;
  return { results, failures, durations, lateness, lanes, lost, transitions };
}

function processes({ monitor, lag }: StatsParts, vrrp: number | undefined): StatsSummary['processes'] {
  const { worker, helper } = monitor?.numbers ?? {};
  const others = (
    [...Object.entries({ health: worker, exec: helper, vrrp })] as ['health' | 'exec' | 'vrrp', number?][]
  )
    .map(([name, pid]) => [name, pid === undefined ? undefined : numbersOf(pid)] as const)
    .flatMap(([name, numbers]) => (numbers ? [{ name, ...numbers }] : []));
  return [{ name: 'daemon', loop: lag.numbers, ...ownNumbers() }, ...others];
}

/** Sends rows in parts, each in a turn of the event loop of its own; slow clients get their time. */
async function sendRows(notify: Notify, table: StatsPart['table'], all: Iterable<Row>): Promise<void> {
  let rows: Row[] = [];
  const end = async () => {
    const part: StatsPart = { table, rows };
    rows = [];
    await notify('rows', part);
    await turn();
  };
  for (const row of all) if (rows.push(row) >= ROWS) await end();
  if (rows.length > 0) await end();
}

interface Source {
  runtime: RuntimeState;
  reading: Reading;
  states: TargetStates;
  /** Of a target, since lvsd started. */
  transitions(id: string): number;
}

const sampled = ({ key, config, spec }: VirtualService): Sampled => ({
  key,
  config,
  localAddresses: spec.localAddresses !== undefined,
});

/** The destinations that lvsd has put, or leaves, into the table of a service. */
function destinations(service: VirtualService, runtime: RuntimeState): DestinationConfig[] {
  const all = service.realServers.map(({ destination }) => destination);
  if (service.sorryServer) all.push(service.sorryServer);
  return [...all, ...runtime.drainingOf(service).map(({ destination }) => destination)];
}

function* serviceRows(source: Source, refused: ReadonlyMap<string, unknown>): Generator<Row> {
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

function* allServerRows(services: readonly VirtualService[], source: Source): Generator<Row> {
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

async function serverCounts(source: Source): Promise<StatsSummary['realServers']> {
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
async function localAddressRows(services: readonly VirtualService[], reading: Reading): Promise<Row[]> {
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

/** The sums of all services, in hexadecimal on the third line. */
function wholeTable(): StatsSummary['ipvs'] {
  try {
    const line = readFileSync('/proc/net/ip_vs_stats', 'latin1').split('\n')[2] ?? '';
    const numbers = line
      .trim()
      .split(/\s+/)
      .map((word) => Number.parseInt(word, 16));
    const [connections, inPackets, outPackets, inBytes, outBytes] = numbers;
    if (outBytes === undefined || numbers.some(Number.isNaN)) return null;
    return {
      connections: connections as number,
      inPackets: inPackets as number,
      outPackets: outPackets as number,
      inBytes: inBytes as number,
      outBytes,
    };
  } catch {
    return null;
  }
}

function kernelCounters(): StatsSummary['kernelCounters'] {
  try {
    return parseKernelCounters(readFileSync('/proc/net/ip_vs_ext_stats', 'latin1'));
  } catch {
    return null;
  }
}
