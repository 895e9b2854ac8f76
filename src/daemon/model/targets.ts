// SPDX-License-Identifier: MIT
/**
 * Health targets, and the state of each before its first probe. In order of precedence: the state of the real server
 * under the previous configuration; up for a real server in the kernel's table; down for one missing from an existing
 * service; up for one of a new service. Pure.
 */
import type { Target, TargetState } from '../../health/types.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { ActualService } from '../../plan/types.ts';
import { type HealthTarget, type RealServer, serverText, type VirtualService } from './virtual-services.ts';

/**
 * Every target of the services, once. `table` finds a kernel service by `VirtualService.key`. Initial states are
 * computed only for targets that are not `known`. `inherited` is the previous state of the real server of a new target:
 * it takes precedence over the assumed state of a target that another service shares.
 */
export function targets(
  services: readonly VirtualService[],
  table: (key: string) => ActualService | undefined,
  known: (id: string) => Pick<TargetState, 'up' | 'probed'> | undefined = () => undefined,
  inherited: (id: string) => boolean | undefined = () => undefined,
): Target[] {
  const found = new Map<string, Target & { seen: boolean }>();
  for (const service of services) {
    let present: Map<string, number> | undefined;
    for (const { server, target } of checksOf(service)) {
      const { id, address, port, check } = target;
      const before = found.get(id);
      const was = inherited(id);
      const is = known(id);
      if (is) {
        if (before) continue;
        const label = `${service.spec.name} ${serverText(server)}`;
        const initiallyUp = is.up || (!is.probed && was === true);
        found.set(id, { id, address, port, check, initiallyUp, label, seen: true });
        continue;
      }
      present ??= weights(table(service.key));
      const inTable = present && isServing(service, server, present.get(server.key));
      // For a target that several services share, an existing table entry counts more than a new service.
      const fromTable = inTable ?? before?.initiallyUp ?? true;
      const initial =
        check.start === 'auto' ? fromTable || (before?.seen === true && before.initiallyUp) : check.start === 'up';
      const initiallyUp = was ?? initial;
      const label = before?.label ?? `${service.spec.name} ${serverText(server)}`;
      const seen = before?.seen === true || inTable !== undefined;
      found.set(id, { id, address, port, check, initiallyUp, label, seen });
    }
  }
  return [...found.values()].map(({ seen: _, ...target }) => target);
}

function checksOf({ realServers }: VirtualService): { server: RealServer; target: HealthTarget }[] {
  return realServers.flatMap((server) => server.targets.map((target) => ({ server, target })));
}

function weights(service: ActualService | undefined): Map<string, number> | undefined {
  return service && new Map(service.destinations.map((one) => [destinationKeyText(one), one.weight]));
}

/** Weight 0 means down, unless 0 is the configured weight or `on_failure` never sets it. */
function isServing(service: VirtualService, server: RealServer, weight: number | undefined): boolean {
  if (weight === undefined) return false;
  return weight > 0 || server.destination.weight === 0 || service.spec.onFailure !== 'inhibit';
}
