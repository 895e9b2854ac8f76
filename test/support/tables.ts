// SPDX-License-Identifier: MIT
// Random tables, actual and desired, from a small set of services, real servers and addresses, so that they overlap
// often. A kernel accepts all of them.
import fc from 'fast-check';
import type { Family } from '../../src/base/addresses.ts';
import {
  type Defence,
  type Destination,
  type DestinationConfig,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_HASHED,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  type ServiceKey,
  type SynProxy,
  serviceKeyText,
} from '../../src/ipvs/index.ts';
import { addressKey, bytesKey, destinationKeyText } from '../../src/plan/keys.ts';
import type {
  Actual,
  ActualAddress,
  ActualService,
  Desired,
  DesiredAddress,
  DesiredService,
  Ownership,
} from '../../src/plan/types.ts';
import { localAddress } from './kernel-model.ts';

export interface World {
  /** The kernel has FULLNAT. */
  patched: boolean;
  /** Persistence engines that can be loaded. */
  engines: readonly string[];
  devices: readonly string[];
}

const v4 = (...bytes: number[]) => Uint8Array.from(bytes);
const v6 = (last: number) => Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
const tcp = (last: number, port: number): ServiceKey => ({
  ...{ family: 2, protocol: 6, address: v4(192, 0, 2, last), port, fwmark: 0 },
});

const KEYS: readonly ServiceKey[] = [
  tcp(1, 80),
  tcp(1, 443),
  tcp(2, 80),
  tcp(3, 0),
  { family: 2, protocol: 17, address: v4(192, 0, 2, 1), port: 53, fwmark: 0 },
  { family: 10, protocol: 6, address: v6(1), port: 80, fwmark: 0 },
  { family: 10, protocol: 17, address: v6(1), port: 53, fwmark: 0 },
  { family: 2, protocol: 0, address: v4(0, 0, 0, 0), port: 0, fwmark: 7 },
  { family: 10, protocol: 0, address: new Uint8Array(16), port: 0, fwmark: 7 },
];
const SCHEDULERS = ['rr', 'wrr', 'wlc', 'sh', 'mh', 'lblc', 'fo'];
const LOCAL = [1, 2, 3, 4].map((last) => v4(10, 9, 0, last));
const often = <T>(value: T, other: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, other);

function destination(family: Family, last: number, port: number): fc.Arbitrary<DestinationConfig> {
  const address = family === 2 ? v4(10, 0, 0, last) : v6(last);
  return fc
    .record({
      method: fc.constantFrom(IP_VS_CONN_F_MASQ, IP_VS_CONN_F_DROUTE, IP_VS_CONN_F_TUNNEL),
      weight: fc.constantFrom(0, 1, 1, 2, 100),
      upperThreshold: often(0, fc.constantFrom(10, 20)),
      lowerThreshold: often(0, fc.constantFrom(1, 5)),
      tunnelType: fc.constantFrom(0, 1, 2),
      tunnelPort: fc.constantFrom(5555, 6080),
      tunnelFlags: fc.constantFrom(0, 1, 2),
    })
    .map(({ lowerThreshold, ...rest }) => ({
      ...{ family, address, port, ...rest },
      // GRE has no remote checksum.
      tunnelFlags: rest.tunnelType === 2 ? rest.tunnelFlags & 1 : rest.tunnelFlags,
      lowerThreshold: Math.min(lowerThreshold, rest.upperThreshold),
    }));
}

/** Real servers in any order, each at most once. */
function destinations(key: ServiceKey, world: World, plain: boolean): fc.Arbitrary<DestinationConfig[]> {
  const same = fc
    .tuple(fc.constantFrom(21, 22, 23, 24), fc.constantFrom(80, 8080))
    .chain(([last, port]) => destination(key.family, last, port));
  // Another family only goes through a tunnel.
  const other = fc
    .constantFrom(31, 32)
    .chain((last) => destination(key.family === 2 ? 10 : 2, last, 80))
    .map((one) => ({ ...one, method: IP_VS_CONN_F_TUNNEL }));
  const fullnat = fc
    .boolean()
    .chain((on) => same.map((one) => (on && world.patched && plain ? { ...one, method: IP_VS_CONN_F_FULLNAT } : one)));
  const one = fc.oneof({ weight: 5, arbitrary: fullnat }, { weight: 1, arbitrary: other });
  return fc.uniqueArray(one, { maxLength: 5, selector: destinationKeyText });
}

/** A desired service with its real servers and local addresses. */
function desiredService(key: ServiceKey, world: World): fc.Arbitrary<DesiredService> {
  const full = key.family === 2 ? 0xffffffff : 128;
  return fc
    .record({
      scheduler: fc.constantFrom(...SCHEDULERS),
      schedulerFlags: often(0, fc.constantFrom(0x08, 0x10, 0x18)),
      onePacket: often(false, fc.constant(true)),
      persistent: fc.boolean(),
      timeout: fc.constantFrom(0, 60, 300),
      netmask: often(full, fc.constant(key.family === 2 ? 0xffffff00 : 64)),
      peName: key.protocol === 17 ? often('', fc.constantFrom('', ...world.engines)) : fc.constant(''),
      ports: often<[number, number] | undefined>(undefined, fc.constantFrom([5000, 5999], [20000, 65535])),
      localAddresses: fc.subarray(LOCAL),
      synProxy: often<SynProxy | undefined>(
        undefined,
        fc.constantFrom({ enabled: true }, { enabled: true, mss: 1400, windowScale: 255, sack: false }),
      ),
      defence: often<Defence | undefined>(
        undefined,
        fc.constantFrom(
          { dropStrays: true, dropFragments: false, synRate: 0, synBurst: 1 },
          { dropStrays: false, dropFragments: false, synRate: 5000, synBurst: 500 },
        ),
      ),
    })
    .chain(({ schedulerFlags, onePacket, persistent, ports, localAddresses, synProxy, defence, ...rest }) => {
      const flags =
        schedulerFlags | (onePacket ? IP_VS_SVC_F_ONEPACKET : 0) | (persistent ? IP_VS_SVC_F_PERSISTENT : 0);
      const plain = key.family === 2 && key.protocol === 6 && !key.fwmark && key.port !== 0;
      const pool = world.patched && plain;
      return destinations(key, world, plain && !onePacket && rest.peName === '').map((found) => ({
        ...{ ...key, ...rest, flags, name: `s${key.fwmark || key.port}`, destinations: found },
        localAddresses: pool ? localAddresses : [],
        establishedTimeout: undefined,
        ...(pool && ports ? { portMin: ports[0], portMax: ports[1] } : {}),
        ...(pool && synProxy && found.every(({ method }) => method === IP_VS_CONN_F_FULLNAT) ? { synProxy } : {}),
        ...(world.patched && key.protocol === 6 && defence ? { defence } : {}),
      }));
    });
}

function services(world: World): fc.Arbitrary<DesiredService[]> {
  return fc.subarray([...KEYS]).chain((keys) => fc.tuple(...keys.map((key) => desiredService(key, world))));
}

function timeouts(least: number) {
  const one = fc.constantFrom(...[least, 60, 900]);
  return fc.record({ tcp: one, tcpFin: one, udp: one });
}

/** Some of the virtual addresses and of the local addresses in use, on one of two devices. */
function desiredAddresses(wanted: readonly DesiredService[], world: World): fc.Arbitrary<DesiredAddress[]> {
  const virtual = new Map(wanted.filter(({ fwmark }) => !fwmark).map((one) => [bytesKey(one.address), one]));
  const local = new Map(wanted.flatMap((one) => one.localAddresses.map((address) => [bytesKey(address), address])));
  const [inner, outer] = [world.devices[0] ?? 'lo', world.devices[1] ?? 'lo'];
  const all: DesiredAddress[] = [
    ...[...virtual.values()].flatMap(({ family, address, name }) =>
      [inner, outer].map((device): DesiredAddress => {
        const prefix = family === 2 ? 32 : 128;
        return { device, family, address, prefix, purpose: 'virtual', name };
      }),
    ),
    ...[...local.values()].flatMap((address) =>
      [inner, outer].map(
        (device): DesiredAddress => ({ device, family: 2, address, prefix: 32, purpose: 'local', name: 'pool' }),
      ),
    ),
  ];
  const prefixes = fc.infiniteStream(fc.constantFrom(128, 128, 64));
  return fc.tuple(fc.subarray(all), prefixes).map(([some, prefix]) =>
    // The kernel accepts an IPv6 address once per device: to change the prefix, it is deleted first.
    some.map((one) => (one.family === 10 ? { ...one, prefix: prefix.next().value } : one)),
  );
}

export function desiredTables(world: World): fc.Arbitrary<Desired> {
  return fc
    .tuple(services(world), timeouts(0))
    .chain(([wanted, times]) =>
      desiredAddresses(wanted, world).map((addresses) => ({ services: wanted, addresses, timeouts: times })),
    );
}

/** A kernel's table with all of that and with connections; some addresses are lvsd's, others not. */
export function actualTables(world: World): fc.Arbitrary<Actual> {
  return desiredTables(world).chain((table) =>
    fc
      .record({
        services: fc.tuple(...table.services.map(actualService)),
        ours: fc.array(fc.boolean(), { minLength: table.addresses.length, maxLength: table.addresses.length }),
        timeouts: timeouts(120),
      })
      .map(({ services: found, ours, timeouts: times }) => ({
        services: found,
        addresses: table.addresses.map((one, index) => actualAddress(one, ours[index] ?? false)),
        timeouts: times,
      })),
  );
}

function actualAddress({ device, family, address, prefix }: DesiredAddress, ours: boolean): ActualAddress {
  return { device, family, address, prefix, ours };
}

function actualService(wanted: DesiredService): fc.Arbitrary<ActualService> {
  const { name: _, destinations: found, localAddresses, establishedTimeout: __, ...config } = wanted;
  const drains = fc.array(fc.record({ connections: fc.constantFrom(0, 0, 3), draining: fc.boolean() }), {
    minLength: localAddresses.length,
    maxLength: localAddresses.length,
  });
  return drains.map((states) => ({
    service: {
      ...config,
      ...{ flags: config.flags | IP_VS_SVC_F_HASHED, numLocalAddresses: localAddresses.length, stats: undefined },
    },
    destinations: found.map(actualDestination),
    localAddresses: localAddresses.map((address, index) =>
      localAddress(address, states[index]?.connections ?? 0, states[index]?.draining ?? false),
    ),
  }));
}

function actualDestination(wanted: DestinationConfig): Destination {
  const none = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
  return { ...wanted, ...none };
}

export function ownerships(): fc.Arbitrary<Ownership> {
  return fc.oneof(
    fc.constant<Ownership>({ all: true }),
    fc.subarray([...KEYS]).map((keys): Ownership => ({ all: false, services: new Set(keys.map(serviceKeyText)) })),
  );
}

/** A desired table that has much in common with the actual one: edits rather than replacements. */
export function related(world: World): fc.Arbitrary<{ desired: Desired; actual: Actual }> {
  return fc.tuple(desiredTables(world), actualTables(world), fc.infiniteStream(fc.boolean())).map(([a, b, keep]) => {
    const take = () => keep.next().value === true;
    const before = new Map(b.services.map((one) => [serviceKeyText(one.service), one]));
    const wanted = a.services.map((one) => {
      const was = before.get(serviceKeyText(one));
      return was && take()
        ? { ...asDesired(was, one), destinations: take() ? was.destinations : one.destinations }
        : one;
    });
    const present = new Set(b.addresses.map(addressKey));
    const addresses = a.addresses.filter((one) => !present.has(addressKey(one)) || take());
    return { desired: { ...a, services: wanted.map(consistent), addresses }, actual: b };
  });
}

function asDesired({ service, localAddresses }: ActualService, other: DesiredService): DesiredService {
  const { numLocalAddresses: _, stats: __, ...config } = service;
  return {
    ...{ ...config, flags: config.flags & ~IP_VS_SVC_F_HASHED, name: other.name, destinations: other.destinations },
    ...{ localAddresses: localAddresses.map(({ address }) => address), establishedTimeout: undefined },
  };
}

/** Corrects combinations that the kernel rejects. */
function consistent(wanted: DesiredService): DesiredService {
  const bent = (wanted.flags & IP_VS_SVC_F_ONEPACKET) !== 0 || wanted.peName !== '';
  if (!bent && wanted.destinations.every(({ method }) => method === IP_VS_CONN_F_FULLNAT)) return wanted;
  if (!bent) return { ...wanted, synProxy: undefined };
  return {
    ...wanted,
    synProxy: undefined,
    destinations: wanted.destinations.map((one) =>
      one.method === IP_VS_CONN_F_FULLNAT ? { ...one, method: IP_VS_CONN_F_MASQ } : one,
    ),
  };
}
