// SPDX-License-Identifier: MIT
/** The kernel's errors in ipvsadm's words. */
import { NetlinkError } from '../base/errors.ts';
import type { CommandName } from './command-line/options.ts';

type Texts = Readonly<Record<string, string>>;

const NO_SERVICE = 'No such service';
const UNDEFINED_SERVICE = 'Service not defined';
const NO_SCHEDULER = 'Scheduler or persistence engine not found';

const BY_COMMAND: Readonly<Partial<Record<CommandName, Texts>>> = {
  'add-service': { EEXIST: 'Service already exists', ENOENT: NO_SCHEDULER },
  'edit-service': { ESRCH: NO_SERVICE, ENOENT: NO_SCHEDULER },
  'delete-service': { ESRCH: NO_SERVICE },
  zero: { ESRCH: NO_SERVICE },
  list: { ESRCH: NO_SERVICE },
  'add-server': { ESRCH: UNDEFINED_SERVICE, EEXIST: 'Destination already exists' },
  'edit-server': { ESRCH: UNDEFINED_SERVICE, ENOENT: 'No such destination' },
  'delete-server': { ESRCH: UNDEFINED_SERVICE, ENOENT: 'No such destination' },
  'start-daemon': { EEXIST: 'Daemon has already run' },
  'stop-daemon': { ESRCH: 'No daemon is running' },
  'add-laddr': { ESRCH: UNDEFINED_SERVICE, EEXIST: 'Local address already exists' },
  'del-laddr': { ESRCH: UNDEFINED_SERVICE, ENOENT: 'No such Local address' },
  'get-laddr': { ESRCH: NO_SERVICE },
};

const GENERAL: Texts = {
  EPERM: 'Permission denied (you must be root)',
  EINVAL: 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  ENOPROTOOPT: 'Protocol not available',
  ENOMEM: 'Memory allocation problem',
  EOPNOTSUPP: 'Operation not supported with IPv6',
  EAFNOSUPPORT: 'Operation not supported with specified address family',
  EMSGSIZE: 'Module is wrong version',
};

/** strerror(3) of the other errors of IPVS; libuv's texts differ from it. */
const STRERROR: Texts = {
  ENOENT: 'No such file or directory',
  ESRCH: 'No such process',
  EINTR: 'Interrupted system call',
  EAGAIN: 'Resource temporarily unavailable',
  EACCES: 'Permission denied',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  ERANGE: 'Numerical result out of range',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EPROTONOSUPPORT: 'Protocol not supported',
};

/** The message for a command that the kernel rejects. `ours`: ipvsadm has no such command or option. */
export function errorText(command: CommandName, error: unknown, ours: boolean): string {
  if (!(error instanceof NetlinkError)) return error instanceof Error ? error.message : String(error);
  const { errnoName: name, extendedAck } = error;
  const known = BY_COMMAND[command]?.[name];
  if (known) return known;
  const text = GENERAL[name] ?? STRERROR[name] ?? error.message;
  // Without ipvsadm's text to match, the kernel's reason is more useful than the errno alone.
  return ours && extendedAck.message ? `${text}: ${extendedAck.message}` : text;
}

/** The message if the table cannot be opened at all. */
export function initErrorText(error: Error): string {
  const name = error instanceof NetlinkError ? error.errnoName : 'ENOPROTOOPT';
  const reason = GENERAL[name] ?? STRERROR[name] ?? error.message;
  return `Can't initialize ipvs: ${reason}\nAre you sure that IP Virtual Server is built in the kernel or as module?`;
}
