// SPDX-License-Identifier: MIT
/**
 * One operation as a request. Where the kernel says that the table is not what the plan took it for, the table decides:
 * it is read again, and either is as wanted by now, or takes the request that fits.
 */
import { type ErrnoName, isErrno } from '../base/errno.ts';
import { KernelLacksError } from '../base/errors.ts';
import {
  canonicalService,
  type DestinationConfig,
  type Ipvs,
  SERVICE_FLAGS,
  type Service,
  type ServiceConfig,
  type ServiceKey,
} from '../ipvs/index.ts';
import type { Addresses } from '../net/index.ts';
import { DESTINATION_ASPECTS, SERVICE_ASPECTS, same } from './fields.ts';
import { sameBytes } from './keys.ts';
import type { DesiredService, Operation } from './types.ts';

/** What changes the kernel, and is asked when it is in doubt. */
export interface Changer {
  ipvs: KernelTable;
  addresses: Pick<Addresses, 'add' | 'delete'>;
}

export type KernelTable = Pick<
  Ipvs,
  | 'addService'
  | 'addServices'
  | 'setService'
  | 'deleteService'
  | 'service'
  | 'addDestination'
  | 'setDestination'
  | 'deleteDestination'
  | 'destinations'
  | 'addLocalAddress'
  | 'deleteLocalAddress'
  | 'localAddresses'
  | 'setTimeouts'
>;

/** Throws the kernel's error (NetlinkError), KernelLacksError, or that of the addresses (LvsdError). */
export function carryOut(operation: Operation, { ipvs, addresses }: Changer): Promise<unknown> {
  switch (operation.op) {
    case 'add-address':
      return addresses.add(operation.address);
    case 'delete-address':
      return addresses.delete(operation.address);
    case 'add-service':
      return addService(ipvs, operation.service);
    case 'set-service':
      return setService(ipvs, operation.service, operation.was);
    case 'delete-service':
      return unless(['ESRCH'], ipvs.deleteService(operation.service));
    case 'add-local-address':
      // EEXIST: it is there, and does not drain.
      return unless(['EEXIST'], ipvs.addLocalAddress(operation.service, operation.address));
    // ESRCH: it went with its service.
    case 'drain-local-address':
      return unless(
        ['ENOENT', 'ESRCH'],
        ipvs.deleteLocalAddress(operation.service, operation.address, { drain: true }),
      );
    case 'delete-local-address':
      return unless(['ENOENT', 'ESRCH'], ipvs.deleteLocalAddress(operation.service, operation.address));
    case 'add-destination':
      return ipvs
        .addDestination(operation.service, operation.destination)
        .catch((error: unknown) => fitDestination(ipvs, operation.service, operation.destination, error));
    case 'set-destination':
      return ipvs
        .setDestination(operation.service, operation.destination)
        .catch((error: unknown) => fitDestination(ipvs, operation.service, operation.destination, error));
    case 'delete-destination':
      return unless(['ENOENT', 'ESRCH'], ipvs.deleteDestination(operation.service, operation.destination));
    case 'set-timeouts':
      return ipvs.setTimeouts(operation.timeouts);
  }
}

/** What is to go and is gone already, what is to come and is there, is as wanted. */
async function unless(errnos: readonly ErrnoName[], request: Promise<void>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isErrno(error, ...errnos)) throw error;
  }
}

async function addService(ipvs: KernelTable, service: DesiredService): Promise<void> {
  refuseUnknown(service);
  try {
    await ipvs.addService(canonicalService(service));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    const was = await ipvs.service(service);
    if (!same(SERVICE_ASPECTS, service, was)) await setService(ipvs, service, was);
  }
}

async function setService(ipvs: KernelTable, service: DesiredService, was: ServiceConfig | Service): Promise<void> {
  refuseUnknown(service);
  const ports = service.portMin === undefined && was.portMin !== undefined ? { portMin: 0, portMax: 0 } : {};
  await ipvs.setService({ ...canonicalService(service), ...ports }, SERVICE_FLAGS);
}

/** EEXIST of an addition, ENOENT of an edit: somebody was quicker. */
async function fitDestination(
  ipvs: KernelTable,
  service: ServiceKey,
  wanted: DestinationConfig,
  error: unknown,
): Promise<void> {
  if (!isErrno(error, 'EEXIST', 'ENOENT')) throw error;
  const there = (await ipvs.destinations(service)).find(
    ({ address, port }) => port === wanted.port && sameBytes(address, wanted.address),
  );
  if (!there) await ipvs.addDestination(service, wanted);
  else if (!same(DESTINATION_ASPECTS, wanted, there)) await ipvs.setDestination(service, wanted);
}

/** No ip_vs has it yet; a timeout that silently does nothing would be worse than none. */
function refuseUnknown({ establishedTimeout }: DesiredService): void {
  if (establishedTimeout !== undefined)
    throw new KernelLacksError(
      'EST_TIMEOUT',
      'the running ip_vs has no timeout of established connections per service',
    );
}
