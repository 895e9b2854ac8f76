// SPDX-License-Identifier: MIT
/** Converts between IPVS types and netlink attributes; no sockets. */
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { MalformedError } from '../base/errors.ts';
import { host } from '../netlink/endian.ts';
import {
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_LADDR_F_DRAIN,
  IPVS_DEFENCE_F_DROP_FRAGMENTS,
  IPVS_DEFENCE_F_DROP_STRAYS,
} from './constants.ts';
import type { CommandAttributes, InfoAttributes, ReplyAttributes } from './tables.ts';
import {
  type Defence,
  type Destination,
  type DestinationConfig,
  type DestinationKey,
  FEATURES,
  type IpvsInfo,
  type LocalAddress,
  type Service,
  type ServiceConfig,
  type ServiceKey,
  type Stats,
  type SyncDaemon,
  type SynProxy,
} from './types.ts';

type ServiceAttributes = NonNullable<CommandAttributes['service']>;
type SynProxyAttributes = NonNullable<ServiceAttributes['synProxy']>;
type DefenceAttributes = NonNullable<ServiceAttributes['defence']>;
type DestAttributes = NonNullable<CommandAttributes['dest']>;
type DaemonAttributes = NonNullable<CommandAttributes['daemon']>;

const ALL_FLAGS = 0xffffffff;
const HOST_MASK = 0xffffffff;

/**
 * Encodes a service like libipvs: key and all settings in every command, although only NEW_SERVICE and SET_SERVICE read
 * more than the key. `mask` selects the flags that SET_SERVICE changes.
 */
export function serviceAttributes(service: ServiceKey | ServiceConfig, mask = ALL_FLAGS): ServiceAttributes {
  const config: Partial<ServiceConfig> = service;
  const { family } = service;
  const key = serviceKeyAttributes(service);
  key.scheduler = config.scheduler ?? '';
  if (config.peName) key.peName = config.peName;
  key.flags = flagsAndMask(config.flags ?? 0, mask);
  key.timeout = config.timeout ?? 0;
  key.netmask = netmaskOnWire(family, config.netmask ?? (family === AF_INET6 ? 128 : HOST_MASK));
  if (config.portMin !== undefined) key.portMin = config.portMin;
  if (config.portMax !== undefined) key.portMax = config.portMax;
  if (config.synProxy) key.synProxy = synProxyAttributes(config.synProxy);
  if (config.defence) key.defence = defenceAttributes(config.defence);
  return key;
}

function synProxyAttributes({ enabled, mss, windowScale, sack, timestamps, window }: SynProxy): SynProxyAttributes {
  const attributes = {
    enable: Number(enabled),
    mss,
    windowScale,
    sack: sack === undefined ? undefined : Number(sack),
    timestamps: timestamps === undefined ? undefined : Number(timestamps),
    window,
  };
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as SynProxyAttributes;
}

function readSynProxy({ enable, mss, windowScale, sack, timestamps, window }: SynProxyAttributes): SynProxy {
  return {
    enabled: enable === 1,
    mss,
    windowScale,
    sack: sack === undefined ? undefined : sack === 1,
    timestamps: timestamps === undefined ? undefined : timestamps === 1,
    window,
  };
}

function defenceAttributes({ dropStrays, dropFragments, synRate, synBurst }: Defence): DefenceAttributes {
  const flags = (dropStrays ? IPVS_DEFENCE_F_DROP_STRAYS : 0) | (dropFragments ? IPVS_DEFENCE_F_DROP_FRAGMENTS : 0);
  return { flags, synRate, synBurst };
}

function readDefence({ flags = 0, synRate = 0, synBurst = 1 }: DefenceAttributes): Defence {
  return {
    dropStrays: (flags & IPVS_DEFENCE_F_DROP_STRAYS) !== 0,
    dropFragments: (flags & IPVS_DEFENCE_F_DROP_FRAGMENTS) !== 0,
    synRate,
    synBurst,
  };
}

/** Only the key of a service. */
export function serviceKeyAttributes({ family, protocol, address, port, fwmark }: ServiceKey): ServiceAttributes {
  return fwmark ? { family, fwmark } : { family, protocol, address, port };
}

/** Encodes a destination like libipvs: all settings in every command. The method is masked to its 3 bits. */
export function destinationAttributes(dest: DestinationKey | DestinationConfig): DestAttributes {
  const config: Partial<DestinationConfig> = dest;
  return {
    family: dest.family,
    address: dest.address,
    port: dest.port,
    method: (config.method ?? 0) & IP_VS_CONN_F_FWD_MASK,
    weight: config.weight ?? 0,
    tunnelType: config.tunnelType ?? 0,
    tunnelPort: config.tunnelPort ?? 0,
    tunnelFlags: config.tunnelFlags ?? 0,
    upperThreshold: config.upperThreshold ?? 0,
    lowerThreshold: config.lowerThreshold ?? 0,
  };
}

/** Encodes a synchronisation daemon; undefined settings are omitted. */
export function daemonAttributes(daemon: SyncDaemon): DaemonAttributes {
  const group = daemon.group?.length === 16 ? { group6: daemon.group } : { group: daemon.group };
  const attributes = {
    state: daemon.state,
    interface: daemon.interface,
    syncId: daemon.syncId,
    maxLength: daemon.maxLength,
    port: daemon.port,
    ttl: daemon.ttl,
    ...group,
  };
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as DaemonAttributes;
}

/** Undefined if the message has no service. Throws MalformedError. */
export function readService({ service }: ReplyAttributes): Service | undefined {
  if (!service) return undefined;
  const family = readFamily(service.family);
  return {
    family,
    protocol: service.protocol ?? 0,
    address: readAddress(family, service.address ?? new Uint8Array(16)),
    port: service.port ?? 0,
    fwmark: service.fwmark ?? 0,
    scheduler: service.scheduler ?? '',
    flags: service.flags ? firstWord(service.flags) : 0,
    timeout: service.timeout ?? 0,
    netmask: netmaskOnWire(family, service.netmask ?? 0),
    peName: service.peName ?? '',
    portMin: service.portMin,
    portMax: service.portMax,
    synProxy: service.synProxy && readSynProxy(service.synProxy),
    defence: service.defence && readDefence(service.defence),
    numLocalAddresses: service.numLocalAddresses,
    stats: service.stats && readStats(service.stats),
  };
}

/** Kernels before 3.18 do not report the family; it is then `serviceFamily`. */
export function readDestination({ dest }: ReplyAttributes, serviceFamily: Family): Destination | undefined {
  if (!dest) return undefined;
  const family = dest.family ? readFamily(dest.family) : serviceFamily;
  return {
    family,
    address: readAddress(family, dest.address),
    port: dest.port ?? 0,
    method: (dest.method ?? 0) & IP_VS_CONN_F_FWD_MASK,
    weight: (dest.weight ?? 0) | 0,
    upperThreshold: dest.upperThreshold ?? 0,
    lowerThreshold: dest.lowerThreshold ?? 0,
    tunnelType: dest.tunnelType ?? 0,
    tunnelPort: dest.tunnelPort ?? 0,
    tunnelFlags: dest.tunnelFlags ?? 0,
    activeConnections: dest.activeConnections ?? 0,
    inactiveConnections: dest.inactiveConnections ?? 0,
    persistentConnections: dest.persistentConnections ?? 0,
    stats: dest.stats && readStats(dest.stats),
  };
}

/** Undefined if the message has no local address. Throws MalformedError. */
export function readLocalAddress({ localAddress }: ReplyAttributes, serviceFamily: Family): LocalAddress | undefined {
  if (!localAddress) return undefined;
  const family = localAddress.family ? readFamily(localAddress.family) : serviceFamily;
  return {
    family,
    address: readAddress(family, localAddress.address),
    conflicts: localAddress.conflicts ?? 0n,
    connections: localAddress.connections ?? 0,
    portsInUse: localAddress.portsInUse ?? 0,
    portsTotal: localAddress.portsTotal ?? 0,
    exhausted: localAddress.exhausted ?? 0n,
    draining: ((localAddress.flags ?? 0) & IP_VS_LADDR_F_DRAIN) !== 0,
  };
}

/** Undefined if the message has no daemon. */
export function readDaemon({ daemon }: ReplyAttributes): SyncDaemon | undefined {
  return (
    daemon && {
      state: daemon.state ?? 0,
      interface: daemon.interface ?? '',
      syncId: daemon.syncId ?? 0,
      maxLength: daemon.maxLength,
      group: daemon.group6 ?? daemon.group,
      port: daemon.port,
      ttl: daemon.ttl,
    }
  );
}

/** Decodes the answer to GET_INFO; a stock kernel sends version and table size only. */
export function readInfo(info: InfoAttributes): IpvsInfo {
  const bits = info.features ?? new Uint8Array(0);
  const features = FEATURES.filter((_, bit) => featureBit(bits, bit));
  return {
    version: info.version ?? 0,
    tableSize: info.tableSize ?? 0,
    features: new Set(features),
    generation: info.generation,
    buildId: info.buildId,
    cookieKeys: words(info.cookieKeys ?? new Uint8Array(0)),
  };
}

function words(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length >> 2 }, (_, at) => host.readU32(bytes, 4 * at));
}

/** The bitmap is an array of 32-bit words in the host's order. */
function featureBit(bits: Uint8Array, bit: number): boolean {
  const word = (bit >> 5) * 4;
  if (word + 4 > bits.length) return false;
  return ((host.readU32(bits, word) >>> (bit & 31)) & 1) === 1;
}

/** struct ip_vs_flags. */
function flagsAndMask(flags: number, mask: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(8);
  host.writeU32(buffer, flags >>> 0, 0);
  host.writeU32(buffer, mask >>> 0, 4);
  return buffer;
}

function firstWord(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new MalformedError(`malformed IPVS message: service flags of ${bytes.length} bytes`);
  return host.readU32(bytes, 0);
}

function readFamily(family: number | undefined): Family {
  if (family !== AF_INET && family !== AF_INET6)
    throw new MalformedError(`malformed IPVS message: unexpected address family: ${family ?? 'none'}`);
  return family;
}

function readAddress(family: Family, bytes: Uint8Array | undefined): Uint8Array {
  const length = family === AF_INET ? 4 : 16;
  if (!bytes || bytes.length < length)
    throw new MalformedError('malformed IPVS message: an address is missing or too short');
  if (bytes.length === length) return bytes;
  // For few bytes, a loop is cheaper than creating a view.
  const address = new Uint8Array(length);
  for (let i = 0; i < length; i++) address[i] = bytes[i] as number;
  return address;
}

const swap = new Uint8Array(4);

/** Converts in both directions: an IPv4 mask is in network byte order, an IPv6 prefix length in host order. */
export function netmaskOnWire(family: Family, netmask: number): number {
  if (family === AF_INET6) return netmask;
  for (let i = 0; i < 4; i++) swap[i] = netmask >>> (24 - 8 * i);
  return host.readU32(swap, 0);
}

function readStats(stats: Partial<Stats>): Stats {
  return {
    connections: stats.connections ?? 0n,
    inPackets: stats.inPackets ?? 0n,
    outPackets: stats.outPackets ?? 0n,
    inBytes: stats.inBytes ?? 0n,
    outBytes: stats.outBytes ?? 0n,
    connectionRate: stats.connectionRate ?? 0n,
    inPacketRate: stats.inPacketRate ?? 0n,
    outPacketRate: stats.outPacketRate ?? 0n,
    inByteRate: stats.inByteRate ?? 0n,
    outByteRate: stats.outByteRate ?? 0n,
  };
}
