// SPDX-License-Identifier: MIT
// Reads the kernel's counters of one namespace.
import { readFileSync } from 'node:fs';
import type { Namespace } from '../../../lab/topology.ts';

/** Sums the lines of a file with a column for each CPU (`ip_vs_ext_stats`, `toa_stats`). */
export function perCpu(where: Namespace, file: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of where.run(['cat', file]).stdout.split('\n').slice(1)) {
    const [name = '', values] = line.split(':');
    if (values === undefined) continue;
    sums[name.trim()] = values
      .trim()
      .split(/\s+/)
      .reduce((sum, value) => sum + Number(value), 0);
  }
  return sums;
}

export const extStats = (balancer: Namespace) => perCpu(balancer, '/proc/net/ip_vs_ext_stats');
export const toaStats = (server: Namespace) => perCpu(server, '/proc/net/toa_stats');

/** One protocol's counters of /proc/net/snmp and /proc/net/netstat: `Tcp`, `Ip`, `TcpExt`. */
export function snmp(where: Namespace, protocol: string): Record<string, number> {
  const text = where.run(['cat', '/proc/net/snmp', '/proc/net/netstat']).stdout;
  const [keys = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(' ').slice(1));
  return Object.fromEntries(keys.map((key, index) => [key, Number(values[index])]));
}

/** Packets that all CPUs have dropped since boot because their receive queue was full. */
export function queueDrops(): number {
  return readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '', 16), 0);
}

/** The counters that are not zero. */
export function nonZero(counters: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}
