// SPDX-License-Identifier: MIT
/** The argument of --secret and --cookie-secret. */
import { UsageError } from '../base/errors.ts';
import { readOpenSecret, readSecretFile } from '../base/secret-file.ts';

/** Reads a secret; '-' is standard input. Throws UsageError, also if group or others can read the file. */
export function readSecret(path: string): Uint8Array {
  if (path !== '-') return readSecretFile(path, { pipe: true });
  const secret = readOpenSecret(0);
  if (!secret) throw new UsageError('standard input: a secret is 16 bytes or 32 hexadecimal digits');
  return secret;
}
