// SPDX-License-Identifier: MIT
/** Files that a check names. What is wrong with one does not depend on who asks, as far as that can be. */
import { X509Certificate } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe } from '../describe.ts';
import { readText, reason } from '../text.ts';

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;
const ANY_EXECUTE = 0o111;
const LARGEST_CA = 4 << 20;

/** Looks at each file once. */
export class NamedFiles {
  readonly #programs = new Map<string, string | undefined>();
  readonly #authorities = new Map<string, string | undefined>();

  /** Why a program cannot or must not be run; undefined when all is well. */
  program(path: string): string | undefined {
    if (!this.#programs.has(path)) this.#programs.set(path, wrongProgram(path));
    return this.#programs.get(path);
  }

  /** Why a file does not hold certificates of authorities; undefined when all is well. */
  authorities(path: string): string | undefined {
    if (!this.#authorities.has(path)) this.#authorities.set(path, wrongAuthorities(path));
    return this.#authorities.get(path);
  }
}

function wrongProgram(path: string): string | undefined {
  const shown = describe(path);
  if (!path.startsWith('/') || path.includes('\0'))
    return `found ${shown}; allowed: an absolute path, as no shell looks it up`;
  let stat: Stats;
  try {
    stat = statSync(path);
    if (!stat.isFile()) return `found ${shown}, which is not a regular file; allowed: a program`;
    if ((stat.mode & ANY_EXECUTE) === 0) return `found ${shown}, which is not executable; allowed: a program`;
    for (let folder = path; ; folder = dirname(folder)) {
      const why = folder === path ? writable(stat, false) : writable(statSync(folder), true);
      if (why !== undefined) {
        const what = folder === path ? 'which' : `whose folder ${folder}`;
        return `found ${shown}, ${what} is writable by ${why}; allowed: a program that only its owner can change`;
      }
      if (folder === '/') return undefined;
    }
  } catch (error) {
    return `found ${shown}: ${reason(error)}; allowed: a program that is there`;
  }
}

function writable({ mode, gid }: Stats, folder: boolean): string | undefined {
  // In /tmp and its like only a file's owner can put another in its place.
  if ((mode & STICKY) !== 0 && folder) return undefined;
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return 'others';
  return (mode & WRITABLE_BY_GROUP) !== 0 && gid !== 0 ? 'its group' : undefined;
}

function wrongAuthorities(path: string): string | undefined {
  const shown = describe(path);
  const file = path.includes('\0') ? 'is no path' : readText(path, LARGEST_CA);
  if (typeof file === 'string') return `found ${shown}, which ${file.replace(/; allowed.*/, '')}`;
  const blocks = file.text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return `found ${shown}, in which a certificate is damaged`;
  }
  return blocks.length > 0 ? undefined : `found ${shown}, which has no certificate in it`;
}
