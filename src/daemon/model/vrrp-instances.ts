// SPDX-License-Identifier: MIT
/** The VRRP process's configuration from that of the file. Pure. */
import { formatAddress } from '../../base/addresses.ts';
import type { Config, LocalAddressPool, VrrpAddress, VrrpInstance } from '../../config/types.ts';
import type { InstanceConfiguration, PlacedAddress } from '../../vrrp/configuration.ts';
import type { RuntimeState } from './runtime-state.ts';

/** Microseconds of a millisecond. */
const MILLISECOND = 1000;
/**
 * Milliseconds for which a node with `preempt: { after: synced }` leaves a lower master in place: the kernel sends a
 * connection with the first packet after each 10 s (src/daemon/reconcile/sysctls.ts), and never all of them at once.
 */
const SYNC_TIME = 30_000;

/** Whether the services that instances track have their quorum, on all of their ports. */
export function trackedServices({ vrrp }: Config, runtime: RuntimeState): Record<string, boolean> {
  const names = [...vrrp.values()].flatMap(({ track }) =>
    track.flatMap((one) => (one.kind === 'service' ? one.name : [])),
  );
  const up = new Map(names.map((name) => [name, true]));
  if (up.size === 0) return {};
  for (const service of runtime.services) {
    const { name } = service.spec;
    if (up.has(name) && !runtime.quorumUp(service)) up.set(name, false);
  }
  return Object.fromEntries(up);
}

/** Whether each target of the tracked services has a result. */
export function trackedChecked(
  config: Config,
  runtime: RuntimeState,
  states: { get(id: string): { probed: boolean } | undefined },
): boolean {
  const names = new Set(Object.keys(trackedServices(config, runtime)));
  return runtime.services
    .filter(({ spec }) => names.has(spec.name))
    .flatMap(({ realServers }) => realServers)
    .every(({ targets }) => targets.every(({ id }) => states.get(id)?.probed !== false));
}

export function vrrpInstances({ vrrp, localAddresses }: Config): InstanceConfiguration[] {
  const pools = [...localAddresses.values()];
  return [...vrrp.values()].map((instance) => toConfiguration(instance, pools));
}

function toConfiguration(instance: VrrpInstance, pools: readonly LocalAddressPool[]): InstanceConfiguration {
  const { family, source, peers, password, minTtl } = instance;
  const text = (address: Uint8Array) => formatAddress(family, address);
  // A node's own address may be among the peers, so that all nodes can have one file.
  const others = peers?.map(text).filter((peer) => source === undefined || peer !== text(source));
  return {
    name: instance.name,
    interface: instance.device,
    family,
    virtualRouterId: instance.virtualRouterId,
    settings: {
      version: instance.version,
      priority: instance.priority,
      interval: instance.interval * MILLISECOND,
      downAfter: instance.downAfter,
      preempt: instance.preempt,
      preemptDelay: MILLISECOND * Math.max(instance.preemptDelay, instance.preemptAfter === 'synced' ? SYNC_TIME : 0),
      ...(instance.startDelay === undefined ? {} : { startDelay: instance.startDelay * MILLISECOND }),
      ...(instance.group === undefined ? {} : { grouped: true }),
      answerLower: instance.answerLower,
    },
    addresses: instance.addresses.map(placed),
    extraAddresses: instance.extraAddresses.map(placed),
    localAddresses: pools.filter(({ follow }) => follow === instance.name).flatMap(placedPool),
    fromAnywhere: instance.fromAnywhere,
    checksumWithoutPseudoHeader: false,
    announce: instance.announce,
    waitsForChecks: instance.preemptAfter !== 'now',
    ...(instance.group === undefined ? {} : { group: instance.group }),
    track: instance.track.map(({ kind, name, weight }) => ({
      kind,
      name,
      ...(weight === undefined ? {} : { weight }),
    })),
    ...(source === undefined ? {} : { source: text(source) }),
    ...(others === undefined
      ? {}
      : { peers: others.map((address) => ({ address, ...(minTtl === undefined ? {} : { minTtl }) })) }),
    ...(password === undefined ? {} : { password }),
  };
}

function placedPool({ device, addresses }: LocalAddressPool): PlacedAddress[] {
  if (device === undefined) return [];
  return addresses.map(({ family, address }) => ({
    address: formatAddress(family, address),
    prefix: 8 * address.length,
    device,
    purpose: 'local',
  }));
}

function placed({ family, address, prefix, device, label, scope }: VrrpAddress): PlacedAddress {
  return {
    address: formatAddress(family, address),
    prefix,
    ...(device === undefined ? {} : { device }),
    ...(label === undefined ? {} : { label }),
    ...(scope === undefined ? {} : { scope }),
  };
}
