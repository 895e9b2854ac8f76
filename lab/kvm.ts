// SPDX-License-Identifier: MIT
// Finds out whether KVM can run a guest. /dev/kvm may exist and yet hang while a kernel boots, so the lab's own kernel is
// tried, without a root file system: if KVM works it panics for lack of one within two seconds.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, hashOf } from './cache.ts';

function bootsToPanic(image: string): boolean {
  const machine = ['-accel', 'kvm', '-cpu', 'host', '-M', 'pc', '-m', '512', '-nodefaults', '-no-user-config'];
  const rest = ['-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel', image];
  const append = ['-append', 'console=ttyS0 panic=-1'];
  const result = spawnSync('qemu-system-x86_64', [...machine, ...rest, ...append], {
    encoding: 'latin1',
    timeout: 5000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return result.status === 0 && result.stdout.includes('Kernel panic - not syncing: VFS');
}

/** True if KVM boots the kernel `image`. Tried once per boot of this machine, for at most five seconds. */
export async function kvmWorks(image: string): Promise<boolean> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const fill = (dir: string) => writeFileSync(join(dir, 'works'), bootsToPanic(image) ? 'yes' : 'no');
  const dir = await cached('kvm', `${boot}-${hashOf(image)}`, fill, 4);
  return readFileSync(join(dir, 'works'), 'utf8') === 'yes';
}
