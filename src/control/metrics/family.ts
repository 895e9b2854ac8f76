// SPDX-License-Identifier: MIT
/** The types of families of metrics, and functions that declare families. Pure. */
import type { Histogram } from '../../base/histogram.ts';
import type { TallyRow } from '../../base/tally.ts';
import {
  type Detail,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  type Row,
  SERVICE_COLUMNS,
  type StatsSummary,
} from './stats.ts';
/** Groups by which metrics are selected. */
export const GROUPS = ['process', 'service', 'real_server', 'local_address', 'check', 'kernel', 'vrrp'] as const;
export type Group = (typeof GROUPS)[number];

export type Type = 'gauge' | 'counter' | 'histogram';
export type Labels = Readonly<Record<string, string>>;

interface Common {
  /** Without `lvsd_`. */
  name: string;
  type: Type;
  group: Group;
  /** The least detail at which it is written. */
  level: Detail;
  help: string;
  labels: readonly string[];
}

/** Samples of the whole. */
export interface SummaryFamily extends Common {
  table: 'summary';
  samples(summary: StatsSummary): readonly (readonly [value: number, labels?: Labels])[];
}

export interface HistogramFamily extends Common {
  table: 'histogram';
  histograms(summary: StatsSummary): readonly (readonly [histogram: Histogram, labels?: Labels])[];
}

/** One sample for each row. */
export interface RowFamily extends Common {
  table: keyof typeof TABLES;
  /** Undefined: no sample. */
  value(row: Row): number | undefined;
  /** Labels besides those of the table. */
  more?(row: Row): Labels;
}

export type Family = SummaryFamily | HistogramFamily | RowFamily;

const indices = <C extends string>(columns: readonly C[]) =>
  Object.fromEntries(columns.map((column, index) => [column, index])) as Readonly<Record<C, number>>;

/** Columns by their names. */
export const S = indices(SERVICE_COLUMNS);
export const R = indices(REAL_SERVER_COLUMNS);
export const L = indices(LOCAL_ADDRESS_COLUMNS);

/** The labels of each table's rows, with their columns. */
export const TABLES = {
  services: { service: S.service, virtual: S.virtual },
  realServers: { service: R.service, virtual: R.virtual, real_server: R.realServer },
  localAddresses: { pool: L.pool, local_address: L.localAddress },
} as const;

export const gauge = (
  name: string,
  group: Group,
  help: string,
  samples: SummaryFamily['samples'],
  labels: readonly string[] = [],
): SummaryFamily => ({ name, type: 'gauge', group, level: 'summary', help, labels, table: 'summary', samples });

export const counter: typeof gauge = (...given) => ({ ...gauge(...given), type: 'counter' });

export const histogram = (
  name: string,
  group: Group,
  help: string,
  histograms: HistogramFamily['histograms'],
  labels: readonly string[] = [],
): HistogramFamily => ({
  name,
  type: 'histogram',
  group,
  level: 'summary',
  help,
  labels,
  table: 'histogram',
  histograms,
});

export const ofProcesses =
  (value: (one: StatsSummary['processes'][number]) => number | undefined): SummaryFamily['samples'] =>
  ({ processes }) =>
    processes.flatMap((one) => {
      const found = value(one);
      return found === undefined ? [] : [[found, { process: one.name }] as const];
    });

/** Samples of counts by two words, which become labels. */
export const tallied = (rows: readonly TallyRow[], first: string, second: string) =>
  rows.map(([one, other, count]) => [count, { [first]: one, [second]: other }] as const);

export const counted = (counts: Readonly<Record<string, number>>, label: string) =>
  Object.entries(counts).map(([key, count]) => [count, { [label]: key }] as const);
