// SPDX-License-Identifier: MIT
/**
 * Explains why the kernel rejected an operation. The patched kernel sends a message in its extended ACK; a stock kernel
 * returns only an error number, whose meaning depends on the request.
 */
import { AF_INET, formatAddress } from '../base/addresses.ts';
import type { ErrnoName } from '../base/errno.ts';
import { NetlinkError, RefusedError } from '../base/errors.ts';
import { IP_VS_CONN_F_TUNNEL, IP_VS_CONN_F_TUNNEL_TYPE_GUE, type ServiceConfig } from '../ipvs/index.ts';
import { dotted } from './fields.ts';
import type { Operation } from './types.ts';

/** The error with a better text if there is one, else the same error. */
export function explained(operation: Operation, error: Error): Error {
  if (!(error instanceof NetlinkError)) return error;
  const text = error.extendedAck.message ?? reasonOf(operation, error.errnoName as ErrnoName);
  if (text === undefined) return error;
  return new RefusedError(`${text} (${error.errnoName})`, { exitCode: error.exitCode, cause: error });
}

function reasonOf(operation: Operation, errno: ErrnoName): string | undefined {
  if (errno === 'EAFNOSUPPORT') return 'this kernel was built without IPv6 support in IPVS (CONFIG_IP_VS_IPV6)';
  if (errno === 'ESRCH' && 'service' in operation) return 'another program has deleted the service';
  switch (operation.op) {
    case 'add-service':
    case 'set-service':
      return serviceReason(operation.service, errno);
    case 'add-destination':
    case 'set-destination':
      return destinationReason(operation, errno);
    case 'add-address':
      if (errno === 'ENODEV') return `there is no device ${operation.address.device}`;
      // Returned for an IPv6 address on a device with disable_ipv6.
      return errno === 'EACCES'
        ? `IPv6 is disabled on ${operation.address.device}: sysctl net.ipv6.conf.${operation.address.device}.disable_ipv6`
        : undefined;
    case 'start-sync':
      return errno === 'ENODEV' ? `there is no device ${operation.daemon.interface}, or it is down` : undefined;
    case 'set-timeouts':
      return errno === 'EINVAL' ? 'a timeout is out of range' : undefined;
    default:
      return undefined;
  }
}

function serviceReason({ family, scheduler, peName, netmask }: ServiceConfig, errno: ErrnoName): string | undefined {
  if (errno === 'ENOENT') {
    const engine = peName ? ` or persistence engine ${peName}` : '';
    const modules = peName ? `ip_vs_${scheduler} and ip_vs_pe_${peName}` : `ip_vs_${scheduler}`;
    return `the running kernel has no scheduler ${scheduler}${engine}: try modprobe ${modules}`;
  }
  const mask = family === AF_INET ? dotted(netmask) : `/${netmask}`;
  return errno === 'EINVAL' ? `invalid service (scheduler ${scheduler}, netmask ${mask})` : undefined;
}

function destinationReason(
  { service, destination }: Extract<Operation, { op: 'add-destination' | 'set-destination' }>,
  errno: ErrnoName,
): string | undefined {
  if (errno === 'ERANGE') return 'negative weight, or lower threshold above the upper one';
  if (errno !== 'EINVAL') return undefined;
  if (destination.family !== service.family && destination.method !== IP_VS_CONN_F_TUNNEL)
    return 'a real server of another family than its service needs a tunnel';
  if (destination.family !== service.family)
    return 'a real server of another family than its service is not supported while connections are synchronised';
  if (destination.tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE && destination.tunnelPort === 0)
    return 'a GUE tunnel needs a port';
  return `${formatAddress(destination.family, destination.address)} is not a unicast address`;
}
