// SPDX-License-Identifier: MIT
/** Where the bundles of helper processes lie. Sources and bundles lie equally deep, so the path is one and the same. */
import { fileURLToPath } from 'node:url';

export type Program = 'checker' | 'exec' | 'match';

export function programPath(name: Program): string {
  return fileURLToPath(new URL(`../../dist/proc/${name}.cjs`, import.meta.url));
}
