// SPDX-License-Identifier: MIT
/** Families of virtual routers. Pure. */
import { counter, type Family, gauge, histogram, tallied } from './family.ts';

const DIRECTIONS = ['sent', 'received'] as const;

const VRRP_STATES = { init: 0, backup: 1, master: 2, fault: 3 } as const;

export const VRRP_FAMILIES: readonly Family[] = [
  gauge(
    'vrrp_state',
    'vrrp',
    'State of a virtual router: 0 init, 1 backup, 2 master, 3 fault.',
    ({ vrrp }) => vrrp.map(({ name, state }) => [VRRP_STATES[state], { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_priority',
    'vrrp',
    'Configured priority of a virtual router.',
    ({ vrrp }) => vrrp.map(({ name, priority }) => [priority, { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_effective_priority',
    'vrrp',
    'Priority of a virtual router with the weights of what it tracks.',
    ({ vrrp }) => vrrp.map(({ name, effectivePriority }) => [effectivePriority, { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_addresses',
    'vrrp',
    'Addresses of a virtual router.',
    ({ vrrp }) => vrrp.map(({ name, addresses }) => [addresses, { instance_name: name }] as const),
    ['instance_name'],
  ),
  gauge(
    'vrrp_last_advert_timestamp_seconds',
    'vrrp',
    'When a virtual router last received an advert.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, lastAdvert }) => (lastAdvert > 0 ? [[lastAdvert, { instance_name: name }] as const] : [])),
    ['instance_name'],
  ),
  counter(
    'vrrp_transitions_total',
    'vrrp',
    'Changes of the state of a virtual router.',
    ({ vrrpTransitions }) => tallied(vrrpTransitions, 'instance_name', 'to'),
    ['instance_name', 'to'],
  ),
  histogram(
    'vrrp_lateness_seconds',
    'vrrp',
    'How late the timers of a virtual router ran.',
    ({ vrrpLateness }) => vrrpLateness.map(([name, one]) => [one, { instance_name: name }] as const),
    ['instance_name'],
  ),
  counter(
    'vrrp_adverts_total',
    'vrrp',
    'Adverts of a virtual router.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, counters }) =>
        DIRECTIONS.map((direction) => [counters[direction] ?? 0, { instance_name: name, direction }] as const),
      ),
    ['instance_name', 'direction'],
  ),
  counter(
    'vrrp_incidents_total',
    'vrrp',
    'What else a virtual router counts, such as adverts that were rejected, by reason.',
    ({ vrrp }) =>
      vrrp.flatMap(({ name, counters }) =>
        Object.entries(counters).flatMap(([key, value]) =>
          DIRECTIONS.some((one) => one === key) ? [] : [[value, { instance_name: name, incident: key }] as const],
        ),
      ),
    ['instance_name', 'incident'],
  ),
];
