// SPDX-License-Identifier: MIT
/**
 * The families of metrics, each declared once: the text (text.ts) and docs/metrics.md are derived from this table. Labels
 * come from the file and the kernel only, never from traffic or answers of real servers. Pure.
 */
import type { ProcessNumbers } from '../../base/process-numbers.ts';
import { KERNEL_COUNTERS } from './kernel-counters.ts';
import {
  type Cell,
  type Detail,
  type Histogram,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  REAL_SERVER_STATES,
  type Row,
  SERVICE_COLUMNS,
  type StatsSummary,
  UNPROBED,
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
  histogram(summary: StatsSummary): Histogram;
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

const S = indices(SERVICE_COLUMNS);
const R = indices(REAL_SERVER_COLUMNS);
const L = indices(LOCAL_ADDRESS_COLUMNS);

/** The labels of each table's rows, with their columns. */
export const TABLES = {
  services: { service: S.service, virtual: S.virtual },
  realServers: { service: R.service, virtual: R.virtual, real_server: R.realServer },
  localAddresses: { pool: L.pool, local_address: L.localAddress },
} as const;

const number = (cell: Cell | undefined): number | undefined => (typeof cell === 'number' ? cell : undefined);
const text = (cell: Cell | undefined): string => `${cell ?? ''}`;

const gauge = (
  name: string,
  group: Group,
  help: string,
  samples: SummaryFamily['samples'],
  labels: readonly string[] = [],
): SummaryFamily => ({ name, type: 'gauge', group, level: 'summary', help, labels, table: 'summary', samples });

const counter: typeof gauge = (...given) => ({ ...gauge(...given), type: 'counter' });

const row = (
  table: keyof typeof TABLES,
  group: Group,
  level: Detail,
  name: string,
  column: number,
  help: string,
  value: RowFamily['value'] = (cells) => number(cells[column]),
): RowFamily => ({
  name,
  type: name.endsWith('_total') ? 'counter' : 'gauge',
  group,
  level,
  help,
  labels: Object.keys(TABLES[table]),
  table,
  value,
});

const service = (name: string, column: number, help: string, value?: RowFamily['value']) =>
  row('services', 'service', 'services', `service_${name}`, column, help, value);
const realServer = (level: Detail, name: string, column: number, help: string, value?: RowFamily['value']) =>
  row('realServers', 'real_server', level, `real_server_${name}`, column, help, value);
const localAddress = (name: string, column: number, help: string) =>
  row('localAddresses', 'local_address', 'real_servers', `local_address_${name}`, column, help);

const ofProcesses =
  (key: keyof ProcessNumbers): SummaryFamily['samples'] =>
  ({ processes }) =>
    processes.map((one) => [one[key], { process: one.name }] as const);

const DIRECTIONS = ['sent', 'received'] as const;

const VRRP_STATES = { init: 0, backup: 1, master: 2, fault: 3 } as const;

export const FAMILIES: readonly Family[] = [
  gauge(
    'build_info',
    'process',
    'Versions of lvsd, Node and the kernel, and the build of its modules; always 1.',
    ({ version, node, kernel, modules }) => [[1, { version, node, kernel, modules }]],
    ['version', 'node', 'kernel', 'modules'],
  ),
  gauge(
    'kernel_feature',
    'kernel',
    'Features of the kernel beyond those of a stock one; always 1.',
    ({ features }) => features.map((feature) => [1, { feature }] as const),
    ['feature'],
  ),
  gauge(
    'config_last_reload_successful',
    'process',
    'Whether the last reload of the configuration was accepted.',
    ({ reloadSuccessful }) => [[Number(reloadSuccessful)]],
  ),
  gauge(
    'config_last_reload_success_timestamp_seconds',
    'process',
    'Time of the last reload of the configuration that was accepted.',
    ({ reloadedAt }) => [[reloadedAt]],
  ),
  gauge('services', 'process', 'Virtual services of the file.', ({ services }) => [[services]]),
  gauge(
    'real_servers',
    'process',
    'Real servers of the file by state, counted once for each virtual service.',
    ({ realServers }) => REAL_SERVER_STATES.map((state) => [realServers[state], { state }] as const),
    ['state'],
  ),
  gauge('refused_services', 'process', 'Services of which the kernel refuses a change.', ({ refusedServices }) => [
    [refusedServices],
  ]),
  gauge('paused', 'process', 'Whether an operator has paused lvsd.', ({ paused }) => [[Number(paused)]]),
  gauge(
    'overrides',
    'process',
    'What operators have set for real servers, by kind.',
    ({ overrides: { drain, disable, up, weight } }) => [
      [drain, { kind: 'drain' }],
      [disable, { kind: 'down' }],
      [up, { kind: 'up' }],
      [weight, { kind: 'weight' }],
    ],
    ['kind'],
  ),
  gauge('check_targets', 'check', 'Endpoints that are checked.', ({ checkTargets }) => [[checkTargets]]),
  gauge('table_age_seconds', 'process', "Age of the reading of the kernel's counters.", ({ table }) => [[table.age]]),
  {
    name: 'table_read_duration_seconds',
    type: 'histogram',
    group: 'process',
    level: 'summary',
    help: "Duration of readings of the kernel's counters.",
    labels: [],
    table: 'histogram',
    histogram: ({ table }) => table.reading,
  },
  ...(
    [
      ['connections', 'connections', 'Connections'],
      ['incoming_packets', 'inPackets', 'Packets from clients'],
      ['outgoing_packets', 'outPackets', 'Packets to clients'],
      ['incoming_bytes', 'inBytes', 'Bytes from clients'],
      ['outgoing_bytes', 'outBytes', 'Bytes to clients'],
    ] as const
  ).map(([name, key, what]) =>
    counter(`ipvs_${name}_total`, 'kernel', `${what} of the whole table, in this network namespace.`, ({ ipvs }) =>
      ipvs ? [[ipvs[key]]] : [],
    ),
  ),
  ...Object.entries(KERNEL_COUNTERS).map(([key, [name, help]]) =>
    counter(name, 'kernel', help, ({ kernelCounters }) => {
      const value = kernelCounters?.[key];
      return value === undefined ? [] : [[value]];
    }),
  ),
  counter(
    'ipvs_unknown_total',
    'kernel',
    'Counters of IPVS that this version of lvsd does not know.',
    ({ kernelCounters }) =>
      Object.entries(kernelCounters ?? {}).flatMap(([key, value]) =>
        Object.hasOwn(KERNEL_COUNTERS, key) ? [] : [[value, { row: key }] as const],
      ),
    ['row'],
  ),
  gauge('process_resident_memory_bytes', 'process', 'Resident memory.', ofProcesses('residentMemory'), ['process']),
  counter('process_cpu_seconds_total', 'process', 'CPU time, of user and system.', ofProcesses('cpu'), ['process']),
  gauge('process_open_fds', 'process', 'Open file descriptors.', ofProcesses('openFiles'), ['process']),
  gauge('process_start_time_seconds', 'process', 'Start of the process.', ofProcesses('startedAt'), ['process']),
  counter(
    'events_total',
    'process',
    'Events since the start of lvsd, by kind.',
    ({ events }) => Object.entries(events).map(([kind, count]) => [count, { kind }] as const),
    ['kind'],
  ),
  gauge(
    'vrrp_state',
    'vrrp',
    'State of a virtual router: 0 init, 1 backup, 2 master, 3 fault.',
    ({ vrrp }) => vrrp.map(({ name, state }) => [VRRP_STATES[state], { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_priority',
    'vrrp',
    'Configured priority of a virtual router.',
    ({ vrrp }) => vrrp.map(({ name, priority }) => [priority, { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_effective_priority',
    'vrrp',
    'Priority of a virtual router with the weights of what it tracks.',
    ({ vrrp }) => vrrp.map(({ name, effectivePriority }) => [effectivePriority, { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_addresses',
    'vrrp',
    'Addresses of a virtual router.',
    ({ vrrp }) => vrrp.map(({ name, addresses }) => [addresses, { instance_name: name }] as const),
    ['instance_name'],
  ),
  counter(
    'vrrp_adverts_total',
    'vrrp',
    'Adverts of a virtual router.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, counters }) =>
        DIRECTIONS.map((direction) => [counters[direction] ?? 0, { instance_name: name, direction }] as const),
      ),
    ['instance_name', 'direction'],
  ),
  counter(
    'vrrp_incidents_total',
    'vrrp',
    'What else a virtual router counts, such as adverts that were rejected, by reason.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, counters }) =>
        Object.entries(counters).flatMap(([key, value]) =>
          DIRECTIONS.some((one) => one === key) ? [] : [[value, { instance_name: name, incident: key }] as const],
        ),
      ),
    ['instance_name', 'incident'],
  ),
  {
    ...service('info', S.port, 'What describes a service; always 1.', () => 1),
    labels: ['service', 'virtual', 'protocol', 'address', 'port', 'fwmark', 'scheduler', 'forward', 'pool'],
    more: (cells) => ({
      protocol: text(cells[S.protocol]),
      address: text(cells[S.address]),
      port: text(cells[S.port]),
      fwmark: text(cells[S.fwmark]),
      scheduler: text(cells[S.scheduler]),
      forward: text(cells[S.forward]),
      pool: text(cells[S.pool]),
    }),
  },
  service('real_servers', S.realServers, 'Real servers of the file.'),
  service('real_servers_up', S.realServersUp, 'Real servers that get new connections.'),
  service('weight', S.weight, 'Sum of the weights of real servers that are up and not drained.'),
  service('quorum', S.quorum, 'Weight that the service needs.'),
  service('quorum_up', S.quorumUp, 'Whether the service has its quorum.'),
  service('sorry', S.sorry, 'Whether the sorry server is in use.'),
  service(
    'refused',
    S.refused,
    '1 if the kernel refuses a change of the service; otherwise there is no sample.',
    (cells) => (cells[S.refused] === 1 ? 1 : undefined),
  ),
  service('active_connections', S.active, 'Active connections.'),
  service('inactive_connections', S.inactive, 'Inactive connections.'),
  service('connections_total', S.connections, 'Connections.'),
  service('incoming_packets_total', S.inPackets, 'Packets from clients.'),
  service('outgoing_packets_total', S.outPackets, 'Packets to clients; 0 with direct routing and tunnels.'),
  service('incoming_bytes_total', S.inBytes, 'Bytes from clients, with their IP headers.'),
  service(
    'outgoing_bytes_total',
    S.outBytes,
    'Bytes to clients, with their IP headers; 0 with direct routing and tunnels.',
  ),
  service('local_ports', S.localPorts, 'Local ports of FULLNAT.'),
  service('local_ports_in_use', S.localPortsInUse, 'Local ports of FULLNAT that connections use.'),
  service('local_ports_exhausted_total', S.localPortsExhausted, 'Connections for which no local port was free.'),
  service('local_port_conflicts_total', S.localPortConflicts, 'Local ports that were chosen and in use.'),
  {
    ...realServer('full', 'info', R.port, 'What describes a real server; always 1.', () => 1),
    labels: ['service', 'virtual', 'real_server', 'address', 'port', 'forward'],
    more: (cells) => ({
      address: text(cells[R.address]),
      port: text(cells[R.port]),
      forward: text(cells[R.forward]),
    }),
  },
  realServer('real_servers', 'up', R.up, '1 if up or not checked, 0 if down, NaN before the first result.', (cells) =>
    cells[R.up] === UNPROBED ? Number.NaN : number(cells[R.up]),
  ),
  realServer('real_servers', 'weight', R.weight, "Weight in the kernel's table now."),
  realServer('full', 'configured_weight', R.configuredWeight, 'Weight in the file.'),
  realServer('full', 'draining', R.draining, 'Whether it gets no new connections and keeps those that it has.'),
  realServer('real_servers', 'active_connections', R.active, 'Active connections.'),
  realServer('real_servers', 'inactive_connections', R.inactive, 'Inactive connections.'),
  realServer('full', 'persistent_connections', R.persistent, 'Templates of persistence.'),
  realServer('real_servers', 'connections_total', R.connections, 'Connections.'),
  realServer('full', 'incoming_packets_total', R.inPackets, 'Packets from clients.'),
  realServer('full', 'outgoing_packets_total', R.outPackets, 'Packets to clients.'),
  realServer('real_servers', 'incoming_bytes_total', R.inBytes, 'Bytes from clients, with their IP headers.'),
  realServer('real_servers', 'outgoing_bytes_total', R.outBytes, 'Bytes to clients, with their IP headers.'),
  realServer('real_servers', 'last_change_timestamp_seconds', R.lastChange, 'When its checks last changed its state.'),
  realServer('full', 'checks_total', R.checks, 'Results of its checks.'),
  realServer('real_servers', 'check_failures_total', R.failures, 'Checks that failed.'),
  realServer('full', 'check_duration_seconds', R.latency, 'Duration of the last check.'),
  localAddress('ports', L.ports, 'Local ports, summed over services.'),
  localAddress('ports_in_use', L.portsInUse, 'Local ports that connections use.'),
  localAddress('connections', L.connections, 'Connections.'),
  localAddress('draining', L.draining, 'Whether it gets no new connections.'),
  localAddress('ports_exhausted_total', L.exhausted, 'Connections for which no local port was free.'),
  localAddress('port_conflicts_total', L.conflicts, 'Local ports that were chosen and in use.'),
];

/** Families of the writer itself, and of a daemon that does not answer. */
export const OWN_FAMILIES = {
  up: 'Whether the daemon answered.',
  metrics_omitted_series: 'Series that were left out because there were too many.',
} as const;

/** Families of lvsd web. */
export const WEB_FAMILIES = {
  scrape_duration_seconds: 'Time that lvsd web took for this scrape, before it was sent whole.',
} as const;
