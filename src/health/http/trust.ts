// SPDX-License-Identifier: MIT
/** Caches a TLS context for each set of trusted authorities, because creating one costs more than a handshake. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsCheck } from './schema.ts';

/** The system's authorities on Debian, Fedora, openSUSE and Alpine. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Milliseconds until a changed file is noticed. */
const LOOK_AGAIN = 5000;

interface Trust {
  context: SecureContext;
  /** Identifies the version of the file that was read. */
  version: string;
  lookedAt: number;
}

const known = new Map<string, Trust>();
let trusting: SecureContext | undefined;

/**
 * `now`: milliseconds of a monotonic clock. Throws, with a message for the operator, if the authorities cannot be read.
 */
export function secureContext({ verify, ca }: TlsCheck, now = performance.now()): SecureContext {
  if (!verify) {
    trusting ??= createSecureContext();
    return trusting;
  }
  const path = ca ?? systemFile();
  // Without a system file, Node's built-in authorities are used.
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
    // A context silently accepts input that is not a certificate and then trusts no authority.
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
