// SPDX-License-Identifier: MIT
/** Files with a secret: for the kernel (of FULLNAT's sequence numbers, of SYN cookies), or a key or passwords. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { UsageError } from './errors.ts';
import { NOT_REGULAR, openRegular, readBounded } from './regular-file.ts';

/** Bytes of a secret, and of the largest file. */
export const SECRET_LENGTH = 16;
const LARGEST = 4096;
const LARGEST_TEXT = 1 << 20;
const READABLE_BY_OTHERS = 0o044;
const READABLE_BY_ALL = 0o004;
const HEX = new RegExp(`^[0-9a-fA-F]{${2 * SECRET_LENGTH}}\\n?$`);

/** Parses 16 raw bytes, or 32 hexadecimal digits with an optional newline; undefined for anything else. */
export function parseSecret(content: Buffer): Uint8Array | undefined {
  if (content.length === SECRET_LENGTH) return content;
  const text = content.toString('latin1');
  return HEX.test(text) ? Buffer.from(text.trimEnd(), 'hex') : undefined;
}

/** Reads the secret of an open file; undefined for anything else. Throws system errors. */
export function readOpenSecret(fd: number): Uint8Array | undefined {
  const content = readBounded(fd, LARGEST);
  return content && parseSecret(content);
}

/**
 * Throws UsageError, also if group or others can read the file. `pipe`: it may be a FIFO, which is waited for, such as
 * that of a shell's `<(command)`.
 */
export function readSecretFile(path: string, { pipe = false } = {}): Uint8Array {
  let secret: Uint8Array | string;
  try {
    secret = readPrivate(path, { pipe });
  } catch (error) {
    throw new UsageError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
  if (typeof secret === 'string') throw new UsageError(`${path}: ${secret}`);
  return secret;
}

/** Reads a secret; returns the reason if it is not usable. `pipe` as above. Throws system errors. */
export function readPrivate(path: string, { pipe = false } = {}): Uint8Array | string {
  const fd = pipe ? openSync(path, 'r') : openRegular(path)?.fd;
  if (fd === undefined) return `it ${NOT_REGULAR}`;
  try {
    // fstat of the open file: the path may name another one by now.
    if (fstatSync(fd).mode & READABLE_BY_OTHERS) return 'a secret must not be readable by group or others (chmod 600)';
    return readOpenSecret(fd) ?? 'a secret is 16 bytes or 32 hexadecimal digits';
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads the text of a private file, such as a key; returns the reason if others can read it. `credential`: systemd made the
 * file, whose group bits may be the mask of an access control list (systemd.exec(5), LoadCredential=). Throws system errors.
 */
export function readPrivateText(
  path: string,
  { largest = LARGEST_TEXT, credential = false } = {},
): { text: string } | { wrong: string } {
  const open = openRegular(path);
  if (!open) return { wrong: `which ${NOT_REGULAR}` };
  const { fd, stat } = open;
  try {
    if (stat.mode & (credential ? READABLE_BY_ALL : READABLE_BY_OTHERS))
      return { wrong: 'which group or others can read (chmod 600)' };
    const content = readBounded(fd, largest);
    return content ? { text: content.toString() } : { wrong: `which is larger than ${largest} bytes` };
  } finally {
    closeSync(fd);
  }
}
