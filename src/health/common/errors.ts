// SPDX-License-Identifier: MIT
/** Describes socket errors, and decides whether the target or this machine caused them. */
import { getSystemErrorMap } from 'node:util';
import type { FailureCode } from '../../base/failure-codes.ts';
import { failure, inconclusive, type Verdict } from '../verdict.ts';

/** Errors that mean a lack of resources on this machine. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN', 'EINTR']);

const WORDS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'no local port is free (EADDRNOTAVAIL)',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'connection timed out',
};

const texts = new Map<string, string>();
for (const [, [name, text]] of getSystemErrorMap()) texts.set(name, text);

/** 'EACCES' -> 'permission denied (EACCES)'. */
export function errorWords(code: string): string {
  const text = texts.get(code);
  return WORDS[code] ?? (text === undefined ? code : `${text} (${code})`);
}

const CODES: Readonly<Record<string, FailureCode>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  // A rule of this machine's packet filter.
  EPERM: 'local',
  EACCES: 'local',
  EPROTO: 'protocol',
};

/** The verdict for a target after a socket error. */
export function errorVerdict(code: string): Verdict {
  return OURS.has(code) ? inconclusive(errorWords(code)) : failure(CODES[code] ?? 'other', errorWords(code));
}
