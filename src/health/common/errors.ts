// SPDX-License-Identifier: MIT
/** Errors of sockets in the words of an operator, and whose fault they are. */
import { getSystemErrorMap } from 'node:util';
import { failure, inconclusive, type Verdict } from '../verdict.ts';

/** This machine has run out of something; errno.h's names. */
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

/** What an error on the way to a target says of the target. */
export function errorVerdict(code: string): Verdict {
  return OURS.has(code) ? inconclusive(errorWords(code)) : failure(errorWords(code));
}
