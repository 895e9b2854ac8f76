// SPDX-License-Identifier: MIT
/**
 * Why the kernel refused an operation, in words. The patched kernel says it itself in extended ACKs; a stock one leaves
 * an errno, which means something else with each request.
 */
import { formatAddress } from '../base/addresses.ts';
import type { ErrnoName } from '../base/errno.ts';
import { NetlinkError, RefusedError } from '../base/errors.ts';
import { IP_VS_CONN_F_TUNNEL, IP_VS_CONN_F_TUNNEL_TYPE_GUE, type ServiceConfig } from '../ipvs/index.ts';
import type { Operation } from './types.ts';

/** The error with better words, where there are any; else as it is. */
export function explained(operation: Operation, error: Error): Error {
  if (!(error instanceof NetlinkError)) return error;
  const text = error.extendedAck.message ?? reasonOf(operation, error.errnoName as ErrnoName);
  if (text === undefined) return error;
  return new RefusedError(`${text} (${error.errnoName})`, { exitCode: error.exitCode, cause: error });
}

function reasonOf(operation: Operation, errno: ErrnoName): string | undefined {
  if (errno === 'EAFNOSUPPORT') return 'IPVS was built without IPv6';
  if (errno === 'ESRCH' && 'service' in operation) return 'somebody deleted the service meanwhile';
  switch (operation.op) {
    case 'add-service':
    case 'set-service':
      return serviceReason(operation.service, errno);
    case 'add-destination':
    case 'set-destination':
      return destinationReason(operation, errno);
    case 'add-address':
      if (errno === 'ENODEV') return `there is no device ${operation.address.device}`;
      // Kernels give this for an IPv6 address on a device with disable_ipv6.
      return errno === 'EACCES' ? `IPv6 is off on ${operation.address.device}` : undefined;
    case 'set-timeouts':
      return errno === 'EINVAL' ? 'a timeout is out of range' : undefined;
    default:
      return undefined;
  }
}

function serviceReason({ scheduler, peName, netmask }: ServiceConfig, errno: ErrnoName): string | undefined {
  const engine = peName ? `, or no persistence engine ${peName}` : '';
  if (errno === 'ENOENT') return `there is no scheduler ${scheduler}${engine}: no such module`;
  return errno === 'EINVAL'
    ? `the kernel takes no such service (scheduler ${scheduler}, netmask ${netmask})`
    : undefined;
}

function destinationReason(
  { service, destination }: Extract<Operation, { op: 'add-destination' | 'set-destination' }>,
  errno: ErrnoName,
): string | undefined {
  if (errno === 'ERANGE') return 'a negative weight, or a lower threshold above the upper one';
  if (errno !== 'EINVAL') return undefined;
  if (destination.family !== service.family && destination.method !== IP_VS_CONN_F_TUNNEL)
    return 'a real server of another family than its service needs a tunnel';
  if (destination.family !== service.family)
    return 'no real server of another family than its service while connections are synchronised';
  if (destination.tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE && destination.tunnelPort === 0)
    return 'a GUE tunnel needs a port';
  return `${formatAddress(destination.family, destination.address)} is not a unicast address`;
}
