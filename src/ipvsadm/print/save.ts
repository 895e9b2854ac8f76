// SPDX-License-Identifier: MIT
/** -S: the table as rules, for -R. */
import { formatAddress } from '../../base/addresses.ts';
import {
  type Destination,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  type Ipvs,
  type LocalAddress,
  type Service,
} from '../../ipvs/index.ts';
import { defenceOption } from '../command-line/defence-option.ts';
import { schedulerFlagsText } from '../command-line/scheduler-flags.ts';
import { synProxyOptions } from '../command-line/synproxy-options.ts';
import { endpointText, type Lookup } from '../lookup.ts';
import type { Output } from '../output.ts';
import { fetchNames } from './listing.ts';
import { readTable } from './table.ts';
import { forwardOption, netmaskText, serviceSelector, tunnelOptions, withSignedMark } from './texts.ts';

export function serviceRule(service: Service, names: Lookup | undefined): string {
  const { scheduler, flags, timeout, peName } = service;
  let text = `-A ${serviceSelector(service, names)} -s ${scheduler}`;
  if (flags & IP_VS_SVC_F_PERSISTENT) {
    const mask = netmaskText(service);
    text += ` -p ${timeout}`;
    if (mask) text += ` -M ${mask}`;
  }
  // Printed without persistence too, as by ipvsadm, although the listing omits it then.
  if (peName) text += ` --pe ${peName}`;
  if (flags & IP_VS_SVC_F_ONEPACKET) text += ' -o';
  const schedulerFlags = schedulerFlagsText(flags, scheduler);
  const more = `${synProxyOptions(service.synProxy)}${defenceOption(service.defence)}`;
  return `${text}${schedulerFlags && ` -b ${schedulerFlags}`}${more}\n`;
}

/** `strict`: with thresholds, which ipvsadm omits. */
export function destinationRule(
  service: Service,
  dest: Destination,
  names: Lookup | undefined,
  strict = false,
): string {
  const server = endpointText(dest.family, dest.address, dest.port, service.protocol, names);
  const rule = `-a ${serviceSelector(service, names)} -r ${server} ${forwardOption(dest)} -w ${dest.weight}`;
  const thresholds = strict ? thresholdOptions(dest) : '';
  return `${rule}${thresholds}${tunnelOptions(dest)}\n`;
}

/** ` -x ... -y ...` of a saved rule; those that are 0 are omitted. */
export function thresholdOptions({ upperThreshold, lowerThreshold }: Destination): string {
  return `${upperThreshold ? ` -x ${upperThreshold}` : ''}${lowerThreshold ? ` -y ${lowerThreshold}` : ''}`;
}

export function localAddressRule(service: Service, address: LocalAddress, names: Lookup | undefined): string {
  return `-P ${serviceSelector(service, names)} -z ${formatAddress(address.family, address.address)}\n`;
}

/**
 * Prints all rules. `strict`: with thresholds and with marks above 2147483647, both of which ipvsadm loses. Local
 * addresses come before the destinations that need them; draining ones are omitted.
 */
export async function save(ipvs: Ipvs, names: Lookup | undefined, output: Output, strict: boolean): Promise<void> {
  for await (const page of readTable(ipvs, { stats: false, sort: true })) {
    if (names) await fetchNames(page, names);
    for (const { service, destinations } of page) {
      const printed = strict ? service : withSignedMark(service);
      output.out(serviceRule(printed, names));
      if (service.numLocalAddresses)
        for (const address of await ipvs.localAddresses(service))
          if (!address.draining) output.out(localAddressRule(printed, address, names));
      for (const dest of destinations) output.out(destinationRule(printed, dest, names, strict));
    }
  }
}
