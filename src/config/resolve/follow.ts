// SPDX-License-Identifier: MIT
/** Rules about what follows a virtual router: pools of local addresses, connection sync. */
import { formatAddress } from '../../base/addresses.ts';
import { describe, listOf } from '../describe.ts';
import { DEFAULTS } from '../limits.ts';
import type { RawConfig, RawPool } from '../schema.ts';
import { closest } from '../suggest.ts';
import type { ConnectionSync, ServiceSpec, VrrpInstance } from '../types.ts';
import type { ProblemSink } from './problem-sink.ts';
import { addressId } from './values.ts';

type Instances = ReadonlyMap<string, VrrpInstance>;

export function resolveSync(
  { connection_sync: raw }: RawConfig,
  instances: Instances,
  problems: ProblemSink,
): ConnectionSync | undefined {
  if (raw === undefined) return undefined;
  const { device, id = DEFAULTS.syncId, follow } = raw;
  checkName(follow, ['connection_sync', 'follow'], instances, problems);
  return { device, id, follow };
}

/** A service and the pool that it uses must be on the same node. */
export function checkPools(
  pools: Readonly<Record<string, RawPool>>,
  services: ReadonlyMap<string, ServiceSpec>,
  instances: Instances,
  problems: ProblemSink,
): void {
  for (const [name, { device, follow }] of Object.entries(pools)) {
    const path = ['local_addresses', name, 'follow'];
    checkName(follow, path, instances, problems);
    if (follow !== undefined && device === undefined)
      problems.report(path, `found ${describe(follow)} without device; allowed: with device, which gets the addresses`);
  }
  const holders = new Map<number | string, string>();
  for (const { name, addresses, extraAddresses } of instances.values())
    for (const { address } of [...addresses, ...extraAddresses]) holders.set(addressId(address), name);
  for (const [name, { virtuals, localAddresses }] of services) {
    const [first] = virtuals;
    const follow = localAddresses?.follow;
    if (follow === undefined || first === undefined || first.fwmark !== 0 || !instances.has(follow)) continue;
    const holder = holders.get(addressId(first.address));
    if (holder === undefined || holder === follow || isOneGroup(holder, follow, instances)) continue;
    const text = `found ${describe(localAddresses?.name)}, a pool that follows ${follow}, for ${formatAddress(first.family, first.address)}, which follows ${holder}; allowed: a pool that follows ${holder}, or none, since the two may be on different nodes`;
    problems.report(['services', name, 'local_addresses'], text);
  }
}

/** Members of a group are always on one node. */
function isOneGroup(one: string, other: string, instances: Instances): boolean {
  const group = instances.get(one)?.group;
  return group !== undefined && group === instances.get(other)?.group;
}

function checkName(name: string | undefined, path: string[], instances: Instances, problems: ProblemSink): void {
  if (name === undefined || instances.has(name) || problems.isInvalid('vrrp', name)) return;
  const names = [...instances.keys()];
  const near = closest(name, names);
  const allowed = names.length === 0 ? 'a virtual router under vrrp, and there is none' : listOf(names, 'or');
  problems.report(
    path,
    `found the unknown virtual router ${describe(name)}; allowed: ${allowed}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
  );
}
