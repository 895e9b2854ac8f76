// SPDX-License-Identifier: MIT
// Writes the guest's initrd: our init, the modules that are needed to mount the shared root, and the command to run.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, hashOf, run } from './cache.ts';
import { LabError } from './errors.ts';
import type { Kernel } from './kernel.ts';

/** Modules needed before the shared root is mounted, in the order of loading; built-in ones are skipped. */
const needed = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_console',
  'fuse',
  'virtiofs',
  'overlay',
];

interface Entry {
  path: string;
  mode: number;
  data: Uint8Array;
}

/** An uncompressed archive in cpio's "newc" form (Documentation/driver-api/early-userspace/buffer-format.rst). */
export function cpio(entries: Entry[]): Buffer {
  const parts: Buffer[] = [];
  const pad = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);
  const add = ({ path, mode, data }: Entry, inode: number) => {
    const name = Buffer.from(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
    parts.push(header, name, pad(header.length + name.length), Buffer.from(data), pad(data.length));
  };
  entries.forEach((entry, index) => {
    add(entry, index + 1);
  });
  add({ path: 'TRAILER!!!', mode: 0, data: new Uint8Array() }, 0);
  return Buffer.concat(parts);
}

/** Returns init.c compiled; cached by its source. */
async function compileInit(): Promise<Buffer> {
  const source = fileURLToPath(new URL('guest/init.c', import.meta.url));
  const key = hashOf(readFileSync(source));
  const dir = await cached('init', key, (fresh) => {
    const flags = ['-static', '-Os', '-std=gnu11', '-Wall', '-Wextra', '-Werror'];
    run(process.env.CC ?? 'cc', [...flags, '-o', join(fresh, 'init'), source]);
  });
  return readFileSync(join(dir, 'init'));
}

function moduleEntries(kernel: Kernel): { entries: Entry[]; paths: string[] } {
  const base = join(kernel.root, 'usr/lib/modules', kernel.release);
  const list = (file: string) => readFileSync(join(base, file), 'utf8').split('\n').filter(Boolean);
  const nameOf = (path: string) =>
    path
      .replace(/.*\//, '')
      .replace(/\.ko.*$/, '')
      .replaceAll('-', '_');
  const builtin = new Set(list('modules.builtin').map(nameOf));
  const available = new Map(list('modules.order').map((path) => [nameOf(path), path]));
  const entries: Entry[] = [];
  const paths: string[] = [];
  for (const name of needed) {
    if (builtin.has(name)) continue;
    const file = available.get(name);
    if (file === undefined) throw new LabError(`${kernel.release} has no module ${name}`);
    entries.push({ path: `${name}.ko`, mode: 0o100644, data: readModule(join(base, file)) });
    paths.push(`/${name}.ko`);
  }
  return { entries, paths };
}

/** A module's bytes; newer packages compress them, and modules.order names them without the suffix. */
function readModule(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    const result = spawnSync('xz', ['-dc', `${path}.xz`], { maxBuffer: 64 << 20 });
    if (result.status !== 0) throw new LabError(`cannot unpack ${path}.xz: ${result.stderr}`);
    return result.stdout;
  }
}

/** Instructions for the guest's init; guest/init.c describes each key. */
export type Spec = [key: string, value: string][];

/** Returns an initrd that carries out `spec` on `kernel`; without one, on a kernel that needs no modules for it. */
export async function makeInitrd(kernel: Kernel | undefined, spec: Spec): Promise<Buffer> {
  const { entries, paths } = kernel ? moduleEntries(kernel) : { entries: [], paths: [] };
  const all: Spec = [...paths.map((path): [string, string] => ['module', path]), ...spec];
  const folder = (path: string): Entry => ({ path, mode: 0o040755, data: new Uint8Array() });
  return cpio([
    ...['dev', 'proc', 'sys', 'share', 'rw', 'new'].map(folder),
    { path: 'init', mode: 0o100755, data: await compileInit() },
    ...entries,
    { path: 'spec', mode: 0o100644, data: Buffer.from(all.map(([key, value]) => `${key}=${value}\0`).join('')) },
  ]);
}
