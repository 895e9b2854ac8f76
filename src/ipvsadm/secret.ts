// SPDX-License-Identifier: MIT
/** The file of --secret. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';
import { IPVS_SECRET_LENGTH } from '../ipvs/index.ts';
import { readWhole } from './input.ts';

/** Bytes. */
const LARGEST = 4096;
const READABLE_BY_OTHERS = 0o044;
const HEX = new RegExp(`^[0-9a-fA-F]{${2 * IPVS_SECRET_LENGTH}}\\n?$`);

/** Parses 16 raw bytes, or 32 hexadecimal digits with an optional newline; undefined for anything else. */
export function parseSecret(content: Buffer): Uint8Array | undefined {
  if (content.length === IPVS_SECRET_LENGTH) return content;
  const text = content.toString('latin1');
  return HEX.test(text) ? Buffer.from(text.trimEnd(), 'hex') : undefined;
}

/** Reads a secret; '-' is standard input. Throws UsageError, also if group or others can read the file. */
export function readSecret(path: string): Uint8Array {
  const name = path === '-' ? 'standard input' : path;
  const secret = parseSecret(path === '-' ? bounded(0) : readPrivate(path));
  if (!secret) throw new UsageError(`${name}: a secret is 16 bytes or 32 hexadecimal digits`);
  return secret;
}

/** Empty, which is not a valid secret, if the input is longer than LARGEST. */
const bounded = (fd: number): Buffer => readWhole(fd, LARGEST) ?? Buffer.alloc(0);

function readPrivate(path: string): Buffer {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    // fstat of the open file: the path may name another one by now.
    if (fstatSync(fd).mode & READABLE_BY_OTHERS)
      throw new UsageError(`${path}: a secret must not be readable by group or others (chmod 600)`);
    return bounded(fd);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
