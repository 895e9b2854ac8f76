// SPDX-License-Identifier: MIT
/** Services, real servers and local addresses as JSON. The names are a contract: docs/lvsadm.schema.json. */
import { AF_INET6, formatAddress } from '../../../base/addresses.ts';
import {
  type Defence,
  type Destination,
  FORWARDING,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
  type LocalAddress,
  namesByNumber,
  PROTOCOLS,
  type Service,
  type ServiceKey,
  type Stats,
  TUNNELS,
  tunnelChecksum,
} from '../../../ipvs/index.ts';
import { schedulerFlagsText } from '../../command-line/scheduler-flags.ts';
import { netmaskText } from '../texts.ts';
import type { Json } from './text.ts';

const protocols = namesByNumber(PROTOCOLS, 'name');
const methods = namesByNumber(FORWARDING, 'json');
const tunnels = namesByNumber(TUNNELS, 'name');

export interface ServiceParts {
  service: Service;
  destinations?: readonly Destination[] | undefined;
  /** Undefined on a kernel without FULLNAT. */
  localAddresses?: readonly LocalAddress[] | undefined;
}

export function serviceJson({ service, destinations, localAddresses }: ServiceParts): Json {
  const { scheduler, flags } = service;
  const schedulerFlags = schedulerFlagsText(flags, scheduler);
  return {
    ...serviceKeyJson(service),
    scheduler,
    schedulerFlags: schedulerFlags ? schedulerFlags.split(',') : [],
    persistence: flags & IP_VS_SVC_F_PERSISTENT ? persistenceJson(service) : null,
    persistenceEngine: service.peName || null,
    onePacket: (flags & IP_VS_SVC_F_ONEPACKET) !== 0,
    synProxy: (flags & IP_VS_SVC_F_SYNPROXY) !== 0,
    defence: service.defence ? defenceJson(service.defence) : null,
    localPorts: service.portMin || service.portMax ? { min: service.portMin ?? 0, max: service.portMax ?? 0 } : null,
    ...statsJson(service.stats),
    localAddresses: localAddresses?.map(localAddressJson),
    realServers: destinations?.map(destinationJson),
  };
}

function defenceJson({ dropStrays, dropFragments, synRate, synBurst }: Defence): Json {
  return { dropStrays, dropFragments, synRate, synBurst };
}

/** Either fwmark, or protocol, address and port. */
export function serviceKeyJson({ family, protocol, address, port, fwmark }: ServiceKey): {
  readonly [name: string]: Json;
} {
  const start = { family: family === AF_INET6 ? 'ipv6' : 'ipv4' };
  if (fwmark) return { ...start, fwmark };
  return { ...start, protocol: protocols[protocol] ?? String(protocol), address: formatAddress(family, address), port };
}

function persistenceJson(service: Service): Json {
  return { timeout: service.timeout, netmask: netmaskText(service) ?? null };
}

function destinationJson(dest: Destination): Json {
  return {
    address: formatAddress(dest.family, dest.address),
    port: dest.port,
    forward: methods[dest.method] ?? String(dest.method),
    weight: dest.weight,
    upperThreshold: dest.upperThreshold,
    lowerThreshold: dest.lowerThreshold,
    tunnel: dest.method === IP_VS_CONN_F_TUNNEL ? tunnelJson(dest) : null,
    activeConnections: dest.activeConnections,
    inactiveConnections: dest.inactiveConnections,
    persistentConnections: dest.persistentConnections,
    ...statsJson(dest.stats),
  };
}

function tunnelJson({ tunnelType, tunnelPort, tunnelFlags }: Destination): Json {
  return {
    type: tunnels[tunnelType] ?? String(tunnelType),
    port: tunnelPort,
    checksum: tunnelChecksum(tunnelFlags).json,
  };
}

export function localAddressJson(entry: LocalAddress): Json {
  const { family, address, conflicts, connections, portsInUse, portsTotal, exhausted, draining } = entry;
  return {
    address: formatAddress(family, address),
    conflicts,
    connections,
    portsInUse,
    portsTotal,
    exhausted,
    draining,
  };
}

function statsJson(stats: Stats | undefined): { readonly [name: string]: Json } {
  if (!stats) return {};
  const { connections, inPackets, outPackets, inBytes, outBytes } = stats;
  return {
    stats: { connections, inPackets, outPackets, inBytes, outBytes },
    rates: {
      connections: stats.connectionRate,
      inPackets: stats.inPacketRate,
      outPackets: stats.outPacketRate,
      inBytes: stats.inByteRate,
      outBytes: stats.outByteRate,
    },
  };
}
