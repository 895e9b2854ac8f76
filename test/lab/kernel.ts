// SPDX-License-Identifier: MIT
// The guest's kernel: Debian's cloud kernel, unpacked in the cache, and the tree of its modules with ours laid over.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cached, hashOf, run } from './cache.ts';
import { candidate, packageNames, unpackDebs } from './debs.ts';
import { LabError, say } from './errors.ts';

/** `6.1` or `6.12`: the long-term lines that the project patches. */
export type KernelLine = '6.1' | '6.12';

export interface Kernel {
  line: KernelLine;
  /** What `uname -r` says in the guest. */
  release: string;
  image: string;
  /** Root of the unpacked package; its modules are in usr/lib/modules/RELEASE. */
  root: string;
}

/** Orders releases such as 6.1.0-9-cloud-amd64 and 6.12.113+deb12-cloud-amd64 by their numbers. */
function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/**
 * Which release to boot: the one whose headers are installed, since modules are built against them; else the newest that
 * apt offers.
 */
function chooseRelease(line: KernelLine): string {
  const mine = new RegExp(`^${line.replace('.', '\\.')}\\.[0-9].*-cloud-amd64$`);
  const installed = readdirSync('/usr/src')
    .map((name) => name.replace(/^linux-headers-/, ''))
    .filter((name) => mine.test(name));
  const offered = packageNames(`linux-image-${line}.`)
    .map((name) => name.replace(/^linux-image-/, ''))
    .filter((name) => mine.test(name))
    .sort(byNumbers);
  const both = installed.filter((name) => offered.includes(name)).sort(byNumbers);
  const release = both.at(-1) ?? offered.at(-1);
  if (release === undefined) throw new LabError(`apt offers no cloud kernel of the ${line} line`);
  return release;
}

/** Downloads and unpacks the kernel package of a line, once. */
export async function fetchKernel(line: KernelLine): Promise<Kernel> {
  const release = process.env.LVSD_LAB_KERNEL ?? chooseRelease(line);
  const name = `linux-image-${release}`;
  const version = candidate(name);
  if (version === undefined) throw new LabError(`apt has no package ${name}; try apt-get update`);
  const root = await cached('kernel', `${release}_${version.replaceAll(':', '.')}`, (dir) => {
    say(`downloading ${name} ${version}`);
    unpackDebs([`${name}=${version}`], dir);
  });
  return { line, release, image: join(root, 'boot', `vmlinuz-${release}`), root };
}

/** The .ko files in DIR/updates, or in DIR itself. */
function modulesIn(dir: string): string[] {
  const folder = existsSync(join(dir, 'updates')) ? join(dir, 'updates') : dir;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ko'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Asks a build script of this checkout (kernel-patches/build, toa-module/build) for its modules; it builds what is
 * missing. Without such a script there are none.
 */
export function builtModules(script: string, kernel: Kernel): string[] {
  if (!existsSync(script)) return [];
  const env = { ...process.env, LVSD_KERNEL_RELEASE: kernel.release, LVSD_KERNEL_LINE: kernel.line };
  const result = spawnSync(script, ['--print-dir'], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
  const dir = result.stdout?.trim().split('\n').at(-1);
  if (result.status !== 0 || !dir)
    throw new LabError(`${script} --print-dir failed (${result.status ?? result.error})`);
  const modules = modulesIn(dir);
  if (modules.length === 0) throw new LabError(`${script} names ${dir}, where there is no module`);
  for (const module of modules) {
    const magic = run('modinfo', ['-F', 'vermagic', module]).split(' ')[0];
    if (magic !== kernel.release) {
      throw new LabError(`${module} is built for ${magic}, but the lab boots ${kernel.release}`);
    }
  }
  return modules;
}

/**
 * A layer for the guest: lib/modules/RELEASE as packaged, `extra` modules in its updates/ (which modprobe prefers), and
 * depmod's indexes. Keyed by the modules' content.
 */
export async function moduleLayer(kernel: Kernel, extra: string[]): Promise<string> {
  const key = hashOf(kernel.root, ...extra.flatMap((file) => [file.replace(/.*\//, ''), readFileSync(file)]));
  return await cached('modules', `${kernel.release}-${key}`, (dir) => {
    const target = join(dir, 'usr/lib/modules', kernel.release);
    mkdirSync(join(dir, 'usr/lib/modules'), { recursive: true });
    symlinkSync('usr/lib', join(dir, 'lib'));
    // Hard links: a layer with other modules costs no second copy of the distribution's.
    run('cp', ['-al', join(kernel.root, 'usr/lib/modules', kernel.release), target]);
    if (extra.length > 0) mkdirSync(join(target, 'updates'));
    for (const file of extra) cpSync(file, join(target, 'updates', file.replace(/.*\//, '')));
    run('depmod', ['-b', dir, kernel.release]);
  });
}
