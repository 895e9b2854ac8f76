// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';

let known: string | undefined;

/**
 * The version in package.json, of the program that runs: read once, since an upgrade replaces the file under a running
 * daemon. Read as a file: node:module, for require(), would be loaded at every start.
 */
export function version(): string {
  known ??= read();
  return known;
}

function read(): string {
  const text = readFileSync(`${import.meta.dirname}/../../package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
