// SPDX-License-Identifier: MIT
// The guest's kernel: Debian's cloud kernel, unpacked in the cache or that of a bare root, and its modules with ours
// above them.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Suite } from './bare-root.ts';
import { cached, hashOf, run } from './cache.ts';
import { candidate, packageNames, unpackDebs } from './debs.ts';
import { LabError, say } from './errors.ts';
import { kernelRoot } from './packages.ts';

const patches = fileURLToPath(new URL('../kernel-patches', import.meta.url));

/** `6.1` or `6.12`: the long-term lines that the project patches. */
export type KernelLine = '6.1' | '6.12';

export interface Kernel {
  line: KernelLine;
  /** Output of `uname -r` in the guest. */
  release: string;
  image: string;
  /** Root of the unpacked package; its modules are in usr/lib/modules/RELEASE. */
  root: string;
  /** For a kernel that the lab builds: the tree that modules are built against. */
  headers?: string;
}

/**
 * Returns the release to boot: the one that kernel-patches/build builds for, so that its modules fit; if it names none, the
 * newest that apt offers.
 */
async function chooseRelease(line: KernelLine): Promise<string> {
  const inputs = [line, ...contents(join(patches, line)), modified('/var/lib/apt/lists'), modified('/usr/src')];
  return await remembered('release', hashOf(...inputs), () => {
    const asked = spawnSync(join(patches, 'build'), ['--kernel', line, '--print-kver'], { encoding: 'utf8' });
    const release = asked.stdout?.trim();
    return asked.status === 0 && release ? release : newestOffered(line);
  });
}

function newestOffered(line: KernelLine): string {
  const mine = new RegExp(`^${line.replace('.', '\\.')}\\.[0-9].*-cloud-amd64$`);
  const offered = packageNames(`linux-image-${line}.`)
    .map((name) => name.replace(/^linux-image-/, ''))
    .filter((name) => mine.test(name))
    // Debian's releases order by their numbers: 6.1.0-9 before 6.1.0-56.
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const release = offered.at(-1);
  if (release === undefined) throw new LabError(`apt offers no cloud kernel of the ${line} line`);
  return release;
}

/** The names and contents of all files below a folder, in a fixed order; empty when there is none. */
function contents(dir: string): (string | Buffer)[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .flatMap((path) => [path, readFileSync(path)]);
}

const modified = (path: string) => String(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);

/** Returns the result of `find` from the cache, or runs it and stores the result. */
async function remembered(kind: string, key: string, find: () => string): Promise<string> {
  const dir = await cached(kind, key, (fresh) => writeFileSync(join(fresh, 'text'), find()), 8);
  return readFileSync(join(dir, 'text'), 'utf8');
}

/** Downloads and unpacks the kernel package of a line, once. */
export async function fetchKernel(line: KernelLine): Promise<Kernel> {
  const release = await chooseRelease(line);
  const name = `linux-image-${release}`;
  const version = candidate(name);
  if (version === undefined) throw new LabError(`apt has no package ${name}; try apt-get update`);
  const root = await cached('kernel', `${release}_${version.replaceAll(':', '.')}`, (dir) => {
    say(`downloading ${name} ${version}`);
    unpackDebs([`${name}=${version}`], dir);
  });
  return { line, release, image: join(root, 'boot', `vmlinuz-${release}`), root };
}

/** The kernel that is installed in a bare root, where DKMS has built modules for it. */
export async function rootKernel(line: KernelLine, suite: Suite): Promise<Kernel> {
  const layer = (await kernelRoot(suite)).at(-1) ?? '';
  const [release = ''] = readdirSync(join(layer, 'usr/lib/modules'));
  const [image, modules] = [`boot/vmlinuz-${release}`, `usr/lib/modules/${release}`];
  // A copy: not everybody may make hard links (moduleLayer) to root's files.
  const root = await cached('kernel', `${release}_${basename(layer)}`, (dir) => {
    for (const path of [image, modules]) {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      run('cp', ['-r', join(layer, path), join(dir, path)]);
    }
  });
  return { line, release, image: join(root, image), root };
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
 * The modules that a folder of this checkout (kernel-patches, toa-module) builds for a kernel. Its script `build` runs
 * again only after the folder has changed. A folder without `build` has no modules.
 */
export async function builtModules(folder: string, kernel: Kernel): Promise<string[]> {
  const script = join(folder, 'build');
  if (!existsSync(script)) return [];
  const key = hashOf(kernel.root, ...contents(folder));
  const runBuild = () => {
    const args = ['--print-dir', ...(kernel.headers ? ['--headers', kernel.headers] : ['--kver', kernel.release])];
    const result = spawnSync(script, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    const dir = result.stdout?.trim().split('\n').at(-1);
    if (result.status !== 0 || !dir) throw new LabError(`${script} failed (${result.status ?? result.error})`);
    return dir;
  };
  // LVSD_KERNEL_TREE (see kernel-patches/build --help) may change while this folder does not.
  const output = process.env.LVSD_KERNEL_TREE ? runBuild() : await remembered('built', key, runBuild);
  // If the folder has been removed from the cache, another run builds it.
  const modules = modulesIn(existsSync(output) ? output : runBuild());
  for (const module of modules) {
    const magic = run('modinfo', ['-F', 'vermagic', module]).split(' ')[0];
    if (magic !== kernel.release) throw new LabError(`${module} is for ${magic}, but the lab boots ${kernel.release}`);
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
