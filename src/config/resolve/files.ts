// SPDX-License-Identifier: MIT
/** Validates the files that checks and hooks name: programs and CA certificates. */
import { X509Certificate } from 'node:crypto';
import type { Stats } from 'node:fs';
import { needsShell } from '../../base/executable.ts';
import { readPrivate } from '../../base/secret-file.ts';
import { type PathTrust, trustPath } from '../../base/trusted-path.ts';
import { findUserNow } from '../../base/users.ts';
import { describe } from '../describe.ts';
import { readTrustedText, reason } from '../text.ts';

const ANY_EXECUTE = 0o111;
const LARGEST_CA = 4 << 20;

/** Reads each file once. */
export class NamedFiles {
  readonly #programs = new Map<string, string | undefined>();
  readonly #authorities = new Map<string, string | undefined>();

  /** The reason why this user (undefined: lvsd's own) cannot or must not run a program; undefined if there is none. */
  program(path: string, user: string | undefined): string | undefined {
    const key = `${user ?? ''}:${path}`;
    if (!this.#programs.has(key)) this.#programs.set(key, wrongProgram(path, user));
    return this.#programs.get(key);
  }

  /** The reason why a file is not usable as a secret; undefined if it is. */
  secret(path: string): string | undefined {
    return wrongSecret(path);
  }

  /** The reason why a file is not usable as a set of CA certificates; undefined if it is. */
  authorities(path: string): string | undefined {
    if (!this.#authorities.has(path)) this.#authorities.set(path, wrongAuthorities(path));
    return this.#authorities.get(path);
  }
}

function wrongSecret(path: string): string | undefined {
  const shown = describe(path);
  if (!path.startsWith('/') || path.includes('\0')) return `found ${shown}; allowed: an absolute path`;
  try {
    const trust = trustPath(path, [process.geteuid?.() ?? 0]);
    if ('why' in trust)
      return `found ${shown}, ${trust.part === path ? 'which' : `to which ${trust.part} leads, which`} ${trust.why}; allowed: a file that only root and the user of lvsd can change`;
    const secret = readPrivate(trust.path);
    return typeof secret === 'string'
      ? `found ${shown}: ${secret}; allowed: a file with a secret that only its owner can read`
      : undefined;
  } catch (error) {
    return `found ${shown}: ${reason(error)}; allowed: an existing file`;
  }
}

function wrongProgram(path: string, user: string | undefined): string | undefined {
  const shown = describe(path);
  if (!path.startsWith('/') || path.includes('\0'))
    return `found ${shown}; allowed: an absolute path, because no shell searches for the program`;
  const uid = user === undefined ? undefined : findUserNow(user)?.uid;
  const owners = [process.geteuid?.() ?? 0, ...(uid === undefined ? [] : [uid])];
  let trust: PathTrust;
  try {
    trust = trustPath(path, owners);
  } catch (error) {
    return `found ${shown}: ${reason(error)}; allowed: an existing program`;
  }
  if ('why' in trust) {
    const { part, folder, why } = trust;
    const what = part === path ? 'which' : `whose ${folder ? 'folder' : 'target'} ${part}`;
    return `found ${shown}, ${what} ${why}; allowed: a program that only root or its user can change`;
  }
  const { stat }: { stat: Stats } = trust;
  if (!stat.isFile()) return `found ${shown}, which is not a regular file; allowed: a program`;
  if ((stat.mode & ANY_EXECUTE) !== 0 && needsShell(trust.path))
    return `found ${shown}, a text whose first line names no interpreter; allowed: a program, or a script that begins with #!/bin/sh`;
  if ((stat.mode & ANY_EXECUTE) === 0) return `found ${shown}, which is not executable; allowed: a program`;
  return undefined;
}

function wrongAuthorities(path: string): string | undefined {
  const shown = describe(path);
  const file = path.includes('\0') ? 'is not a path' : readTrustedText(path, LARGEST_CA);
  if (typeof file === 'string') return `found ${shown}, which ${file.replace(/; allowed.*/, '')}`;
  const blocks = file.text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return `found ${shown}, which contains a damaged certificate`;
  }
  return blocks.length > 0 ? undefined : `found ${shown}, which contains no certificate`;
}
