// SPDX-License-Identifier: MIT
/** The daemon's handlers of requests on the control socket. */
import { hostname } from 'node:os';
import { formatAddress, parseAddress } from '../../base/addresses.ts';
import { monotonic, steady, wallTime } from '../../base/clock.ts';
import { EXIT, LvsdError, UsageError } from '../../base/errors.ts';
import type { PeerCredentials } from '../../base/native.ts';
import { version } from '../../base/version.ts';
import type { FailureStatus, FileProblem } from '../../control/messages.ts';
import type { Handlers } from '../../control/server.ts';
import { unsavedText } from '../../control/unsaved-text.ts';
import type { TargetHistory } from '../../health/monitor.ts';
import type { Inability, TargetStates } from '../../health/types.ts';
import type { Stop } from '../../health/worker/liveness.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { describe, difference, readActual, serviceText } from '../../plan/index.ts';
import { endpointText } from '../../plan/texts.ts';
import type { Daemon } from '../daemon.ts';
import type { Loader } from '../loader.ts';
import { desiredState } from '../model/desired-state.ts';
import { authorOf, MOST_WEIGHT, type Override } from '../model/overrides.ts';
import type { RuntimeState } from '../model/runtime-state.ts';
import { serverText, virtualServices } from '../model/virtual-services.ts';
import type { CookieSecret } from '../reconcile/cookie-secret.ts';
import { findObstacles, type Kernel } from '../reconcile/kernel.ts';
import type { CycleResult } from '../reconcile/reconciler.ts';
import { type SettingFailure, sysctlLine } from '../reconcile/sysctls.ts';
import type { Vrrp } from '../vrrp.ts';
import { serviceReasons } from './reasons.ts';
import type { Reporter } from './reporter.ts';
import type { Sampler } from './sampler.ts';
import { type StatsParts, stats } from './stats.ts';
import {
  checksStatus,
  failureStatuses,
  overrideStatus,
  serverHistories,
  serviceStatuses,
  syncStatus,
} from './status.ts';

export interface HandlerParts {
  daemon: Daemon;
  kernel: Kernel;
  /** Health states of all targets. */
  health: () => Promise<TargetStates>;
  history: (ids: readonly string[]) => Promise<ReadonlyMap<string, TargetHistory>>;
  /** The reason why a target cannot be checked. */
  inability: (target: string) => Inability | undefined;
  /** Why no checks are made. */
  checksStop: () => Stop | undefined;
  fileProblems: () => FileProblem[];
  vrrp: Vrrp;
  cookieSecret: CookieSecret;
  loader: Loader;
  reporter: Reporter;
  /** By the clock `steady()`. */
  startedAt: number;
  sampler: Sampler;
  /** What else metrics show. */
  numbers: Pick<StatsParts, 'monitor' | 'hooks' | 'lag' | 'logLinesDropped' | 'controlClients'>;
}

/** The handlers by method. Each throws LvsdError, which the client gets. */
export function handlers({
  daemon,
  kernel,
  health,
  history,
  inability,
  checksStop,
  fileProblems,
  vrrp,
  cookieSecret,
  loader,
  reporter,
  startedAt,
  sampler,
  numbers,
}: HandlerParts): Handlers {
  const requireService = (service: string | undefined): void => {
    if (service !== undefined && !daemon.config.services.has(service))
      throw new UsageError(`there is no service ${service}: lvsctl status lists the services`);
  };
  /** The result of overrides without setting them, with the plan of their change. */
  const previewOverrides = async (overrides: readonly Override[], on: boolean) => {
    const { runtime } = daemon;
    const preview = runtime.preview(runtime.services, monotonic());
    for (const one of overrides) preview.setOverride(one, on);
    preview.updateQuorums();
    const actual = await readActual(kernel.reader, kernel.addresses);
    const { operations } = difference(desiredState(daemon.config, preview), actual, daemon.ownership);
    const { paused } = daemon.reconciler;
    return { unchanged: [], paused, notes: overrideNotes(preview, overrides), plan: operations.map(describe) };
  };
  const override = async (
    { service, server, reason, by, dryRun = false }: OverrideParams,
    setting: Pick<Override, 'kind' | 'weight'>,
    on: boolean,
    { uid }: PeerCredentials,
  ) => {
    for (const text of [reason, by])
      if (text !== undefined && text.length > LONGEST_REASON)
        throw new UsageError(`a reason has at most ${LONGEST_REASON} characters`);
    const { runtime } = daemon;
    if (!runtime.orphans.some((one) => one.service === service)) requireService(service);
    const found = runtime.find(server, service);
    if (found.length === 0) throw new UsageError(unknownServer(runtime, server, service));
    const same = new Set([...found.map((one) => one.server), ...sameAddress(runtime, server, service)]);
    if (parseAddress(server) && same.size > 1) throw new UsageError(ambiguousServer(server, [...same]));
    const details = { by: authorOf(by, uid), at: steady(), reason };
    const overrides = found.map((one) => ({ ...one, ...setting, ...details }));
    const textOf = (one: Override) => `${one.service} ${one.server}`;
    const servers = found.map(textOf);
    if (dryRun) return { servers, ...(await previewOverrides(overrides, on)) };
    const result = await daemon.override(overrides, on);
    const { paused, unsaved } = result;
    throwFailures(result, unsaved === undefined ? [] : [unsavedText(unsaved)]);
    return {
      servers,
      unchanged: result.unchanged.map(textOf),
      paused,
      unsaved,
      notes: overrideNotes(runtime, found),
    };
  };
  const statusSources = (states: TargetStates) => ({
    runtime: daemon.runtime,
    health: states,
    failures: daemon.reconciler.backoff.failures,
    inability,
  });
  /** The part of `status` that is not about single services; `service`: only this one was asked for. */
  const daemonStatus = (states: TargetStates, service: string | undefined) => ({
    version: version(),
    pid: process.pid,
    startedAt: wallTime(startedAt),
    file: loader.file,
    loadedAt: wallTime(loader.loadedAt),
    reloadError: loader.error,
    paused: daemon.reconciler.paused,
    checks: checksStatus(states, checksStop()),
    files: fileProblems(),
    failures: [
      ...failureStatuses(daemon.reconciler.backoff.failures, daemon.config.localAddresses.keys()),
      ...settingFailures([...daemon.sysctls.failures, ...cookieSecret.failures]),
    ],
    orphans: daemon.runtime.orphans
      .filter((one) => service === undefined || service === one.service)
      .map((one) => ({ service: one.service, server: one.server, ...overrideStatus(one) })),
    vrrp: service === undefined ? vrrp.summary() : undefined,
  });
  return {
    ping: () => ({ version: version(), pid: process.pid, file: loader.file }),
    status: async ({ service }) => {
      requireService(service);
      const [actual, states] = await Promise.all([readActual(kernel.reader, kernel.addresses), health()]);
      const table = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
      const sources = { ...statusSources(states), table: (key: string) => table.get(key) };
      return {
        ...daemonStatus(states, service),
        connectionSync: syncStatus(daemon.config, daemon.runtime, actual.syncDaemons),
        services: serviceStatuses(sources, service),
      };
    },
    overview: async ({ service }) => {
      requireService(service);
      const states = await health();
      const sources = statusSources(states);
      const of = { ...sources, table: () => undefined };
      return {
        ...daemonStatus(states, service),
        host: hostname(),
        services: service === undefined ? [] : serviceStatuses(of, service),
        reasons: service === undefined ? await serviceReasons(sources) : [],
      };
    },
    history: async ({ service, server }) => {
      requireService(service);
      const found = daemon.runtime.find(server, service);
      if (found.length === 0) throw new UsageError(unknownServer(daemon.runtime, server, service));
      return { servers: await serverHistories(daemon.runtime, found, history) };
    },
    stats: (params, _peer, notify) =>
      stats({ daemon, kernel, sampler, health, vrrp, loader, events: reporter.events, ...numbers }, params, notify),
    'config.summary': () => ({ web: daemon.config.web }),
    vrrp: async ({ instance }) => ({ instances: await vrrp.status(instance) }),
    yield: async ({ instance, hold = YIELD_HOLD }) => {
      if (hold < 0 || hold > LONGEST_HOLD)
        throw new UsageError(`found ${hold} ms without preemption; allowed: 0 to ${LONGEST_HOLD}`);
      const [found] = await vrrp.status(instance);
      const { state = 'init', reason } = found ?? {};
      if (state === 'master') vrrp.yield(instance, hold);
      return { instance, state, reason: reason || undefined };
    },
    announce: async ({ instance }) => {
      const [found] = await vrrp.status(instance);
      const state = found?.state ?? 'init';
      if (state === 'master') vrrp.announce(instance);
      return { instance, state };
    },
    secret: async ({ action, file }) => {
      const path = daemon.config.synProxySecret;
      if (action === 'stage' && file !== undefined) await cookieSecret.stage(file);
      if (action === 'rotate') {
        if (path === undefined) throw new UsageError('the configuration has no syn_proxy_secret: add it, and reload');
        await cookieSecret.use(path);
      }
      return { fingerprints: await cookieSecret.fingerprints() };
    },
    plan: async () => {
      const config = loader.read();
      const preview = daemon.runtime.preview(virtualServices(config), monotonic());
      preview.updateQuorums();
      const actual = await readActual(kernel.reader, kernel.addresses);
      const desired = desiredState(config, preview);
      const { operations } = difference(desired, actual, daemon.ownership);
      const obstacles = await findObstacles(kernel, desired);
      const lines = [...operations.map(describe), ...daemon.sysctls.pending(config).map(sysctlLine)];
      return { file: loader.file, lines, obstacles, paused: daemon.reconciler.paused };
    },
    reload: async () => {
      const { done, failed, paused } = await loader.reload();
      return { operations: done.length, failed: failed.map(({ text, error }) => `${text}: ${error}`), paused };
    },
    drain: (params, peer) => override(params, { kind: 'drain' }, true, peer),
    undrain: (params, peer) => override(params, { kind: 'drain' }, false, peer),
    disable: (params, peer) => override(params, { kind: 'disable' }, true, peer),
    forceUp: (params, peer) => override(params, { kind: 'up' }, true, peer),
    // Ends a disable as well as a force-up, which replace each other.
    enable: (params, peer) => override(params, { kind: 'disable' }, false, peer),
    weight: ({ weight, ...params }, peer) => {
      if (weight !== undefined && (weight < 0 || weight > MOST_WEIGHT))
        throw new UsageError(`found weight ${weight}; allowed: 0 to ${MOST_WEIGHT}`);
      return override(params, { kind: 'weight', weight }, weight !== undefined, peer).then((result) => ({
        ...result,
        weight,
      }));
    },
    pause: async ({ on }) => {
      // A repeated command is no event.
      if (daemon.reconciler.paused === on) return { paused: on };
      daemon.reconciler.pause(on);
      if (on)
        reporter.daemon(
          'daemon.paused',
          'paused by the operator: the kernel is not changed until lvsctl resume',
          PAUSED,
        );
      else reporter.daemon('daemon.resumed', 'resumed by the operator', RESUMED);
      if (!on) throwFailures(await daemon.reconciler.run());
      return { paused: on };
    },
  };
}

/** Settings outside the table, each with its reason. `since` by the clock `steady()`. */
const settingFailures = (failures: readonly SettingFailure[]): FailureStatus[] =>
  failures.map(({ text, reason, since }) => ({
    of: 'settings',
    since: wallTime(since),
    changes: [{ sign: '~', text, reason }],
  }));

/** Milliseconds without preemption after a yield: unless the request says otherwise, and at most. */
const YIELD_HOLD = 600_000;
const LONGEST_HOLD = 86_400_000;

const PAUSED = { state: 'paused', reason: 'operator' };
const RESUMED = { state: 'running', reason: 'operator' };

interface OverrideParams {
  service?: string;
  server: string;
  reason?: string;
  by?: string;
  dryRun?: boolean;
}

const LONGEST_REASON = 200;

/**
 * Consequences of a change that the operator may not expect: services without a server, and weights that have no
 * effect.
 */
function overrideNotes(runtime: RuntimeState, changed: readonly Override[]): string[] {
  const notes = new Set<string>();
  for (const { service: name, server: address } of changed) {
    for (const service of runtime.services.filter(({ spec }) => spec.name === name)) {
      const weight = runtime.weight(service);
      const subject = `${name} (${serviceText(service.config)})`;
      if (!runtime.quorumUp(service))
        notes.add(
          `${subject} has no quorum: weight ${weight}, needs ${service.spec.quorum}; ${service.sorryServer ? 'the sorry server serves' : weight > 0 ? 'real servers that are up keep serving' : 'no real server takes new connections'}`,
        );
      const server = service.realServers.find((one) => serverText(one) === address);
      if (!server) continue;
      const state = runtime.serverState(service, server);
      const own = runtime.overridesOf(service, server);
      if (own.weight && (state === 'down' || state === 'draining'))
        notes.add(`${name} ${address} is ${state}: weight ${own.weight.weight} takes effect after that`);
      if (own.drain && own.forced?.kind === 'up')
        notes.add(`${name} ${address} is drained as well: lvsctl undrain ends that`);
    }
    if (runtime.orphans.some((one) => one.service === name && one.server === address))
      notes.add(`${name} ${address} is not in the file: it has further overrides`);
  }
  return [...notes];
}

function unknownServer(runtime: RuntimeState, server: string, service: string | undefined): string {
  const where = service === undefined ? '' : ` in service ${service}`;
  const leaving = runtime.draining.find(
    ({ name, destination }) =>
      server === (name ?? endpointText(destination.family, destination.address, destination.port)),
  );
  if (leaving)
    return `${server} is not in the file any more: it drains until its connections end, and needs no override`;
  return `there is no real server ${server}${where}: lvsctl status lists the real servers`;
}

/** A bare address is the name of a server without a port in the file, but it may have been meant for the machine. */
const ambiguousServer = (server: string, same: readonly string[]): string =>
  `${server} has real servers on several ports: give the port, ${same.slice(0, 4).join(' or ')}`;

/** Real servers, as address:port, that have this address. */
function sameAddress(runtime: RuntimeState, text: string, service: string | undefined): string[] {
  const parsed = parseAddress(text);
  const address = parsed && formatAddress(parsed.family, parsed.bytes);
  const same = runtime.services
    .filter(({ spec }) => service === undefined || spec.name === service)
    .flatMap(({ realServers }) => realServers)
    .filter(({ destination }) => formatAddress(destination.family, destination.address) === address)
    .map(serverText);
  return [...new Set(same)];
}

function throwFailures({ failed }: CycleResult, further: readonly string[] = []): void {
  if (failed.length === 0) return;
  const lines = [...failed.map(({ text, error }) => `${text}: ${error}`), ...further];
  throw new LvsdError('ERR_LVSD_KERNEL_REFUSED', lines.join('\n'), EXIT.RUNTIME);
}
