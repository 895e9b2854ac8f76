// SPDX-License-Identifier: MIT
/** The kernel's table and the addresses of the devices, as one picture. */
import { NetlinkError } from '../base/errors.ts';
import type { Ipvs, Service, ServiceKey } from '../ipvs/index.ts';
import type { Addresses } from '../net/index.ts';
import type { Actual, ActualService } from './types.ts';

const ESRCH = 3;

/**
 * Everything that is there. Where the kernel counts its changes and `previous` has the same count, its services and
 * timeouts are taken over instead of being read again: of their figures then only those of local addresses that drain
 * are fresh.
 */
export async function readActual(ipvs: Ipvs, addresses: Addresses, previous?: Actual): Promise<Actual> {
  const [{ generation }, found] = await Promise.all([ipvs.info(), addresses.list()]);
  if (previous && generation !== undefined && previous.generation === generation) {
    const services = await Promise.all(previous.services.map((one) => withFreshDrains(ipvs, one)));
    return { services, addresses: found, timeouts: previous.timeouts, generation };
  }
  const [services, timeouts] = await Promise.all([ipvs.services(), ipvs.timeouts()]);
  return {
    services: await Promise.all(services.map((one) => completed(ipvs, one))),
    addresses: found,
    timeouts,
    generation,
  };
}

/** One service with all that belongs to it; undefined: there is none. */
export async function readService(ipvs: Ipvs, key: ServiceKey): Promise<ActualService | undefined> {
  try {
    return await completed(ipvs, await ipvs.service(key));
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ESRCH) return undefined;
    throw error;
  }
}

async function completed(ipvs: Ipvs, service: Service): Promise<ActualService> {
  const [destinations, localAddresses] = await Promise.all([
    ipvs.destinations(service),
    service.numLocalAddresses ? ipvs.localAddresses(service) : [],
  ]);
  return { service, destinations, localAddresses };
}

async function withFreshDrains(ipvs: Ipvs, one: ActualService): Promise<ActualService> {
  if (!one.localAddresses.some(({ draining }) => draining)) return one;
  return { ...one, localAddresses: await ipvs.localAddresses(one.service) };
}
