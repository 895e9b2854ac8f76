// SPDX-License-Identifier: MIT
/**
 * The file of overrides, which survives a reboot, unlike the state file: a server in maintenance must not get traffic
 * because the balancer was started again. The same format, synced to disk.
 */
import type { Override } from '../model/overrides.ts';
import { readContent, writeContent, writtenAt } from './file.ts';
import { readOverrideList } from './schema.ts';

export const DEFAULT_OVERRIDES_FILE = '/var/lib/lvsd/overrides.json';
/** Bytes. */
const LARGEST = 16 << 20;

/**
 * Undefined overrides: there is no file, or it is not accepted for this reason. `at`: see `writtenAt`.
 */
export type OverridesRead =
  | { overrides: Override[]; at: number }
  | { overrides: undefined; reason: string; missing: boolean };

/** Does not throw for an invalid file. */
export async function readOverrides(path: string): Promise<OverridesRead> {
  const read = await readContent(path, { largest: LARGEST, read: readOverrideList });
  if ('content' in read) return { ...read.content, at: writtenAt(read.header) };
  return { overrides: undefined, reason: read.reason, missing: read.missing };
}

/** Throws system errors. */
export function writeOverrides(path: string, overrides: readonly Override[]): Promise<void> {
  return writeContent(path, { overrides }, { sync: true });
}
