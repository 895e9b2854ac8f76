// SPDX-License-Identifier: MIT
/** Converts local_addresses to pools, with ranges and prefixes expanded. */
import { AF_INET, AF_INET6, type Family, formatAddress } from '../../base/addresses.ts';
import { describe } from '../describe.ts';
import { LIMITS } from '../limits.ts';
import type { RawPool } from '../schema.ts';
import type { LocalAddressPool } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { ProblemSink } from './problem-sink.ts';
import { type Address, addressId, addressOf, isLoopback, notUnicast, portRange } from './values.ts';

/** First local port that lvsd's kernel modules accept. */
const FIRST_LOCAL_PORT = 1025;

/** Pool and path of each local address. */
export type LocalPlaces = ReadonlyMap<number | string, { pool: string; path: Path }>;

export interface Pools {
  pools: Map<string, LocalAddressPool>;
  places: LocalPlaces;
}

/** The pools by name, and the place of each of their addresses. Problems go to `problems`. */
export function resolvePools(raw: Readonly<Record<string, RawPool>>, problems: ProblemSink): Pools {
  const pools = new Map<string, LocalAddressPool>();
  const places = new Map<number | string, { pool: string; path: Path }>();
  for (const [name, pool] of Object.entries(raw)) {
    const path = ['local_addresses', name];
    const addresses: LocalAddressPool['addresses'][number][] = [];
    for (const [index, text] of pool.addresses.entries()) {
      const item = [...path, 'addresses', index];
      const room = LIMITS.poolAddresses - addresses.length;
      const found = addressesOf(text, room);
      if (typeof found === 'string') {
        problems.report(item, found);
        continue;
      }
      for (const address of found) {
        const id = addressId(address.bytes);
        const other = places.get(id);
        if (other) {
          const where = other.pool === name ? 'twice in this pool' : `in the pool ${other.pool} too`;
          const shown = formatAddress(address.family, address.bytes);
          problems.report(item, `found ${shown}, which is ${where}; allowed: each address once`);
          break;
        }
        places.set(id, { pool: name, path: item });
        addresses.push({ family: address.family, address: address.bytes });
      }
    }
    let ports: LocalAddressPool['ports'];
    if (pool.ports !== undefined) {
      const range = portRange(pool.ports, FIRST_LOCAL_PORT);
      if (typeof range === 'string') problems.report([...path, 'ports'], range);
      else ports = range;
    }
    pools.set(name, { name, device: pool.device, follow: pool.follow, addresses, ports });
  }
  return { pools, places };
}

/** '10.31.3.101', '10.31.3.101-10.31.3.116' or '10.31.3.128/28' -> its addresses, at most `room`. */
function addressesOf(text: string, room: number): Address[] | string {
  const range = text.includes('/') ? prefixOf(text) : rangeOf(text);
  if (typeof range === 'string') return range;
  const { family, first, last } = range;
  if (family === AF_INET6) return `found ${describe(text)}; allowed: IPv4 addresses, the only family of FULLNAT so far`;
  if (last - first >= room)
    return `found ${describe(text)}, ${last - first + 1n} addresses; allowed: ${LIMITS.poolAddresses} in a pool`;
  const addresses: Address[] = [];
  for (let value = first; value <= last; value++) {
    const address = { family, bytes: bytesOf(value, family) };
    const why = isLoopback(address) ? 'a loopback address' : notUnicast(address);
    if (why !== undefined)
      return `found ${formatAddress(family, address.bytes)}, ${why}; allowed: addresses that a host can have`;
    addresses.push(address);
  }
  return addresses;
}

interface Range {
  family: Family;
  first: bigint;
  last: bigint;
}

function rangeOf(text: string): Range | string {
  const [from = '', to = from, ...more] = text.split('-').map((part) => part.trim());
  const [first, last] = [addressOf(from), addressOf(to)];
  const wrong = `found ${describe(text)}; allowed: an address, FIRST-LAST or a prefix such as 10.31.3.128/28`;
  if (typeof first === 'string' || typeof last === 'string' || more.length > 0) return wrong;
  if (first.family !== last.family) return `${wrong}, of one family`;
  const [low, high] = [numberOf(first.bytes), numberOf(last.bytes)];
  if (low > high) return `found ${describe(text)}, which is descending; allowed: FIRST-LAST, or ${to}-${from}`;
  return { family: first.family, first: low, last: high };
}

function prefixOf(text: string): Range | string {
  const [plain = '', digits = ''] = text.split('/');
  const address = addressOf(plain);
  const allowed = 'a prefix such as 10.31.3.128/28';
  if (typeof address === 'string') return `found ${describe(text)}; allowed: ${allowed}`;
  const { family, bytes } = address;
  const bits = family === AF_INET ? 32 : 128;
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > bits)
    return `found ${describe(text)}; allowed: ${allowed}, with a length from 0 to ${bits}`;
  const size = 1n << BigInt(bits - Number(digits));
  const value = numberOf(bytes);
  const first = value - (value % size);
  if (first !== value) {
    const right = `${formatAddress(family, bytesOf(first, family))}/${digits}`;
    return `found ${describe(text)}, which has host bits set; allowed: ${right} for all of it, or ${plain} alone`;
  }
  return { family, first, last: first + size - 1n };
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function bytesOf(value: bigint, family: Family): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 4 : 16);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}
