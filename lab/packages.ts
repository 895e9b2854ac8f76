// SPDX-License-Identifier: MIT
// The Debian packages of this checkout, and roots to install them in.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareRoot, inRoot, layerOf, type Suite } from './bare-root.ts';
import { cached, cachePath, hashOf, run } from './cache.ts';
import { LabError } from './errors.ts';
import { holdLock } from './lock.ts';

const top = fileURLToPath(new URL('..', import.meta.url));

/**
 * The folder of the packages that `npm run package` builds from the files of this checkout; once for each state of them.
 * Their compression is the fastest: nothing else differs from what is released.
 */
export async function builtPackages(): Promise<string> {
  const git = (...words: string[]) => run('git', words, { cwd: top });
  const files = git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate').split('\0');
  // No package has anything of the tests.
  const packaged = files.filter((file) => file !== '' && !file.startsWith('test/'));
  const contents = packaged.flatMap((file) => [file, readFileSync(join(top, file))]);
  const changed = String(git('status', '--porcelain') !== '');
  const state = hashOf(git('rev-parse', 'HEAD'), git('tag', '--points-at', 'HEAD'), changed, ...contents);
  mkdirSync(cachePath('lab'), { recursive: true });
  // Test files run side by side, and the build has one folder in the checkout.
  const turn = await holdLock(cachePath('lab', 'packages.lock'), 'waiting for the packages');
  try {
    return await cached('packages', state, buildPackages);
  } finally {
    turn?.release();
  }
}

function buildPackages(dir: string): void {
  const words = [join(top, 'tools/package.mjs'), '--out', join(dir, 'out'), '--level', '0'];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0) throw new LabError(`cannot build the packages: ${stderr}`);
  for (const name of readdirSync(join(dir, 'out'))) run('mv', [join(dir, 'out', name), dir]);
  rmSync(join(dir, 'out'), { recursive: true });
}

/** The path of a package in a folder of builtPackages(). */
export function debOf(dir: string, name: string): string {
  const file = readdirSync(dir).find((each) => each.startsWith(`${name}_`) && each.endsWith('.deb'));
  if (file === undefined) throw new LabError(`${dir} has no package ${name}`);
  return join(dir, file);
}

const installing = (words: string) =>
  `apt-get -qq update\napt-get -qq -y --no-install-recommends install ${words}\napt-get clean`;

/** Layers of a bare root with systemd, which is what an installed Debian has. */
export async function systemdRoot(suite: Suite = 'bookworm'): Promise<string[]> {
  const bare = await bareRoot(suite);
  const packages = 'systemd systemd-sysv kmod iproute2 procps curl';
  return [bare, await layerOf(installing(packages), [bare])];
}

/** The kernel that the lab boots for a line. */
const labKernel = (line: string) => run(join(top, 'kernel-patches/build'), ['--kernel', line, '--print-kver']).trim();

/** Debian 12 with the lab's kernel, Debian 13 with its newest one, which the lab boots by `--kernel trixie`. */
const KERNELS: Readonly<Record<Suite, () => string>> = {
  bookworm: () => labKernel('6.1'),
  trixie: () => 'cloud-amd64',
};

/** The layers of systemdRoot() and one with a kernel, its headers, and what DKMS needs. */
export async function kernelRoot(suite: Suite): Promise<string[]> {
  const base = await systemdRoot(suite);
  const kernel = KERNELS[suite]();
  const packages = `linux-image-${kernel} linux-headers-${kernel} dkms git xz-utils gcc libc6-dev make`;
  return [...base, await layerOf(installing(packages), base)];
}

/** `layers`, and one above them in which apt has installed packages of this checkout; DKMS builds their modules there. */
export async function withPackages(suite: Suite, names: string[], layers: string[]): Promise<string[]> {
  const built = await builtPackages();
  const debs = names.map((name) => debOf(built, name));
  const words = debs.map((path) => `/inputs/${basename(path)}`).join(' ');
  // The modules of kernel-patches/build by its own key: the series and the headers, not the version of the packages.
  const modules = cachePath('lab', 'dkms-modules', suite);
  const folders = names.includes('lvsd-ipvs-dkms') ? { '/var/cache/lvsd': modules } : {};
  mkdirSync(modules, { recursive: true });
  return [...layers, await layerOf(installing(words), layers, debs, folders)];
}

/** Writes `deb` again as another version, without compression: the guest's CPU is emulated. */
function asVersion(deb: string, version: string | undefined, to: string): void {
  const scratch = mkdtempSync(join(tmpdir(), 'lvsd-deb-'));
  try {
    run('dpkg-deb', ['-R', deb, scratch]);
    if (version !== undefined) {
      const control = join(scratch, 'DEBIAN/control');
      writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
    }
    run('dpkg-deb', ['--root-owner-group', '-Znone', '-b', scratch, to]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Folders of roots of one release of Debian, in which apt has installed what the names say. */
export interface GuestRoots {
  /** The packages that lvsd depends on. */
  depends: string[];
  /** A kernel, lvsd and lvsd-ipvs-dkms. */
  balancer: string[];
  /** A kernel, nginx and lvsd-toa-dkms only. */
  realServer: string[];
}

export interface GuestPackages {
  /** Folders of a Debian 12 in which apt has installed lvsd. */
  installed: string[];
  /** For full runs only. */
  full?: {
    bookworm: GuestRoots;
    trixie: GuestRoots;
    /** The package, uncompressed, and the same as a later version. */
    deb: string;
    later: string;
  };
}

/** Prepares the packages for tests in the guest, which find the answer in build/guest-packages.json. */
export async function prepareGuestPackages(full: boolean): Promise<void> {
  const answer: GuestPackages = {
    installed: await withPackages('bookworm', ['lvsd'], await systemdRoot()),
    ...(full ? { full: await fullGuestPackages() } : {}),
  };
  mkdirSync(join(top, 'build'), { recursive: true });
  writeFileSync(join(top, 'build/guest-packages.json'), JSON.stringify(answer));
}

async function fullGuestPackages(): Promise<Required<GuestPackages>['full']> {
  const built = await builtPackages();
  const dir = await cached('guest-packages', hashOf(built), async (into) => {
    asVersion(debOf(built, 'lvsd'), undefined, join(into, 'lvsd.deb'));
    asVersion(debOf(built, 'lvsd'), '99', join(into, 'lvsd-later.deb'));
  });
  const needs = /^ Depends: (.*)$/m.exec(run('dpkg-deb', ['-I', debOf(built, 'lvsd')]))?.[1] ?? '';
  const names = needs.split(', ').map((need) => need.split(' ')[0]);
  const roots = async (suite: Suite): Promise<GuestRoots> => {
    const base = await systemdRoot(suite);
    const kernel = await kernelRoot(suite);
    const web = [...kernel, await layerOf(installing('nginx-light'), kernel)];
    return {
      depends: [...base, await layerOf(installing(names.join(' ')), base)],
      balancer: await withPackages(suite, ['lvsd', 'lvsd-ipvs-dkms'], kernel),
      realServer: await withPackages(suite, ['lvsd-toa-dkms'], web),
    };
  };
  return {
    bookworm: await roots('bookworm'),
    trixie: await roots('trixie'),
    deb: join(dir, 'lvsd.deb'),
    later: join(dir, 'lvsd-later.deb'),
  };
}

/** Runs a script in a root; throws with its output if it fails. */
export function runInRoot(wanted: Parameters<typeof inRoot>[0]): string {
  const { status, output } = inRoot(wanted);
  if (status !== 0) throw new LabError(`the script ended with ${status}: ${output}`);
  return output;
}
