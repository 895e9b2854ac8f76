// SPDX-License-Identifier: MIT
/** The sentences of the log and of events. */
import type { Transition } from '../../health/types.ts';
import { serviceText } from '../../plan/texts.ts';
import type { QuorumChange } from '../model/runtime-state.ts';
import { type Entry, type Member, serverText } from '../model/virtual-services.ts';

export function transitionText(entry: Entry, member: Member, { up, reason }: Transition): string {
  const name = member.spec.name === serverText(member) ? '' : ` (${member.spec.name})`;
  return `${serviceText(entry.service)} real server ${serverText(member)}${name} is ${up ? 'up' : 'down'}: ${reason}`;
}

export function quorumText({ entry, up, weight }: QuorumChange): string {
  const { quorum, hysteresis } = entry.spec;
  const bound = up ? quorum + hysteresis : Math.max(quorum - hysteresis, 1);
  const says = up
    ? `has its quorum: weight ${weight}, at least ${bound}`
    : `has lost its quorum: weight ${weight}, below ${bound}`;
  const sorry = entry.sorry ? (up ? '; the sorry server leaves' : '; the sorry server takes over') : '';
  return `${serviceText(entry.service)} ${says}${sorry}`;
}
