// SPDX-License-Identifier: MIT
/**
 * The methods of the control socket and the verbs of lvsctl that call them, each declared once: server, client, command
 * line and help are derived from these tables. The daemon implements methods in daemon/control/handlers.ts.
 */
import { resolve } from 'node:path';
import { parseDuration } from '../base/durations.ts';
import { EXIT, type ExitCode, UsageError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { count } from '../base/words.ts';
import type { EventsParams } from './events/query.ts';
import { readEventsOptions } from './lvsctl/events-options.ts';
import { filterStatus } from './lvsctl/filter.ts';
import { historyText } from './lvsctl/history.ts';
import { readMetricsOptions } from './lvsctl/metrics-options.ts';
import { briefText, statusText } from './lvsctl/status.ts';
import type { Paint } from './lvsctl/terminal.ts';
import { readTopOptions } from './lvsctl/top/options.ts';
import { vrrpText } from './lvsctl/vrrp.ts';
import type {
  ConfigSummary,
  DaemonStatus,
  Overview,
  PlanLine,
  PlanObstacle,
  ServerHistory,
  VrrpStatus,
} from './messages.ts';
import type { StatsSummary } from './metrics/stats.ts';
import { planExitCode, planNotes, planText } from './plan-text.ts';

export interface Parameter {
  type: 'string' | 'boolean' | 'integer';
  required?: true;
}

interface MethodSpec<P, R> {
  parameters: { readonly [K in keyof P]-?: Parameter };
  /** Changes something: requests are logged with the caller's uid and pid. */
  changes?: true;
  /** Milliseconds that the client waits for the answer, if not 60 s. */
  timeout?: number;
  /** Declares the type only. */
  result?: R;
}

const method = <P, R>(spec: MethodSpec<P, R>): MethodSpec<P, R> => spec;

const OPTIONAL_STRING: Parameter = { type: 'string' };
const REQUIRED_STRING: Parameter = { type: 'string', required: true };

// biome-ignore lint/complexity/noBannedTypes: a method without parameters
type None = {};
type Place = { service?: string; server: string };
/** `dryRun`: nothing is changed; the result has the notes and the plan of the change. */
type Override = Place & { reason?: string; by?: string; dryRun?: boolean };
/** `paused`: the daemon is paused, so that nothing of it is written. */
type PlanResult = { file: string; lines: PlanLine[]; obstacles?: PlanObstacle[]; paused?: boolean };
/** `paused`: the kernel does not have the change yet. `unsaved`: the reason why a reboot would end it. */
type Overridden = {
  servers: string[];
  /** Those of `servers` that had nothing to end. */
  unchanged?: string[];
  paused: boolean;
  unsaved?: string | undefined;
  notes?: string[];
  /** Of a dry run: what the change would do in the kernel. */
  plan?: PlanLine[];
};

/** `by`: the user who requests the change, if not the owner of the process; such as the user of sudo. */
const OVERRIDE = {
  service: OPTIONAL_STRING,
  server: REQUIRED_STRING,
  reason: OPTIONAL_STRING,
  by: OPTIONAL_STRING,
  dryRun: { type: 'boolean' },
} as const satisfies Record<string, Parameter>;

export const METHODS = {
  ping: method<None, { version: string; pid: number; file: string }>({ parameters: {} }),
  status: method<{ service?: string }, DaemonStatus>({ parameters: { service: OPTIONAL_STRING } }),
  plan: method<None, PlanResult>({ parameters: {} }),
  /** As `status`, at a small cost: without the kernel's table; for `lvsd web`. */
  overview: method<{ service?: string }, Overview>({ parameters: { service: OPTIONAL_STRING } }),
  // A reload of a large file takes its time.
  reload: method<None, { operations: number; failed: string[]; paused: boolean }>({
    parameters: {},
    changes: true,
    timeout: 600_000,
  }),
  drain: method<Override, Overridden>({ parameters: OVERRIDE, changes: true }),
  undrain: method<Override, Overridden>({ parameters: OVERRIDE, changes: true }),
  /** Counts as down, or as up, whatever its checks say; `enable` ends both. */
  disable: method<Override, Overridden>({ parameters: OVERRIDE, changes: true }),
  forceUp: method<Override, Overridden>({ parameters: OVERRIDE, changes: true }),
  enable: method<Override, Overridden>({ parameters: OVERRIDE, changes: true }),
  /** Without `weight`: that of the file again. */
  weight: method<Override & { weight?: number }, Overridden & { weight?: number | undefined }>({
    parameters: { ...OVERRIDE, weight: { type: 'integer' } },
    changes: true,
  }),
  /** While paused, nothing is written to the kernel; checks continue. */
  pause: method<{ on: boolean }, { paused: boolean }>({
    parameters: { on: { type: 'boolean', required: true } },
    changes: true,
  }),
  /** Events and gaps are sent in notifications `events`, the stored ones before the answer, later ones after it. */
  events: method<EventsParams, { cursor: string }>({
    parameters: {
      after: OPTIONAL_STRING,
      since: { type: 'integer' },
      service: OPTIONAL_STRING,
      server: OPTIONAL_STRING,
      kinds: OPTIONAL_STRING,
      limit: { type: 'integer' },
      follow: { type: 'boolean' },
      within: { type: 'integer' },
    },
    // All stored events come before the answer, at the speed of the reader.
    timeout: 24 * 3_600_000,
  }),
  /**
   * Counters and states as numbers, sent as notifications `rows` before the answer, which has those of the whole.
   * `service`: the real servers of this one are sent whatever the detail. `maxAge`: milliseconds for which a reading is
   * shared, instead of `metrics.min_interval`; at least 500.
   */
  stats: method<{ detail?: string; service?: string; maxAge?: number }, StatsSummary>({
    parameters: { detail: OPTIONAL_STRING, service: OPTIONAL_STRING, maxAge: { type: 'integer' } },
  }),
  /** What `lvsd web` needs of the configuration: paths, and no contents of files. */
  'config.summary': method<None, ConfigSummary>({ parameters: {} }),
  vrrp: method<{ instance?: string }, { instances: VrrpStatus[] }>({ parameters: { instance: OPTIONAL_STRING } }),
  /** The instance leaves the master's role, and does not preempt for `hold` milliseconds (default: ten minutes). */
  yield: method<
    { instance: string; hold?: number },
    { instance: string; state: VrrpStatus['state']; reason?: string | undefined }
  >({
    parameters: { instance: REQUIRED_STRING, hold: { type: 'integer' } },
    changes: true,
  }),
  /** A master sends an advert, and announces its addresses by ARP and neighbor advertisements again. */
  announce: method<{ instance: string }, { instance: string; state: VrrpStatus['state'] }>({
    parameters: { instance: REQUIRED_STRING },
    changes: true,
  }),
  /** `stage` accepts the cookies of the secret in `file` as well; `rotate` uses that of the configuration's file. */
  secret: method<{ action?: string; file?: string }, { fingerprints: string[] }>({
    parameters: { action: OPTIONAL_STRING, file: OPTIONAL_STRING },
    changes: true,
  }),
  history: method<Place, { servers: ServerHistory[] }>({
    parameters: { service: OPTIONAL_STRING, server: REQUIRED_STRING },
  }),
};

export type Method = keyof typeof METHODS;
export type Params<M extends Method> = (typeof METHODS)[M] extends MethodSpec<infer P, infer _R> ? P : never;
export type Result<M extends Method> = (typeof METHODS)[M] extends MethodSpec<infer _P, infer R> ? R : never;

/** Whether a request names a method of METHODS. */
export function isMethod(name: string): name is Method {
  return Object.hasOwn(METHODS, name);
}

/** Options that belong to single verbs, as node:util's parseArgs takes them. */
export const VERB_OPTIONS = {
  follow: { type: 'boolean', short: 'f' },
  after: { type: 'string', short: 'a' },
  brief: { type: 'boolean', short: 'b' },
  down: { type: 'boolean', short: 'd' },
  server: { type: 'string' },
  state: { type: 'string' },
  watch: { type: 'boolean', short: 'w' },
  reason: { type: 'string', short: 'r' },
  for: { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
  detail: { type: 'string' },
  collect: { type: 'string', multiple: true },
  'max-series': { type: 'string' },
  since: { type: 'string' },
  service: { type: 'string' },
  kind: { type: 'string', multiple: true },
  limit: { type: 'string' },
  sort: { type: 'string' },
  interval: { type: 'string' },
  once: { type: 'boolean' },
  batch: { type: 'string' },
} as const;

export interface VerbOptions {
  follow?: boolean | undefined;
  after?: string | undefined;
  brief?: boolean | undefined;
  down?: boolean | undefined;
  server?: string | undefined;
  state?: string | undefined;
  /** Repeats the verb, with a pause in between. */
  watch?: boolean | undefined;
  reason?: string | undefined;
  for?: string | undefined;
  'dry-run'?: boolean | undefined;
  detail?: string | undefined;
  collect?: string[] | undefined;
  'max-series'?: string | undefined;
  since?: string | undefined;
  service?: string | undefined;
  kind?: string[] | undefined;
  limit?: string | undefined;
  sort?: string | undefined;
  interval?: string | undefined;
  once?: boolean | undefined;
  batch?: string | undefined;
}

export interface PrintContext {
  paint: Paint;
  /** Milliseconds since the epoch. */
  now: number;
  options: VerbOptions;
}

interface VerbSpec<M extends Method> {
  method: M;
  /**
   * Arguments as the usage shows them: 'SERVER' is required and becomes the parameter `server`, '[SERVICE]' is
   * optional.
   */
  words: string;
  help: string;
  /** Those of VERB_OPTIONS that it accepts. */
  options?: readonly (keyof typeof VERB_OPTIONS)[];
  /** Converts arguments where they are not simply parameters. Throws UsageError. */
  read?(words: readonly string[], options: VerbOptions): Params<M>;
  /** Selects what is shown, also as JSON. */
  select?(result: Result<M>, options: VerbOptions): Result<M>;
  /** `whole`: the result before `select`. */
  print(result: Result<M>, context: PrintContext, whole: Result<M>): string;
  exitCode?(result: Result<M>): ExitCode;
  /** Lines for standard error. */
  errors?(result: Result<M>): readonly string[];
}

/** A verb without its method's types, as the generic code uses it. */
export interface Verb {
  method: Method;
  words: string;
  help: string;
  options?: readonly (keyof typeof VERB_OPTIONS)[];
  read?(words: readonly string[], options: VerbOptions): object;
  select?(result: unknown, options: VerbOptions): unknown;
  print(result: unknown, context: PrintContext, whole: unknown): string;
  exitCode?(result: unknown): ExitCode;
  errors?(result: unknown): readonly string[];
}

const verb = <M extends Method>(spec: VerbSpec<M>): Verb => spec as Verb;

const SERVER_STATES = ['up', 'down', 'unchecked', 'draining'] as const;
const isServerState = (text: string | undefined): text is (typeof SERVER_STATES)[number] =>
  SERVER_STATES.some((state) => state === text);
const printServers = ({ servers, unchanged = [], plan }: Overridden, state: string, nothing = state) =>
  plan
    ? servers.map((server) => `${printable(server)}: dry run, nothing is changed\n`).join('') + planText(plan)
    : servers.map((server) => `${printable(server)}: ${unchanged.includes(server) ? nothing : state}\n`).join('');
const pausedLines = (paused: boolean) =>
  paused ? ['accepted, but lvsd is paused: nothing is written to the kernel until lvsctl resume'] : [];
const printPaused = ({ paused }: { paused: boolean }) =>
  paused ? 'paused: nothing is written to the kernel\n' : 'not paused\n';

export const unsavedText = (reason: string): string =>
  `in effect, but not saved, so that a reboot would end it; lvsd tries again: ${reason}`;

/** Parameters of an override, with the reason and the user of the caller. */
function readOverride(place: Record<string, string>, { reason, 'dry-run': dryRun }: VerbOptions): Params<'drain'> {
  // Set by sudo(8).
  const by = process.env.SUDO_USER;
  return {
    ...(place as { server: string }),
    ...(reason === undefined ? {} : { reason }),
    ...(by ? { by } : {}),
    ...(dryRun ? { dryRun } : {}),
  };
}

const OVERRIDE_VERB = {
  options: ['reason', 'dry-run'] as const,
  exitCode: ({ paused, unsaved, plan }: Overridden) =>
    (paused && !plan) || unsaved !== undefined ? EXIT.RUNTIME : EXIT.OK,
  errors: ({ paused, unsaved, notes = [], plan }: Overridden) => [
    ...pausedLines(paused && !plan),
    ...(unsaved === undefined ? [] : [unsavedText(unsaved)]),
    ...notes,
  ],
};

/** `nothing`: the text for a real server without an override to end. */
const override = (
  method: 'drain' | 'undrain' | 'disable' | 'enable' | 'forceUp',
  help: string,
  state: string,
  nothing = state,
): Verb =>
  verb<typeof method>({
    ...OVERRIDE_VERB,
    method,
    words: '[SERVICE] SERVER',
    help,
    read: (words, options) => readOverride(readWords('[SERVICE] SERVER', words) as Record<string, string>, options),
    print: (result) => printServers(result, state, nothing),
  });

/** The methods of the read-only socket. */
export const READ_ONLY: ReadonlySet<Method> = new Set([
  'ping',
  'status',
  'overview',
  'stats',
  'plan',
  'events',
  'vrrp',
  'config.summary',
]);

export const VERBS: Readonly<Record<string, Verb>> = {
  status: verb({
    method: 'status',
    words: '[SERVICE]',
    help: 'services, their real servers, check results and numbers of connections',
    options: ['brief', 'down', 'server', 'state', 'watch'],
    read: ([service], { state }) => {
      if (state !== undefined && !isServerState(state))
        throw new UsageError(`--state takes ${SERVER_STATES.join(', ')}, not ${state}`);
      return service === undefined ? {} : { service };
    },
    select: (status, { down, server, state }) =>
      filterStatus(status, { down, server, state: isServerState(state) ? state : undefined }),
    print: (status, { paint, now, options }, whole) =>
      (options.brief ? briefText : statusText)(status, paint, now, whole.services),
  }),
  history: verb({
    method: 'history',
    words: '[SERVICE] SERVER',
    help: 'checks of a real server: transitions, last results, failures by reason',
    print: ({ servers }, { paint, now }) => historyText(servers, paint, now),
  }),
  metrics: verb({
    method: 'stats',
    words: '',
    help: 'metrics of services, real servers and lvsd, as text for Prometheus',
    options: ['detail', 'collect', 'max-series'],
    read: (_words, options) => {
      const { detail } = readMetricsOptions(options);
      return detail === undefined ? {} : { detail };
    },
    // Printed with the rows of `stats`: lvsctl/metrics.ts.
    print: () => '',
  }),
  top: verb({
    method: 'stats',
    words: '',
    help: 'services with their rates, worst first, until q is pressed',
    options: ['sort', 'interval', 'once', 'batch'],
    read: (_words, options) => {
      readTopOptions(options);
      return {};
    },
    // Drawn frame by frame: lvsctl/top/run.ts.
    print: () => '',
  }),
  vrrp: verb({
    method: 'vrrp',
    words: '[INSTANCE]',
    help: 'virtual routers (VRRP): their states, addresses and counters',
    print: ({ instances }, { paint, now }) => vrrpText(instances, paint, now),
  }),
  yield: verb({
    method: 'yield',
    words: 'INSTANCE',
    help: 'give the addresses of this virtual router to another node',
    options: ['for'],
    read: ([instance = ''], { for: text }) => {
      if (text === undefined) return { instance };
      const hold = parseDuration(text);
      if (hold === undefined) throw new UsageError(`--for takes a duration such as 30s or 10m, not ${text}`);
      return { instance, hold };
    },
    print: ({ instance, state }) => (state === 'master' ? `${printable(instance)}: yielded\n` : ''),
    exitCode: ({ state }) => (state === 'master' ? EXIT.OK : EXIT.RUNTIME),
    errors: ({ instance, state, reason }) =>
      state === 'master'
        ? []
        : [
            `${instance} is ${state}${reason === undefined ? '' : ` (${reason})`}: only a master gives addresses away; nothing was changed`,
          ],
  }),
  announce: verb({
    method: 'announce',
    words: 'INSTANCE',
    help: 'announce the addresses of this virtual router again (ARP and neighbor advertisements)',
    print: ({ instance, state }) => (state === 'master' ? `${printable(instance)}: announced\n` : ''),
    exitCode: ({ state }) => (state === 'master' ? EXIT.OK : EXIT.RUNTIME),
    errors: ({ instance, state }) =>
      state === 'master' ? [] : [`${printable(instance)} is ${state}: only a master announces addresses`],
  }),
  secret: verb({
    method: 'secret',
    words: '[ACTION] [FILE]',
    help: 'fingerprints of the secrets of SYN cookies; stage FILE and rotate change them',
    read: ([action, file]) => {
      if (action === undefined) return {};
      if (action === 'rotate' && file === undefined) return { action };
      // The daemon has another working directory.
      if (action === 'stage' && file !== undefined) return { action, file: resolve(file) };
      throw new UsageError(`secret takes stage FILE or rotate, not ${[action, file].join(' ').trimEnd()}`);
    },
    print: ({ fingerprints: [used = 'none: this kernel has no SYN proxy', staged] }) =>
      `in use: ${used}\n${staged === undefined ? '' : `staged: ${staged}\n`}`,
  }),
  plan: verb({
    method: 'plan',
    words: '',
    help: 'what a reload would change in the kernel now; changes nothing',
    print: ({ lines }) => planText(lines),
    exitCode: planExitCode,
    errors: planNotes,
  }),
  reload: verb({
    method: 'reload',
    words: '',
    help: 'read the configuration again; an invalid one is rejected as a whole and changes nothing',
    print: ({ operations, failed }) => `reloaded: ${count(operations, 'operation')}, ${failed.length} failed\n`,
    exitCode: ({ failed, paused }) => (failed.length > 0 || paused ? EXIT.RUNTIME : EXIT.OK),
    errors: ({ failed, paused }) => [...failed, ...pausedLines(paused)],
  }),
  drain: override('drain', 'no new connections to this real server; existing ones continue', 'drained'),
  undrain: override('undrain', 'end a drain', 'no longer drained', 'was not drained'),
  disable: override('disable', 'count this real server as down, whatever its checks say', 'disabled'),
  'force-up': override('forceUp', 'count this real server as up, whatever its checks say', 'forced up'),
  enable: override(
    'enable',
    'end disable or force-up: its checks decide again',
    'its checks decide',
    'was neither disabled nor forced up',
  ),
  weight: verb({
    ...OVERRIDE_VERB,
    method: 'weight',
    words: '[SERVICE] SERVER N',
    help: 'give this real server the weight N; with reset for N, that of the file',
    read: (words, options) => {
      const { n: text = '', ...place } = readWords('[SERVICE] SERVER N', words) as Record<string, string>;
      if (text !== 'reset' && !/^\d{1,5}$/.test(text))
        throw new UsageError(`weight takes a number or reset, not ${text}`);
      return { ...readOverride(place, options), ...(text === 'reset' ? {} : { weight: Number(text) }) };
    },
    print: (result) =>
      printServers(
        result,
        result.weight === undefined ? 'weight of the file again' : `weight ${result.weight}`,
        'had the weight of the file',
      ),
  }),
  pause: verb({
    method: 'pause',
    words: '[on|off]',
    help: 'on: stop writing to the kernel, checks continue; off: apply what is pending',
    read: ([word = 'on']) => {
      if (word !== 'on' && word !== 'off') throw new UsageError(`pause takes on or off, not ${word}`);
      return { on: word === 'on' };
    },
    print: printPaused,
  }),
  resume: verb({
    method: 'pause',
    words: '',
    help: 'same as pause off',
    read: () => ({ on: false }),
    print: printPaused,
  }),
  events: verb({
    method: 'events',
    words: '',
    help: 'stored events; those of a service, a real server or a kind',
    options: ['follow', 'after', 'since', 'service', 'server', 'kind', 'limit'],
    read: (_words, options) => readEventsOptions(options, Date.now()),
    // Printed one by one as they arrive: lvsctl/events.ts.
    print: () => '',
  }),
};

/** Arguments as parameters, by the names in `words`: '[SERVICE] SERVER' and one argument -> { server }. */
export function readWords(words: string, given: readonly string[]): { [name: string]: string } | { problem: string } {
  const names = words === '' ? [] : words.split(' ');
  const required = names.filter((name) => !name.startsWith('['));
  if (given.length < required.length) return { problem: `missing ${required[given.length]}` };
  if (given.length > names.length) return { problem: `unexpected argument ${given[names.length]}` };
  let optional = given.length - required.length;
  const params: { [name: string]: string } = {};
  let index = 0;
  for (const name of names) {
    if (name.startsWith('[') && optional-- <= 0) continue;
    params[name.replace(/[[\]]/g, '').toLowerCase()] = given[index++] as string;
  }
  return params;
}
