// SPDX-License-Identifier: MIT
// Downloads Debian packages with apt-get, which checks their signatures, and unpacks them without installing.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cachePath, run } from './cache.ts';
import { LabError, say } from './errors.ts';

/** Downloads packages (`name` or `name=version`) and unpacks them into `into`, laid out with a merged /usr. */
export function unpackDebs(packages: string[], into: string): void {
  mkdirSync(cachePath('lab'), { recursive: true });
  const dir = mkdtempSync(cachePath('lab', 'debs-'));
  try {
    download(packages, dir);
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.deb'))) {
      run('dpkg-deb', ['-x', join(dir, file), into]);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  mergeUsr(into);
}

function download(packages: string[], cwd: string): void {
  // Sandboxing as _apt cannot write into the cache of a home directory; signatures are checked all the same.
  const args = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...packages];
  try {
    run('apt-get', args, { cwd });
  } catch {
    say('the package lists are out of date; running apt-get update');
    aptUpdate();
    run('apt-get', args, { cwd });
  }
}

/** Refreshes apt's lists, as root or by sudo. */
export function aptUpdate(): void {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const [command = 'apt-get', ...args] = [...sudo, 'apt-get', '-qq', 'update'];
  run(command, args);
}

/** Debian 12 has /bin, /sbin and /lib as links into /usr; packages may still carry files there. */
function mergeUsr(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const from = join(root, name);
    if (!existsSync(from)) continue;
    cpSync(from, join(root, 'usr', name), { recursive: true, verbatimSymlinks: true });
    rmSync(from, { recursive: true });
  }
}

/**
 * Packages that installing `packages` on this machine would add, as `name=version`, dependencies included. Installs
 * nothing. Throws if one of them is not in apt's lists, even after these were refreshed.
 */
export function wouldInstall(packages: string[]): string[] {
  const args = ['-s', '-o', 'Debug::NoLocking=1', '--no-install-recommends', 'install', ...packages];
  let text: string;
  try {
    text = run('apt-get', args);
  } catch {
    aptUpdate();
    text = run('apt-get', args);
  }
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^Inst (\S+) (?:\[\S+\] )?\((\S+) /.exec(line);
    if (match) found.push(`${match[1]}=${match[2]}`);
  }
  return found.sort();
}

/** Returns apt's candidate version of a package, or undefined. */
export function candidate(name: string): string | undefined {
  const version = /Candidate: (\S+)/.exec(run('apt-cache', ['policy', name]))?.[1];
  return version === undefined || version === '(none)' ? undefined : version;
}

/** Returns the names of packages in apt's lists that start with `pattern`. */
export function packageNames(pattern: string): string[] {
  const names = run('apt-cache', ['pkgnames', pattern]).split('\n').filter(Boolean);
  if (names.length === 0) {
    aptUpdate();
    const again = run('apt-cache', ['pkgnames', pattern]).split('\n').filter(Boolean);
    if (again.length === 0) throw new LabError(`apt has no package whose name starts with ${pattern}`);
    return again;
  }
  return names;
}
