// SPDX-License-Identifier: MIT
/** Paths of the bundles of worker processes. Sources and bundles are equally deep, so one relative path serves both. */
import { fileURLToPath } from 'node:url';

export type Worker = 'health' | 'exec' | 'match';

/** Absolute path of the bundle of a worker. */
export function workerPath(name: Worker): string {
  return fileURLToPath(new URL(`../../dist/workers/${name}.cjs`, import.meta.url));
}
