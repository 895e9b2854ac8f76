// SPDX-License-Identifier: MIT
/** Reads the kernel's table and the addresses of the devices. */
import { isErrno } from '../base/errno.ts';
import type { Ipvs, LocalAddress, Service, ServiceKey } from '../ipvs/index.ts';
import type { Addresses } from '../net/index.ts';
import type { Actual, ActualService } from './types.ts';

/**
 * The whole state. If the kernel counts its changes and `previous` has the same count, its services and timeouts are
 * reused: of their counters, only those of draining local addresses are then up to date.
 */
export async function readActual(ipvs: Ipvs, addresses: Addresses, previous?: Actual): Promise<Actual> {
  const [{ generation }, found, syncDaemons] = await Promise.all([ipvs.info(), addresses.list(), ipvs.daemons()]);
  if (previous && generation !== undefined && previous.generation === generation) {
    const drains = previous.services.some(({ localAddresses }) => localAddresses.some(({ draining }) => draining));
    const services = drains
      ? await Promise.all(previous.services.map((one) => withFreshDrains(ipvs, one)))
      : previous.services;
    return { services, addresses: found, timeouts: previous.timeouts, syncDaemons, generation };
  }
  return { ...(await readTable(ipvs)), addresses: found, syncDaemons, generation };
}

/** The kernel's table without the addresses of devices. */
export async function readTable(ipvs: Ipvs): Promise<Pick<Actual, 'services' | 'timeouts'>> {
  const [services, timeouts] = await Promise.all([ipvs.services(), ipvs.timeouts()]);
  return { services: await Promise.all(services.map((one) => completed(ipvs, one))), timeouts };
}

/** One service with its real servers and local addresses; undefined if it does not exist. */
export async function readService(ipvs: Ipvs, key: ServiceKey): Promise<ActualService | undefined> {
  try {
    return await completed(ipvs, await ipvs.service(key));
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}

const NONE: readonly LocalAddress[] = [];

async function completed(ipvs: Ipvs, service: Service): Promise<ActualService> {
  const [destinations, localAddresses] = await Promise.all([
    ipvs.destinations(service),
    service.numLocalAddresses ? ipvs.localAddresses(service) : NONE,
  ]);
  return { service, destinations, localAddresses };
}

async function withFreshDrains(ipvs: Ipvs, one: ActualService): Promise<ActualService> {
  if (!one.localAddresses.some(({ draining }) => draining)) return one;
  return { ...one, localAddresses: await ipvs.localAddresses(one.service) };
}
