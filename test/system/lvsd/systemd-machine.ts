// SPDX-License-Identifier: MIT
// A systemd in its own namespaces (pids, mounts, cgroups, network), which starts one unit only; in the guest's root or in
// one of its own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BOOT = 120_000;

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Commands that make an overlay of `layers` the root. The guest's own root is in /host. */
function ownRoot(dir: string, layers: readonly string[]): string[] {
  return [
    `mkdir ${dir}/own && mount -t tmpfs tmpfs ${dir}/own && cd ${dir}/own && mkdir root upper work`,
    `mount -t overlay overlay -o lowerdir=${[...layers].reverse().join(':')},upperdir=upper,workdir=work root`,
    'cd root && mkdir -p host',
    'mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup',
    'mount --rbind /dev dev && mount --rbind / host',
    'pivot_root . mnt && cd / && umount -l /mnt',
  ];
}

export class Machine {
  readonly #unshare: ChildProcess;
  readonly #dir: string;
  #pid = '';

  private constructor(unshare: ChildProcess, dir: string) {
    this.#unshare = unshare;
    this.#dir = dir;
  }

  /**
   * `files`: by their paths below /run/systemd/system. `layers`: folders of a root of its own, the lowest first; what is
   * written to it is lost. Resolves when systemd answers.
   */
  static async boot(
    unit: string,
    files: Readonly<Record<string, string>>,
    layers: readonly string[] = [],
  ): Promise<Machine> {
    const dir = mkdtempSync(join(tmpdir(), 'lvsd-systemd-'));
    const copies = Object.entries(files).map(([path, text], i) => {
      writeFileSync(join(dir, String(i)), text);
      return `mkdir -p "$(dirname /run/systemd/system/${path})" && cp ${dir}/${i} /run/systemd/system/${path}`;
    });
    const script = [
      'set -e',
      'ip link set lo up',
      ...(layers.length > 0 ? ownRoot(dir, layers) : []),
      'mount -t tmpfs tmpfs /run',
      ...copies,
      'export container=lab',
      `exec /lib/systemd/systemd --system --unit=${unit} --log-target=console --show-status=no`,
    ];
    const apart = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--cgroup', '--uts', '--ipc', '--net'];
    const unshare = spawn('unshare', [...apart, 'sh', '-c', script.join('\n')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const machine = new Machine(unshare, dir);
    await machine.until('systemd to answer', () => machine.run('systemctl', 'is-system-running').stdout !== '', BOOT);
    return machine;
  }

  /** Runs a program in the unit's namespaces. */
  run(program: string, ...words: string[]): Ran {
    this.#pid ||= readFileSync(`/proc/${this.#unshare.pid}/task/${this.#unshare.pid}/children`, 'utf8').trim();
    const into = ['-t', this.#pid, '-m', '-p', '-i', '-C', '-n', '--'];
    const { status, stdout, stderr } = spawnSync('nsenter', [...into, program, ...words], { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  /** A property of the unit from `systemctl show`. */
  property(unit: string, name: string): string {
    return this.run('systemctl', 'show', '--value', '-p', name, unit).stdout.trim();
  }

  async until(what: string, test: () => boolean, timeout = 60_000): Promise<void> {
    for (const end = Date.now() + timeout; !test(); await sleep(200))
      if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
  }

  off(): void {
    this.#unshare.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true });
  }
}
