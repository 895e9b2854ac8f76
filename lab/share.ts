// SPDX-License-Identifier: MIT
// The virtiofs share of the guest: the host's root (read-only), the layers above it and, for writing, the out folder.
// They are bind mounts in virtiofsd's own mount namespace, so the host's mount table does not change and they end with
// the process.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './errors.ts';

const daemon = '/usr/lib/qemu/virtiofsd';

export interface Share {
  socket: string;
  process: ChildProcess;
}

/** Returns the shell script that mounts the folders below $1; an entry of `layers` is a name and a path of the host. */
export function layout(layers: [string, string][], out: string): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const readOnly = layers.map(
    ([name, path]) =>
      `mkdir "$1/${name}"; mount --${path === '/' ? 'rbind' : 'bind'} ${quote(path)} "$1/${name}"; mount -o remount,bind,ro "$1/${name}"`,
  );
  return [
    'set -e',
    'mount -t tmpfs -o mode=755 lab "$1"',
    ...readOnly,
    `mkdir "$1/out"; mount --bind ${quote(out)} "$1/out"`,
  ].join('\n');
}

/** The kernel ends the daemon with the lab, even if the lab is killed. */
const serve = `exec setpriv --pdeathsig KILL ${daemon} --socket-path="$2" \${3:+--socket-group="$3"} -f -o log_level=err -o source="$1" -o cache=always -o sandbox=chroot`;

/**
 * Starts the share; `dir` is a fresh folder for its socket and mount points. Needs root, or sudo without a password.
 */
export async function startShare(dir: string, layers: [string, string][], out: string): Promise<Share> {
  if (!existsSync(daemon)) throw new LabError(`${daemon} is missing; run: apt-get install qemu-system-common`);
  const tree = join(dir, 'share');
  mkdirSync(tree);
  const socket = join(dir, 'share.sock');
  const isRoot = process.getuid?.() === 0;
  const group = isRoot ? '' : String(process.getgid?.());
  const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c'];
  const [command = '', ...args] = [...(isRoot ? [] : ['sudo', '-n']), ...unshare, `${layout(layers, out)}\n${serve}`];
  const child = spawn(command, [...args, 'sh', tree, socket, group], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  let gone = false;
  child.on('error', (error) => {
    stderr += error.message;
    gone = true;
  });
  child.on('exit', () => {
    gone = true;
  });
  for (let tries = 0; !existsSync(socket); tries += 1) {
    if (gone || tries > 1000) throw new LabError(`virtiofsd did not start (root or sudo is needed): ${stderr.trim()}`);
    await sleep(10);
  }
  return { socket, process: child };
}
