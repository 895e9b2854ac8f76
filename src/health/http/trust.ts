// SPDX-License-Identifier: MIT
/** Caches a TLS context for each set of trusted authorities, because creating one costs more than a handshake. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { errorWords } from '../common/errors.ts';
import type { TlsCheck } from './schema.ts';

/** The system's authorities on Debian, Fedora, openSUSE and Alpine. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Milliseconds until a changed file is noticed. */
const RECHECK_TIME = 5000;

interface Trust {
  context: SecureContext;
  /** Identifies the version of the file that was read. */
  version: string;
  checkedAt: number;
}

const known = new Map<string, Trust>();
let unverified: SecureContext | undefined;

/**
 * `now`: milliseconds of a monotonic clock. Throws, with a message for the operator, if the authorities cannot be read.
 */
export function secureContext({ verify, ca }: TlsCheck, now = performance.now()): SecureContext {
  if (!verify) {
    unverified ??= createSecureContext();
    return unverified;
  }
  const path = ca ?? systemFile();
  // Without a system file, Node's built-in authorities are used.
  if (path === undefined) return createSecureContext();
  const old = known.get(path);
  if (old && now - old.checkedAt < RECHECK_TIME) return old.context;
  const version = attempt(path, () => versionOf(path));
  if (old?.version === version) {
    old.checkedAt = now;
    return old.context;
  }
  const context = attempt(path, () => {
    const ca = readFileSync(path);
    // A context silently accepts input that is not a certificate and then trusts no authority.
    new X509Certificate(ca);
    return createSecureContext({ ca });
  });
  known.set(path, { context, version, checkedAt: now });
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
    // Errors of OpenSSL have codes like ERR_OSSL_PEM_NO_START_LINE.
    const why = code === '' || code.startsWith('ERR_') ? 'it is not a PEM file of certificates' : errorWords(code);
    throw new Error(`the CA certificates in ${path} cannot be read: ${why}`);
  }
}
