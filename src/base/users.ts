// SPDX-License-Identifier: MIT
/** Looks up users by name. */
import { execFile, execFileSync } from 'node:child_process';

export interface User {
  uid: number;
  gid: number;
}

/** Milliseconds that a lookup may take, and for which answers are cached: negative ones, and positive ones. */
const LOOKUP_TIME = 5000;
const NONE_TIME = 10_000;
const USER_TIME = 60_000;

/** getent(1) uses the same sources as the C library: files, LDAP, systemd. */
const getent = (name: string) => ['--', 'passwd', name] as const;
const options = { timeout: LOOKUP_TIME, maxBuffer: 65536, encoding: 'utf8' } as const;

const known = new Map<string, { user: User; until: number }>();
const missing = new Map<string, number>();
const pending = new Map<string, Promise<User | undefined>>();

/** Undefined if there is no such user or the lookup fails. Answers are cached for a while. */
export function findUser(name: string): Promise<User | undefined> {
  const old = cached(name);
  if (old || isMissing(name)) return Promise.resolve(old);
  let answer = pending.get(name);
  if (!answer) {
    answer = new Promise((resolve) => {
      execFile('getent', getent(name), options, (_error, stdout) => {
        pending.delete(name);
        resolve(remember(name, stdout));
      });
    });
    pending.set(name, answer);
  }
  return answer;
}

/** The same, synchronously. */
export function findUserNow(name: string): User | undefined {
  const old = cached(name);
  if (old || isMissing(name)) return old;
  try {
    return remember(name, execFileSync('getent', getent(name), { ...options, stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    // Exit status 2: not found.
    return remember(name, '');
  }
}

/** The id of a group; undefined if there is none or the lookup fails. */
export function findGroupNow(name: string): number | undefined {
  try {
    const words = ['--', 'group', name];
    const [found, , gid] = execFileSync('getent', words, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }).split(
      ':',
    );
    return found === name && /^\d+$/.test(gid ?? '') ? Number(gid) : undefined;
  } catch {
    // Exit status 2: not found.
    return undefined;
  }
}

function cached(name: string): User | undefined {
  const found = known.get(name);
  return found && performance.now() < found.until ? found.user : undefined;
}

const isMissing = (name: string): boolean => performance.now() < (missing.get(name) ?? 0);

function remember(name: string, line: string): User | undefined {
  const [found, , uid, gid] = line.split(':');
  if (found !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) {
    missing.set(name, performance.now() + NONE_TIME);
    return undefined;
  }
  const user = { uid: Number(uid), gid: Number(gid) };
  known.set(name, { user, until: performance.now() + USER_TIME });
  return user;
}
