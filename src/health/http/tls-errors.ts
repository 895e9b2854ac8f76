// SPDX-License-Identifier: MIT
/** Describes TLS errors. */
import { quotable, shortened } from '../../base/printable.ts';
import { errorVerdict } from '../common/errors.ts';
import { failure, type Verdict } from '../verdict.ts';

/** Characters of the names in a certificate that are quoted. */
const QUOTED = 80;

interface TlsError extends Error {
  code?: string;
  /** A system call failed. */
  syscall?: string;
  /** OpenSSL's message. */
  reason?: string;
  cert?: { subjectaltname?: string };
}

/** `name`: the expected subject of the certificate. */
export function tlsVerdict(error: TlsError, name: string, secure: boolean): Verdict {
  const { code = '', syscall, reason, message } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = error.cert?.subjectaltname?.replaceAll(/(DNS|IP Address):/g, '') ?? 'no name';
    return failure('certificate', `certificate is for ${quotable(shortened(names, QUOTED))}, not for ${name}`);
  }
  if (code === 'ECONNRESET' && !secure) return failure('reset', 'connection reset during the TLS handshake');
  if (syscall !== undefined) return errorVerdict(code);
  if (reason !== undefined) return failure('tls', `TLS: ${quotable(shortened(reason, QUOTED))}`);
  // Otherwise OpenSSL's verdict on the certificate: "certificate has expired", "self-signed certificate".
  return failure('certificate', quotable(shortened(message.toLowerCase(), QUOTED)));
}
