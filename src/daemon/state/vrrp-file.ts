// SPDX-License-Identifier: MIT
/**
 * The adverts of priority 0 of a master, in a file beside the state file, for `lvsd withdraw` after lvsd and its VRRP
 * process were killed.
 */
import { dirname, join } from 'node:path';
import type { LastMessage } from '../../vrrp/messages.ts';
import { bootId, readContent, writeContent } from './file.ts';
import { readLastMessages } from './schema.ts';

/** Bytes: more than 255 peers of each of 255 instances do not occur. */
const LARGEST = 64 << 20;

const pathOf = (statePath: string) => join(dirname(statePath), 'vrrp.json');

/** Throws system errors. */
export function writeLastMessages(statePath: string, messages: readonly LastMessage[]): Promise<void> {
  return writeContent(pathOf(statePath), { messages }, { sync: false });
}

/** Resolves with no messages if there is no valid file of this boot. `reason`: the fault of an existing file. */
export async function readSavedMessages(statePath: string): Promise<{ messages: LastMessage[]; reason?: string }> {
  const path = pathOf(statePath);
  const reject = ({ boot }: { boot: string }) =>
    boot === bootId() ? undefined : 'it was written before the last boot';
  const found = await readContent(path, { largest: LARGEST, read: readLastMessages, reject });
  if ('content' in found) return found.content;
  return found.missing ? { messages: [] } : { messages: [], reason: `${path}: ${found.reason}` };
}
