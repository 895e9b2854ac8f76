// SPDX-License-Identifier: MIT
// Cache of everything fetched or built once, outside the tree. Each entry is a folder, named by its content and a hash
// of its inputs, and put into place by rename.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LabError } from './errors.ts';

/** Returns `$LVSD_CACHE`, else lvsd's folder in the user's cache, or the path `parts` below it. */
export function cachePath(...parts: string[]): string {
  const base = process.env.LVSD_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lvsd');
  return join(base, ...parts);
}

/** Returns the first 16 hex digits of a SHA-256 over the parts and their lengths. */
export function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Returns the folder `lab/KIND/NAME` of the cache. If it is missing, `fill` gets an empty folder to fill. Of each kind
 * the `keep` entries used last stay, and those that a running lab may still use; `remove` removes one.
 */
export async function cached(
  kind: string,
  name: string,
  fill: (dir: string) => Promise<void> | void,
  keep = 4,
  remove: (path: string) => void = removeFolder,
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
      // Another process made the same entry meanwhile.
      if (!existsSync(final)) throw error;
      rmSync(fresh, { recursive: true, force: true });
    }
    prune(folder, keep, remove);
  }
  const now = new Date();
  utimesSync(final, now, now);
  return final;
}

/** Milliseconds for which an entry may be in use; longer than a lab runs. */
const IN_USE = 2 * 3600_000;

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function prune(folder: string, keep: number, remove: (path: string) => void): void {
  const entries = readdirSync(folder)
    .filter((name) => !name.endsWith('.part'))
    // Undefined: another process has removed it meanwhile.
    .map((name) => ({ name, used: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.used - a.used);
  const old = entries.slice(keep).filter(({ used }) => Date.now() - used > IN_USE);
  for (const { name } of old) remove(join(folder, name));
}

/** Runs a program and returns its stdout; throws with its stderr if it fails. */
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
