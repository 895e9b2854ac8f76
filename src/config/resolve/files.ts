// SPDX-License-Identifier: MIT
/** Validates the files that checks and hooks name: programs and CA certificates. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Stats } from 'node:fs';
import { needsShell } from '../../base/executable.ts';
import { readUsers } from '../../base/password.ts';
import { readPrivate, readPrivateText } from '../../base/secret-file.ts';
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

  /** The reason why two files are not usable as a certificate and its key. */
  certificate(certificate: string, key: string): { of: 'certificate' | 'key'; text: string } | undefined {
    return wrongCertificate(certificate, key);
  }

  /** The reason why a file is not usable as a list of users; undefined if it is. */
  users(path: string): string | undefined {
    const text = privateText(path);
    if (typeof text !== 'string') return text.wrong;
    const users = readUsers(text);
    if (typeof users === 'number')
      return `found ${describe(path)}, whose line ${users} is not one of lvsd password; allowed: a line of it for each user`;
    return users.size > 0 ? undefined : `found ${describe(path)}, which has no user; allowed: a line of lvsd password`;
  }

  /** The reason why a file is not usable as a set of CA certificates; undefined if it is. */
  authorities(path: string): string | undefined {
    if (!this.#authorities.has(path)) this.#authorities.set(path, wrongAuthorities(path));
    return this.#authorities.get(path);
  }
}

/** The text of a file that only root and the user of lvsd can read and change. */
function privateText(path: string): string | { wrong: string } {
  const shown = describe(path);
  if (!path.startsWith('/') || path.includes('\0')) return { wrong: `found ${shown}; allowed: an absolute path` };
  try {
    const trust = trustPath(path, [process.geteuid?.() ?? 0]);
    if ('why' in trust)
      return {
        wrong: `found ${shown}, ${trust.part === path ? 'which' : `to which ${trust.part} leads, which`} ${trust.why}; allowed: a file that only root and the user of lvsd can change`,
      };
    const found = readPrivateText(trust.path);
    return 'text' in found
      ? found.text
      : { wrong: `found ${shown}, ${found.wrong}; allowed: a file that only its owner can read` };
  } catch (error) {
    return { wrong: `found ${shown}: ${reason(error)}; allowed: an existing file` };
  }
}

function wrongCertificate(
  certificate: string,
  keyPath: string,
): { of: 'certificate' | 'key'; text: string } | undefined {
  const wrong = wrongAuthorities(certificate);
  if (wrong !== undefined) return { of: 'certificate', text: wrong };
  const key = privateText(keyPath);
  if (typeof key !== 'string') return { of: 'key', text: key.wrong };
  const shown = describe(keyPath);
  const file = readTrustedText(certificate, LARGEST_CA);
  if (typeof file === 'string') return undefined;
  try {
    if (new X509Certificate(file.text).checkPrivateKey(createPrivateKey(key))) return undefined;
  } catch {
    return { of: 'key', text: `found ${shown}, which is no private key; allowed: a key as PEM, without a password` };
  }
  return { of: 'key', text: `found ${shown}, which does not belong to ${describe(certificate)}; allowed: its key` };
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
