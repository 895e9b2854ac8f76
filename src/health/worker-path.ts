// SPDX-License-Identifier: MIT
/** Where the bundles of helper processes lie. Sources and bundles lie equally deep, so the path is one and the same. */
import { fileURLToPath } from 'node:url';

export type Worker = 'health' | 'exec' | 'match';

export function workerPath(name: Worker): string {
  return fileURLToPath(new URL(`../../dist/workers/${name}.cjs`, import.meta.url));
}
