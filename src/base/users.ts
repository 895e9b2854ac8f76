// SPDX-License-Identifier: MIT
/** Users by name, from wherever this machine knows them. */
import { execFile, execFileSync } from 'node:child_process';

export interface User {
  uid: number;
  gid: number;
}

/** Milliseconds that a look-up may take, and that the answer "there is none" is believed. */
const LOOKUP_TIME = 5000;
const NONE_TIME = 10_000;

/** getent(1) asks what the C library would ask: the files, LDAP, systemd. */
const getent = (name: string) => ['--', 'passwd', name] as const;
const options = { timeout: LOOKUP_TIME, maxBuffer: 65536, encoding: 'utf8' } as const;

const known = new Map<string, User>();
const missing = new Map<string, number>();
const asked = new Map<string, Promise<User | undefined>>();

/** Undefined: there is no such user. One that was found is remembered for good. */
export function findUser(name: string): Promise<User | undefined> {
  const old = known.get(name);
  if (old || isMissing(name)) return Promise.resolve(old);
  let answer = asked.get(name);
  if (!answer) {
    answer = new Promise((resolve) => {
      execFile('getent', getent(name), options, (_error, stdout) => {
        asked.delete(name);
        resolve(remember(name, stdout));
      });
    });
    asked.set(name, answer);
  }
  return answer;
}

/** The same, and waits for the answer. */
export function findUserNow(name: string): User | undefined {
  const old = known.get(name);
  if (old || isMissing(name)) return old;
  try {
    return remember(name, execFileSync('getent', getent(name), { ...options, stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    // Exit status 2: not found.
    return remember(name, '');
  }
}

const isMissing = (name: string): boolean => performance.now() < (missing.get(name) ?? 0);

function remember(name: string, line: string): User | undefined {
  const [found, , uid, gid] = line.split(':');
  if (found !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) {
    missing.set(name, performance.now() + NONE_TIME);
    return undefined;
  }
  const user = { uid: Number(uid), gid: Number(gid) };
  known.set(name, user);
  return user;
}
