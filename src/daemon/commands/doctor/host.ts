// SPDX-License-Identifier: MIT
/** Facts of the host's network and processes. Each function tolerates what is missing. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Facts, Route } from './types.ts';

const CONF = '/proc/sys/net/ipv4/conf';
/** Programs that write IPVS's table, by the name of the process. */
const PROGRAMMERS = ['keepalived', 'ldirectord', 'kube-proxy', 'kube-router', 'seesaw_ncc'];
/** Alone, or among short options without a value: -nP. */
const VRRP_ONLY = /^(?:--vrrp|-[BDGIRVXadelmnx]*P[A-Za-z]*)$/;

/** The content of a file; undefined if it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Whether the host forwards packets, by the sysctls of IPv4 and IPv6. */
export function forwardingFacts(): Facts['forwarding'] {
  const flag = (path: string) => {
    const value = readText(path);
    return value === undefined ? undefined : value.trim() !== '0';
  };
  return { ipv4: flag('/proc/sys/net/ipv4/ip_forward'), ipv6: flag('/proc/sys/net/ipv6/conf/all/forwarding') };
}

/** Devices whose reverse path filter is strict: the larger of their value and that of `all` is 1. */
export function strictDevices(): string[] | undefined {
  let devices: string[];
  try {
    devices = readdirSync(CONF);
  } catch {
    return undefined;
  }
  const value = (device: string) => Number(readText(`${CONF}/${device}/rp_filter`) ?? 0);
  const all = value('all');
  return devices
    .filter((device) => !['all', 'default', 'lo'].includes(device))
    .filter((device) => Math.max(all, value(device)) === 1)
    .sort();
}

/** The IPv6 addresses of the host in hex. */
export function localAddresses6(): ReadonlySet<string> {
  const lines = (readText('/proc/net/if_inet6') ?? '').split('\n');
  return new Set(lines.map((line) => line.slice(0, 32)).filter((address) => address.length === 32));
}

/** Routes to addresses, by ip(8). An address without a route is missing; undefined: ip is not installed. */
export function routesTo(addresses: readonly string[]): ReadonlyMap<string, Route> | undefined {
  const wanted = [...new Set(addresses)];
  if (wanted.length === 0) return new Map();
  // -force continues after an address without a route.
  const { stdout, error } = spawnSync('ip', ['-json', '-force', '-batch', '-'], {
    input: wanted.map((address) => `route get ${address}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 10_000,
  });
  return error ? undefined : parseRoutes(stdout);
}

/** Output of `ip -json -batch`: one array for each command that succeeded. */
export function parseRoutes(output: string): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  for (const line of output.split('\n')) {
    if (!line.startsWith('[{')) continue;
    const [route] = JSON.parse(line) as { dst?: string; dev?: string; gateway?: string; via?: { host: string } }[];
    if (route?.dst !== undefined)
      routes.set(route.dst, { device: route.dev, gateway: route.gateway ?? route.via?.host });
  }
  return routes;
}

/** Processes in this network namespace that program IPVS. */
export function otherProgrammers(): Facts['others'] {
  const here = namespaceOf('self');
  const found: Facts['others'] = [];
  const daemons: Facts['others'] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0');
    if (isDaemon(words) && namespaceOf(pid) === here) daemons.push({ name: 'lvsd', pid: Number(pid) });
    const name = programmer(words);
    if (name === undefined || namespaceOf(pid) !== here) continue;
    // A program and its children are counted once.
    if (!found.some((one) => one.name === name)) found.push({ name, pid: Number(pid) });
  }
  // One is as it should be.
  return daemons.length > 1 ? [...daemons, ...found] : found;
}

/** Whether a command line runs the daemon: behind the interpreter and its options. */
export function isDaemon(words: readonly string[]): boolean {
  const at = words.slice(0, 5).findIndex((word) => /(?:^|\/)lvsd(?:\.cjs)?$/.test(word));
  return at >= 0 && !words.slice(0, at).some((word) => word.endsWith('sh')) && words.slice(at + 1).includes('run');
}

/** The programmer of IPVS that a command line runs; undefined if none, or if it runs VRRP only. */
export function programmer(words: readonly string[]): string | undefined {
  // A script's own path follows its interpreter.
  const names = words.slice(0, 3).map((word) => word.slice(word.lastIndexOf('/') + 1));
  const name = PROGRAMMERS.find((one) => names.includes(one));
  return name === 'keepalived' && words.some((word) => VRRP_ONLY.test(word)) ? undefined : name;
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
