// SPDX-License-Identifier: MIT
/** Reads the text of a configuration file, with limits on its type, size and encoding. */
import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isSystemError } from '../base/native.ts';
import { LIMITS } from './limits.ts';

export interface FileText {
  text: string;
  bytes: number;
  /** Device and inode: the same for all names of a file. */
  identity: string;
}

/** Reads at most `room` bytes. Returns a string that says what is wrong for an unsuitable file. */
export function readText(path: string, room: number = LIMITS.bytes): FileText | string {
  let fd: number;
  try {
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    return `cannot be read: ${reason(error)}`;
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return 'is a folder; allowed: a file';
    if (!stat.isFile()) return 'is not a regular file; allowed: a regular file';
    if (stat.size > room) {
      const limit = `${LIMITS.bytes >> 20} MiB`;
      return `is too large (${stat.size} bytes); allowed: ${limit} for the configuration, all its files together`;
    }
    const buffer = Buffer.allocUnsafe(stat.size);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    const text = decode(buffer.subarray(0, length));
    return typeof text === 'string' ? { text, bytes: length, identity: `${stat.dev}:${stat.ino}` } : text.wrong;
  } catch (error) {
    return `cannot be read: ${reason(error)}`;
  } finally {
    closeSync(fd);
  }
}

function decode(bytes: Buffer): string | { wrong: string } {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return { wrong: 'is UTF-16; allowed: UTF-8' };
  const text = bytes.toString('utf8');
  if (isUtf8(bytes)) return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const at = text.indexOf('\ufffd');
  const line = text.slice(0, at).split('\n').length;
  return { wrong: `is not UTF-8 (line ${line} has a byte that is none); allowed: UTF-8` };
}

/** The text of a system error without the system call: "no such file or directory". */
export function reason(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error);
  return error.message.replace(/^[A-Z0-9]+: /, '').replace(/, [a-z]+(?: '.*')?$/s, '');
}
