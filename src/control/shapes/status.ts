// SPDX-License-Identifier: MIT
/** Shapes of the answers to status, overview, history, vrrp, plan and of overrides. Pure. */
import type { FailureCode } from '../../base/failure-codes.ts';
import { list, number, object, oneOf, optional, record, type Shape, text, truth } from '../../base/shape.ts';
import type {
  CheckHistoryStatus,
  CheckStatus,
  ChecksStatus,
  DaemonStatus,
  FailureStatus,
  FileProblem,
  OrphanStatus,
  OverrideStatus,
  Overview,
  PlanLine,
  PlanObstacle,
  RealServerStatus,
  ServerHistory,
  ServiceReason,
  ServiceStatus,
  SyncRole,
  SyncStatus,
  VrrpStatus,
  VrrpSummary,
} from '../messages.ts';

/** A word that is only shown, of a list that later versions may extend. */
const word = <T extends string>() => text as Shape<T>;
const code = word<FailureCode>();
const sign = oneOf<PlanLine['sign']>({ '+': 1, '~': 1, '-': 1 });
const serverState = oneOf<RealServerStatus['state']>({ up: 1, down: 1, unchecked: 1, draining: 1 });
export const vrrpState = oneOf<VrrpStatus['state']>({ init: 1, backup: 1, master: 1, fault: 1 });
const syncRole = oneOf<SyncRole>({ backup: 1, master: 1 });

const OVERRIDE = {
  kind: oneOf<OverrideStatus['kind']>({ drain: 1, disable: 1, up: 1, weight: 1 }),
  weight: optional(number),
  by: optional(text),
  at: optional(number),
  reason: optional(text),
};

const check = object<CheckStatus>({
  type: text,
  target: text,
  up: truth,
  since: optional(number),
  reason: optional(text),
  code: optional(code),
  latency: optional(number),
});

const realServer = object<RealServerStatus>({
  name: text,
  address: text,
  port: number,
  weight: number,
  effectiveWeight: number,
  state: serverState,
  override: optional(oneOf<NonNullable<RealServerStatus['override']>>({ drain: 1, disable: 1, up: 1 })),
  overrides: optional(list(object<OverrideStatus>(OVERRIDE))),
  since: optional(number),
  reason: optional(text),
  code: optional(code),
  latency: optional(number),
  lastResultAt: optional(number),
  inability: optional(object<NonNullable<RealServerStatus['inability']>>({ since: number, reason: text })),
  activeConnections: number,
  inactiveConnections: number,
  checks: optional(list(check)),
});

const service = object<ServiceStatus>({
  name: text,
  virtuals: list(text),
  scheduler: text,
  quorum: object<ServiceStatus['quorum']>({ needed: number, weight: number, up: truth }),
  sorry: truth,
  realServers: list(realServer),
  error: optional(text),
  errorSince: optional(number),
});

const failure = object<FailureStatus>({
  of: word<FailureStatus['of']>(),
  name: optional(text),
  since: number,
  attempts: optional(number),
  nextAttemptAt: optional(number),
  changes: list(object<FailureStatus['changes'][number]>({ sign, text, reason: text })),
});

const fileProblem = object<FileProblem>({
  file: text,
  problem: word<FileProblem['problem']>(),
  since: number,
  reason: text,
  keptAs: optional(text),
});

const DAEMON = {
  version: text,
  pid: number,
  startedAt: number,
  file: text,
  loadedAt: number,
  reloadError: optional(text),
  paused: truth,
  checks: optional(
    object<ChecksStatus>({
      stopped: optional(
        object<NonNullable<ChecksStatus['stopped']>>({ since: number, reason: text, restarts: number }),
      ),
      lastResultAt: optional(number),
    }),
  ),
  files: optional(list(fileProblem)),
  failures: optional(list(failure)),
  orphans: optional(list(object<OrphanStatus>({ ...OVERRIDE, service: text, server: text }))),
  vrrp: optional(list(object<VrrpSummary>({ name: text, state: vrrpState, since: optional(number), reason: text }))),
  services: list(service),
};

export const daemonStatus = object<DaemonStatus>({
  ...DAEMON,
  connectionSync: optional(
    object<SyncStatus>({
      device: text,
      id: number,
      follow: optional(text),
      wanted: list(syncRole),
      running: list(syncRole),
    }),
  ),
});

export const overview = object<Overview>({
  ...DAEMON,
  host: text,
  reasons: list(object<ServiceReason>({ service: text, virtual: text, reason: text })),
});

const checkHistory = object<CheckHistoryStatus>({
  type: text,
  target: text,
  up: truth,
  since: number,
  probes: number,
  failures: number,
  recent: text,
  transitions: list(
    object<CheckHistoryStatus['transitions'][number]>({ at: number, up: truth, reason: text, code: optional(code) }),
  ),
  lastFailures: list(
    object<CheckHistoryStatus['lastFailures'][number]>({
      at: number,
      reason: text,
      code: optional(code),
      latency: number,
    }),
  ),
  reasons: list(object<CheckHistoryStatus['reasons'][number]>({ reason: text, count: number })),
});

export const serverHistory = object<ServerHistory>({
  service: text,
  virtual: text,
  server: text,
  state: serverState,
  checks: list(checkHistory),
});

export const planLines = list(object<PlanLine>({ sign, service: optional(text), text }));
export const planObstacles = list(object<PlanObstacle>({ text, kernel: truth }));

export const vrrpStatus = object<VrrpStatus>({
  name: text,
  state: vrrpState,
  since: optional(number),
  reason: text,
  interface: text,
  family: word<VrrpStatus['family']>(),
  version: number as Shape<VrrpStatus['version']>,
  virtualRouterId: number,
  group: optional(text),
  priority: number,
  configuredPriority: number,
  interval: number,
  unicast: truth,
  addresses: list(object<VrrpStatus['addresses'][number]>({ address: text, prefix: number, device: text })),
  faults: list(text),
  tracked: list(
    object<VrrpStatus['tracked'][number]>({
      kind: word<VrrpStatus['tracked'][number]['kind']>(),
      name: text,
      up: truth,
      weight: optional(number),
    }),
  ),
  counters: record(number),
  lastRejected: optional(
    object<NonNullable<VrrpStatus['lastRejected']>>({ reason: text, text, source: text, at: number }),
  ),
});
