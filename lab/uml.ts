// SPDX-License-Identifier: MIT
// User-mode Linux: a kernel that is an ordinary process on the host, either with KASAN, lockdep, PROVE_RCU and more
// (uml/debug) or without, then at the host's speed. It sees the host's files as a VM does, by hostfs instead of virtiofs.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, hashOf } from './cache.ts';
import { LabError } from './errors.ts';
import type { Spec } from './initrd.ts';
import type { Kernel, KernelLine } from './kernel.ts';
import { layout } from './share.ts';

const builder = fileURLToPath(new URL('uml/build', import.meta.url));
const series = (line: KernelLine) => fileURLToPath(new URL(`../kernel-patches/${line}/series`, import.meta.url));

/** The version of Debian's source that a series applies to. */
function sourceVersion(line: KernelLine): string {
  const version = /^# base: \S+ (\S+)$/m.exec(readFileSync(series(line), 'utf8'))?.[1];
  if (version === undefined) throw new LabError(`${series(line)} names no base`);
  return version;
}

/** With the debugging aids of lab/uml/debug, or without. */
export type UmlKind = 'debug' | 'plain';

/** Builds the kernel of a line, once for each source and configuration; it does not depend on the series. */
export async function umlKernel(line: KernelLine, kind: UmlKind): Promise<Kernel> {
  const version = sourceVersion(line);
  const folder = fileURLToPath(new URL('uml', import.meta.url));
  const names = ['build', 'config', ...(kind === 'debug' ? ['debug'] : [])];
  const key = hashOf(...names.map((name) => readFileSync(join(folder, name))));
  const root = await cached('uml', `${line}_${version.replaceAll(':', '.')}-${kind}-${key}`, (dir) => {
    const { status } = spawnSync(builder, [line, dir, kind], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new LabError(`${builder} failed (${status})`);
  });
  const [release = ''] = readdirSync(join(root, 'usr/lib/modules'));
  return { line, release, image: join(root, 'linux'), root, headers: join(root, 'tree') };
}

/** The terminals that replace a VM's virtio-serial ports. */
export const umlSpec: Spec = [
  ['uml', '1'],
  ['lab.ctl', '/dev/tty1'],
  ['lab.out', '/dev/tty2'],
  ['lab.err', '/dev/tty3'],
];

/** The parts of vm.ts's Machine that are used here. */
interface UmlMachine {
  kernel: Kernel;
  layers: [string, string][];
  out: string;
  memory: string;
  append: string;
}

/**
 * Starts the kernel; `dir` is a fresh folder with its initrd. Its stdout is the console; its descriptors 3, 4 and 5 are
 * control, stdout and stderr of the command. It has its own mount namespace, in which the host's root and the layers are
 * read-only, and its own PID namespace, which ends with the lab.
 */
export function startUml(machine: UmlMachine, dir: string): ChildProcess {
  const tree = join(dir, 'share');
  mkdirSync(tree);
  const memory = existsSync('/dev/shm') ? '/dev/shm' : dir;
  const words = [
    ...[machine.kernel.image, `mem=${machine.memory}`, `initrd=${join(dir, 'initrd')}`, `hostfs=${tree}`],
    ...[
      'con=null',
      'con0=null,fd:1',
      'con1=fd:3',
      'con2=fd:4',
      'con3=fd:5',
      `umid=lvsd-${process.pid}`,
      `uml_dir=${dir}`,
    ],
    ...['loglevel=5', 'panic=-1', 'oops=panic', 'slab_nomerge', 'random.trust_cpu=on'],
    ...machine.append.split(' ').filter(Boolean),
  ];
  const isRoot = process.getuid?.() === 0;
  const spaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  const unshare = ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), ...spaces];
  // The shell stays as process 1 of the namespace: process 1 would ignore the signals that the kernel sends itself.
  const script = `${layout([...machine.layers, ['host', '/']], machine.out)}\nulimit -c 0\nshift\n"$@"\nexit $?`;
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...unshare, 'sh', '-c', script, 'sh', tree, ...words], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C goes to the lab, which then ends the guest.
    detached: true,
    env: { ...process.env, TMPDIR: memory },
  });
}
