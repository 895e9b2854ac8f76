// SPDX-License-Identifier: MIT
/** --netns: the network namespace that the program works in. Names of hosts are still asked for where it was started. */
import { isSystemError, native } from '../base/native.ts';
import { Fatal } from './outcome.ts';

/** Moves this process there. Throws Fatal. */
export function enterNetns(name: string): void {
  const path = name.includes('/') ? name : `/run/netns/${name}`;
  try {
    native().enterNetns(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new Fatal(error.code === 'EPERM' ? 4 : 1, `cannot enter the network namespace ${path} (${error.code})`);
  }
}
