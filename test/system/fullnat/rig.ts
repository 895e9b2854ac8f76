// SPDX-License-Identifier: MIT
// A FULLNAT service on the lab's network, with its counters and a client of its kernel.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { type LvsOptions, type LvsTopology, lvsTopology, type Namespace } from '../../../lab/topology.ts';
import { parseIpv4 } from '../../../src/base/addresses.ts';
import { native } from '../../../src/base/native.ts';
import {
  type DestinationConfig,
  IP_VS_CONN_F_FULLNAT,
  IPPROTO_TCP,
  Ipvs,
  type ServiceConfig,
} from '../../../src/ipvs/index.ts';
import { netnsPath } from './wire.ts';

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function ip4(text: string): Uint8Array {
  const bytes = parseIpv4(text);
  if (!bytes) throw new TypeError(`not an IPv4 address: ${text}`);
  return bytes;
}

export function serviceConfig(address: string, port: number, more: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    ...{ family: 2, protocol: IPPROTO_TCP, address: ip4(address), port, fwmark: 0 },
    ...{ scheduler: 'rr', flags: 0, timeout: 0, netmask: 0xffffffff, peName: '' },
    ...more,
  };
}

export function destConfig(address: string, port: number, more: Partial<DestinationConfig> = {}): DestinationConfig {
  return {
    ...{ family: 2, address: ip4(address), port, method: IP_VS_CONN_F_FULLNAT, weight: 1 },
    ...{ upperThreshold: 0, lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 },
    ...more,
  };
}

/** Lines in the kernel's ring, oldest first. */
export function kernelLog(): string[] {
  return run('dmesg').split('\n').filter(Boolean);
}

/** Runs `act`, which must be synchronous, in a namespace: a process takes a second on an emulated CPU. */
export function within<T>(where: Namespace, act: () => T): T {
  native().enterNetns(netnsPath(where));
  try {
    return act();
  } finally {
    native().enterNetns('/proc/1/ns/net');
  }
}

/** The file of a sysctl below net.ipv4.vs, by its name there. */
const vsSysctl = (name: string) => `/proc/sys/net/ipv4/vs/${name}`;

export const getVs = (where: Namespace, name: string) =>
  Number(within(where, () => readFileSync(vsSysctl(name), 'utf8')));

/** Sets sysctls below net.ipv4.vs. Throws with the errno's `code` if the kernel rejects a value. */
export function setVs(where: Namespace, settings: Record<string, number>): void {
  within(where, () => {
    for (const [name, value] of Object.entries(settings)) writeFileSync(vsSysctl(name), String(value));
  });
}

/** Rows of /proc/net/ip_vs_ext_stats in a namespace, each summed over the CPUs. */
export function extStats(where: Namespace): Record<string, number> {
  const rows = within(where, () => readFileSync('/proc/net/ip_vs_ext_stats', 'utf8'))
    .split('\n')
    .slice(1)
    .filter(Boolean);
  return Object.fromEntries(
    rows.map((row) => {
      const [name = '', values = ''] = row.split(':');
      const sum = values
        .trim()
        .split(/\s+/)
        .reduce((total, value) => total + Number(value), 0);
      return [name.trim(), sum];
    }),
  );
}

export interface Rig extends LvsTopology {
  ipvs: Ipvs;
  key: ServiceConfig;
  /** Increments of the counters during `action`, without those that did not change. */
  counted: (action: () => Promise<unknown>) => Promise<Record<string, number>>;
  /** The connections of /proc/net/ip_vs_conn: state and seconds by client address and port. */
  connections: () => { client: string; state: string; seconds: number }[];
}

export interface RigOptions extends LvsOptions {
  /** Port of the service and of its real servers. */
  port?: number;
  realServers?: string[];
  /** Without a service: only the network and the modules. */
  bare?: boolean;
}

/** Loads missing modules and makes the network, with a service VIP:port -> rs1:port by FULLNAT. */
export async function fullnatRig(options: RigOptions = {}): Promise<Rig> {
  if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
  // User-mode Linux has no ftrace, which toa needs.
  if (!process.env.LVSD_LAB_UML && !existsSync('/sys/module/toa')) run('modprobe', 'toa', 'trust=10.31.3.0/24');
  const lvs = lvsTopology(options);
  const port = options.port ?? 80;
  const ipvs = new Ipvs({ netns: netnsPath(lvs.balancer) });
  const key = serviceConfig(lvs.vip, port);
  if (!options.bare) {
    await ipvs.addService(key);
    for (const laddr of lvs.laddrs) await ipvs.addLocalAddress(key, ip4(laddr));
    for (const rs of options.realServers ?? [lvs.rs1Address]) await ipvs.addDestination(key, destConfig(rs, port));
  }
  const counted = async (action: () => Promise<unknown>) => {
    const before = extStats(lvs.balancer);
    await action();
    const after = extStats(lvs.balancer);
    const grown = Object.keys(after).map((name): [string, number] => [name, (after[name] ?? 0) - (before[name] ?? 0)]);
    return Object.fromEntries(grown.filter(([, by]) => by !== 0));
  };
  const connections = () =>
    within(lvs.balancer, () => readFileSync('/proc/net/ip_vs_conn', 'utf8'))
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((row) => {
        const [, from = '', port = '', , , , , state = '', seconds = ''] = row.trim().split(/\s+/);
        const address = Buffer.from(from, 'hex').join('.');
        return { client: `${address}:${Number.parseInt(port, 16)}`, state, seconds: Number(seconds) };
      });
  return {
    ...lvs,
    ...{ ipvs, key, counted, connections },
    destroy: async () => {
      ipvs.close();
      await lvs.destroy();
    },
  };
}

/**
 * Whether this kernel merges TCP segments into lists of packets, each with its own header (rx-gro-list): since 6.10.
 */
export function mergesIntoLists(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 10);
}

/** Whether a module is loaded. */
export const loaded = (name: string) => new RegExp(`^${name} `, 'm').test(readFileSync('/proc/modules', 'utf8'));

/** Unloads IPVS and the modules that depend on it; there must be no services. */
export function unloadIpVs(): void {
  // Modules depend on each other, and on connections that are still being freed: hence several rounds.
  for (let round = 0; loaded('ip_vs') && round < 20; round++) {
    const names = readFileSync('/proc/modules', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((name) => name.startsWith('ip_vs') || name === 'xt_ipvs');
    for (const name of names) {
      try {
        run('rmmod', name);
      } catch {
        // Another module depends on it.
      }
    }
  }
  if (loaded('ip_vs')) throw new Error('ip_vs cannot be removed');
}
