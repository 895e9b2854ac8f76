// SPDX-License-Identifier: MIT
/**
 * The methods of the control socket, each declared once: server, client and checks of requests are derived from this table.
 * The daemon implements them in daemon/control/handlers.ts.
 */
import type { EventsParams } from './events/query.ts';
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
export type PlanResult = { file: string; lines: PlanLine[]; obstacles?: PlanObstacle[]; paused?: boolean };
/** `paused`: the kernel does not have the change yet. `unsaved`: the reason why a reboot would end it. */
export type Overridden = {
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
  /** The part of the configuration that `lvsd web` reads: paths, and no contents of files. */
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
