// SPDX-License-Identifier: MIT
/**
 * A group of instances that have one role: all members are master, or none is. Its state is derived from those of its
 * members after each of their steps. Pure.
 */
import { ownFaults } from './machine.ts';
import type { Event, State } from './types.ts';

export interface Member {
  name: string;
  state: State;
}

/** Events that members need next, by index; none: the group has settled. Derive them again once they are delivered. */
export function groupEvents(members: readonly Member[]): { member: number; event: Event }[] {
  const faults = faultEvents(members);
  if (faults.length > 0) return faults;
  const running = members.filter(({ state }) => state.phase !== 'init');
  const masters = running.filter(({ state }) => state.phase === 'master');
  const wanting = running.filter(({ state }) => state.phase === 'backup' && state.wants);
  const deliver = (to: readonly Member[], event: Event) =>
    to.map((member) => ({ member: members.indexOf(member), event }));
  const defers = running.find(({ state }) => state.phase === 'backup' && state.defers);
  if (defers !== undefined && masters.length > 0)
    return deliver(masters, { kind: 'release', reason: `${defers.name} has a master of its own` });
  const all = masters.length + wanting.length === running.length;
  return all ? deliver(wanting, { kind: 'permit' }) : [];
}

/** Each member has the faults of the others. */
function faultEvents(members: readonly Member[]): { member: number; event: Event }[] {
  const causes = members.map(({ name, state }) => {
    const [fault] = state.phase === 'init' ? [] : ownFaults(state);
    return fault === undefined ? undefined : `${name}: ${fault}`;
  });
  return members.flatMap(({ state }, member) => {
    const cause = causes.find((one, index) => index !== member && one !== undefined);
    return cause === state.groupFault ? [] : [{ member, event: { kind: 'group-fault', cause } as const }];
  });
}
