// SPDX-License-Identifier: MIT
/** --netns: the network namespace to work in. Host names are still resolved in the original one. */
import { isSystemError, native } from '../base/native.ts';
import { Fatal } from './errors.ts';

/** Moves this process into a namespace. Throws Fatal. */
export function enterNetns(name: string): void {
  const path = name.includes('/') ? name : `/run/netns/${name}`;
  try {
    native().enterNetns(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new Fatal(error.code === 'EPERM' ? 4 : 1, `cannot enter the network namespace ${path} (${error.code})`);
  }
}
