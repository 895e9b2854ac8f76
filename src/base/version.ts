// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';

/** Of the package. */
export function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
}
