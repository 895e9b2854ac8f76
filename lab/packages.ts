// SPDX-License-Identifier: MIT
// The Debian packages of this checkout, and roots to install them in.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareRoot, inRoot, layerOf } from './bare-root.ts';
import { cached, hashOf, run } from './cache.ts';
import { LabError } from './errors.ts';

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
  return await cached('packages', state, (dir) => {
    const words = [join(top, 'tools/package.mjs'), '--out', join(dir, 'out'), '--level', '0'];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    if (status !== 0) throw new LabError(`cannot build the packages: ${stderr}`);
    for (const name of readdirSync(join(dir, 'out'))) run('mv', [join(dir, 'out', name), dir]);
    rmSync(join(dir, 'out'), { recursive: true });
  });
}

/** The path of a package in a folder of builtPackages(). */
export function debOf(dir: string, name: string): string {
  const file = readdirSync(dir).find((each) => each.startsWith(`${name}_`) && each.endsWith('.deb'));
  if (file === undefined) throw new LabError(`${dir} has no package ${name}`);
  return join(dir, file);
}

/** Layers of a bare root with systemd, which is what an installed Debian has. */
export async function systemdRoot(suite: 'bookworm' | 'trixie' = 'bookworm'): Promise<string[]> {
  const bare = await bareRoot(suite);
  const packages = 'systemd systemd-sysv kmod iproute2 procps curl';
  const install = `apt-get -qq update\napt-get -qq -y --no-install-recommends install ${packages}\napt-get clean`;
  return [bare, await layerOf(install, [bare])];
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

export interface GuestPackages {
  /** Folders of a root in which apt has installed what lvsd depends on. */
  layers: string[];
  /** The package, uncompressed, and the same as a later version. */
  deb: string;
  later: string;
}

/** Prepares the packages for a test in the guest, which finds the answer in build/guest-packages.json. */
export async function prepareGuestPackages(): Promise<void> {
  const built = await builtPackages();
  const dir = await cached('guest-packages', hashOf(built), async (into) => {
    asVersion(debOf(built, 'lvsd'), undefined, join(into, 'lvsd.deb'));
    asVersion(debOf(built, 'lvsd'), '99', join(into, 'lvsd-later.deb'));
  });
  const base = await systemdRoot();
  const needs = /^ Depends: (.*)$/m.exec(run('dpkg-deb', ['-I', debOf(built, 'lvsd')]))?.[1] ?? '';
  const names = needs.split(', ').map((need) => need.split(' ')[0]);
  const layer = await layerOf(`apt-get -qq update\napt-get -qq -y install ${names.join(' ')}\napt-get clean`, base);
  const answer: GuestPackages = {
    layers: [...base, layer],
    deb: join(dir, 'lvsd.deb'),
    later: join(dir, 'lvsd-later.deb'),
  };
  mkdirSync(join(top, 'build'), { recursive: true });
  writeFileSync(join(top, 'build/guest-packages.json'), JSON.stringify(answer));
}

/** Runs a script in a root; throws with its output if it fails. */
export function runInRoot(wanted: Parameters<typeof inRoot>[0]): string {
  const { status, output } = inRoot(wanted);
  if (status !== 0) throw new LabError(`the script ended with ${status}: ${output}`);
  return output;
}
