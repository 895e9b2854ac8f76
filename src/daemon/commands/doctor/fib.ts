// SPDX-License-Identifier: MIT
/** The IPv4 addresses of this host, from its local routes. */
import { parseIpv4 } from '../../../base/addresses.ts';
import type { LocalPrefix } from './types.ts';

/** Parses /proc/net/fib_trie: each leaf has an address, and below it the prefix lengths and types of its routes. */
export function parseLocalPrefixes(text: string): LocalPrefix[] {
  const prefixes: LocalPrefix[] = [];
  let leaf: Uint8Array | undefined;
  for (const line of text.split('\n')) {
    const name = /^\s*\|-- (\S+)/.exec(line)?.[1];
    if (name !== undefined) leaf = parseIpv4(name);
    const length = /^\s*\/(\d+) \S+ LOCAL\b/.exec(line)?.[1];
    if (leaf && length !== undefined) prefixes.push({ address: leaf, length: Number(length) });
  }
  return prefixes;
}

/** Whether an IPv4 address is in one of the prefixes. */
export function isLocal(address: Uint8Array, prefixes: readonly LocalPrefix[]): boolean {
  return prefixes.some((prefix) => bits(address, prefix.length) === bits(prefix.address, prefix.length));
}

/** The first `length` bits as a number. */
function bits(address: Uint8Array, length: number): number {
  const word = address.reduce((sum, byte) => sum * 256 + byte, 0);
  return Math.floor(word / 2 ** (32 - length));
}
