// SPDX-License-Identifier: MIT
/** The one hierarchy of errors. `code` is stable and what programs look at; the message is for people. */
import { getSystemErrorMap } from 'node:util';

/** Exit codes of every command of this project. */
export const EXIT = {
  OK: 0,
  RUNTIME: 1,
  USAGE: 2,
  PLAN_NOT_EMPTY: 3,
  NOT_PERMITTED: 4,
  KERNEL_LACKS: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Every error that this project throws on purpose. */
export class LvsdError extends Error {
  readonly code: string;
  /** What a command that fails for this reason exits with. */
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode = EXIT.RUNTIME) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The command line or a configuration is wrong. */
export class UsageError extends LvsdError {
  constructor(message: string) {
    super('ERR_LVSD_USAGE', message, EXIT.USAGE);
  }
}

/** The running kernel has no such feature; the message names what to load. */
export class KernelLacksError extends LvsdError {
  readonly feature: string;

  constructor(feature: string, message: string) {
    super('ERR_LVSD_KERNEL_LACKS', message, EXIT.KERNEL_LACKS);
    this.feature = feature;
  }
}

/** Bytes that do not follow the protocol. */
export class MalformedError extends LvsdError {
  constructor(message: string) {
    super('ERR_LVSD_MALFORMED', message);
  }
}

/** What the kernel adds to an errno (NETLINK_EXT_ACK). */
export interface ExtendedAck {
  /** A sentence in the kernel's own words. */
  message?: string;
  /** Bytes from the start of the request (its netlink header included) to the attribute at fault. */
  offset?: number;
  /** Type of a missing attribute, and where in the request its nest starts. */
  missingType?: number;
  missingNest?: number;
}

/** The kernel refused a request. `errno` is positive, as in errno.h; `errnoName` its name. */
export class NetlinkError extends LvsdError {
  readonly errno: number;
  readonly errnoName: string;
  readonly extendedAck: ExtendedAck;

  constructor(errno: number, extendedAck: ExtendedAck = {}) {
    const text = describeErrno(errno);
    const parts = [extendedAck.message ? `${text}: ${extendedAck.message}` : text];
    if (extendedAck.offset !== undefined) parts.push(`(at byte ${extendedAck.offset} of the request)`);
    if (extendedAck.missingType !== undefined) parts.push(`(attribute ${extendedAck.missingType} is missing)`);
    super('ERR_LVSD_NETLINK', parts.join(' '), errno === EPERM ? EXIT.NOT_PERMITTED : EXIT.RUNTIME);
    this.errno = errno;
    this.errnoName = errnoName(errno);
    this.extendedAck = extendedAck;
  }
}

/** No answer in time. Whether the kernel acted on the request is unknown. */
export class NetlinkTimeoutError extends LvsdError {
  constructor(milliseconds: number) {
    super('ERR_LVSD_NETLINK_TIMEOUT', `no answer from the kernel within ${milliseconds} ms`);
  }
}

/** The kernel had to drop messages for us (ENOBUFS). What was in flight may or may not have taken effect: resync. */
export class NetlinkOverrunError extends LvsdError {
  constructor() {
    super('ERR_LVSD_NETLINK_OVERRUN', 'netlink receive overrun: answers were lost, the state must be read again');
  }
}

/** A dump was interrupted by changes at every attempt (NLM_F_DUMP_INTR). */
export class NetlinkDumpInterruptedError extends LvsdError {
  constructor(attempts: number) {
    super('ERR_LVSD_NETLINK_DUMP_INTERRUPTED', `the table changed during each of ${attempts} attempts to read it`);
  }
}

/** The socket was closed with the request still in flight. */
export class NetlinkClosedError extends LvsdError {
  constructor() {
    super('ERR_LVSD_NETLINK_CLOSED', 'the netlink socket is closed');
  }
}

const EPERM = 1;
/** libuv names what it meets itself; netlink families return more. Names and texts: errno.h and strerror(3). */
const MORE = [
  [42, 'ENOMSG', 'no message of desired type'],
  [61, 'ENODATA', 'no data available'],
  [62, 'ETIME', 'timer expired'],
  [75, 'EOVERFLOW', 'value too large for defined data type'],
  [85, 'ERESTART', 'interrupted system call should be restarted'],
  [92, 'ENOPROTOOPT', 'protocol not available'],
  [94, 'ESOCKTNOSUPPORT', 'socket type not supported'],
  [95, 'EOPNOTSUPP', 'operation not supported'],
  [96, 'EPFNOSUPPORT', 'protocol family not supported'],
  [524, 'ENOTSUPP', 'operation not supported'],
] as const;

let known: Map<number, readonly [name: string, text: string]> | undefined;

/** Made for the first error: most runs see none. */
function nameAndText(errno: number): readonly [name: string, text: string] | undefined {
  if (!known) {
    known = new Map();
    for (const [number, entry] of getSystemErrorMap()) known.set(-number, entry);
    for (const [number, name, text] of MORE) known.set(number, [name, text]);
  }
  return known.get(errno);
}

/** 17 -> 'EEXIST'; a number without a name -> 'E4711'. */
export function errnoName(errno: number): string {
  return nameAndText(errno)?.[0] ?? `E${errno}`;
}

/** 17 -> 'file already exists (EEXIST)'. */
export function describeErrno(errno: number): string {
  const entry = nameAndText(errno);
  return entry ? `${entry[1]} (${entry[0]})` : `error ${errno}`;
}
