// SPDX-License-Identifier: MIT
// Bare roots of Debian for tests of the installation: created once by mmdebstrap, with layers of the files that
// commands added. Each run has its own namespaces, and an overlay that is removed at its end. Needs root, or sudo
// without a password.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { cached, hashOf, run } from './cache.ts';
import { unpackDebs } from './debs.ts';
import { LabError, say } from './errors.ts';

/** Packages beside the essential ones: the manual, which Debian's standard installation has. */
const PACKAGES = ['man-db'];

export type Suite = 'bookworm' | 'trixie';

export interface RootRun {
  /** Folders from the lowest to the highest. */
  layers: string[];
  /** Run by `sh -ex`. */
  script: string;
  /** Where the script starts. */
  cwd?: string;
  env?: Record<string, string>;
  /** Folders of this machine, by their paths for the script. */
  binds?: Record<string, string>;
  /** Provides this machine's Node and npm in /usr/local. */
  node?: boolean;
  /** Default: only a loopback device. */
  network?: boolean;
  /** Keeps what the script changes in this folder. */
  keep?: string;
}

function sudo(): string[] {
  if (process.getuid?.() === 0) return [];
  if (spawnSync('sudo', ['-n', 'true']).status !== 0) throw new LabError('needs root, or sudo without a password');
  return ['sudo', '-n'];
}

function asRoot(...words: string[]): string {
  const [command = '', ...rest] = [...sudo(), ...words];
  return run(command, rest);
}

/** Removes a folder whose files may belong to root. */
export function removeTree(path: string): void {
  asRoot('rm', '-rf', path);
}

/** Entries kept of each kind: all, as they are few. */
const KEEP = 1000;

/** The bare root of a release of Debian; its layers are folders of files. */
export async function bareRoot(suite: Suite = 'bookworm'): Promise<string> {
  const fill = (dir: string) => {
    const tool = mkdtempSync(join(tmpdir(), 'lvsd-mmdebstrap-'));
    try {
      unpackDebs(['mmdebstrap'], tool);
      say(`making a bare root of Debian ${suite}`);
      const tar = join(tool, 'root.tar');
      const options = ['--quiet', '--variant=minbase', '--mode=root', `--include=${PACKAGES.join(',')}`];
      asRoot('perl', join(tool, 'usr/bin/mmdebstrap'), ...options, suite, tar);
      asRoot('tar', '-xf', tar, '-C', dir);
    } finally {
      removeTree(tool);
    }
  };
  return await cached('bare-root', hashOf(suite, ...PACKAGES), fill, KEEP);
}

/**
 * A layer with the files that `script` adds to `layers`; it runs as root with a network. `inputs`: files of this machine,
 * which it finds in /inputs; only the layers used last are kept then. `folders`: folders of this machine by their paths
 * for the script, whose content does not become part of the layer.
 */
export async function layerOf(
  script: string,
  layers: string[],
  inputs: string[] = [],
  folders: Record<string, string> = {},
): Promise<string> {
  const fill = (dir: string) => {
    say(`making a layer of a bare root: ${script.trim().replaceAll('\n', '; ')}`);
    const files = Object.fromEntries(inputs.map((path) => [`/inputs/${basename(path)}`, path]));
    const binds = { ...files, ...folders };
    const { status, output } = inRoot({ layers, script, network: true, binds, keep: dir });
    if (status !== 0) throw new LabError(`${script} failed: ${output}`);
    asRoot('rm', '-rf', join(dir, 'inputs'));
  };
  if (inputs.length === 0) return await cached('bare-root-layers', hashOf(script, ...layers), fill, KEEP);
  const key = hashOf(script, ...layers, ...inputs.map((path) => readFileSync(path)));
  return await cached('package-layers', key, fill, 8, removeTree);
}

/** Runs a script in the root that `layers` make. */
export function inRoot(wanted: RootRun): { status: number | null; output: string } {
  const { layers, script, cwd = '/root', env = {}, binds = {}, node = false, network = false, keep } = wanted;
  const scratch = mkdtempSync(join(tmpdir(), 'lvsd-root-'));
  try {
    const root = join(scratch, 'root');
    mkdirSync(root);
    const upper = keep ?? join(scratch, 'tmpfs/upper');
    // The work folder must be on the file system of the upper one.
    const work = keep === undefined ? join(scratch, 'tmpfs/work') : `${keep}.work`;
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const mounts = Object.entries({
      ...(node ? nodeBinds() : {}),
      ...(network ? networkBinds() : {}),
      ...binds,
    }).map(
      ([to, from]) =>
        `if [ -d ${quoted(from)} ]; then mkdir -p ${quoted(root + to)}; else mkdir -p ${quoted(join(root + to, '..'))}; ` +
        `[ -e ${quoted(root + to)} ] || : > ${quoted(root + to)}; fi; mount --bind ${quoted(from)} ${quoted(root + to)}`,
    );
    const outer = [
      'set -e',
      `mkdir -p ${quoted(join(scratch, 'tmpfs'))}; mount -t tmpfs tmpfs ${quoted(join(scratch, 'tmpfs'))}`,
      `mkdir -p ${quoted(upper)} ${quoted(work)}`,
      `mount -t overlay overlay -o lowerdir=${[...layers].reverse().join(':')},upperdir=${upper},workdir=${work} ${root}`,
      `mount -t proc proc ${root}/proc; mount --rbind /dev ${root}/dev`,
      ...mounts,
      ...(node ? [`ln -s ../lib/node_modules/npm/bin/npm-cli.js ${root}/usr/local/bin/npm`] : []),
      `exec chroot ${root} /usr/bin/env -i ${Object.entries({ ...ENVIRONMENT, ...env })
        .map(([name, value]) => quoted(`${name}=${value}`))
        .join(' ')} sh -exc ${quoted(`cd ${cwd}\n${script}`)}`,
    ].join('\n');
    const isolate = ['unshare', '--mount', '--pid', '--fork', '--uts', '--ipc', ...(network ? [] : ['--net'])];
    const [command = 'unshare', ...words] = [...sudo(), ...isolate, 'sh', '-c', outer];
    const { status, stdout, stderr } = spawnSync(command, words, {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      timeout: 1200_000,
    });
    if (keep !== undefined) removeTree(work);
    return { status, output: stdout + stderr };
  } finally {
    removeTree(scratch);
  }
}

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
};

/** This machine's settings for its network: name servers, certificates, npm's settings and cache. */
function networkBinds(): Record<string, string> {
  const home = homedir();
  const wanted = {
    '/etc/resolv.conf': '/etc/resolv.conf',
    '/etc/hosts': '/etc/hosts',
    '/etc/ssl/certs': '/etc/ssl/certs',
    '/root/.npmrc': join(home, '.npmrc'),
    '/root/.npm/_cacache': join(home, '.npm/_cacache'),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, from]) => existsSync(from)));
}

/** Binds that put this machine's Node and npm where nodejs.org's archive has them. */
function nodeBinds(): Record<string, string> {
  const npm = ['../lib/node_modules/npm', '../../share/nodejs/npm']
    .map((path) => join(process.execPath, '..', path))
    .find((path) => existsSync(path));
  if (npm === undefined) throw new LabError(`cannot find the npm of ${process.execPath}`);
  return { '/usr/local/bin/node': process.execPath, '/usr/local/lib/node_modules/npm': npm };
}

/** Commands of a Markdown section: the text of each indented block. */
export function commandBlocks(markdown: string, heading: string): string[] {
  const section = new RegExp(`^## ${heading}\\n(.*?)(?=^## )`, 'ms').exec(markdown)?.[1] ?? '';
  return [...section.matchAll(/(?:^ {4}.*\n)+/gm)].map(([block]) => block.replace(/^ {4}/gm, ''));
}
