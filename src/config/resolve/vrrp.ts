// SPDX-License-Identifier: MIT
/** Converts `vrrp` to instances, and applies the rules that the schema cannot express. */
import { AF_INET, AF_INET6, type Family, formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import { describe, listOf } from '../describe.ts';
import { DEFAULTS } from '../limits.ts';
import type { RawConfig, RawVrrp, RawVrrpGroup } from '../schema.ts';
import { closest } from '../suggest.ts';
import type { VrrpAddress, VrrpInstance, VrrpTracked } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { ProblemSink } from './problem-sink.ts';
import { type Address, addressId, addressOf, durationOf, isLoopback, notUnicast } from './values.ts';

/** Names that a problem lists. */
const NAMED = 10;
/** Milliseconds. */
const LONGEST_DELAY = 1_000_000;
const STEP = 10;
const LONGEST_INTERVAL = 40_950;
const SECOND = 1000;

/** Addresses that one advert of 1500 bytes can list, by family (RFC 9568 section 5.2.5: at most 255). */
const LISTED = { [AF_INET]: 255, [AF_INET6]: 90 } as const;

/**
 * The instances by name. Problems go to `problems`. `taken`: addresses of services with a device and of pools;
 * `services`: names of services; `sync`: connection sync, as the file has it.
 */
export function resolveVrrp(
  raw: Readonly<Record<string, RawVrrp>>,
  groups: Readonly<Record<string, RawVrrpGroup>>,
  taken: ReadonlyMap<number | string, string>,
  services: ReadonlySet<string>,
  sync: RawConfig['connection_sync'],
  problems: ProblemSink,
): Map<string, VrrpInstance> {
  const instances = new Map<string, VrrpInstance>();
  const holders = new Map(taken);
  const routers = new Map<string, string>();
  for (const [name, one] of Object.entries(raw)) {
    const path = ['vrrp', name];
    const track = resolveTrack(one.track, one.interface, path, services, problems);
    const preemptAfter = preemptAfterOf(one, track, sync?.follow === name);
    if (preemptAfter === 'synced' && sync === undefined)
      problems.report([...path, 'preempt', 'after'], 'found synced without connection_sync; allowed: now or ready');
    const before = resolveInstance(name, one, path, holders, problems);
    const instance = { ...before, track, preemptAfter, group: undefined };
    warn(instance, path, problems);
    const { device, family, virtualRouterId } = instance;
    const router = `${device} ${family} ${virtualRouterId}`;
    const other = routers.get(router);
    if (other === undefined) routers.set(router, name);
    else {
      const text = `found ${virtualRouterId}, which ${other} has on ${device} too; allowed: an ID of its own for each virtual router of an interface`;
      problems.report([...path, 'virtual_router_id'], text);
    }
    instances.set(name, instance);
  }
  resolveGroups(instances, groups, services, problems);
  return instances;
}

function resolveInstance(
  name: string,
  raw: RawVrrp,
  path: Path,
  holders: Map<number | string, string>,
  problems: ProblemSink,
): Omit<VrrpInstance, 'track' | 'preemptAfter' | 'group'> {
  const read = <T>(key: string | (string | number)[], value: T | string, fallback: T): T => {
    if (typeof value !== 'string') return value;
    problems.report([...path, ...(Array.isArray(key) ? key : [key])], value);
    return fallback;
  };
  const version = raw.version ?? DEFAULTS.vrrpVersion;
  let family: Family | undefined;
  const list = (key: 'addresses' | 'extra_addresses', one: (typeof raw.addresses)[number], index: number) => {
    const found = placedAddress(one);
    if (typeof found === 'string') {
      problems.report([...path, key, index, ...(typeof one === 'string' ? [] : ['address'])], found);
      return [];
    }
    for (const name of ['label', 'scope'] as const)
      if (found[name] !== undefined && found.family !== AF_INET)
        problems.report(
          [...path, key, index, name],
          `found a ${name} of an IPv6 address; allowed: IPv4 addresses only`,
        );
    const id = addressId(found.address);
    const holder = holders.get(id);
    holders.set(id, holder ?? `vrrp.${name}`);
    if (holder !== undefined) {
      const text = `found ${formatAddress(found.family, found.address)}, which ${holder} has too; allowed: each address once`;
      problems.report([...path, key, index], text);
    }
    if (key === 'extra_addresses') return [found];
    family ??= found.family;
    if (found.family !== family) {
      const text = `found ${formatAddress(found.family, found.address)} beside another family; allowed: one family in adverts, the other one in extra_addresses`;
      problems.report([...path, key, index], text);
    }
    return [found];
  };
  const addresses = raw.addresses.flatMap((one, index) => list('addresses', one, index));
  const extraAddresses = (raw.extra_addresses ?? []).flatMap((one, index) => list('extra_addresses', one, index));
  family ??= AF_INET;
  if (addresses.length > LISTED[family])
    problems.report(
      [...path, 'addresses'],
      `found ${addresses.length} addresses; allowed: ${LISTED[family]}, as many as one advert lists; the rest goes to extra_addresses`,
    );
  if (version === 2 && family === AF_INET6)
    problems.report([...path, 'version'], 'found 2 with IPv6 addresses; allowed: 3, version 2 is for IPv4');
  if (raw.password !== undefined && version === 3)
    problems.report([...path, 'password'], 'found a password with version 3; allowed: version: 2, or no password');
  const preempt = raw.preempt ?? true;
  if (preempt === false && raw.priority === 'owner')
    problems.report([...path, 'preempt'], 'found false with priority owner; allowed: true, an owner always takes over');
  const duration = (key: string | string[], text: string | undefined, most: number, fallback: number) =>
    text === undefined ? fallback : read(key, durationOf(text, 0, most), fallback);
  const delay = typeof preempt === 'object' ? duration(['preempt', 'delay'], preempt.delay, LONGEST_DELAY, 0) : 0;
  const startDelay = raw.start_delay && duration('start_delay', raw.start_delay, LONGEST_DELAY, 0);
  const address = (key: (string | number)[], text: string) => {
    const found = read<Address | undefined>(key, addressOf(text), undefined);
    if (found === undefined || found.family === family) return found?.bytes;
    problems.report([...path, ...key], `found ${describe(text)}; allowed: an address of the family of addresses`);
    return undefined;
  };
  const peers = raw.unicast?.peers.flatMap((text, index) => address(['unicast', 'peers', index], text) ?? []);
  if (raw.unicast !== undefined && raw.source === undefined)
    problems.report([...path, 'unicast'], 'source is missing; allowed with unicast: source, an address of this node');
  const { announce = {} } = raw;
  return {
    name,
    device: raw.interface,
    family,
    virtualRouterId: raw.virtual_router_id,
    version,
    priority: raw.priority === 'owner' ? 255 : (raw.priority ?? DEFAULTS.vrrpPriority),
    interval: read('advert_interval', intervalOf(raw.advert_interval, version), SECOND),
    downAfter: raw.down_after ?? DEFAULTS.vrrpDownAfter,
    preempt: preempt !== false,
    preemptDelay: delay,
    startDelay: typeof startDelay === 'number' ? startDelay : undefined,
    answerLower: raw.lower_priority_advert ?? true,
    addresses,
    extraAddresses,
    source: raw.source === undefined ? undefined : address(['source'], raw.source),
    peers,
    minTtl: raw.unicast?.min_ttl,
    fromAnywhere: raw.unicast?.from_anywhere ?? false,
    password: raw.password,
    announce: {
      repeat: announce.repeat ?? DEFAULTS.announceRepeat,
      interval: duration(['announce', 'interval'], announce.interval, SECOND, DEFAULTS.announceInterval),
      delay: duration(['announce', 'delay'], announce.delay, 60 * SECOND, DEFAULTS.announceDelay),
    },
  };
}

/** `followed`: connection sync follows the instance. */
function preemptAfterOf(
  { preempt }: RawVrrp,
  track: readonly VrrpTracked[],
  followed: boolean,
): VrrpInstance['preemptAfter'] {
  const after = typeof preempt === 'object' ? preempt.after : undefined;
  if (after !== undefined) return after;
  if (followed) return 'synced';
  return track.some(({ kind }) => kind === 'service') ? 'ready' : 'now';
}

/** Intervals below leave too little time for a busy machine, in milliseconds. */
const SHORT_INTERVAL = 50;

/** Warnings: settings that are valid, but probably not meant. */
function warn(instance: VrrpInstance, path: Path, problems: ProblemSink): void {
  const { priority, interval, family, addresses, track } = instance;
  if (interval < SHORT_INTERVAL)
    problems.warn(
      [...path, 'advert_interval'],
      `${formatDuration(interval)} needs a machine that is never busy for as long; from ${formatDuration(SHORT_INTERVAL)} on is safe with SCHED_RR`,
    );
  const [first] = addresses;
  if (
    family === AF_INET6 &&
    first !== undefined &&
    (first.address[0] !== 0xfe || ((first.address[1] ?? 0) & 0xc0) !== 0x80)
  )
    problems.warn(
      [...path, 'addresses', 0],
      'the first address of IPv6 should be a link-local one (RFC 9568 section 5.2.9); keepalived accepts others too',
    );
  const lowest = track.reduce((sum, { weight = 0 }) => sum + Math.min(0, weight), priority);
  if (priority < 255 && lowest < 1)
    problems.warn(
      [...path, 'track'],
      `all weights together lower the priority ${priority} to ${lowest}; it stays at 1, so that nodes with different faults can have one priority`,
    );
}

/** A line for each instance that has one priority on several nodes. */
export function samePriorities(nodes: ReadonlyMap<string, { vrrp: ReadonlyMap<string, VrrpInstance> }>): string[] {
  const holders = new Map<string, string[]>();
  for (const [node, { vrrp }] of nodes)
    for (const { name, priority } of vrrp.values()) {
      const key = `${name} ${priority}`;
      holders.set(key, [...(holders.get(key) ?? []), node]);
    }
  return [...holders].flatMap(([key, names]) => {
    const [name, priority] = key.split(' ');
    if (names.length < 2) return [];
    return `vrrp.${name}.priority: ${listOf(names, 'and')} have priority ${priority}; give each node one of its own, or addresses decide which node is master`;
  });
}

/** Gives the members of each group its name and everything that they and the group track. */
function resolveGroups(
  instances: Map<string, VrrpInstance>,
  groups: Readonly<Record<string, RawVrrpGroup>>,
  services: ReadonlySet<string>,
  problems: ProblemSink,
): void {
  for (const [group, raw] of Object.entries(groups)) {
    const path = ['vrrp_groups', group];
    const track = resolveTrack(raw.track, undefined, path, services, problems);
    const members: VrrpInstance[] = [];
    for (const [index, name] of raw.instances.entries()) {
      const place = [...path, 'instances', index];
      const instance = instances.get(name);
      if (instance === undefined) {
        if (!problems.isInvalid('vrrp', name)) problems.report(place, unknownName('instance', name, instances));
        continue;
      }
      const fault = memberFault(instance, group, members[0]);
      if (fault !== undefined) problems.report(place, fault);
      const member = { ...instance, group };
      instances.set(name, member);
      members.push(member);
    }
    const tracked = new Map([...track, ...members.flatMap((one) => one.track)].map((one) => [trackKey(one), one]));
    for (const member of members) {
      const own = new Map(member.track.map((one) => [trackKey(one), one]));
      const all = [...new Map([...tracked, ...own]).values()];
      const others = all.filter(({ kind, name }) => kind !== 'interface' || name !== member.device);
      instances.set(member.name, { ...member, track: others });
    }
  }
}

const trackKey = ({ kind, name }: VrrpTracked): string => `${kind} ${name}`;

/** Members of one priority agree on the better node; with others, half of them may stay on each node for good. */
function memberFault(instance: VrrpInstance, group: string, first: VrrpInstance | undefined): string | undefined {
  const { name, priority, preempt } = instance;
  if (instance.group === group) return `found ${name} twice; allowed: each instance once`;
  if (instance.group !== undefined)
    return `found ${name}, which is in the group ${instance.group} too; allowed: one group`;
  if (first === undefined) return undefined;
  if (priority !== first.priority)
    return `found ${name} with priority ${priority}; allowed: ${first.priority}, as ${first.name}: members of a group have one priority`;
  if (preempt !== first.preempt)
    return `found ${name} with preempt ${preempt}; allowed: ${first.preempt}, as ${first.name}`;
  return undefined;
}

/** Interfaces and services that an instance or a group tracks, each once. `own`: the interface of the instance. */
function resolveTrack(
  track: RawVrrp['track'] = {},
  own: string | undefined,
  path: Path,
  services: ReadonlySet<string>,
  problems: ProblemSink,
): VrrpTracked[] {
  const found: VrrpTracked[] = [];
  const add = (place: Path, one: VrrpTracked, problem: string | undefined) => {
    const twice = found.some(({ kind, name }) => kind === one.kind && name === one.name);
    const text = problem ?? (twice ? `found ${one.name} twice; allowed: each ${one.kind} once` : undefined);
    if (text !== undefined) problems.report(place, text);
    if (one.weight === 0)
      problems.report([...place, 'weight'], `found 0; allowed: -253 to 253 without 0, or ${NO_WEIGHT[one.kind]}`);
    found.push(one);
  };
  for (const [index, raw] of (track.interfaces ?? []).entries()) {
    const { interface: name, weight } = typeof raw === 'string' ? { interface: raw, weight: undefined } : raw;
    const self =
      name === own ? `found ${name}, the instance's own; allowed: other interfaces, it is always tracked` : undefined;
    add([...path, 'track', 'interfaces', index], { kind: 'interface', name, weight }, self);
  }
  for (const [index, raw] of (track.services ?? []).entries()) {
    const { service: name, weight, fault } = typeof raw === 'string' ? { service: raw } : raw;
    const place = [...path, 'track', 'services', index];
    if (fault && weight !== undefined)
      problems.report([...place, 'fault'], 'found true with a weight; allowed: fault: true, or a weight');
    const effect = fault ? undefined : (weight ?? DEFAULTS.serviceWeight);
    add(
      place,
      { kind: 'service', name, weight: effect },
      services.has(name) ? undefined : unknownName('service', name, services),
    );
  }
  return found;
}

/** The remedy for a weight of 0. */
const NO_WEIGHT = {
  interface: 'no weight: the instance is then in fault while the interface is down',
  service: 'fault: true',
} as const;

const OF_FILE = { service: 'a service of this file', instance: 'an instance of this file' } as const;

function unknownName(what: keyof typeof OF_FILE, name: string, known: { keys(): Iterable<string> }): string {
  const names = [...known.keys()];
  const near = closest(name, names);
  const some = names.slice(0, NAMED);
  const more = names.length > some.length ? ' and others' : '';
  const allowed = some.length === 0 ? `${OF_FILE[what]}, and there is none` : `${listOf(some, 'or')}${more}`;
  return `found the unknown ${what} ${describe(name)}${near === undefined ? '' : ` (did you mean ${near}?)`}; allowed: ${allowed}`;
}

/** Milliseconds. */
function intervalOf(text: string | undefined, version: 2 | 3): number | string {
  if (text === undefined) return SECOND;
  const [least, most, step] = version === 2 ? [SECOND, 255 * SECOND, SECOND] : [STEP, LONGEST_INTERVAL, STEP];
  const found = durationOf(text, least, most);
  if (typeof found === 'number' && found % step === 0) return found;
  const steps = version === 2 ? 'whole seconds' : `steps of ${formatDuration(STEP)}`;
  const hint = version === 2 ? '; version 3 goes down to 10ms' : '';
  return `found ${describe(text)}; allowed in version ${version}: ${formatDuration(least)} to ${formatDuration(most)}, in ${steps}${hint}`;
}

/** 'ADDRESS' or 'ADDRESS/LENGTH', alone or with a device. */
function placedAddress(raw: RawVrrp['addresses'][number]): VrrpAddress | string {
  const [text, device] = typeof raw === 'string' ? [raw, undefined] : [raw.address, raw.device];
  const slash = text.indexOf('/');
  const found = addressOf(slash < 0 ? text : text.slice(0, slash));
  const allowed = `found ${describe(text)}; allowed: an address, or ADDRESS/LENGTH`;
  if (typeof found === 'string') return allowed;
  const bits = found.family === AF_INET ? 32 : 128;
  const digits = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^[1-9][0-9]{0,2}$/.test(digits) || Number(digits) > bits) return `${allowed}, with a length from 1 to ${bits}`;
  const why = isLoopback(found) ? 'a loopback address' : notUnicast(found);
  if (why !== undefined) return `found ${describe(text)}, ${why}; allowed: an address that a host can have`;
  const { label, scope } = typeof raw === 'string' ? {} : raw;
  return { family: found.family, address: found.bytes, prefix: Number(digits), device, label, scope };
}
