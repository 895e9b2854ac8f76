// SPDX-License-Identifier: MIT
/** -G: the local addresses of services, always numeric. */
import { formatAddress } from '../../base/addresses.ts';
import type { Ipvs, LocalAddress, Service } from '../../ipvs/index.ts';
import type { Invocation } from '../command-line/invocation.ts';
import { endpointText } from '../lookup.ts';
import type { Output } from '../output.ts';
import { sortServices } from './sort.ts';

const row = (endpoint: string, total: string, address: string, conflicts: string, connections: string): string =>
  `${endpoint.padEnd(20)} ${total.padEnd(8)} ${address.padEnd(20)} ${conflicts.padEnd(10)} ${connections.padEnd(10)}\n`;

export const LOCAL_ADDRESS_TITLE = row('VIP:VPORT', 'TOTAL', 'SNAT_IP', 'CONFLICTS', 'CONNS');

export function localAddressesText(service: Service, addresses: readonly LocalAddress[]): string {
  const { family, address, port, protocol, fwmark } = service;
  const name = fwmark ? `FWM ${fwmark}` : endpointText(family, address, port, protocol, undefined);
  const rows = addresses.map((entry) =>
    row('', '', formatAddress(entry.family, entry.address), String(entry.conflicts), String(entry.connections)),
  );
  return `${name.padEnd(20)} ${String(addresses.length).padEnd(8)} \n${rows.join('')}`;
}

/** Prints the local addresses of one service, or of all. Throws KernelLacksError on a stock kernel. */
export async function listLocalAddresses(
  { options, service: key, filters }: Invocation,
  ipvs: Ipvs,
  output: Output,
): Promise<void> {
  await ipvs.requireFeature('FULLNAT');
  const services = options.has('service-address') ? [await ipvs.service(key)] : await ipvs.services();
  output.out(LOCAL_ADDRESS_TITLE);
  for (const service of sortServices(services)) {
    if (filters && !filters.service(service)) continue;
    const addresses = await ipvs.localAddresses(service);
    const wanted = filters ? addresses.filter((one) => filters.localAddress(one)) : addresses;
    if (wanted.length > 0 || !filters?.has('laddr')) output.out(localAddressesText(service, wanted));
  }
}
