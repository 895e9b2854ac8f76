// SPDX-License-Identifier: MIT
/**
 * Finds the features, devices and schedulers that a desired state needs and a machine lacks, before anything is
 * changed. Pure.
 */
import { formatAddress } from '../base/addresses.ts';
import { count } from '../base/words.ts';
import { type Feature, IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_MASQ, isDefended, lacksFeature } from '../ipvs/index.ts';
import type { Desired, DesiredService } from './types.ts';

export interface Obstacle {
  text: string;
  /** True for a feature of the kernel; false for a device or a scheduler's module, which may come later. */
  kernel: boolean;
}

/** Features of the kernel, devices and schedulers of a machine. */
export interface Machine {
  features: ReadonlySet<Feature>;
  /** Names of network devices. */
  devices: ReadonlySet<string>;
  /** Schedulers that are known to be missing. */
  absentSchedulers: ReadonlySet<string>;
}

/** One obstacle for each thing that is missing, however many services need it. */
export function obstacles(desired: Desired, { features, devices, absentSchedulers }: Machine): Obstacle[] {
  const found: Obstacle[] = [];
  const lacks = (what: string, users: readonly string[], remedy: string, noun = 'service') => {
    if (users.length > 0)
      found.push({ kernel: true, text: `${what}, which is needed by ${listed(users, noun)}: ${remedy}` });
  };
  if (!features.has('FULLNAT')) {
    const { what, remedy } = lacksFeature('FULLNAT');
    const services = desired.services.filter(needsFullnat).map(({ name }) => name);
    const pools = desired.addresses.filter(({ purpose }) => purpose === 'local');
    lacks(what, services, remedy);
    // Pools of services are implied.
    if (services.length === 0) {
      const names = pools.map(({ name }) => `local_addresses.${name}`);
      lacks(what, names, remedy, 'pool');
    }
  }
  const proxyFeature = features.has('SYNPROXY') ? 'SYNPROXY_NAT' : 'SYNPROXY';
  if (!features.has(proxyFeature)) {
    const { what, remedy } = lacksFeature(proxyFeature);
    const proxied = desired.services.filter(({ synProxy }) => synProxy?.enabled);
    const services = proxied.filter((service) =>
      proxyFeature === 'SYNPROXY' ? features.has('FULLNAT') || !needsFullnat(service) : hasNat(service),
    );
    lacks(
      what,
      services.map(({ name }) => name),
      remedy,
    );
  }
  if (!features.has('DEFENCE')) {
    const { what, remedy } = lacksFeature('DEFENCE');
    const defended = desired.services.filter(({ defence }) => isDefended(defence));
    lacks(
      what,
      defended.map(({ name }) => name),
      remedy,
    );
  }
  const established = desired.services
    .filter(({ establishedTimeout }) => establishedTimeout !== undefined)
    .map(({ name }) => name);
  lacks('the running ip_vs does not support timeouts.established', established, 'remove it from the file');
  const missing = new Map<string, string[]>();
  for (const { device, family, address, prefix } of desired.addresses)
    if (!devices.has(device))
      missing.set(device, [...(missing.get(device) ?? []), `${formatAddress(family, address)}/${prefix}`]);
  const sync = desired.syncDaemons?.find((one) => !devices.has(one.interface))?.interface;
  if (sync !== undefined)
    found.push({
      kernel: false,
      text: `there is no device ${sync} for connection_sync: create it, or correct \`device\` in the file`,
    });
  for (const [device, addresses] of missing)
    found.push({
      kernel: false,
      text: `there is no device ${device} for ${listed(addresses, 'address', 'addresses')}: create it, or correct \`device\` in the file`,
    });
  for (const scheduler of absentSchedulers) {
    const users = desired.services.filter((one) => one.scheduler === scheduler).map(({ name }) => name);
    if (users.length > 0)
      found.push({
        kernel: false,
        text: `there is no scheduler ${scheduler} in this kernel for ${listed(users, 'service')}: install its module, ip_vs_${scheduler}, or choose another one`,
      });
  }
  return found;
}

/** Whether a service has local addresses or a real server with FULLNAT. */
export function needsFullnat({ destinations, localAddresses }: DesiredService): boolean {
  return localAddresses.length > 0 || destinations.some(({ method }) => method === IP_VS_CONN_F_FULLNAT);
}

const hasNat = ({ destinations }: DesiredService) => destinations.some(({ method }) => method === IP_VS_CONN_F_MASQ);

/** Names that a message lists before it counts the rest. */
const LISTED = 3;

/** 'web', 'a, b, c and 17 more services' */
function listed(names: readonly string[], noun: string, plural?: string): string {
  const each = [...new Set(names)];
  const rest = each.length - LISTED;
  if (rest <= 0) return each.join(', ');
  const more = rest > 1 && plural !== undefined ? `${rest} more ${plural}` : count(rest, `more ${noun}`);
  return `${each.slice(0, LISTED).join(', ')} and ${more}`;
}
