// SPDX-License-Identifier: MIT
/** The text of `lvsctl status`. Names and reasons, which come from outside, are escaped here. */
import { printable } from '../../base/printable.ts';
import { count } from '../../base/words.ts';
import type {
  CheckStatus,
  ChecksStatus,
  DaemonStatus,
  FailureStatus,
  FileProblem,
  OrphanStatus,
  OverrideStatus,
  RealServerStatus,
  ServiceStatus,
  SyncStatus,
} from '../messages.ts';
import { type Column, table } from './table.ts';
import type { Colour, Paint } from './terminal.ts';
import { vrrpLines } from './vrrp.ts';
import { clockText, endpointText, latencyText, spanText } from './words.ts';

const STATE_COLOURS: Readonly<Record<RealServerStatus['state'], Colour | undefined>> = {
  up: 'green',
  down: 'red',
  draining: 'yellow',
  unchecked: undefined,
};
const STATES = Object.keys(STATE_COLOURS) as readonly RealServerStatus['state'][];

/**
 * The daemon, each service with its real servers, and totals. `now` in milliseconds since the epoch; `all` are the
 * services before a filter, which the totals count.
 */
export function statusText(status: DaemonStatus, paint: Paint, now: number, all = status.services): string {
  const services = status.services.map((service) => serviceLines(service, paint, now).join('\n'));
  const orphans = orphanLines(status.orphans ?? [], paint, now);
  const parts = [head(status, paint, now), ...services, ...(orphans.length > 0 ? [orphans.join('\n')] : [])];
  return `${[...parts, totals(status, all)].join('\n\n')}\n`;
}

/** The same with one line for each service. `all`: as they are before a filter. */
export function briefText(status: DaemonStatus, paint: Paint, now: number, all = status.services): string {
  const whole = new Map(all.map((service) => [serviceKey(service), service]));
  const rows = status.services.map((shown) => ({ shown, service: whole.get(serviceKey(shown)) ?? shown }));
  const lines = rows.length > 0 ? [table(rows, BRIEF, paint).join('\n')] : [];
  return `${[head(status, paint, now), ...lines, totals(status, all)].join('\n\n')}\n`;
}

const serviceKey = ({ name, virtuals }: ServiceStatus) => `${name} ${virtuals.join(' ')}`;

function totals({ services: shown, failures = [] }: DaemonStatus, all: readonly ServiceStatus[]): string {
  const rejected = failures.reduce((sum, { changes }) => sum + changes.length, 0);
  const sum = `${sumLine(all)}${rejected > 0 ? `; ${count(rejected, 'change')} rejected` : ''}`;
  return shown === all ? sum : `${namesOf(shown)} of ${sum}`;
}

/** Number of services of the file: one with several ports or protocols is several services of the kernel. */
const namesOf = (services: readonly ServiceStatus[]): number => new Set(services.map(({ name }) => name)).size;

/** Real servers named in one line of a service. */
const NAMED = 3;

function names(servers: readonly RealServerStatus[]): string {
  const shown = servers.slice(0, NAMED).map(({ name }) => printable(name));
  return [...shown, ...(servers.length > NAMED ? [`${servers.length - NAMED} more`] : [])].join(', ');
}

/** `shown` has the real servers that a filter selects, `service` has all. */
const BRIEF: Column<{ shown: ServiceStatus; service: ServiceStatus }>[] = [
  { title: 'SERVICE', text: ({ service }) => printable(service.name) },
  { title: 'VIRTUAL', text: ({ service }) => service.virtuals.map(printable).join(', ') },
  {
    title: 'QUORUM',
    text: ({ service: { quorum, sorry } }) => (quorum.up ? 'up' : sorry ? 'sorry server' : 'lost'),
    colour: ({ service }) => (service.quorum.up ? 'green' : 'red'),
  },
  {
    title: 'WEIGHT',
    text: ({ service: { quorum } }) => `${quorum.weight}, needs ${quorum.needed}`,
    right: true,
  },
  {
    title: 'SERVERS',
    text: ({ service: { realServers } }) =>
      `${realServers.filter(({ state }) => state === 'up' || state === 'unchecked').length} of ${realServers.length}`,
    right: true,
  },
  {
    title: 'ACTIVE',
    text: ({ service: { realServers } }) => `${realServers.reduce((sum, one) => sum + one.activeConnections, 0)}`,
    right: true,
  },
  {
    title: 'NOT UP',
    text: ({ shown }) => names(shown.realServers.filter(({ state }) => state === 'down' || state === 'draining')),
    colour: () => 'red',
  },
  {
    title: 'REJECTED BY THE KERNEL',
    text: ({ service }) => printable(service.error ?? ''),
    colour: () => 'red',
  },
];

function head(status: DaemonStatus, paint: Paint, now: number): string {
  const { version, pid, startedAt, file, loadedAt, reloadError, paused } = status;
  const lines = [
    `lvsd ${printable(version)}, pid ${pid}, for ${spanText(now - startedAt)}`,
    `${printable(file)}, loaded ${clockText(loadedAt)}`,
  ];
  if (reloadError) lines.push(paint('red', `the last reload was rejected: ${firstProblem(reloadError, file)}`));
  if (paused) lines.push(paint('yellow', 'paused: nothing is written to the kernel (end with: lvsctl resume)'));
  if (status.connectionSync) lines.push(syncText(status.connectionSync, paint));
  for (const one of status.files ?? []) lines.push(paint('red', fileText(one, now)));
  // Those of services are below their headings.
  for (const one of status.failures ?? []) if (one.of !== 'service') lines.push(paint('red', failureLine(one, now)));
  if (status.checks?.stopped) lines.push(paint('red', stoppedText(status.checks.stopped, status.checks, now)));
  lines.push(...vrrpLines(status.vrrp ?? [], paint, now));
  return lines.join('\n');
}

/** "connection sync on eth1, id 51: backup, master (follows edge)". */
function syncText({ device, id, follow, wanted, running }: SyncStatus, paint: Paint): string {
  const missing = wanted.filter((role) => !running.includes(role));
  const extra = running.filter((role) => !wanted.includes(role));
  const wrong = [
    ...(missing.length > 0 ? [`not running: ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`not wanted: ${extra.join(', ')}`] : []),
  ];
  const roles = running.length === 0 ? 'nothing runs' : running.join(', ');
  const text = `connection sync on ${printable(device)}, id ${id}: ${roles}${follow === undefined ? '' : ` (follows ${printable(follow)})`}`;
  return wrong.length === 0 ? text : paint('red', `${text}; ${wrong.join('; ')}`);
}

/** "rejected for 5m, 9 attempts: local_addresses.inner: + local address ...: no such network device; and 1 more" */
function failureLine({ of, name, since, attempts, changes }: FailureStatus, now: number): string {
  const [first] = changes;
  const owner = of === 'pool' ? `local_addresses.${name}: ` : '';
  const tries = attempts === undefined ? '' : `, ${count(attempts, 'attempt')}`;
  const more = changes.length > 1 ? `; and ${changes.length - 1} more` : '';
  return printable(
    `rejected for ${spanText(now - since)}${tries}: ${owner}${first?.sign} ${first?.text}: ${first?.reason}${more}`,
  );
}

function fileText({ file, problem, since, reason, keptAs }: FileProblem, now: number): string {
  const age = spanText(now - since);
  const text =
    problem === 'not saved'
      ? `overrides are not saved for ${age}, a reboot would end them: ${file}: ${reason}`
      : problem === 'state not saved'
        ? `the state is not saved for ${age}, a restart would use older health states: ${file}: ${reason}`
        : `${file} was ignored at the start, overrides in it may not be in effect: ${reason}${keptAs === undefined ? '' : `; kept as ${keptAs}`}`;
  return printable(text);
}

function stoppedText(
  { since, reason, restarts }: NonNullable<ChecksStatus['stopped']>,
  { lastResultAt }: ChecksStatus,
  now: number,
): string {
  const tries = restarts > 0 ? `; restarted ${restarts === 1 ? 'once' : `${restarts} times`} since then` : '';
  const last =
    lastResultAt === undefined ? 'no result yet' : `the latest result is ${spanText(now - lastResultAt)} old`;
  return printable(
    `health checks have stopped ${spanText(now - since)} ago, ${clockText(since)}: ${reason}${tries}; ${last}; states below are kept`,
  );
}

/** The first of the lines that a rejected configuration has, and how to see the others. */
function firstProblem(lines: string, file: string): string {
  const [first = '', ...others] = lines.split('\n');
  const more = others.length > 0 ? `; and ${others.length} more: lvsd check -f ${file}` : '';
  return printable(`${first}${more}`);
}

function serviceLines(service: ServiceStatus, paint: Paint, now: number): string[] {
  const { name, virtuals, scheduler, quorum, sorry, realServers, error, errorSince } = service;
  const title = [paint('bold', printable(name)), virtuals.map(printable).join(', '), printable(scheduler)];
  const served = quorum.up
    ? `quorum ${quorum.needed}, has ${quorum.weight}`
    : `no quorum: needs ${quorum.needed}, has ${quorum.weight}`;
  title.push(paint(quorum.up ? undefined : 'red', served));
  if (sorry) title.push(paint('yellow', 'sorry server'));
  const lines = [title.join('  ')];
  const age = errorSince === undefined ? '' : ` for ${spanText(now - errorSince)}`;
  if (error) lines.push(paint('red', `  rejected by the kernel${age}: ${printable(error)}`));
  if (realServers.length > 0)
    lines.push(...table(realServers.flatMap(rows), columns(now), paint).map((line) => `  ${line}`));
  return lines;
}

/** A real server, or below it one of its several checks. */
type Row = RealServerStatus & { check?: CheckStatus };

const rows = (server: RealServerStatus): Row[] => [
  server,
  ...(server.checks ?? []).map((check) => {
    const { since, reason, latency } = check;
    const state = check.up ? ('up' as const) : ('down' as const);
    return { ...server, name: `- ${check.type} check`, state, since, reason, latency, override: undefined, check };
  }),
];

const columns = (now: number): Column<Row>[] => [
  { title: 'REAL SERVER', text: ({ name }) => printable(name) },
  { title: 'ADDRESS', text: (row) => (row.check ? printable(row.check.target) : addressText(row)) },
  { title: 'STATE', text: ({ state }) => printable(state), colour: ({ state }) => STATE_COLOURS[state] },
  { title: 'SINCE', text: ({ since }) => (since === undefined ? '' : spanText(now - since)), right: true },
  {
    title: 'WEIGHT',
    text: ({ weight, effectiveWeight, check }) =>
      check ? '' : weight === effectiveWeight ? `${weight}` : `${effectiveWeight} of ${weight}`,
    right: true,
  },
  { title: 'ACTIVE', text: (row) => (row.check ? '' : `${row.activeConnections}`), right: true },
  { title: 'INACTIVE', text: (row) => (row.check ? '' : `${row.inactiveConnections}`), right: true },
  { title: 'PROBE', text: ({ latency }) => (latency === undefined ? '' : latencyText(latency)), right: true },
  { title: 'WHY', text: (server) => why(server, now) },
];

/** Empty if the name is the address. */
function addressText(server: RealServerStatus): string {
  const text = endpointText(server);
  return text === server.name ? '' : printable(text);
}

function why({ override, overrides, inability, reason: last }: RealServerStatus, now: number): string {
  const reason = inability ? `cannot be checked for ${spanText(now - inability.since)}: ${inability.reason}` : last;
  const simple = override === 'drain' ? ['drained by the operator'] : [];
  return [...(overrides?.map((one) => overrideText(one, now)) ?? simple), reason ?? '']
    .filter((part) => part !== '')
    .map(printable)
    .join('; ');
}

const OVERRIDES: Readonly<Record<OverrideStatus['kind'], string>> = {
  drain: 'drained by the operator',
  disable: 'disabled by the operator',
  up: 'forced up by the operator',
  weight: 'weight set by the operator',
};

/** 'drained by the operator (alice, 5m ago: CHG-123)' */
function overrideText({ kind, weight, by, at, reason }: OverrideStatus, now: number): string {
  const when = at === undefined ? undefined : `${spanText(now - at)} ago`;
  const details = [[by, when].filter((one) => one !== undefined).join(', '), reason].filter((one) => one).join(': ');
  const what = kind === 'weight' ? `${OVERRIDES.weight}: ${weight}` : OVERRIDES[kind];
  return details === '' ? what : `${what} (${details})`;
}

/** Overrides of real servers that are not in the file: nothing else shows them. */
function orphanLines(orphans: readonly OrphanStatus[], paint: Paint, now: number): string[] {
  return orphans.map((one) =>
    paint('yellow', printable(`not in the file: ${one.service} ${one.server}: ${overrideText(one, now)}`)),
  );
}

function sumLine(services: readonly ServiceStatus[]): string {
  const servers = services.flatMap(({ realServers }) => realServers);
  const counts = STATES.map((state) => [servers.filter((server) => server.state === state).length, state] as const);
  const states = counts.filter(([found]) => found > 0).map(([found, state]) => `${found} ${state}`);
  const without = services.filter(({ quorum }) => !quorum.up).length;
  const unable = servers.filter(({ inability }) => inability !== undefined).length;
  const named = namesOf(services);
  const virtual = named === services.length ? '' : ` (${services.length} in the kernel)`;
  const parts = [`${count(named, 'service')}${virtual}`, count(servers.length, 'real server')];
  return `${parts.join(', ')}${states.length > 0 ? `: ${states.join(', ')}` : ''}${without > 0 ? `; ${without} without quorum` : ''}${unable > 0 ? `; ${unable} cannot be checked` : ''}`;
}
