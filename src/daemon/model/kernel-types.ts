// SPDX-License-Identifier: MIT
/** Converts specs of the configuration to the kernel's types. */
import { AF_INET } from '../../base/addresses.ts';
import type { RealServerSpec, ServiceSpec, Sorry, SynProxyOffer, Virtual } from '../../config/types.ts';
import {
  type DestinationConfig,
  FORWARDING,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
  IP_VS_SYNPROXY_NO_WSCALE,
  numbersByName,
  PROTOCOLS,
  type ServiceConfig,
  type SynProxy,
  TUNNEL_CHECKSUMS,
  TUNNELS,
} from '../../ipvs/index.ts';

const SCHEDULER_FLAGS = {
  'flag-1': IP_VS_SVC_F_SCHED1,
  'flag-2': IP_VS_SVC_F_SCHED2,
  'flag-3': IP_VS_SVC_F_SCHED3,
} as const;

const PROTOCOL_NUMBERS = numbersByName(PROTOCOLS, 'name');
const METHODS = numbersByName(FORWARDING, 'yaml');
const TUNNEL_TYPES = numbersByName(TUNNELS, 'name');
const CHECKSUMS = numbersByName(TUNNEL_CHECKSUMS, 'yaml');

/** One virtual service of the spec. */
export function serviceConfig(spec: ServiceSpec, virtual: Virtual): ServiceConfig {
  const { persistence } = spec;
  let flags = 0;
  for (const flag of spec.schedulerFlags) flags |= SCHEDULER_FLAGS[flag];
  if (persistence) flags |= IP_VS_SVC_F_PERSISTENT;
  if (spec.onePacket) flags |= IP_VS_SVC_F_ONEPACKET;
  const whole = virtual.family === AF_INET ? 32 : 128;
  const granularity = persistence?.granularity ?? whole;
  return {
    family: virtual.family,
    protocol: PROTOCOL_NUMBERS[virtual.protocol],
    address: virtual.address,
    port: virtual.port,
    fwmark: virtual.fwmark,
    scheduler: spec.scheduler,
    flags,
    timeout: persistence?.timeout ?? 0,
    netmask: virtual.family === AF_INET ? prefixMask(granularity) : granularity,
    peName: persistence?.engine ?? '',
    portMin: spec.localAddresses?.ports?.min,
    portMax: spec.localAddresses?.ports?.max,
    synProxy: spec.synProxy && synProxy(spec.synProxy),
    defence: spec.defence,
  };
}

function synProxy({ windowScale, ...offer }: SynProxyOffer): SynProxy {
  return { enabled: true, ...offer, windowScale: windowScale === 'none' ? IP_VS_SYNPROXY_NO_WSCALE : windowScale };
}

/** A real server of one virtual service, with its configured weight. */
export function destinationConfig(server: RealServerSpec, virtual: Virtual): DestinationConfig {
  const { weight, upperThreshold, lowerThreshold } = server;
  return destination(server, virtual, weight, upperThreshold, lowerThreshold);
}

/** A sorry server of one virtual service, with weight 1. */
export function sorryConfig(sorry: Sorry, virtual: Virtual): DestinationConfig {
  return destination(sorry, virtual, 1, 0, 0);
}

/** Written as one literal, because a start creates tens of thousands of them. */
function destination(
  server: Pick<RealServerSpec, 'family' | 'address' | 'port' | 'forward'>,
  virtual: Virtual,
  weight: number,
  upperThreshold: number,
  lowerThreshold: number,
): DestinationConfig {
  const { family, address, forward } = server;
  const tunnel = forward.method === 'tunnel' ? forward : undefined;
  return {
    family,
    address,
    port: server.port || virtual.port,
    method: METHODS[forward.method],
    weight,
    upperThreshold,
    lowerThreshold,
    tunnelType: tunnel ? TUNNEL_TYPES[tunnel.type] : 0,
    tunnelPort: tunnel ? tunnel.port : 0,
    tunnelFlags: tunnel ? CHECKSUMS[tunnel.checksum] : 0,
  };
}

/** 24 -> 0xffffff00. */
function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}
