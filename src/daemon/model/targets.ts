// SPDX-License-Identifier: MIT
/**
 * What a target counts as before its first probe: what the real server counted as under an older configuration; else a
 * real server that is in the kernel's table is up, one that its existing service lacks is down, one of a new service is up
 * (DESIGN §4). Pure.
 */
import type { Target, TargetState } from '../../health/types.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { ActualService } from '../../plan/types.ts';
import { type Entry, type Member, serverText } from './virtual-services.ts';

/**
 * Every target of the roster, once. `table` finds a service of the kernel by `Entry.key`. What a target counts as is only
 * worked out where it is not `known` already. `inherited` is what is known of the real server of a target that is new: it
 * counts more than what another service's target was taken for before its first result.
 */
export function targets(
  roster: readonly Entry[],
  table: (key: string) => ActualService | undefined,
  known: (id: string) => Pick<TargetState, 'up' | 'probed'> | undefined = () => undefined,
  inherited: (id: string) => boolean | undefined = () => undefined,
): Target[] {
  const found = new Map<string, Target & { seen: boolean }>();
  for (const entry of roster) {
    let present: Map<string, number> | undefined;
    for (const member of entry.members) {
      if (!member.target) continue;
      const { id, address, port, check } = member.target;
      const before = found.get(id);
      const was = inherited(id);
      const is = known(id);
      if (is) {
        if (before) continue;
        const label = `${entry.spec.name} ${serverText(member)}`;
        const initiallyUp = is.up || (!is.probed && was === true);
        found.set(id, { id, address, port, check, initiallyUp, label, seen: true });
        continue;
      }
      present ??= weights(table(entry.key));
      const inTable = present && serves(entry, member, present.get(member.key));
      // Shared by several services: what one of their tables says counts more than that another one is new.
      const says = inTable ?? before?.initiallyUp ?? true;
      const first =
        check.start === 'auto' ? says || (before?.seen === true && before.initiallyUp) : check.start === 'up';
      const initiallyUp = was ?? first;
      const label = before?.label ?? `${entry.spec.name} ${serverText(member)}`;
      found.set(id, {
        id,
        address,
        port,
        check,
        initiallyUp,
        label,
        seen: before?.seen === true || inTable !== undefined,
      });
    }
  }
  return [...found.values()].map(({ seen: _, ...target }) => target);
}

function weights(service: ActualService | undefined): Map<string, number> | undefined {
  return service && new Map(service.destinations.map((one) => [destinationKeyText(one), one.weight]));
}

/** With weight 0 it is there because it is down, unless the file, or someone who drains it, says 0. */
function serves(entry: Entry, member: Member, weight: number | undefined): boolean {
  if (weight === undefined) return false;
  return weight > 0 || member.destination.weight === 0 || entry.spec.onFailure !== 'inhibit';
}
