// SPDX-License-Identifier: MIT
/** Addresses of AF_UNIX sockets in the kernel's layout (struct sockaddr_un). */
import { endianness } from 'node:os';
import { LvsdError } from './errors.ts';

export const AF_UNIX = 1;
/** sizeof(sun_path), including the terminating NUL of a path. */
const PATH_SIZE = 108;

/** '/run/x.sock' is a file, '@name' an abstract name. Throws LvsdError if the path does not fit. */
export function unixAddress(path: string): Buffer {
  const abstract = path.startsWith('@');
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (path === '' || path.includes('\0') || name.length > PATH_SIZE)
    throw new LvsdError(
      'ERR_LVSD_SOCKET_PATH',
      `${JSON.stringify(path)} is not a valid socket path: it must have 1 to ${PATH_SIZE - 1} bytes and no NUL`,
    );
  const family = Buffer.alloc(2);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, name]);
}
