// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

/** The version in package.json. Read as a file: node:module, for require(), would be loaded at every start. */
export function version(): string {
  const text = readFileSync(`${import.meta.dirname}/../../package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
