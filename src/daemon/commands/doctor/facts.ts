// SPDX-License-Identifier: MIT
/**
 * Gathers facts without changing anything: checks first whether ip_vs is loaded, because a netlink request would load
 * it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { extname } from 'node:path';
import { formatAddress } from '../../../base/addresses.ts';
import { Ipvs } from '../../../ipvs/index.ts';
import { SYSCTL_FILES, SYSCTL_NAMES, type SysctlName } from '../../reconcile/sysctls.ts';
import { parseLocalPrefixes } from './fib.ts';
import { forwardingFacts, localAddresses6, otherProgrammers, readText, routesTo, strictDevices } from './host.ts';
import type { Facts, ServiceFacts } from './types.ts';

const LOADED = '/sys/module/ip_vs';

/** Facts of this network namespace. Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
export async function gather(): Promise<Facts> {
  const installed = installedFile();
  const loaded = existsSync(LOADED);
  const { info, services } = loaded ? await table() : { info: undefined, services: [] };
  const realServers = services.flatMap(({ destinations }) =>
    destinations.map(({ family, address }) => formatAddress(family, address)),
  );
  return {
    release: release(),
    installed,
    installedIsLoaded: loaded ? isLoaded(installed) : undefined,
    info,
    services,
    localPrefixes: parseLocalPrefixes(readText('/proc/net/fib_trie') ?? ''),
    localAddresses6: localAddresses6(),
    forwarding: forwardingFacts(),
    reversePathStrict: strictDevices(),
    routes: routesTo(realServers),
    others: otherProgrammers(),
    portRange: portRange(),
    conntrack: flag(number('/proc/sys/net/ipv4/vs/conntrack')),
    sysctls: sysctls(),
    conntrackEntries: number('/proc/sys/net/netfilter/nf_conntrack_count'),
    conntrackLoose: flag(number('/proc/sys/net/netfilter/nf_conntrack_tcp_loose')),
  };
}

async function table(): Promise<Pick<Facts, 'info' | 'services'>> {
  const ipvs = new Ipvs();
  try {
    const info = await ipvs.info();
    const services: ServiceFacts[] = [];
    for (const service of await ipvs.services()) {
      const destinations = await ipvs.destinations(service);
      const localAddresses = info.features.has('FULLNAT') ? await ipvs.localAddresses(service) : [];
      services.push({ service, destinations, localAddresses });
    }
    return { info, services };
  } finally {
    ipvs.close();
  }
}

/** The file of the module ip_vs for the running kernel; undefined if there is none. */
export function installedFile(): string | undefined {
  const { status, stdout } = spawnSync('/sbin/modinfo', ['-n', 'ip_vs'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Compares the build id of the file with that of the loaded module. Undefined if the file cannot be read. */
function isLoaded(file: string | undefined): boolean | undefined {
  if (!file) return undefined;
  try {
    return moduleBytes(file).includes(readFileSync(`${LOADED}/notes/.note.gnu.build-id`));
  } catch {
    return undefined;
  }
}

/** Distributions compress modules (Debian 13: xz). Throws if the file or the program that reads it is missing. */
function moduleBytes(file: string): Buffer {
  const program = { '.xz': 'xz', '.zst': 'zstd', '.gz': 'gzip' }[extname(file)];
  if (!program) return readFileSync(file);
  return execFileSync(program, ['-dc', file], { maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] });
}

function sysctls(): Partial<Record<SysctlName, string>> {
  const values: Partial<Record<SysctlName, string>> = {};
  for (const name of SYSCTL_NAMES) {
    try {
      values[name] = SYSCTL_FILES.read(name);
    } catch {
      // ip_vs is not loaded.
    }
  }
  return values;
}

function portRange(): Facts['portRange'] {
  const min = number('/proc/sys/net/ipv4/vs/fullnat_lport_min');
  const max = number('/proc/sys/net/ipv4/vs/fullnat_lport_max');
  return min === undefined || max === undefined ? undefined : { min, max };
}

function number(path: string): number | undefined {
  const text = readText(path);
  return text === undefined ? undefined : Number(text);
}

function flag(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0;
}
