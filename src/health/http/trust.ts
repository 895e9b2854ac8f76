// SPDX-License-Identifier: MIT
/** Whom to trust: TLS contexts, made once for each set of authorities. A fresh one costs more than the handshake. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsCheck } from './schema.ts';

/** Where distributions keep the system's authorities: Debian, Fedora, openSUSE, Alpine. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Milliseconds in which a file that changed is noticed. */
const LOOK_AGAIN = 5000;

interface Trust {
  context: SecureContext;
  /** Of the file as it was read. */
  version: string;
  lookedAt: number;
}

const known = new Map<string, Trust>();
let trusting: SecureContext | undefined;

/**
 * `now`: milliseconds of a clock that only goes forward. Throws, with a message for the operator, where the authorities
 * cannot be read.
 */
export function secureContext({ verify, ca }: TlsCheck, now = performance.now()): SecureContext {
  if (!verify) {
    trusting ??= createSecureContext();
    return trusting;
  }
  const path = ca ?? systemFile();
  // Without any file of the system's there are those that Node brings.
  if (path === undefined) return createSecureContext();
  const old = known.get(path);
  if (old && now - old.lookedAt < LOOK_AGAIN) return old.context;
  const version = attempt(path, () => versionOf(path));
  if (old?.version === version) {
    old.lookedAt = now;
    return old.context;
  }
  const context = attempt(path, () => {
    const ca = readFileSync(path);
    // A context takes what is no certificate without a word, and then trusts nobody.
    new X509Certificate(ca);
    return createSecureContext({ ca });
  });
  known.set(path, { context, version, lookedAt: now });
  return context;
}

function systemFile(): string | undefined {
  return SYSTEM_FILES.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

function versionOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : 'it is not a PEM file';
    throw new Error(`authorities in ${path} cannot be read: ${why}`);
  }
}
