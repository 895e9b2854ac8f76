// SPDX-License-Identifier: MIT
/** What `lvsctl status` shows, out of what the daemon knows and the kernel counts. Pure. */
import { formatAddress } from '../../base/addresses.ts';
import type { RealServerStatus, ServiceStatus } from '../../control/messages.ts';
import type { TargetState } from '../../health/types.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import { serviceText } from '../../plan/texts.ts';
import type { ActualService } from '../../plan/types.ts';
import type { Situation } from '../model/runtime-state.ts';
import type { Entry, Member } from '../model/virtual-services.ts';
import type { Failure } from '../reconcile/backoff.ts';

export interface Sources {
  situation: Situation;
  health: ReadonlyMap<string, TargetState>;
  /** A service of the kernel by `Entry.key`. */
  table: (key: string) => ActualService | undefined;
  failures: ReadonlyMap<string, Failure>;
}

/** One entry for each of the kernel's services; `only`: of that name in the file. */
export function serviceStatuses(sources: Sources, only?: string): ServiceStatus[] {
  return sources.situation.roster
    .filter(({ spec }) => only === undefined || spec.name === only)
    .map((entry) => serviceStatus(entry, sources));
}

function serviceStatus(entry: Entry, { situation, health, table, failures }: Sources): ServiceStatus {
  const actual = table(entry.key);
  const counts = new Map(actual?.destinations.map((one) => [destinationKeyText(one), one]));
  const up = situation.quorumUp(entry);
  const serverOf = (member: Member): RealServerStatus => {
    const state = situation.memberState(entry, member);
    const known = member.target && health.get(member.target.id);
    const there = counts.get(member.key);
    return {
      name: member.spec.name,
      address: formatAddress(member.destination.family, member.destination.address),
      port: member.destination.port,
      weight: member.destination.weight,
      effectiveWeight: there?.weight ?? 0,
      state,
      override: situation.override(entry, member) ? 'drain' : undefined,
      since: known?.since,
      reason: known?.last?.reason,
      latency: known?.last?.latency,
      activeConnections: there?.activeConnections ?? 0,
      inactiveConnections: there?.inactiveConnections ?? 0,
    };
  };
  const leaving = situation.leaving
    .filter((one) => one.entry === entry.key)
    .map(({ destination }): RealServerStatus => {
      const there = counts.get(destinationKeyText(destination));
      const address = formatAddress(destination.family, destination.address);
      return {
        ...{ name: `${address}:${destination.port}`, address, port: destination.port, weight: 0, effectiveWeight: 0 },
        ...{
          state: 'draining',
          override: undefined,
          since: undefined,
          reason: 'no longer in the file',
          latency: undefined,
        },
        activeConnections: there?.activeConnections ?? 0,
        inactiveConnections: there?.inactiveConnections ?? 0,
      };
    });
  return {
    name: entry.spec.name,
    virtuals: [serviceText(entry.service)],
    scheduler: entry.spec.scheduler,
    quorum: { needed: entry.spec.quorum, weight: situation.weight(entry), up },
    sorry: entry.sorry !== undefined && !up,
    realServers: [...entry.members.map(serverOf), ...leaving],
    error: failures.get(entry.spec.name)?.error,
  };
}
