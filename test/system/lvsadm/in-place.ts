// SPDX-License-Identifier: MIT
// Replaces /usr/sbin/ipvsadm by a symbolic link to lvsadm, and restores the original afterwards.
import { existsSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const LVSADM = fileURLToPath(new URL('../../../dist/bin/lvsadm.cjs', import.meta.url));
const PLACE = '/usr/sbin/ipvsadm';
const ASIDE = '/usr/sbin/ipvsadm.debian';

/** Runs `work` twice: with Debian's ipvsadm, then with lvsadm. */
export async function byBoth<T>(work: () => T | Promise<T>): Promise<{ original: T; ours: T }> {
  const original = await work();
  if (!existsSync(ASIDE)) renameSync(PLACE, ASIDE);
  symlinkSync(LVSADM, PLACE);
  try {
    return { original, ours: await work() };
  } finally {
    rmSync(PLACE);
    renameSync(ASIDE, PLACE);
  }
}
