// SPDX-License-Identifier: MIT
/** The desired state of the kernel's table and of the devices, from the configuration and the runtime state. Pure. */
import { AF_INET } from '../../base/addresses.ts';
import type { Config } from '../../config/types.ts';
import { type DestinationConfig, IP_VS_STATE_BACKUP, IP_VS_STATE_MASTER, type SyncDaemon } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { Desired, DesiredAddress, DesiredService } from '../../plan/types.ts';
import type { RuntimeState } from './runtime-state.ts';
import { synProxyOffer } from './syn-proxy.ts';
import type { VirtualService } from './virtual-services.ts';

/** Desired services of one runtime state, with the version of the state that each was computed from. */
export type DesiredCache = WeakMap<VirtualService, { version: number; service: DesiredService }>;

/** With the `cache` of an earlier call for the same runtime state, unchanged services are the same objects again. */
export function desiredState(config: Config, runtime: RuntimeState, cache: DesiredCache = new WeakMap()): Desired {
  return {
    services: runtime.services.map((service) => cachedService(service, runtime, cache)),
    addresses: [...virtualAddresses(runtime), ...localAddresses(config)],
    timeouts: {
      tcp: config.timeouts.tcp ?? 0,
      tcpFin: config.timeouts.tcpFin ?? 0,
      udp: config.timeouts.udp ?? 0,
    },
    syncDaemons: syncDaemons(config, runtime),
    followed: followedAddresses(config),
  };
}

function cachedService(virtualService: VirtualService, runtime: RuntimeState, cache: DesiredCache): DesiredService {
  const version = runtime.version(virtualService);
  const before = cache.get(virtualService);
  if (before?.version === version) return before.service;
  const service = desiredService(virtualService, runtime);
  cache.set(virtualService, { version, service });
  return service;
}

function desiredService(virtualService: VirtualService, runtime: RuntimeState): DesiredService {
  const { spec, config, virtual } = virtualService;
  const serving = destinations(virtualService, runtime);
  const draining = runtime.drainingOf(virtualService);
  // A draining server may be the sorry server by now.
  const keys = new Set(draining.length > 0 ? serving.map(destinationKeyText) : []);
  const leaving = draining.map((one) => one.destination).filter((one) => !keys.has(destinationKeyText(one)));
  const pool = spec.localAddresses?.addresses.filter(({ family }) => family === virtual.family) ?? [];
  return {
    family: config.family,
    protocol: config.protocol,
    address: config.address,
    port: config.port,
    fwmark: config.fwmark,
    scheduler: config.scheduler,
    flags: config.flags,
    timeout: config.timeout,
    netmask: config.netmask,
    peName: config.peName,
    portMin: config.portMin,
    portMax: config.portMax,
    synProxy: synProxyOffer(virtualService, runtime),
    defence: config.defence,
    name: spec.name,
    destinations: [...serving, ...leaving],
    localAddresses: pool.map(({ address }) => address),
    establishedTimeout: spec.establishedTimeout,
  };
}

/**
 * Without a sorry server a lost quorum changes nothing here: real servers that are up keep serving. With a sorry server
 * they get weight 0, so that they take no new connections and keep their existing ones.
 */
function destinations(service: VirtualService, runtime: RuntimeState): DestinationConfig[] {
  const sorry = runtime.quorumUp(service) ? undefined : service.sorryServer;
  const wanted: DestinationConfig[] = sorry ? [sorry] : [];
  for (const server of service.realServers) {
    // The sorry server may be one of the real servers.
    if (sorry && server.key === destinationKeyText(sorry)) continue;
    const state = runtime.serverState(service, server);
    const serves = state === 'up' || state === 'unchecked';
    if (serves && !sorry) wanted.push(weighted(server.destination, runtime.weightOf(service, server)));
    else if (state !== 'down' || service.spec.onFailure === 'inhibit')
      wanted.push({ ...server.destination, weight: 0 });
  }
  return wanted;
}

const weighted = (destination: DestinationConfig, weight: number): DestinationConfig =>
  destination.weight === weight ? destination : { ...destination, weight };

/**
 * A virtual address is needed while one of its services has its quorum or a sorry server, or has a real server that
 * drains: without the address its connections would be cut.
 */
function virtualAddresses(runtime: RuntimeState): DesiredAddress[] {
  const isNeeded = (service: VirtualService) =>
    runtime.quorumUp(service) ||
    service.sorryServer !== undefined ||
    runtime.drainingOf(service).length > 0 ||
    runtime.hasDrainedServer(service);
  const found = new Map<string, DesiredAddress>();
  for (const service of runtime.services) {
    const { device, name } = service.spec;
    if (device === undefined || !isNeeded(service)) continue;
    const { family, address } = service.virtual;
    const key = `${device} ${Buffer.from(address).toString('hex')}`;
    if (!found.has(key))
      found.set(key, { device, family, address, prefix: hostPrefix(family), purpose: 'virtual', name });
  }
  return [...found.values()];
}

function followedAddresses({ localAddresses }: Config): Uint8Array[] {
  return [...localAddresses.values()].flatMap(({ follow, addresses }) =>
    follow === undefined ? [] : addresses.map(({ address }) => address),
  );
}

/** Addresses that follow a virtual router are placed by the VRRP process. */
function localAddresses(config: Config): DesiredAddress[] {
  return [...config.localAddresses.values()].flatMap(({ device, follow, addresses, name }) =>
    device === undefined || follow !== undefined
      ? []
      : addresses.map(({ family, address }) => ({
          device,
          family,
          address,
          prefix: hostPrefix(family),
          purpose: 'local' as const,
          name,
        })),
  );
}

/** Undefined: not lvsd's. A node always receives the connections of the others; it sends its own while it is master. */
export function syncDaemons({ connectionSync }: Config, { masters, ownsSync }: RuntimeState): SyncDaemon[] | undefined {
  if (connectionSync === undefined) return ownsSync ? [] : undefined;
  const { device, id, follow } = connectionSync;
  const states =
    follow === undefined || masters.has(follow) ? [IP_VS_STATE_BACKUP, IP_VS_STATE_MASTER] : [IP_VS_STATE_BACKUP];
  return states.map((state) => ({ state, interface: device, syncId: id }));
}

const hostPrefix = (family: number) => (family === AF_INET ? 32 : 128);
