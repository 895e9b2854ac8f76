// SPDX-License-Identifier: MIT
/** Converts values that fit the schema to a Config. Applies the rules that the schema cannot express. */
import { DEFAULTS, LIMITS, LONGEST_DRAIN, LONGEST_TIMEOUT } from '../limits.ts';
import type { RawConfig } from '../schema.ts';
import type { Config, LogSettings, Place, ServiceSpec, Virtual } from '../types.ts';
import { Checks } from './checks.ts';
import { NamedFiles } from './files.ts';
import { checkPools, resolveSync } from './follow.ts';
import { resolveForward } from './forward.ts';
import { resolveHooks } from './hooks.ts';
import type { RawCheckLayer } from './inheritance.ts';
import { resolveEvents, resolveMetrics, resolveWeb } from './observe.ts';
import { checkOverlaps } from './overlaps.ts';
import { type LocalPlaces, resolvePools } from './pools.ts';
import type { ProblemSink } from './problem-sink.ts';
import { resolveService, unknownPool } from './service.ts';
import { addressId, durationOf, secondsOf } from './values.ts';
import { resolveVirtuals } from './virtuals.ts';
import { resolveVrrp } from './vrrp.ts';

/** Milliseconds. */
const RESYNC = { least: 1000, most: 86_400_000 };

/** `raw` fits the schema. `files`: absolute paths. `placeOf`: place of a service. Problems go to `problems`. */
export function resolveConfig(
  raw: RawConfig,
  files: readonly string[],
  placeOf: (service: string) => Place,
  problems: ProblemSink,
): Omit<Config, 'warnings'> {
  const { defaults = {}, services = {}, log = {} } = raw;
  const { pools, places } = resolvePools(raw.local_addresses ?? {}, problems);
  const virtuals = new Map<string, readonly Virtual[]>();
  const virtualAddresses = new Set<number | string>();
  for (const [name, service] of Object.entries(services)) {
    const found = resolveVirtuals(name, service, defaults, problems) ?? [];
    virtuals.set(name, found);
    if (found[0] && found[0].fwmark === 0) virtualAddresses.add(addressId(found[0].address));
  }
  const named = new NamedFiles();
  const checks = new Checks(problems, named);
  const defaultCheck: RawCheckLayer | undefined =
    defaults.check === undefined ? undefined : { raw: defaults.check, path: ['defaults', 'check'], base: undefined };
  checkDefaults(raw, pools, problems);
  checks.resolve(defaultCheck);
  const defaultHooks = defaults.hooks && resolveHooks(defaults.hooks, ['defaults', 'hooks'], named, problems);
  const context = {
    problems,
    defaults,
    defaultCheck,
    checks,
    defaultHooks,
    files: named,
    pools,
    localPlaces: places,
    virtualAddresses,
  };
  const resolved = new Map<string, ServiceSpec>();
  for (const [name, service] of Object.entries(services))
    resolved.set(name, resolveService(name, service, virtuals.get(name) ?? [], context));
  checkTotals(resolved, problems);
  checkOverlaps(resolved, places, problems, (name) => {
    const { file, line } = placeOf(name);
    return `${file}:${line}`;
  });
  const vrrp = resolveVrrp(
    raw.vrrp ?? {},
    raw.vrrp_groups ?? {},
    takenAddresses(resolved, places),
    new Set(resolved.keys()),
    raw.connection_sync,
    problems,
  );
  checkPools(raw.local_addresses ?? {}, resolved, vrrp, problems);
  return {
    files,
    manage: raw.manage ?? DEFAULTS.manage,
    onStop: raw.on_stop ?? DEFAULTS.onStop,
    timeouts: timeoutsOf(raw, problems),
    localAddresses: pools,
    services: resolved,
    vrrp,
    connectionSync: resolveSync(raw, vrrp, problems),
    log: logOf(log),
    checkConcurrency: raw.checks?.concurrency ?? DEFAULTS.checkConcurrency,
    synProxySecret: secretOf(raw, named, problems),
    web: resolveWeb(raw, named, problems),
    metrics: resolveMetrics(raw, problems),
    events: resolveEvents(raw, problems),
    resync: resyncOf(raw, problems),
  };
}

/** Reports the service that exceeds the limits of the whole file. */
function checkTotals(services: ReadonlyMap<string, ServiceSpec>, problems: ProblemSink): void {
  let [virtuals, servers] = [0, 0];
  for (const [name, spec] of services) {
    virtuals += spec.virtuals.length;
    servers += spec.virtuals.length * spec.realServers.length;
    const [what, most] =
      virtuals > LIMITS.allVirtuals
        ? ['services of the kernel', LIMITS.allVirtuals]
        : ['real servers, counted for each port and protocol', LIMITS.allServers];
    if (virtuals <= LIMITS.allVirtuals && servers <= LIMITS.allServers) continue;
    problems.report(
      ['services', name],
      `found more than ${most} ${what}, with this service; allowed: ${most} in all, or fwmark instead of ranges of ports`,
    );
    return;
  }
}

/** Addresses that lvsd puts on devices by itself, with the part of the file that says so. */
function takenAddresses(services: ReadonlyMap<string, ServiceSpec>, places: LocalPlaces): Map<number | string, string> {
  const taken = new Map<number | string, string>();
  for (const [id, { pool }] of places) taken.set(id, `local_addresses.${pool}`);
  for (const [name, { device, virtuals }] of services)
    if (device !== undefined && virtuals[0]) taken.set(addressId(virtuals[0].address), `services.${name}`);
  return taken;
}

/** Reports problems of the defaults once, whether or not a service uses them. */
function checkDefaults({ defaults }: RawConfig, pools: ReadonlyMap<string, unknown>, problems: ProblemSink): void {
  if (!defaults) return;
  if (defaults.forward !== undefined)
    resolveForward(defaults.forward, (key, text) => problems.report(['defaults', 'forward', key], text));
  if (defaults.local_addresses !== undefined && !pools.has(defaults.local_addresses))
    problems.report(['defaults', 'local_addresses'], unknownPool(defaults.local_addresses, pools));
  const established = defaults.timeouts?.established;
  const seconds = established === undefined ? 0 : secondsOf(established, 1, LONGEST_TIMEOUT);
  if (typeof seconds === 'string') problems.report(['defaults', 'timeouts', 'established'], seconds);
  const drain = defaults.drain === undefined ? 0 : durationOf(defaults.drain, 0, LONGEST_DRAIN);
  if (typeof drain === 'string') problems.report(['defaults', 'drain'], drain);
}

function timeoutsOf({ timeouts = {} }: RawConfig, problems: ProblemSink): Config['timeouts'] {
  const read = (key: 'tcp' | 'tcp_fin' | 'udp') => {
    const text = timeouts[key];
    if (text === undefined) return undefined;
    const seconds = secondsOf(text, 1, LONGEST_TIMEOUT);
    if (typeof seconds === 'number') return seconds;
    problems.report(['timeouts', key], seconds);
    return undefined;
  };
  return { tcp: read('tcp'), tcpFin: read('tcp_fin'), udp: read('udp') };
}

function secretOf({ syn_proxy_secret: path }: RawConfig, files: NamedFiles, problems: ProblemSink): string | undefined {
  const wrong = path === undefined ? undefined : files.secret(path);
  if (wrong !== undefined) problems.report(['syn_proxy_secret'], wrong);
  return path;
}

function resyncOf({ resync }: RawConfig, problems: ProblemSink): number {
  if (resync === undefined) return DEFAULTS.resync;
  const milliseconds = durationOf(resync, RESYNC.least, RESYNC.most);
  if (typeof milliseconds === 'number') return milliseconds;
  problems.report(['resync'], milliseconds);
  return DEFAULTS.resync;
}

function logOf({ level, format, levels }: NonNullable<RawConfig['log']>): LogSettings {
  return { level: level ?? DEFAULTS.logLevel, format: format ?? DEFAULTS.logFormat, levels: levels ?? {} };
}
