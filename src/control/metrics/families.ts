// SPDX-License-Identifier: MIT
/**
 * The families of metrics, each declared once: the text (text.ts) and docs/metrics.md are derived from this table. Labels
 * come from the file and the kernel only, never from traffic or answers of real servers. Pure.
 */
import { FAILURE_CODES } from '../../base/failure-codes.ts';
import type { Histogram } from '../../base/histogram.ts';
import type { TallyRow } from '../../base/tally.ts';
import { KERNEL_COUNTERS } from './kernel-counters.ts';
import {
  type Cell,
  type Detail,
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

const histogram = (
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

const ofProcesses =
  (value: (one: StatsSummary['processes'][number]) => number | undefined): SummaryFamily['samples'] =>
  ({ processes }) =>
    processes.flatMap((one) => {
      const found = value(one);
      return found === undefined ? [] : [[found, { process: one.name }] as const];
    });

/** Samples of counts by two words, which become labels. */
const tallied = (rows: readonly TallyRow[], first: string, second: string) =>
  rows.map(([one, other, count]) => [count, { [first]: one, [second]: other }] as const);

const counted = (counts: Readonly<Record<string, number>>, label: string) =>
  Object.entries(counts).map(([key, count]) => [count, { [label]: key }] as const);

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
  counter(
    'config_reloads_total',
    'process',
    'Reloads of the configuration: done, refused by the kernel in part, or rejected as invalid.',
    ({ reloads }) => counted(reloads, 'result'),
    ['result'],
  ),
  gauge(
    'config_info',
    'process',
    'The configuration in effect, and the start of the SHA-256 of its text; always 1.',
    ({ config: { file, sha256 } }) => [[1, { file, sha256 }]],
    ['file', 'sha256'],
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
  gauge(
    'plan_operations',
    'process',
    'Operations that are due, but wait: lvsd is paused, or the kernel refused them.',
    ({ reconcile }) => [[reconcile.open]],
  ),
  gauge('check_targets', 'check', 'Endpoints that are checked.', ({ checkTargets }) => [[checkTargets]]),
  histogram(
    'check_duration_seconds',
    'check',
    'Duration of checks, by type.',
    ({ checks }) => (checks?.durations ?? []).map(([type, one]) => [one, { type }] as const),
    ['type'],
  ),
  counter(
    'check_results_total',
    'check',
    'Results of checks: ok, failed, impossible for lack of something on this machine, discarded as this machine was late.',
    ({ checks }) => tallied(checks?.results ?? [], 'type', 'result'),
    ['type', 'result'],
  ),
  counter(
    'check_failures_total',
    'check',
    `Checks that failed, by reason: ${FAILURE_CODES.join(', ')}.`,
    ({ checks }) => tallied(checks?.failures ?? [], 'type', 'reason'),
    ['type', 'reason'],
  ),
  histogram(
    'check_lateness_seconds',
    'check',
    'Time from when checks are due to when they begin: of sockets and of programs.',
    ({ checks }) => (checks?.lateness ?? []).map(([lane, one]) => [one, { lane }] as const),
    ['lane'],
  ),
  counter(
    'check_lost_seconds_total',
    'check',
    'Time in which the health worker was ready but did not run.',
    ({ checks }) => (checks ? [[checks.lost]] : []),
  ),
  gauge(
    'checks_running',
    'check',
    'Checks in progress.',
    ({ checks }) => Object.entries(checks?.lanes ?? {}).map(([lane, { running }]) => [running, { lane }] as const),
    ['lane'],
  ),
  gauge(
    'checks_queued',
    'check',
    'Checks that are due and wait for the limit of simultaneous ones.',
    ({ checks }) => Object.entries(checks?.lanes ?? {}).map(([lane, { queued }]) => [queued, { lane }] as const),
    ['lane'],
  ),
  counter(
    'transitions_total',
    'check',
    'Endpoints that checks took up or down.',
    ({ checks }) => (checks ? counted(checks.transitions, 'to') : []),
    ['to'],
  ),
  counter(
    'kernel_operations_total',
    'kernel',
    'Changes of the kernel: done, refused by it, or skipped as they depend on a refused one.',
    ({ reconcile }) => tallied(reconcile.operations, 'operation', 'result'),
    ['operation', 'result'],
  ),
  histogram(
    'reconcile_duration_seconds',
    'kernel',
    'Duration of cycles that compare the kernel with what it should have.',
    ({ reconcile }) => [[reconcile.durations]],
  ),
  counter(
    'reconcile_cycles_total',
    'kernel',
    'Such cycles: done, partial as the kernel refused something, or ended by an error.',
    ({ reconcile }) => counted(reconcile.cycles, 'result'),
    ['result'],
  ),
  gauge(
    'reconcile_last_success_timestamp_seconds',
    'kernel',
    'End of the last cycle that was done.',
    ({ reconcile }) => (reconcile.lastSuccess === null ? [] : [[reconcile.lastSuccess]]),
  ),
  counter(
    'drift_total',
    'kernel',
    'Changes by other programs of what lvsd had set, by what they changed.',
    ({ reconcile }) => counted(reconcile.drift, 'object'),
    ['object'],
  ),
  counter(
    'netlink_errors_total',
    'kernel',
    'Answers of the kernel with an error; some are expected.',
    ({ netlink }) => counted(netlink.errors, 'errno'),
    ['errno'],
  ),
  counter(
    'netlink_overruns_total',
    'kernel',
    'Losses of messages of the kernel that were not read in time.',
    ({ netlink }) => [[netlink.overruns]],
  ),
  counter(
    'netlink_dump_retries_total',
    'kernel',
    'Readings of a table that were repeated, as it changed meanwhile.',
    ({ netlink }) => [[netlink.dumpRetries]],
  ),
  gauge('table_age_seconds', 'process', "Age of the reading of the kernel's counters.", ({ table }) => [[table.age]]),
  histogram('table_read_duration_seconds', 'process', "Duration of readings of the kernel's counters.", ({ table }) => [
    [table.reading],
  ]),
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
  gauge(
    'process_resident_memory_bytes',
    'process',
    'Resident memory.',
    ofProcesses((one) => one.residentMemory),
    ['process'],
  ),
  counter(
    'process_cpu_seconds_total',
    'process',
    'CPU time, of user and system.',
    ofProcesses((one) => one.cpu),
    ['process'],
  ),
  gauge(
    'process_open_fds',
    'process',
    'Open file descriptors.',
    ofProcesses((one) => one.openFiles ?? undefined),
    ['process'],
  ),
  gauge(
    'process_max_fds',
    'process',
    'Limit of open file descriptors.',
    ofProcesses((one) => one.maxFiles ?? undefined),
    ['process'],
  ),
  gauge(
    'process_start_time_seconds',
    'process',
    'Start of the process.',
    ofProcesses((one) => one.startedAt),
    ['process'],
  ),
  counter(
    'process_restarts_total',
    'process',
    'How often lvsd started a process of its own again.',
    ({ restarts }) => counted(restarts, 'process'),
    ['process'],
  ),
  gauge(
    'event_loop_lag_p50_seconds',
    'process',
    'Median of how late timers ran, in the last whole minute.',
    ofProcesses(({ loop }) => loop?.p50),
    ['process'],
  ),
  gauge(
    'event_loop_lag_p99_seconds',
    'process',
    'The 99th percentile of that.',
    ofProcesses(({ loop }) => loop?.p99),
    ['process'],
  ),
  gauge(
    'event_loop_lag_max_seconds',
    'process',
    'The maximum of that.',
    ofProcesses(({ loop }) => loop?.max),
    ['process'],
  ),
  gauge(
    'event_loop_utilization_ratio',
    'process',
    'Part of the time in which the process did not wait, in the last whole minute.',
    ofProcesses(({ loop }) => loop?.utilization),
    ['process'],
  ),
  counter(
    'events_total',
    'process',
    'Events since the start of lvsd, by kind.',
    ({ events }) => counted(events, 'kind'),
    ['kind'],
  ),
  counter('events_dropped_total', 'process', 'Events that could not be stored.', ({ eventsDropped }) => [
    [eventsDropped],
  ]),
  counter(
    'log_lines_dropped_total',
    'process',
    'Log lines that were dropped, as they were not read in time.',
    ({ logLinesDropped }) => [[logLinesDropped]],
  ),
  gauge(
    'control_clients',
    'process',
    'Clients of the control socket and of the read-only socket.',
    ({ controlClients }) => counted(controlClients, 'socket'),
    ['socket'],
  ),
  counter(
    'hook_runs_total',
    'process',
    'Runs of hooks: done, failed, stopped after their timeout, or lost with the process that ran them.',
    ({ hooks }) => counted(hooks.runs, 'result'),
    ['result'],
  ),
  histogram('hook_duration_seconds', 'process', 'Duration of runs of hooks.', ({ hooks }) => [[hooks.durations]]),
  gauge(
    'sync_daemon',
    'kernel',
    "The kernel's daemons that exchange connections with other nodes; always 1.",
    ({ syncDaemons }) => syncDaemons.map(({ role, device, id }) => [1, { role, device, id: `${id}` }] as const),
    ['role', 'device', 'id'],
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
  gauge(
    'vrrp_last_advert_timestamp_seconds',
    'vrrp',
    'When a virtual router last received an advert.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, lastAdvert }) => (lastAdvert > 0 ? [[lastAdvert, { instance_name: name }] as const] : [])),
    ['instance_name'],
  ),
  counter(
    'vrrp_transitions_total',
    'vrrp',
    'Changes of the state of a virtual router.',
    ({ vrrpTransitions }) => tallied(vrrpTransitions, 'instance_name', 'to'),
    ['instance_name', 'to'],
  ),
  histogram(
    'vrrp_lateness_seconds',
    'vrrp',
    'How late the timers of a virtual router ran.',
    ({ vrrpLateness }) => vrrpLateness.map(([name, one]) => [one, { instance_name: name }] as const),
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
  realServer('full', 'transitions_total', R.transitions, 'Changes of the state of its checks since lvsd started.'),
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
