// SPDX-License-Identifier: MIT
// Debian's Prometheus and promtool, unpacked into the cache of the lab and not installed.
import { join } from 'node:path';
import { cached, hashOf } from '../../lab/cache.ts';
import { candidate, unpackDebs } from '../../lab/debs.ts';

/** The folder with `prometheus` and `promtool`. */
export async function prometheus(): Promise<string> {
  const version = candidate('prometheus') ?? '';
  const dir = await cached('prometheus', hashOf(version), (into) => unpackDebs(['prometheus'], into));
  return join(dir, 'usr/bin');
}
