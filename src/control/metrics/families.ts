// SPDX-License-Identifier: MIT
/**
 * The families of metrics, each declared once: the text (text.ts) and docs/metrics.md are derived from this table. Labels
 * come from the file and the kernel only, never from traffic or answers of real servers. Pure.
 */
import { FAILURE_CODES } from '../../base/failure-codes.ts';
import { counted, counter, type Family, gauge, histogram, ofProcesses, tallied } from './family.ts';
import { KERNEL_COUNTERS } from './kernel-counters.ts';
import { ROW_FAMILIES } from './row-families.ts';
import { REAL_SERVER_STATES } from './stats.ts';
import { VRRP_FAMILIES } from './vrrp-families.ts';

/** Families of the daemon as a whole. */
const DAEMON_FAMILIES: readonly Family[] = [
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
];

export const FAMILIES: readonly Family[] = [...DAEMON_FAMILIES, ...VRRP_FAMILIES, ...ROW_FAMILIES];

/** Families of the writer itself, and of a daemon that does not answer. */
export const OWN_FAMILIES = {
  up: 'Whether the daemon answered.',
  metrics_omitted_series: 'Series that were left out because there were too many.',
} as const;

/** Families of lvsd web. */
export const WEB_FAMILIES = {
  scrape_duration_seconds: 'Time that lvsd web took for this scrape, before it was sent whole.',
} as const;
