// SPDX-License-Identifier: MIT
/** The result of `lvsctl status`, from the runtime state, health states and the kernel's counters. Pure. */
import { formatAddress } from '../../base/addresses.ts';
import { wallOfMonotonic, wallTime } from '../../base/clock.ts';
import type { Config } from '../../config/types.ts';
import type {
  CheckHistoryStatus,
  CheckStatus,
  ChecksStatus,
  FailureStatus,
  OverrideStatus,
  RealServerStatus,
  ServerHistory,
  ServiceStatus,
  SyncRole,
  SyncStatus,
} from '../../control/messages.ts';
import type { TargetHistory } from '../../health/monitor.ts';
import type { Inability, TargetState, TargetStates } from '../../health/types.ts';
import type { Stop } from '../../health/worker/liveness.ts';
import { type Destination, IP_VS_STATE_MASTER, type SyncDaemon } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import { endpointText, serviceText } from '../../plan/texts.ts';
import type { ActualService } from '../../plan/types.ts';
import { syncDaemons } from '../model/desired-state.ts';
import type { DrainingServer } from '../model/draining.ts';
import type { Override, ServerOverrides } from '../model/overrides.ts';
import type { RuntimeState } from '../model/runtime-state.ts';
import { type HealthTarget, type RealServer, serverText, type VirtualService } from '../model/virtual-services.ts';
import { type Failure, failureText, poolOwner } from '../reconcile/backoff.ts';

export interface Sources {
  runtime: RuntimeState;
  health: TargetStates;
  /** Finds a kernel service by `VirtualService.key`. */
  table: (key: string) => ActualService | undefined;
  failures: ReadonlyMap<string, Failure>;
  /** The reason why a target cannot be checked. */
  inability?: (target: string) => Inability | undefined;
}

export function checksStatus(health: TargetStates, stop: Stop | undefined): ChecksStatus {
  let last: number | undefined;
  for (const state of health.values()) if (state.last && state.last.at > (last ?? 0)) last = state.last.at;
  return {
    stopped: stop && { ...stop, since: wallTime(stop.since) },
    lastResultAt: last === undefined ? undefined : wallTime(last),
  };
}

/** `daemons`: those of the kernel. Undefined: the file does not have connection sync. */
export function syncStatus(
  config: Config,
  runtime: RuntimeState,
  daemons: readonly SyncDaemon[] = [],
): SyncStatus | undefined {
  const { connectionSync } = config;
  if (connectionSync === undefined) return undefined;
  const { device, id, follow } = connectionSync;
  const roles = (list: readonly SyncDaemon[]) =>
    list
      .filter((one) => one.interface === device && one.syncId === id)
      .map(({ state }): SyncRole => (state === IP_VS_STATE_MASTER ? 'master' : 'backup'))
      .sort();
  return { device, id, follow, wanted: roles(syncDaemons(config, runtime) ?? []), running: roles(daemons) };
}

/** One item for each virtual service; `only`: those of this name in the file. */
export function serviceStatuses(sources: Sources, only?: string): ServiceStatus[] {
  return sources.runtime.services
    .filter(({ spec }) => only === undefined || spec.name === only)
    .map((service) => serviceStatus(service, sources));
}

export function serviceStatus(service: VirtualService, sources: Sources): ServiceStatus {
  const { runtime, table, failures } = sources;
  const { spec, config, realServers, sorryServer } = service;
  const counters = new Map(table(service.key)?.destinations.map((one) => [destinationKeyText(one), one]));
  const up = runtime.quorumUp(service);
  return {
    name: spec.name,
    virtuals: [serviceText(config)],
    scheduler: spec.scheduler,
    quorum: { needed: spec.quorum, weight: runtime.weight(service), up },
    sorry: sorryServer !== undefined && !up,
    realServers: [
      ...realServers.map((server) => serverStatus(service, server, sources, counters.get(server.key))),
      ...runtime
        .drainingOf(service)
        .map((server) => drainingStatus(server, counters.get(destinationKeyText(server.destination)))),
    ],
    ...errorOf(service, failures),
  };
}

/** Without its pool of local addresses a service cannot serve, although no change of its own is rejected. */
export function errorOf(
  { spec }: VirtualService,
  failures: ReadonlyMap<string, Failure>,
): Pick<ServiceStatus, 'error' | 'errorSince'> {
  const own = failures.get(spec.name);
  const pool = spec.localAddresses === undefined ? undefined : poolOwner(spec.localAddresses.name);
  const failure = own ?? (pool === undefined ? undefined : failures.get(pool));
  if (!failure) return { error: undefined };
  const text = failureText(failure);
  return { error: own ? text : `${pool}: ${text}`, errorSince: wallOfMonotonic(failure.since) };
}

/** All that lvsd tries and cannot do. `pools`: names of the pools of local addresses. */
export function failureStatuses(failures: ReadonlyMap<string, Failure>, pools: Iterable<string>): FailureStatus[] {
  const byOwner = new Map([...pools].map((name) => [poolOwner(name), name]));
  return [...failures].map(([owner, { changes, since, attempts, retryAt }]) => {
    const pool = byOwner.get(owner);
    return {
      of: owner === '' ? 'settings' : pool === undefined ? 'service' : 'pool',
      name: owner === '' ? undefined : (pool ?? owner),
      since: wallOfMonotonic(since),
      attempts,
      nextAttemptAt: wallOfMonotonic(retryAt),
      changes,
    };
  });
}

function serverStatus(
  service: VirtualService,
  server: RealServer,
  { runtime, health, inability: inabilityOf }: Sources,
  actual: Destination | undefined,
): RealServerStatus {
  const states = server.targets.flatMap(({ id }) => health.get(id) ?? []);
  const state = deciding(states);
  const own = runtime.overridesOf(service, server);
  const inability = server.targets.map(({ id }) => inabilityOf?.(id)).find((one) => one !== undefined);
  return {
    name: server.spec.name,
    address: formatAddress(server.destination.family, server.destination.address),
    port: server.destination.port,
    weight: server.destination.weight,
    effectiveWeight: actual?.weight ?? 0,
    state: runtime.serverState(service, server),
    override: own.forced?.kind === 'disable' ? 'disable' : own.drain ? 'drain' : own.forced ? 'up' : undefined,
    overrides: [own.drain, own.forced, own.weight].flatMap((one) => (one ? [overrideStatus(one)] : [])),
    since: sinceOf(state, own),
    reason: state && !state.last ? 'not checked yet' : state?.last?.reason,
    code: state?.last?.code,
    latency: state?.last?.latency,
    lastResultAt: state?.last && wallTime(state.last.at),
    inability: inability && { ...inability, since: wallTime(inability.since) },
    activeConnections: actual?.activeConnections ?? 0,
    inactiveConnections: actual?.inactiveConnections ?? 0,
    ...(server.targets.length > 1 ? { checks: server.targets.map((target) => checkStatus(target, health)) } : {}),
  };
}

/** Since when it has its state: since the override that decides it, or else since its check decided. */
function sinceOf(state: TargetState | undefined, { drain, forced }: ServerOverrides): number | undefined {
  // A drain has no effect on a server that is down.
  const isDown = forced ? forced.kind === 'disable' : state?.up === false;
  const at = (isDown ? forced : (drain ?? forced))?.at ?? state?.since;
  return at === undefined ? undefined : wallTime(at);
}

/**
 * Selects the check that decides the state: the first that failed while any fails, else the last that began to pass.
 */
function deciding(states: readonly TargetState[]): TargetState | undefined {
  const failing = states.filter(({ up }) => !up);
  const order = failing.length > 0 ? failing : states.toReversed();
  return order.reduce<TargetState | undefined>((chosen, one) => {
    if (!chosen) return one;
    return one.up ? (one.since > chosen.since ? one : chosen) : one.since < chosen.since ? one : chosen;
  }, undefined);
}

function checkStatus(target: HealthTarget, health: TargetStates): CheckStatus {
  const state = health.get(target.id);
  return {
    type: target.check.type,
    target: targetText(target),
    up: state?.up ?? true,
    since: state && wallTime(state.since),
    reason: state?.last?.reason,
    code: state?.last?.code,
    latency: state?.last?.latency,
  };
}

const targetText = ({ address, port }: HealthTarget) => `${address.includes(':') ? `[${address}]` : address}:${port}`;

/** An override as the control socket reports it. */
export function overrideStatus({ kind = 'drain', weight, by, at, reason }: Override): OverrideStatus {
  return { kind, weight, by, at: at === undefined ? undefined : wallTime(at), reason };
}

function drainingStatus({ destination, name }: DrainingServer, actual: Destination | undefined): RealServerStatus {
  const address = formatAddress(destination.family, destination.address);
  return {
    name: name ?? endpointText(destination.family, destination.address, destination.port),
    address,
    port: destination.port,
    weight: 0,
    effectiveWeight: 0,
    state: 'draining',
    override: undefined,
    since: undefined,
    reason: 'removed from the file',
    latency: undefined,
    activeConnections: actual?.activeConnections ?? 0,
    inactiveConnections: actual?.inactiveConnections ?? 0,
  };
}

/** One item for each of the kernel's real servers that `wanted` names. */
export async function serverHistories(
  runtime: RuntimeState,
  wanted: readonly Override[],
  history: (ids: readonly string[]) => Promise<ReadonlyMap<string, TargetHistory>>,
): Promise<ServerHistory[]> {
  const keys = new Set(wanted.map(({ service, server }) => `${service} ${server}`));
  const found = runtime.services.flatMap((service) =>
    service.realServers
      .filter((server) => keys.has(`${service.spec.name} ${serverText(server)}`))
      .map((server) => ({ service, server })),
  );
  const histories = await history(found.flatMap(({ server }) => server.targets.map(({ id }) => id)));
  return found.map(({ service, server }) => ({
    service: service.spec.name,
    virtual: serviceText(service.config),
    server: server.spec.name,
    state: runtime.serverState(service, server),
    checks: server.targets.flatMap((target) => checkHistory(target, histories.get(target.id))),
  }));
}

function checkHistory(target: HealthTarget, known: TargetHistory | undefined): CheckHistoryStatus[] {
  if (!known) return [];
  const { state, recent, transitions, failures, reasons } = known;
  return [
    {
      type: target.check.type,
      target: targetText(target),
      up: state.up,
      since: wallTime(state.since),
      probes: state.probes,
      failures: state.failures,
      recent,
      transitions: transitions.map((one) => ({ ...one, at: wallTime(one.at) })),
      lastFailures: failures.map((one) => ({ ...one, at: wallTime(one.at) })),
      reasons,
    },
  ];
}
