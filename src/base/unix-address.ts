// SPDX-License-Identifier: MIT
/** Addresses of AF_UNIX sockets in the kernel's layout (struct sockaddr_un). */
import { endianness } from 'node:os';
import { LvsdError } from './errors.ts';

export const AF_UNIX = 1;
/** sizeof(sun_path); a path needs one byte of it for its end. */
const PATH_SIZE = 108;

/** '/run/x.sock' is a file, '@name' an abstract name. Throws `LvsdError` when the kernel has no room for it. */
export function unixAddress(path: string): Buffer {
  const abstract = path.startsWith('@');
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (path === '' || path.includes('\0') || name.length > PATH_SIZE)
    throw new LvsdError(
      'ERR_LVSD_SOCKET_PATH',
      `${JSON.stringify(path)} is no path of a socket: 1 to ${PATH_SIZE - 1} bytes, without NUL`,
    );
  const family = Buffer.alloc(2);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, name]);
}
