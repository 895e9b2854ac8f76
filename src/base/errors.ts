// SPDX-License-Identifier: MIT
/** The error classes of the project. Programs test `code`, which is stable; the message is for people. */
import { describeErrno, errnoName } from './errno.ts';

/** Exit codes of all commands of this project. */
export const EXIT = {
  OK: 0,
  RUNTIME: 1,
  USAGE: 2,
  PLAN_NOT_EMPTY: 3,
  NOT_PERMITTED: 4,
  KERNEL_LACKS: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Base class of all errors that this project throws on purpose. */
export class LvsdError extends Error {
  readonly code: string;
  /** Exit code of a command that fails with this error. */
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode = EXIT.RUNTIME) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** Invalid command line or configuration. */
export class UsageError extends LvsdError {
  constructor(message: string) {
    super('ERR_LVSD_USAGE', message, EXIT.USAGE);
  }
}

/** The running kernel lacks a feature; the message names the module to load. */
export class KernelLacksError extends LvsdError {
  readonly feature: string;

  constructor(feature: string, message: string) {
    super('ERR_LVSD_KERNEL_LACKS', message, EXIT.KERNEL_LACKS);
    this.feature = feature;
  }
}

/** The kernel or the daemon rejected a request; the message says why. */
export class RefusedError extends LvsdError {
  constructor(message: string, { code = 'ERR_LVSD_REFUSED', exitCode, cause }: RefusedOptions = {}) {
    super(code, message, exitCode);
    if (cause !== undefined) this.cause = cause;
  }
}

export interface RefusedOptions {
  code?: string | undefined;
  exitCode?: ExitCode;
  /** The NetlinkError of a request to the kernel. */
  cause?: Error;
}

/** Data that violates its protocol. */
export class MalformedError extends LvsdError {
  constructor(message: string) {
    super('ERR_LVSD_MALFORMED', message);
  }
}

/** Details that the kernel adds to an errno (NETLINK_EXT_ACK). */
export interface ExtendedAck {
  /** The kernel's own message. */
  message?: string;
  /** Bytes from the start of the request (its netlink header included) to the attribute at fault. */
  offset?: number;
  /** Type of a missing attribute, and the offset in the request of the nest that lacks it. */
  missingType?: number;
  missingNest?: number;
}

/** The kernel rejected a request. `errno` is positive, as in errno.h; `errnoName` is its name. */
export class NetlinkError extends LvsdError {
  readonly errno: number;
  readonly errnoName: string;
  readonly extendedAck: ExtendedAck;

  constructor(errno: number, extendedAck: ExtendedAck = {}) {
    const text = describeErrno(errno);
    const parts = [extendedAck.message ? `${text}: ${extendedAck.message}` : text];
    if (extendedAck.offset !== undefined) parts.push(`(at byte ${extendedAck.offset} of the request)`);
    if (extendedAck.missingType !== undefined) parts.push(`(attribute ${extendedAck.missingType} is missing)`);
    super('ERR_LVSD_NETLINK', parts.join(' '), errnoName(errno) === 'EPERM' ? EXIT.NOT_PERMITTED : EXIT.RUNTIME);
    this.errno = errno;
    this.errnoName = errnoName(errno);
    this.extendedAck = extendedAck;
  }
}

/** No answer in time. The kernel may or may not have executed the request. */
export class NetlinkTimeoutError extends LvsdError {
  constructor(milliseconds: number) {
    super('ERR_LVSD_NETLINK_TIMEOUT', `no answer from the kernel within ${milliseconds} ms`);
  }
}

/**
 * The receive buffer overflowed (ENOBUFS). Requests in flight may or may not have been executed: read the state again.
 */
export class NetlinkOverrunError extends LvsdError {
  constructor() {
    super(
      'ERR_LVSD_NETLINK_OVERRUN',
      'netlink receive buffer overrun: answers of the kernel were lost; requests may or may not have been executed',
    );
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
