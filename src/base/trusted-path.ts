// SPDX-License-Identifier: MIT
/**
 * Files that nobody but root, or the user who acts on them, can change or replace: what is run as root, or says what is.
 * Every folder and symbolic link on the way is looked at, so that the real path stays good once it is found so.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;
/** Symbolic links on one way, as in the kernel (MAXSYMLINKS). */
const MOST_LINKS = 40;

export type PathTrust =
  /** Without symbolic links, and what is there. */
  | { path: string; stat: Stats }
  /** The part of the way that somebody else may change, and why: 'is writable by others', 'belongs to the user 65534'. */
  | { part: string; folder: boolean; why: string };

/**
 * Follows an absolute path. `owners` are the user ids beside root that may own what is on the way. Throws the error of
 * lstat(2) or readlink(2), and ELOOP.
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
  // In /tmp and its like only a file's owner can replace it, and owners are looked at.
  if ((stat.mode & STICKY) !== 0 && stat.isDirectory()) return undefined;
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) return 'others';
  return (stat.mode & WRITABLE_BY_GROUP) !== 0 && stat.gid !== 0 ? 'its group' : undefined;
}
