// SPDX-License-Identifier: MIT
// Installs what a fresh clone on a fresh Debian 12 lacks: build tools, QEMU and the npm packages. Idempotent, and silent
// if nothing is missing. Starts no service and installs no kernel.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runLive, runQuiet } from './run.mjs';
import { ErrorReport, say, top } from './say.mjs';

/** Debian packages by purpose. */
const packages = {
  build: ['gcc', 'libc6-dev', 'make', 'patch', 'git', 'xz-utils', 'zstd', 'cpio', 'bc', 'libelf1', 'python3-minimal'],
  lab: ['qemu-system-x86', 'qemu-system-common', 'kmod', 'flex', 'bison'],
  test: ['dkms', 'debhelper', 'dh-dkms', 'dpkg-dev', 'lintian'],
};

/** Returns the fully installed packages, from dpkg's status file: a stable interface, and no process to start. */
function installed() {
  const status = '/var/lib/dpkg/status';
  if (!existsSync(status)) throw new ErrorReport('there is no dpkg on this machine: set-up needs Debian 12');
  const there = new Set();
  for (const paragraph of readFileSync(status, 'utf8').split('\n\n')) {
    const name = /^Package: (.+)$/m.exec(paragraph)?.[1];
    if (name !== undefined && /^Status: \S+ ok installed$/m.test(paragraph)) there.add(name);
  }
  return there;
}

/** Returns the words that run a command as root; undefined if neither root nor sudo without a password. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  try {
    runQuiet('sudo', ['-n', 'true']);
    return ['sudo', '-n'];
  } catch {
    return undefined;
  }
}

export async function setupApt(names = Object.values(packages).flat()) {
  const there = installed();
  const missing = names.filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const root = asRoot();
  if (root === undefined) {
    throw new ErrorReport(
      `missing Debian packages, and neither root nor sudo without a password to install them; run as root: apt-get install --no-install-recommends ${missing.join(' ')}`,
    );
  }
  say(`installing Debian packages: ${missing.join(' ')}`);
  const apt = (/** @type {string[]} */ args) => {
    const [command = 'env', ...rest] = [
      ...root,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-qq',
      '-o',
      'Dpkg::Use-Pty=0',
      ...args,
    ];
    return runLive(command, rest, { stdio: ['ignore', 2, 2] });
  };
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  await apt(['update']);
  if ((await apt(install)) !== 0) throw new ErrorReport(`apt-get could not install ${missing.join(' ')}`);
}

/** @typedef {{ packages: Record<string, { version?: string, optional?: boolean }> }} Lockfile */

export async function setupNpm() {
  const lock = readFileSync(join(top, 'package-lock.json'));
  const key = createHash('sha256').update(lock).digest('hex');
  const stamp = join(top, 'node_modules', '.lvsd-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  const hidden = join(top, 'node_modules', '.package-lock.json');
  // After npm ci by hand only the stamp is missing.
  if (!existsSync(hidden) || !sameVersions(JSON.parse(String(lock)), JSON.parse(readFileSync(hidden, 'utf8')))) {
    say('installing npm packages');
    if ((await runLive('npm', ['ci', '--ignore-scripts', '--loglevel=error'], { stdio: ['ignore', 2, 2] })) !== 0) {
      throw new ErrorReport('npm ci failed');
    }
  }
  writeFileSync(stamp, key);
}

/**
 * @param {Lockfile} wanted
 * @param {Lockfile} found
 */
function sameVersions(wanted, found) {
  return Object.entries(wanted.packages).every(
    ([path, entry]) => path === '' || entry.optional || found.packages[path]?.version === entry.version,
  );
}

/** Oldest major version of Node that runs and builds lvsd. */
export const OLDEST_NODE = 20;

/** Throws if this machine cannot build lvsd, whatever is installed. */
export function checkMachine() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE)
    throw new ErrorReport(`Node ${process.versions.node} is too old: lvsd needs ${OLDEST_NODE} or newer`);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new ErrorReport('building and testing lvsd needs Linux on x86-64');
  }
}

export async function setup() {
  checkMachine();
  await setupApt();
  await setupNpm();
}
