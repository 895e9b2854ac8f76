// SPDX-License-Identifier: MIT
/** Shapes of the answer to stats and of its rows. Pure. */
import type { Histogram } from '../../base/histogram.ts';
import {
  among,
  beginning,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  record,
  type Shape,
  simple,
  text,
  truth,
  tuple,
} from '../../base/shape.ts';
import type { TallyRow } from '../../base/tally.ts';
import {
  type Cell,
  DETAILS,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  REAL_SERVER_STATES,
  SERVICE_COLUMNS,
  type StatsPart,
  type StatsSummary,
} from '../metrics/stats.ts';
import { vrrpState } from './status.ts';

const histogram = object<Histogram>({ bounds: list(number), counts: list(number), count: number, sum: number });
const histograms = list(tuple<readonly [string, Histogram]>(text, histogram));
const tally = list(tuple<TallyRow>(text, text, number));
const counts = record(number);

type Process = StatsSummary['processes'][number];

const process = object<Process>({
  // Only a label.
  name: text as Shape<Process['name']>,
  residentMemory: number,
  cpu: number,
  openFiles: optional(number),
  maxFiles: optional(number),
  startedAt: number,
  loop: optional(object<NonNullable<Process['loop']>>({ p50: number, p99: number, max: number, utilization: number })),
});

type Checks = NonNullable<StatsSummary['checks']>;

const checks = object<Checks>({
  results: tally,
  failures: tally,
  durations: histograms,
  lateness: histograms,
  lanes: record(object<Checks['lanes'][string]>({ running: number, queued: number })),
  lost: number,
  transitions: object<Checks['transitions']>({ up: number, down: number }),
});

type Router = StatsSummary['vrrp'][number];

export const statsSummary = object<StatsSummary>({
  defaults: object<StatsSummary['defaults']>({ detail: among(DETAILS), maxSeries: number }),
  version: text,
  node: text,
  kernel: text,
  modules: text,
  features: list(text),
  reloadSuccessful: truth,
  reloadedAt: number,
  config: object<StatsSummary['config']>({ file: text, sha256: text }),
  reloads: object<StatsSummary['reloads']>({ done: number, refused: number, rejected: number }),
  services: number,
  realServers: object<StatsSummary['realServers']>(
    Object.fromEntries(REAL_SERVER_STATES.map((state) => [state, number])) as Record<
      (typeof REAL_SERVER_STATES)[number],
      Shape<number>
    >,
  ),
  refusedServices: number,
  paused: truth,
  overrides: object<StatsSummary['overrides']>({ drain: number, disable: number, up: number, weight: number }),
  checkTargets: number,
  checks: nullable(checks),
  reconcile: object<StatsSummary['reconcile']>({
    open: number,
    operations: tally,
    durations: histogram,
    cycles: object<StatsSummary['reconcile']['cycles']>({ done: number, partial: number, error: number }),
    lastSuccess: nullable(number),
    drift: counts,
  }),
  netlink: object<StatsSummary['netlink']>({ errors: counts, overruns: number, dumpRetries: number }),
  hooks: object<StatsSummary['hooks']>({ runs: counts, durations: histogram }),
  syncDaemons: list(object<StatsSummary['syncDaemons'][number]>({ role: text, device: text, id: number })),
  table: object<StatsSummary['table']>({ age: number, at: number, reading: histogram }),
  ipvs: nullable(
    object<NonNullable<StatsSummary['ipvs']>>({
      connections: number,
      inPackets: number,
      outPackets: number,
      inBytes: number,
      outBytes: number,
    }),
  ),
  kernelCounters: nullable(counts),
  processes: list(process),
  restarts: counts,
  events: counts,
  eventsDropped: number,
  logLinesDropped: number,
  controlClients: counts,
  vrrp: list(
    object<Router>({
      name: text,
      state: vrrpState,
      priority: number,
      effectivePriority: number,
      addresses: number,
      counters: counts,
      lastAdvert: number,
    }),
  ),
  vrrpLateness: histograms,
  vrrpTransitions: tally,
});

const label = text as Shape<Cell>;
const word = simple<Cell>(
  (value) => value === null || typeof value === 'string' || Number.isFinite(value),
  'a string, a number or null',
);
const figure = simple<Cell>((value) => value === null || Number.isFinite(value), 'a number or null');

/** Rows with these columns. `labels`: texts that name the row; `words`: other texts, or numbers in place of them. */
function rows<C extends string>(columns: readonly C[], labels: readonly C[], words: readonly C[]) {
  const shapeOf = (column: C) => (labels.includes(column) ? label : words.includes(column) ? word : figure);
  return object<Pick<StatsPart, 'rows'>>({ rows: list(beginning(columns.map(shapeOf), word)) });
}

const ROWS: Readonly<Record<StatsPart['table'], Shape<Pick<StatsPart, 'rows'>>>> = {
  services: rows(
    SERVICE_COLUMNS,
    ['service', 'virtual'],
    ['protocol', 'address', 'port', 'fwmark', 'scheduler', 'forward', 'pool'],
  ),
  realServers: rows(REAL_SERVER_COLUMNS, ['service', 'virtual', 'realServer'], ['address', 'port', 'forward']),
  localAddresses: rows(LOCAL_ADDRESS_COLUMNS, ['pool', 'localAddress'], []),
};

const named = object<Pick<StatsPart, 'table'>>({ table: oneOf<StatsPart['table']>(ROWS) });

export const statsPart: Shape<StatsPart> = (value) => named(value) ?? ROWS[(value as StatsPart).table](value);
