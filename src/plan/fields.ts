// SPDX-License-Identifier: MIT
/**
 * The fields in which services and destinations are compared: each as a value, and as text. Settings without effect do
 * not count: the netmask without persistence, tunnel settings without a tunnel, flags that only the kernel sets. All
 * others are compared as they are, because the kernel returns the values that it was given.
 */
import { AF_INET6 } from '../base/addresses.ts';
import { formatDuration } from '../base/durations.ts';
import {
  canonicalDestination,
  completeSynProxy,
  type DestinationConfig,
  FORWARDING,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
  IP_VS_SYNPROXY_NO_WSCALE,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  isDefended,
  namesByNumber,
  type ServiceConfig,
  TUNNELS,
} from '../ipvs/index.ts';
import type { DesiredService } from './types.ts';

export interface Field<T> {
  name: string;
  /** Compared with ===. */
  value(of: T): number | string | boolean;
  /** For display. */
  text(of: T): string;
}

/** A field that differs; `aspect` is its name in JSON output. */
export interface Change {
  aspect: string;
  from: string;
  to: string;
}

const SCHEDULER_FLAGS = IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | IP_VS_SVC_F_SCHED3;

type ServiceLike = ServiceConfig & Partial<Pick<DesiredService, 'establishedTimeout'>>;

const onOff = (flag: number) => (flag ? 'on' : 'off');

export const SERVICE_FIELDS: readonly Field<ServiceLike>[] = [
  { name: 'scheduler', value: ({ scheduler }) => scheduler, text: ({ scheduler }) => scheduler },
  {
    name: 'scheduler flags',
    value: ({ flags }) => flags & SCHEDULER_FLAGS,
    text: ({ flags }) => schedulerFlags(flags),
  },
  {
    name: 'one-packet',
    value: ({ flags }) => flags & IP_VS_SVC_F_ONEPACKET,
    text: ({ flags }) => onOff(flags & IP_VS_SVC_F_ONEPACKET),
  },
  { name: 'persistence', value: persistence, text: persistence },
  { name: 'persistence engine', value: ({ peName }) => peName, text: ({ peName }) => peName || 'none' },
  {
    name: 'local ports',
    // The kernel represents no range as 0 to 0.
    value: ({ portMin, portMax }) => 0x10000 * (portMin ?? 0) + (portMax ?? 0),
    text: ({ portMin, portMax }) => (portMin || portMax ? `${portMin ?? 0}-${portMax ?? 0}` : 'any'),
  },
  { name: 'SYN proxy', value: synProxyText, text: synProxyText },
  { name: 'defence', value: defenceText, text: defenceText },
  {
    name: 'timeout of established connections',
    value: ({ establishedTimeout }) => establishedTimeout ?? 0,
    text: ({ establishedTimeout }) => (establishedTimeout ? seconds(establishedTimeout) : 'global'),
  },
];

export const DESTINATION_FIELDS: readonly Field<DestinationConfig>[] = [
  { name: 'forward', value: forwardValue, text: forwardText },
  { name: 'weight', value: ({ weight }) => weight, text: ({ weight }) => String(weight) },
  {
    name: 'upper threshold',
    value: ({ upperThreshold }) => upperThreshold,
    text: ({ upperThreshold }) => String(upperThreshold || 'none'),
  },
  {
    name: 'lower threshold',
    value: ({ lowerThreshold }) => lowerThreshold,
    text: ({ lowerThreshold }) => String(lowerThreshold || 'none'),
  },
];

/** Whether all fields are equal. */
export function same<T>(fields: readonly Field<T>[], a: T, b: T): boolean {
  for (const field of fields) if (field.value(a) !== field.value(b)) return false;
  return true;
}

/** The fields that differ, as text. */
export function changes<T>(fields: readonly Field<T>[], from: T, to: T): Change[] {
  return fields
    .filter(({ value }) => value(from) !== value(to))
    .map(({ name, text }) => ({ aspect: name, from: text(from), to: text(to) }));
}

/** 900 -> '15m'. The kernel counts in seconds. */
export function seconds(count: number): string {
  return formatDuration(1000 * count);
}

function schedulerFlags(flags: number): string {
  const set = [IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2, IP_VS_SVC_F_SCHED3].flatMap((flag, index) =>
    flags & flag ? [`flag-${index + 1}`] : [],
  );
  return set.join(',') || 'none';
}

/** 'off', 'on', or 'on, with MSS 1400, no window scale, no SACK': what differs from the defaults. */
function synProxyText({ synProxy }: ServiceConfig): string {
  if (!synProxy?.enabled) return 'off';
  const { mss, windowScale, sack, timestamps, window } = completeSynProxy(synProxy);
  const usual = completeSynProxy({ enabled: true });
  const different = [
    ...(mss === usual.mss ? [] : [`MSS ${mss}`]),
    ...(windowScale === usual.windowScale ? [] : [scaleText(windowScale)]),
    ...(sack ? [] : ['no SACK']),
    ...(timestamps ? [] : ['no timestamps']),
    ...(window === usual.window ? [] : [`window ${window}`]),
  ];
  return different.length === 0 ? 'on' : `on, with ${different.join(', ')}`;
}

const scaleText = (scale: number) => (scale === IP_VS_SYNPROXY_NO_WSCALE ? 'no window scale' : `window scale ${scale}`);

/** 'none', or 'drops strays, drops fragments, 1000 SYNs a second, 100 at once'. */
function defenceText({ defence }: ServiceConfig): string {
  if (!isDefended(defence)) return 'none';
  const { dropStrays, dropFragments, synRate, synBurst } = defence;
  return [
    ...(dropStrays ? ['drops strays'] : []),
    ...(dropFragments ? ['drops fragments'] : []),
    ...(synRate > 0 ? [`${synRate} SYNs a second, ${synBurst} at once`] : []),
  ].join(', ');
}

function persistence({ family, flags, timeout, netmask }: ServiceConfig): string {
  if (!(flags & IP_VS_SVC_F_PERSISTENT)) return 'none';
  if (family === AF_INET6) return netmask === 128 ? seconds(timeout) : `${seconds(timeout)} per /${netmask}`;
  if (netmask >>> 0 === 0xffffffff) return seconds(timeout);
  return `${seconds(timeout)} per ${dotted(netmask)}`;
}

/** Dotted, because the netmask that another program has set need not be a prefix. */
export function dotted(mask: number): string {
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

function forwardValue(of: DestinationConfig): number {
  if (of.method !== IP_VS_CONN_F_TUNNEL) return of.method;
  const { tunnelType, tunnelPort, tunnelFlags } = canonicalDestination(of);
  return of.method + 8 * (tunnelType + 8 * (tunnelFlags + 0x10000 * tunnelPort));
}

const METHODS = namesByNumber(FORWARDING, 'yaml');
const TUNNEL_TYPES = namesByNumber(TUNNELS, 'name');

function forwardText(of: DestinationConfig): string {
  if (of.method !== IP_VS_CONN_F_TUNNEL) return METHODS[of.method] ?? `method ${of.method}`;
  const { tunnelType, tunnelPort, tunnelFlags } = canonicalDestination(of);
  const words = ['tunnel', TUNNEL_TYPES[tunnelType] ?? `type ${tunnelType}`];
  if (tunnelPort) words.push(`port ${tunnelPort}`);
  if (tunnelFlags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM) words.push('checksum');
  if (tunnelFlags & IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM) words.push('remote checksum');
  return words.join(' ');
}
