// SPDX-License-Identifier: MIT
/** Reads the text of a configuration file, with limits on its type, size and encoding. */
import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSystemError } from '../base/native.ts';
import { type PathTrust, trustPath } from '../base/trusted-path.ts';
import { LIMITS } from './limits.ts';

const STANDARD_INPUT = 0;
const NOT_A_FILE = 'is not a regular file; allowed: a regular file';

export interface FileText {
  text: string;
  bytes: number;
  /** Device and inode: the same for all names of a file. */
  identity: string;
}

/**
 * Reads a file that only root and this user can change or replace: it names programs and addresses that lvsd uses with
 * its own privileges. For any other file, returns a string with the reason and the remedy.
 */
export function readTrustedText(path: string, room: number = LIMITS.bytes): FileText | string {
  let trust: PathTrust;
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    // For a device the remedy of a file that others may write would be wrong.
    if (found && !found.isFile() && !found.isDirectory()) return NOT_A_FILE;
    trust = trustPath(resolve(path), [process.geteuid?.() ?? 0]);
  } catch (error) {
    return `cannot be read: ${reason(error)}`;
  }
  // The path without links, whose target no other user can change.
  return 'why' in trust ? untrusted(resolve(path), trust) : readText(trust.path, room);
}

function untrusted(path: string, { part, folder, why }: Extract<PathTrust, { why: string }>): string {
  const what =
    part === path ? why : `${folder ? 'is in a folder that others control' : 'leads to another file'}: ${part} ${why}`;
  const command = why.startsWith('belongs') ? 'chown root' : 'chmod go-w';
  return `${what}; allowed: a file that only root and the user of lvsd can change (${command} ${part})`;
}

/** Reads standard input to its end. */
export function readInput(room: number = LIMITS.bytes): FileText | string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(1 << 16);
      const count = readPiece(piece);
      if (count === 0) break;
      bytes += count;
      if (bytes > room)
        return `is too large; allowed: ${LIMITS.bytes >> 20} MiB for the configuration, all its files together`;
      pieces.push(piece.subarray(0, count));
    }
  } catch (error) {
    return `cannot be read: ${reason(error)}`;
  }
  const text = decode(Buffer.concat(pieces));
  return typeof text === 'string' ? { text, bytes, identity: 'standard input' } : text.wrong;
}

/** Waits for a non-blocking standard input, which is shared with other processes. */
function readPiece(piece: Buffer): number {
  for (;;) {
    try {
      return readSync(STANDARD_INPUT, piece, 0, piece.length, null);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

/** Reads at most `room` bytes. For an unsuitable file, returns a string with the reason. */
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
    if (!stat.isFile()) return NOT_A_FILE;
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
  return { wrong: `is not UTF-8 (invalid byte in line ${line}); allowed: UTF-8` };
}

/** The text of a system error without the system call: "no such file or directory". */
export function reason(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error);
  return error.message.replace(/^[A-Z0-9]+: /, '').replace(/, [a-z]+(?: '.*')?$/s, '');
}
