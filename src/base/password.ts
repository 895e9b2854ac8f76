// SPDX-License-Identifier: MIT
/** Users and their passwords, one a line: `NAME:$scrypt$ln=15,r=8,p=1$SALT$HASH`, as `lvsd password` prints it. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

export interface PasswordHash {
  /** CPU and memory cost: a power of two. */
  cost: number;
  blockSize: number;
  parallel: number;
  salt: Buffer;
  hash: Buffer;
}

const LENGTH = 32;
const COST_BITS = 15;
const LINE =
  /^([^:\s]{1,64}):\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})$/;

/** Users by name, or the number of the first line that is none. Empty lines and comments (#) are skipped. */
export function readUsers(text: string): Map<string, PasswordHash> | number {
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name = '', bits, blockSize, parallel, salt = '', hash = ''] = LINE.exec(line) ?? [];
    // One cost for all, of 32 MiB: names that are known take as long as others, and memory is bounded.
    const known = bits === String(COST_BITS) && blockSize === '8' && parallel === '1';
    if (!known || users.has(name)) return index + 1;
    users.set(name, {
      cost: 2 ** COST_BITS,
      blockSize: 8,
      parallel: 1,
      salt: Buffer.from(salt, 'base64'),
      hash: Buffer.from(hash, 'base64'),
    });
  }
  return users;
}

/** A hash that no password has: names that are not known take as long as those that are. */
export const NOBODY: PasswordHash = {
  cost: 2 ** COST_BITS,
  blockSize: 8,
  parallel: 1,
  salt: randomBytes(16),
  hash: randomBytes(LENGTH),
};

/** Compares in constant time. */
export async function isPassword(password: string, of: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, of), of.hash);
}

export async function userLine(name: string, password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, { ...NOBODY, salt });
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `${name}:$scrypt$ln=${COST_BITS},r=8,p=1$${text(salt)}$${text(hash)}`;
}

function derive(password: string, { cost, blockSize, parallel, salt }: PasswordHash): Promise<Buffer> {
  // Twice what it takes: the default is exactly that of these parameters, and refused.
  const options = { N: cost, r: blockSize, p: parallel, maxmem: 256 * cost * blockSize };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, LENGTH, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
