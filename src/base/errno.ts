// SPDX-License-Identifier: MIT
/**
 * Error numbers of system calls and of the kernel's answers: names and texts. Does not import node:os, which has the
 * numbers as well, because lvsadm would load it at every start.
 */
import type { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** 'ENOENT' and the like. */
export type ErrnoName = keyof typeof constants.errno;

/**
 * Whether the error has one of these error numbers. Takes errors of Node and of the addon (negative `errno`) and
 * NetlinkError (positive).
 */
export function isErrno(error: unknown, ...names: readonly ErrnoName[]): boolean {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return false;
  return (names as readonly string[]).includes(errnoName(Math.abs(error.errno)));
}

/** Missing from libuv's table, or named differently there. Names and texts of errno.h and strerror(3). */
const MORE = [
  [8, 'ENOEXEC', 'exec format error'],
  [10, 'ECHILD', 'no child processes'],
  [35, 'EDEADLK', 'resource deadlock avoided'],
  [42, 'ENOMSG', 'no message of desired type'],
  [61, 'ENODATA', 'no data available'],
  [62, 'ETIME', 'timer expired'],
  [75, 'EOVERFLOW', 'value too large for defined data type'],
  [85, 'ERESTART', 'interrupted system call should be restarted'],
  [92, 'ENOPROTOOPT', 'protocol not available'],
  [94, 'ESOCKTNOSUPPORT', 'socket type not supported'],
  [95, 'EOPNOTSUPP', 'operation not supported'],
  [96, 'EPFNOSUPPORT', 'protocol family not supported'],
  [102, 'ENETRESET', 'network dropped the connection on reset'],
  [115, 'EINPROGRESS', 'operation now in progress'],
  [116, 'ESTALE', 'stale file handle'],
  [524, 'ENOTSUPP', 'operation not supported'],
] as const;

let entries: Map<number, readonly [name: string, text: string]> | undefined;

/** Builds the table at first use, because most runs meet no error. */
function entryOf(errno: number): readonly [name: string, text: string] | undefined {
  if (!entries) {
    entries = new Map();
    for (const [number, entry] of getSystemErrorMap()) entries.set(-number, entry);
    for (const [number, name, text] of MORE) entries.set(number, [name, text]);
  }
  return entries.get(errno);
}

/** 17 -> 'EEXIST'; a number without a name -> 'E4711'. */
export function errnoName(errno: number): string {
  return entryOf(errno)?.[0] ?? `E${errno}`;
}

/** 17 -> 'file already exists (EEXIST)'. */
export function describeErrno(errno: number): string {
  const entry = entryOf(errno);
  return entry ? `${entry[1]} (${entry[0]})` : `error ${errno}`;
}
