// SPDX-License-Identifier: MIT
/** What went wrong with TLS, in the words of an operator. */
import { printable, shortened } from '../../base/printable.ts';
import { errorVerdict } from '../common/errors.ts';
import { failure, type Verdict } from '../verdict.ts';

/** Of the names in a certificate, so many characters are quoted. */
const QUOTED = 80;

interface TlsError extends Error {
  code?: string;
  /** A system call failed. */
  syscall?: string;
  /** OpenSSL's own words. */
  reason?: string;
  cert?: { subjectaltname?: string };
}

/** `name`: whom the certificate was to be for. */
export function tlsVerdict(error: TlsError, name: string, secure: boolean): Verdict {
  const { code = '', syscall, reason, message } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = error.cert?.subjectaltname?.replaceAll(/(DNS|IP Address):/g, '') ?? 'nobody';
    return failure(`certificate is for ${printable(shortened(names, QUOTED))}, not for ${name}`);
  }
  if (code === 'ECONNRESET' && !secure) return failure('connection reset during the TLS handshake');
  if (syscall !== undefined) return errorVerdict(code);
  if (reason !== undefined) return failure(`TLS: ${printable(shortened(reason, QUOTED))}`);
  // What is left are OpenSSL's verdicts on certificates: "certificate has expired", "self-signed certificate".
  return failure(printable(shortened(message.toLowerCase(), QUOTED)));
}
