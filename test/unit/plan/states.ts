// SPDX-License-Identifier: MIT
// Services, real servers and addresses for tests, with default values.
import { parseAddress } from '../../../src/base/addresses.ts';
import type { Destination, DestinationConfig, LocalAddress } from '../../../src/ipvs/index.ts';
import type {
  Actual,
  ActualAddress,
  ActualService,
  Desired,
  DesiredAddress,
  DesiredService,
} from '../../../src/plan/types.ts';
import { localAddress } from '../../support/kernel-model.ts';

export function ip(text: string): Uint8Array {
  const found = parseAddress(text);
  if (!found) throw new TypeError(`not an address: ${text}`);
  return found.bytes;
}

const familyOf = (address: Uint8Array) => (address.length === 4 ? 2 : 10);

/** '10.0.0.1:80' or '[2001:db8::1]:80'. */
function endpoint(text: string) {
  const colon = text.lastIndexOf(':');
  const address = ip(text.slice(0, colon).replaceAll(/[[\]]/g, ''));
  return { family: familyOf(address), address, port: Number(text.slice(colon + 1)) } as const;
}

export function server(at: string, more: Partial<DestinationConfig> = {}): DestinationConfig {
  return {
    ...{ ...endpoint(at), method: 0, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
    ...{ tunnelType: 0, tunnelPort: 0, tunnelFlags: 0, ...more },
  };
}

export function service(name: string, at: string, more: Partial<DesiredService> = {}): DesiredService {
  const on = endpoint(at);
  return {
    ...{ ...on, name, protocol: 6, fwmark: 0, scheduler: 'wrr', flags: 0, timeout: 0, peName: '' },
    ...{ netmask: on.family === 2 ? 0xffffffff : 128 },
    ...{ destinations: [], localAddresses: [], establishedTimeout: undefined, ...more },
  };
}

export function onDevice(text: string, device: string, more: Partial<DesiredAddress> = {}): DesiredAddress {
  const address = ip(text);
  const family = familyOf(address);
  return { device, family, address, prefix: family === 2 ? 32 : 128, purpose: 'virtual', name: 'shop', ...more };
}

/** The desired address as present on its device. */
export function actualAddress({ device, family, address, prefix }: DesiredAddress, ours = true): ActualAddress {
  return { device, family, address, prefix, ours };
}

export function desiredTable(services: DesiredService[], addresses: DesiredAddress[] = []): Desired {
  return { services, addresses, timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };
}

/** The desired service as the kernel has it. */
export function actualService(wanted: DesiredService, pool: readonly LocalAddress[] = []): ActualService {
  const { name: _, destinations, localAddresses, establishedTimeout: __, ...config } = wanted;
  return {
    service: { ...config, flags: config.flags | 2, numLocalAddresses: pool.length, stats: undefined },
    destinations: destinations.map(counted),
    localAddresses: pool.length > 0 ? pool : localAddresses.map((address) => localAddress(address)),
  };
}

function counted(one: DestinationConfig): Destination {
  return { ...one, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
}

export function actualTable(services: ActualService[], addresses: Actual['addresses'] = []): Actual {
  return { services, addresses, timeouts: { tcp: 900, tcpFin: 120, udp: 300 } };
}
