// SPDX-License-Identifier: MIT
// A systemd in its own namespaces (pids, mounts, cgroups, network), which starts one unit only; in the guest's root or in
// one of its own.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BOOT = 120_000;

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Commands that mount an overlay of `layers`, with a view of the guest's own root in /host. */
function mountRoot(root: string, layers: readonly string[]): string[] {
  const own = dirname(root);
  return [
    `mkdir ${own}`,
    `mount -t tmpfs tmpfs ${own}`,
    `mkdir ${root} ${own}/upper ${own}/work`,
    `mount -t overlay overlay -o lowerdir=${[...layers].reverse().join(':')},upperdir=${own}/upper,workdir=${own}/work ${root}`,
    `mount -t proc proc ${root}/proc`,
    `mount -t sysfs sysfs ${root}/sys`,
    `mount -t cgroup2 cgroup2 ${root}/sys/fs/cgroup`,
    `mount --rbind /dev ${root}/dev`,
    `mkdir ${root}/host`,
    `mount --bind / ${root}/host`,
  ];
}

export class Machine {
  readonly #unshare: ChildProcess;
  readonly #dir: string;
  readonly #ownRoot: boolean;
  #pid = '';

  private constructor(unshare: ChildProcess, dir: string, ownRoot: boolean) {
    this.#unshare = unshare;
    this.#dir = dir;
    this.#ownRoot = ownRoot;
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
    const root = layers.length > 0 ? join(dir, 'own/root') : '';
    const copies = Object.entries(files).map(([path, text], i) => {
      writeFileSync(join(dir, String(i)), text);
      const to = `${root}/run/systemd/system/${path}`;
      return `mkdir -p "$(dirname ${to})" && cp ${dir}/${i} ${to}`;
    });
    const script = [
      'set -e',
      'ip link set lo up',
      ...(root === '' ? [] : mountRoot(root, layers)),
      `mount -t tmpfs tmpfs ${root}/run`,
      ...copies,
      'export container=lab',
      // Over the old root: the kernel denies user namespaces (PrivateUsers=) to processes that are in a chroot only.
      ...(root === '' ? [] : [`cd ${root}`, 'mount --move . /']),
      `exec ${root && 'chroot . '}/lib/systemd/systemd --system --unit=${unit} --log-target=console --show-status=no`,
    ];
    const apart = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--cgroup', '--uts', '--ipc', '--net'];
    const unshare = spawn('unshare', [...apart, 'sh', '-c', script.join('\n')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const machine = new Machine(unshare, dir, root !== '');
    // Before systemd runs, systemctl says "offline".
    const answers = () => !['', 'offline\n'].includes(machine.run('systemctl', 'is-system-running').stdout);
    await machine.until('systemd to answer', answers, BOOT);
    return machine;
  }

  /** Process id of systemd in the guest. */
  get pid(): string {
    this.#pid ||= readFileSync(`/proc/${this.#unshare.pid}/task/${this.#unshare.pid}/children`, 'utf8').trim();
    return this.#pid;
  }

  #inside(...command: string[]): string[] {
    return ['-t', this.pid, '-m', ...(this.#ownRoot ? ['-r'] : []), '-p', '-i', '-C', '-n', '--', ...command];
  }

  /** Runs a program in the unit's namespaces. */
  run(...command: [string, ...string[]]): Ran {
    const { status, stdout, stderr } = spawnSync('nsenter', this.#inside(...command), { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  /** As run(); throws if it fails. */
  ok(...command: [string, ...string[]]): string {
    const { status, stdout, stderr } = this.run(...command);
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  /** As ok(), without blocking. */
  async start(...command: [string, ...string[]]): Promise<string> {
    const child = spawn('nsenter', this.#inside(...command), { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const [status] = await once(child, 'close');
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${output}`);
    return output;
  }

  write(path: string, text: string): void {
    this.ok('sh', '-c', 'printf %s "$1" > "$0"', path, text);
  }

  /**
   * A veth pair from here to the network namespace of a process, or to a named one. Addresses have their prefix.
   */
  link(device: string, address: string, peer: { netns: string; device: string; address: string }): void {
    const commands = [`link add ${device} netns ${this.pid} type veth peer name ${peer.device} netns ${peer.netns}`];
    const there = /^\d+$/.test(peer.netns) ? ['nsenter', '-t', peer.netns, '-n', 'ip'] : ['ip', '-n', peer.netns];
    const ip = ([command = '', ...words]: string[], lines: string[]) =>
      execFileSync(command, [...words, '-batch', '-'], { input: `${lines.join('\n')}\n` });
    ip(['ip'], commands);
    ip(['nsenter', '-t', this.pid, '-n', 'ip'], [`addr add ${address} dev ${device}`, `link set ${device} up`]);
    ip(there, [`addr add ${peer.address} dev ${peer.device}`, `link set ${peer.device} up`]);
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
