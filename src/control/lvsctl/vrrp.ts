// SPDX-License-Identifier: MIT
/** The text of `lvsctl vrrp`. */
import { formatDuration } from '../../base/durations.ts';
import { printable } from '../../base/printable.ts';
import type { VrrpStatus, VrrpSummary } from '../messages.ts';
import type { Paint } from './terminal.ts';
import { spanText } from './words.ts';

const COLOURS = { init: 'yellow', backup: 'yellow', master: 'green', fault: 'red' } as const;

/** `now`: milliseconds since the epoch. */
export function vrrpText(instances: readonly VrrpStatus[], paint: Paint, now: number): string {
  if (instances.length === 0) return 'no VRRP instances in the file\n';
  return instances.map((one) => `${instanceLines(one, paint, now).join('\n')}\n`).join('\n');
}

/** A line for each instance in `lvsctl status`. */
export function vrrpLines(list: readonly VrrpSummary[], paint: Paint, now: number): string[] {
  return list.map((one) => `virtual router ${paint('bold', printable(one.name))}  ${stateText(one, paint, now)}`);
}

/** "master for 5m (no advert for 361 ms)". */
function stateText({ state, since, reason }: Omit<VrrpSummary, 'name'>, paint: Paint, now: number): string {
  const age = since === undefined ? '' : ` for ${spanText(now - since)}`;
  const why = reason === '' ? '' : ` (${printable(reason)})`;
  return `${paint(COLOURS[state], state)}${age}${why}`;
}

function instanceLines(one: VrrpStatus, paint: Paint, now: number): string[] {
  const { name, addresses, counters, faults, tracked } = one;
  const group = one.group === undefined ? '' : `, group ${printable(one.group)}`;
  const mode = one.unicast ? 'unicast' : 'multicast';
  const where = `${one.interface} virtual router ${one.virtualRouterId}, version ${one.version}, ${one.family}, ${mode}${group}`;
  const list = addresses.map(({ address, prefix, device }) => `${address}/${prefix} ${device}`).join(', ');
  const numbers = Object.entries(counters).map(([counter, count]) => `${counter} ${count}`);
  return [
    `${paint('bold', printable(name))}  ${stateText(one, paint, now)}`,
    `  priority ${priorityText(one)}, ${where}, adverts every ${formatDuration(one.interval)}`,
    `  addresses ${list}`,
    ...(tracked.length > 0 ? [`  tracks ${tracked.map(trackedText).join(', ')}`] : []),
    ...(faults.length > 1 ? [`  faults ${faults.map(printable).join(', ')}`] : []),
    ...(numbers.length > 0 ? [`  adverts ${numbers.join(', ')}`] : []),
    ...(one.lastRejected === undefined ? [] : [`  last rejected ${rejectionText(one.lastRejected, now)}`]),
  ];
}

/** "5s ago from 10.99.0.3: password: wrong password". */
function rejectionText({ reason, text, source, at }: NonNullable<VrrpStatus['lastRejected']>, now: number): string {
  return `${spanText(now - at)} ago from ${printable(source)}: ${printable(`${reason}: ${text}`)}`;
}

/** "100", or "50 (100, service shop -50)". */
export function priorityText({ priority, configuredPriority, tracked }: VrrpStatus): string {
  const weights = tracked.flatMap(({ kind, name, up, weight = 0 }) =>
    weight !== 0 && weight > 0 === up ? [`${kind} ${printable(name)} ${weight > 0 ? '+' : ''}${weight}`] : [],
  );
  return weights.length === 0 ? `${priority}` : `${priority} (${[configuredPriority, ...weights].join(', ')})`;
}

/** "service shop down", "interface eth1 up". */
function trackedText({ kind, name, up }: VrrpStatus['tracked'][number]): string {
  return `${kind} ${printable(name)} ${up ? 'up' : 'down'}`;
}
