// SPDX-License-Identifier: MIT
/**
 * Sends one operation to the kernel. If the kernel answers that the table has changed since the plan was made, the
 * object is read again; it either has the desired state by now, or gets the request that fits.
 */
import { type ErrnoName, isErrno } from '../base/errno.ts';
import { KernelLacksError } from '../base/errors.ts';
import {
  canonicalService,
  type DestinationConfig,
  type Ipvs,
  isDefended,
  NO_DEFENCE,
  SERVICE_FLAGS,
  type Service,
  type ServiceConfig,
  type ServiceKey,
} from '../ipvs/index.ts';
import type { Addresses } from '../net/index.ts';
import { DESTINATION_FIELDS, SERVICE_FIELDS, same } from './fields.ts';
import { sameBytes } from './keys.ts';
import { needsFullnat } from './obstacles.ts';
import type { DesiredAddress, DesiredService, Operation } from './types.ts';

/** Writes to the kernel, and reads single objects back. */
export interface KernelWriter {
  ipvs: KernelTable;
  addresses: Pick<Addresses, 'add' | 'delete'>;
}

export type KernelTable = Pick<
  Ipvs,
  | 'requireFeature'
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
  | 'startDaemon'
  | 'stopDaemon'
>;

/** Throws NetlinkError, KernelLacksError, or LvsdError for an address. */
export function applyOperation(operation: Operation, { ipvs, addresses }: KernelWriter): Promise<unknown> {
  switch (operation.op) {
    case 'add-address':
      return addAddress(operation.address, ipvs, addresses);
    case 'delete-address':
      return addresses.delete(operation.address);
    case 'add-service':
      return addService(ipvs, operation.service);
    case 'set-service':
      return setService(ipvs, operation.service, operation.was);
    case 'delete-service':
      return ignoring(['ESRCH'], ipvs.deleteService(operation.service));
    case 'add-local-address':
      // EEXIST: it exists and does not drain.
      return ignoring(['EEXIST'], ipvs.addLocalAddress(operation.service, operation.address));
    // ESRCH: it was deleted with its service.
    case 'drain-local-address':
      return ignoring(
        ['ENOENT', 'ESRCH'],
        ipvs.deleteLocalAddress(operation.service, operation.address, { drain: true }),
      );
    case 'delete-local-address':
      return ignoring(['ENOENT', 'ESRCH'], ipvs.deleteLocalAddress(operation.service, operation.address));
    case 'add-destination':
      return ipvs
        .addDestination(operation.service, operation.destination)
        .catch((error: unknown) => fitDestination(ipvs, operation.service, operation.destination, error));
    case 'set-destination':
      return ipvs
        .setDestination(operation.service, operation.destination)
        .catch((error: unknown) => fitDestination(ipvs, operation.service, operation.destination, error));
    case 'delete-destination':
      return ignoring(['ENOENT', 'ESRCH'], ipvs.deleteDestination(operation.service, operation.destination));
    case 'set-timeouts':
      return ipvs.setTimeouts(operation.timeouts);
    // It is read back: one with other settings is a difference again.
    case 'start-sync':
      return ignoring(['EEXIST'], ipvs.startDaemon(operation.daemon));
    case 'stop-sync':
      return ignoring(['ESRCH'], ipvs.stopDaemon(operation.daemon));
  }
}

/** Ignores errors that mean that the kernel has the desired state already, because another program made the change. */
async function ignoring(errnos: readonly ErrnoName[], request: Promise<void>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isErrno(error, ...errnos)) throw error;
  }
}

/** Local addresses are of no use without FULLNAT, and must not be left on a device. */
async function addAddress(
  wanted: DesiredAddress,
  ipvs: KernelTable,
  addresses: KernelWriter['addresses'],
): Promise<unknown> {
  if (wanted.purpose === 'local') await ipvs.requireFeature('FULLNAT');
  return addresses.add(wanted);
}

async function addService(ipvs: KernelTable, service: DesiredService): Promise<void> {
  rejectUnsupported(service);
  // Checked now rather than with its real servers, which would leave a service without any.
  const needs = needsFullnat(service) ? 'FULLNAT' : undefined;
  try {
    await ipvs.addService(canonicalService(service), needs);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    const was = await ipvs.service(service);
    if (!same(SERVICE_FIELDS, service, was)) await setService(ipvs, service, was);
  }
}

async function setService(ipvs: KernelTable, service: DesiredService, was: ServiceConfig | Service): Promise<void> {
  rejectUnsupported(service);
  const ports = service.portMin === undefined && was.portMin !== undefined ? { portMin: 0, portMax: 0 } : {};
  const off = !service.synProxy && was.synProxy?.enabled ? { synProxy: { enabled: false } } : {};
  const undefended = !service.defence && isDefended(was.defence) ? { defence: NO_DEFENCE } : {};
  await ipvs.setService({ ...canonicalService(service), ...ports, ...off, ...undefended }, SERVICE_FLAGS);
}

/** Recovers from EEXIST of an addition and ENOENT of an edit: another program changed the table in the meantime. */
async function fitDestination(
  ipvs: KernelTable,
  service: ServiceKey,
  wanted: DestinationConfig,
  error: unknown,
): Promise<void> {
  if (!isErrno(error, 'EEXIST', 'ENOENT')) throw error;
  const existing = (await ipvs.destinations(service)).find(
    ({ address, port }) => port === wanted.port && sameBytes(address, wanted.address),
  );
  if (!existing) await ipvs.addDestination(service, wanted);
  else if (!same(DESTINATION_FIELDS, wanted, existing)) await ipvs.setDestination(service, wanted);
}

/** Rejects settings that the kernel would ignore without an error. */
function rejectUnsupported({ establishedTimeout }: DesiredService): void {
  if (establishedTimeout !== undefined)
    throw new KernelLacksError(
      'EST_TIMEOUT',
      'the running ip_vs does not support timeouts.established of a service: remove it from the file',
    );
}
