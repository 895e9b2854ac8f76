// SPDX-License-Identifier: MIT
// The cache of everything fetched or built once, outside the tree: each entry is a folder named by what it holds and a
// hash of what it was made from, and appears by rename, whole or not at all.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LabError } from './errors.ts';

/** `$LVSD_CACHE`, else lvsd's folder in the user's cache; with `parts` a path below it. */
export function cachePath(...parts: string[]): string {
  const base = process.env.LVSD_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lvsd');
  return join(base, ...parts);
}

/** The first 16 hex digits of a SHA-256 over the parts, unambiguous by their lengths. */
export function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * The folder `lab/KIND/NAME` of the cache, made by `fill` (given an empty folder) when it is not there yet. Of each kind
 * the `keep` entries used last stay.
 */
export async function cached(
  kind: string,
  name: string,
  fill: (dir: string) => Promise<void> | void,
  keep = 4,
): Promise<string> {
  const folder = cachePath('lab', kind);
  const final = join(folder, name);
  if (!existsSync(final)) {
    const fresh = `${final}.${process.pid}.part`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    await fill(fresh);
    try {
      renameSync(fresh, final);
    } catch (error) {
      // Somebody else made the same entry meanwhile: theirs is as good.
      if (!existsSync(final)) throw error;
      rmSync(fresh, { recursive: true, force: true });
    }
    prune(folder, keep);
  }
  const now = new Date();
  utimesSync(final, now, now);
  return final;
}

function prune(folder: string, keep: number): void {
  const entries = readdirSync(folder)
    .filter((name) => !name.endsWith('.part'))
    .map((name) => ({ name, used: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { name } of entries.slice(keep)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Runs a program to its end and returns its stdout; what it says on stderr is part of the error if it fails. */
export function run(command: string, args: string[], options: { cwd?: string; input?: string } = {}): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (result.error) throw new LabError(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new LabError(
      `${command} ${args.slice(0, 4).join(' ')} failed: ${result.stderr.trim() || result.stdout.trim()}`,
    );
  }
  return result.stdout;
}
