// SPDX-License-Identifier: MIT
/**
 * Checks that only root and given users can change or replace a file, such as a program that is run as root. Checks every
 * folder and symbolic link on the path, so that the result holds for the real path from then on.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;
/** Maximum of symbolic links, as in the kernel (MAXSYMLINKS). */
const MOST_LINKS = 40;

export type PathTrust =
  /** The path without symbolic links, and its status. */
  | { path: string; stat: Stats }
  /** The part of the path that others can change, and why: 'is writable by others', 'belongs to the user 65534'. */
  | { part: string; folder: boolean; why: string };

/**
 * Follows an absolute path. `owners` are the user ids besides root that may own its parts. Throws errors of lstat(2) and
 * readlink(2), and ELOOP.
 */
export function trustPath(path: string, owners: readonly number[]): PathTrust {
  const trusted = (uid: number): boolean => uid === 0 || owners.includes(uid);
  let rest = names(path);
  let at = '/';
  let links = 0;
  for (;;) {
    const stat = lstatSync(at);
    const folder = stat.isDirectory();
    if (!trusted(stat.uid)) return { part: at, folder, why: `belongs to the user ${stat.uid}` };
    if (stat.isSymbolicLink()) {
      if (++links > MOST_LINKS) throw Object.assign(new Error(`ELOOP: ${path}`), { code: 'ELOOP' });
      const to = readlinkSync(at);
      rest = [...names(to), ...rest];
      at = to.startsWith('/') ? '/' : dirname(at);
      continue;
    }
    const who = writers(stat);
    if (who !== undefined) return { part: at, folder, why: `is writable by ${who}` };
    const name = rest.shift();
    if (name === undefined) return { path: at, stat };
    at = name === '..' ? dirname(at) : join(at, name);
  }
}

const names = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

function writers(stat: Stats): string | undefined {
  // In folders like /tmp only the owner can replace a file, and the owner is checked.
  if ((stat.mode & STICKY) !== 0 && stat.isDirectory()) return undefined;
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) return 'others';
  // Also of the group root: with a POSIX ACL these bits are the most that any user named in it may do.
  return (stat.mode & WRITABLE_BY_GROUP) !== 0 ? 'its group' : undefined;
}
