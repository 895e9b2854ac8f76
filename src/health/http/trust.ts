// SPDX-License-Identifier: MIT
/** Caches a TLS context for each set of trusted authorities, because creating one costs more than a handshake. */
import { constants as crypto, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext, type SecureContextOptions } from 'node:tls';
import { readRegular } from '../../base/regular-file.ts';
import { trustPath } from '../../base/trusted-path.ts';
import { errorWords } from '../common/errors.ts';
import type { TlsCheck } from './schema.ts';

/** The system's authorities on Debian, Fedora, openSUSE and Alpine. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Largest file of authorities, in bytes. */
const LARGEST = 4 << 20;
/**
 * No finite-field Diffie-Hellman, as in browsers: with a group of the server's choice, of up to 10,000 bits, a handshake
 * costs the client seconds of CPU time, before it has seen whether the certificate is good. No renegotiation, which has
 * no use here and no end.
 */
const CLIENT: SecureContextOptions = {
  ciphers: `${DEFAULT_CIPHERS}:!DHE`,
  ecdhCurve: 'X25519:P-256:X448:P-521:P-384',
  secureOptions: crypto.SSL_OP_NO_RENEGOTIATION,
};
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
    unverified ??= createSecureContext(CLIENT);
    return unverified;
  }
  const path = ca ?? systemFile();
  // Without a system file, Node's built-in authorities are used.
  if (path === undefined) return createSecureContext(CLIENT);
  const old = known.get(path);
  if (old && now - old.checkedAt < RECHECK_TIME) return old.context;
  const real = attempt(path, () => trusted(path));
  const version = attempt(path, () => versionOf(real));
  if (old?.version === version) {
    old.checkedAt = now;
    return old.context;
  }
  const context = attempt(path, () => {
    const ca = readRegular(real, LARGEST);
    if ('wrong' in ca) throw new UnusableError(`it ${ca.wrong}`);
    // A context silently accepts input that is not a certificate and then trusts no authority.
    new X509Certificate(ca);
    return createSecureContext({ ...CLIENT, ca });
  });
  known.set(path, { context, version, checkedAt: now });
  return context;
}

function systemFile(): string | undefined {
  return SYSTEM_FILES.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** Returns the real path. Throws if other users may change the file, and so the certificates that are trusted. */
function trusted(path: string): string {
  const trust = trustPath(resolve(path), [process.geteuid?.() ?? 0]);
  if ('why' in trust) throw new UnusableError(`${trust.part} ${trust.why}`);
  return trust.path;
}

class UnusableError extends Error {}

function versionOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof UnusableError)
      throw new Error(`the CA certificates in ${path} cannot be used: ${error.message}`);
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Errors of OpenSSL have codes like ERR_OSSL_PEM_NO_START_LINE.
    const why = code === '' || code.startsWith('ERR_') ? 'it is not a PEM file of certificates' : errorWords(code);
    throw new Error(`the CA certificates in ${path} cannot be read: ${why}`);
  }
}
