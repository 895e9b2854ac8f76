// SPDX-License-Identifier: MIT
/** Users by name, wherever this machine knows them from. */
import { execFile } from 'node:child_process';

export interface User {
  uid: number;
  gid: number;
}

const known = new Map<string, User>();

/** undefined: there is no such user. One that was found is remembered. */
export async function findUser(name: string): Promise<User | undefined> {
  const old = known.get(name);
  if (old) return old;
  // getent(1) asks what the C library would ask: the files, LDAP, systemd.
  const line = await new Promise<string>((resolve) => {
    execFile('getent', ['--', 'passwd', name], { timeout: 5000, maxBuffer: 65536 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  const [found, , uid, gid] = line.split(':');
  if (found !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) return undefined;
  const user = { uid: Number(uid), gid: Number(gid) };
  known.set(name, user);
  return user;
}
