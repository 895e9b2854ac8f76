// SPDX-License-Identifier: MIT
/** The answer to `stats`, from the runtime state, health states and a reading of the kernel's counters. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic, wallTime } from '../../base/clock.ts';
import { errnoName } from '../../base/errno.ts';
import { UsageError } from '../../base/errors.ts';
import type { EventLoopLag } from '../../base/event-loop-lag.ts';
import { DURATION_BOUNDS, HistogramCounts } from '../../base/histogram.ts';
import { numbersOf, ownNumbers } from '../../base/process-numbers.ts';
import { version } from '../../base/version.ts';
import type { Notify } from '../../control/connection.ts';
import type { EventLog } from '../../control/events/log.ts';
import type { Params } from '../../control/methods.ts';
import { parseKernelCounters } from '../../control/metrics/kernel-counters.ts';
import { DETAILS, ROWS, type Row, type StatsPart, type StatsSummary } from '../../control/metrics/stats.ts';
import type { HealthMonitor } from '../../health/monitor.ts';
import type { TargetStates } from '../../health/types.ts';
import { IP_VS_STATE_MASTER } from '../../ipvs/index.ts';
import { netlinkCounts } from '../../netlink/index.ts';
import type { Daemon } from '../daemon.ts';
import type { HookRunner } from '../hooks/hooks.ts';
import type { Loader } from '../loader.ts';
import { kindOf } from '../model/overrides.ts';
import type { VirtualService } from '../model/virtual-services.ts';
import type { Kernel } from '../reconcile/kernel.ts';
import type { Vrrp } from '../vrrp.ts';
import type { Sampled, Sampler } from './sampler.ts';
import { allServerRows, localAddressRows, serverCounts, serviceRows } from './stats-rows.ts';

/** Milliseconds. */
const LEAST_AGE = 500;

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

const sampled = ({ key, config, spec }: VirtualService): Sampled => ({
  key,
  config,
  localAddresses: spec.localAddresses !== undefined,
});

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
