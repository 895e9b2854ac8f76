// SPDX-License-Identifier: MIT
/**
 * Services and destinations as objects: with default settings, in canonical form, and as the kernel reports a new one.
 * Each is written as one literal, because a start creates tens of thousands of them.
 */
import { AF_INET } from '../base/addresses.ts';
import {
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
} from './constants.ts';
import type {
  CompleteSynProxy,
  Defence,
  Destination,
  DestinationConfig,
  DestinationKey,
  Service,
  ServiceConfig,
  ServiceKey,
  SynProxy,
} from './types.ts';

/** The flags that are set and compared. IP_VS_SVC_F_HASHED is internal to the kernel; all others are left unchanged. */
export const SERVICE_FLAGS =
  IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_ONEPACKET | IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | IP_VS_SVC_F_SCHED3;

/** A service without scheduler, persistence and flags. */
export function defaultService({ family, protocol, address, port, fwmark }: ServiceKey): ServiceConfig {
  return {
    family,
    protocol,
    address,
    port,
    fwmark,
    scheduler: '',
    flags: 0,
    timeout: 0,
    netmask: family === AF_INET ? 0xffffffff : 128,
    peName: '',
  };
}

/** A destination with weight 0, method 0 and no limits. */
export function defaultDestination({ family, address, port }: DestinationKey): DestinationConfig {
  return {
    family,
    address,
    port,
    method: 0,
    weight: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
  };
}

/** A copy with only the properties that are sent to the kernel and the flags in SERVICE_FLAGS. */
export function canonicalService(service: ServiceConfig): ServiceConfig {
  return {
    family: service.family,
    protocol: service.protocol,
    address: service.address,
    port: service.port,
    fwmark: service.fwmark,
    scheduler: service.scheduler,
    flags: service.flags & SERVICE_FLAGS,
    timeout: service.timeout,
    netmask: service.netmask,
    peName: service.peName,
    portMin: service.portMin,
    portMax: service.portMax,
    synProxy: service.synProxy && completeSynProxy(service.synProxy),
    defence: service.defence && canonicalDefence(service.defence),
  };
}

/** The absence of a defence, which the kernel reports by no attribute. */
export const NO_DEFENCE: Defence = { dropStrays: false, dropFragments: false, synRate: 0, synBurst: 1 };

/** Without a limit of SYNs their burst has no effect. */
export function canonicalDefence(defence: Defence): Defence {
  return defence.synRate === 0 ? { ...defence, synBurst: NO_DEFENCE.synBurst } : defence;
}

export function isDefended(defence: Defence | undefined): defence is Defence {
  return defence !== undefined && (defence.dropStrays || defence.dropFragments || defence.synRate > 0);
}

/** SYN proxy with the kernel's defaults for undefined settings. */
export function completeSynProxy(synProxy: SynProxy): CompleteSynProxy {
  return {
    enabled: synProxy.enabled,
    mss: synProxy.mss ?? 0,
    windowScale: synProxy.windowScale ?? 7,
    sack: synProxy.sack ?? true,
    timestamps: synProxy.timestamps ?? true,
    window: synProxy.window ?? 2896,
  };
}

/** Sets tunnel settings to 0 where the method or tunnel type ignores them. Returns the same object if none changes. */
export function canonicalDestination(destination: DestinationConfig): DestinationConfig {
  const tunnel = destination.method === IP_VS_CONN_F_TUNNEL;
  const tunnelType = tunnel ? destination.tunnelType : 0;
  const tunnelPort = tunnel && tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE ? destination.tunnelPort : 0;
  const tunnelFlags = tunnel && tunnelType !== IP_VS_CONN_F_TUNNEL_TYPE_IPIP ? destination.tunnelFlags : 0;
  if (
    tunnelType === destination.tunnelType &&
    tunnelPort === destination.tunnelPort &&
    tunnelFlags === destination.tunnelFlags
  )
    return destination;
  return { ...destination, tunnelType, tunnelPort, tunnelFlags };
}

/** As the kernel reports it directly after it was added. */
export function addedService(service: ServiceConfig): Service {
  return {
    family: service.family,
    protocol: service.protocol,
    address: service.address,
    port: service.port,
    fwmark: service.fwmark,
    scheduler: service.scheduler,
    flags: service.flags,
    timeout: service.timeout,
    netmask: service.netmask,
    peName: service.peName,
    portMin: service.portMin,
    portMax: service.portMax,
    synProxy: service.synProxy,
    defence: service.defence,
    numLocalAddresses: 0,
    stats: undefined,
  };
}

/** As the kernel reports it directly after it was added. */
export function addedDestination(destination: DestinationConfig): Destination {
  return {
    family: destination.family,
    address: destination.address,
    port: destination.port,
    method: destination.method,
    weight: destination.weight,
    upperThreshold: destination.upperThreshold,
    lowerThreshold: destination.lowerThreshold,
    tunnelType: destination.tunnelType,
    tunnelPort: destination.tunnelPort,
    tunnelFlags: destination.tunnelFlags,
    activeConnections: 0,
    inactiveConnections: 0,
    persistentConnections: 0,
    stats: undefined,
  };
}
