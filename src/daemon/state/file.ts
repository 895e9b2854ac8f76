// SPDX-License-Identifier: MIT
/**
 * The state file: a header line and a line of content. It is validated like any input: the daemon starts without state
 * rather than with a damaged, foreign or old file.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { isErrno } from '../../base/errno.ts';
import { inTurns } from '../../base/in-turns.ts';
import { isSystemError } from '../../base/native.ts';
import { jsonParts } from './json-parts.ts';
import { type DaemonState, MismatchError, readDaemonState, type StateToWrite } from './schema.ts';

export const DEFAULT_STATE_FILE = '/run/lvsd/state.json';
const VERSION = 1;
/** Bytes; 40,000 real servers need 15 MB. */
const LARGEST = 128 << 20;
/** Milliseconds. */
const MAX_AGE = 15 * 60_000;

/**
 * The state, its age in milliseconds and when it was written (`writtenAt`), or why there is none. `missing`: there is
 * no file.
 */
export type StateRead =
  | { state: DaemonState; age: number; at: number }
  | { state: undefined; reason: string; missing: boolean };

export interface Header {
  lvsd_state: number;
  /** The kernel's boot id. */
  boot: string;
  /** Seconds since boot: unlike the time of day it is never set. */
  uptime: number;
  sha256: string;
}

export interface ReadStateOptions {
  /** Milliseconds. */
  maxAge?: number;
}

/** Reads a file that `writeState` wrote since the last boot. Does not throw for an invalid file. */
export async function readState(path: string, { maxAge = MAX_AGE }: ReadStateOptions = {}): Promise<StateRead> {
  const found = await readContent(path, {
    largest: LARGEST,
    read: readDaemonState,
    reject: ({ boot, uptime: then }) => {
      if (boot !== bootId()) return 'it was written before the last boot';
      const age = ageOf(then);
      return age <= maxAge ? undefined : `it is ${Math.round(age / 1000)}s old`;
    },
  });
  if (!('content' in found)) return { state: undefined, reason: found.reason, missing: found.missing };
  const { content: state, header } = found;
  return { state, age: Math.max(0, ageOf(header.uptime)), at: writtenAt(header) };
}

/** Seconds from the last boot until a file with this header was written; -Infinity if it is older than that. */
export const writtenAt = ({ boot: then, uptime: at }: Header): number =>
  then === bootId() ? at : Number.NEGATIVE_INFINITY;

const ageOf = (then: number): number => Math.round((uptime() - then) * 1000);

export interface ReadContentOptions<T> {
  /** Bytes. */
  largest: number;
  /** Throws MismatchError. */
  read: (value: unknown) => T;
  /** The reason why a file with this header is not accepted; undefined if it is. */
  reject?: (header: Header) => string | undefined;
}

export type ContentRead<T> = { content: T; header: Header } | { reason: string; missing: boolean };

/** Reads a file of this format. Does not throw for an invalid one. */
export async function readContent<T>(
  path: string,
  { largest, read, reject }: ReadContentOptions<T>,
): Promise<ContentRead<T>> {
  const without = (reason: string, missing = false) => ({ reason, missing });
  let bytes: Buffer | string;
  try {
    bytes = await readBounded(path, largest);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return without(error.message, error.code === 'ENOENT');
  }
  if (typeof bytes === 'string') return without(bytes);
  if (!isUtf8(bytes)) return without('it is not UTF-8');
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n');
  const header = readHeader(text.slice(0, Math.max(end, 0)));
  if (!header) return without('it is not a state file');
  if (header.lvsd_state !== VERSION) return without(`it has version ${header.lvsd_state}, not ${VERSION}`);
  const content = text.slice(end + 1);
  if (header.sha256 !== sha256(content)) return without('its checksum is wrong: it is damaged');
  const rejected = reject?.(header);
  if (rejected !== undefined) return without(rejected);
  try {
    return { content: read(JSON.parse(content)), header };
  } catch (error) {
    return without(error instanceof MismatchError ? `state${error.message}` : 'its content is not JSON');
  }
}

/** Parts of the content that are made in one turn of the event loop, and characters in one write. */
export const PARTS_A_TURN = 4;
const WRITE_SIZE = 1 << 20;

/** Writes in progress by path. They run one after the other because they share a temporary file. */
const writing = new Map<string, Promise<void>>();

/**
 * Renames a file that was not accepted, before another one takes its name. False: it is not there any more. Throws system
 * errors.
 */
export async function keepAside(path: string, keptAs: string): Promise<boolean> {
  try {
    await rename(path, keptAs);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Not synced to disk: it is valid for this boot only, and a slow disk would delay the daemon. Throws system errors. */
export function writeState(path: string, state: StateToWrite): Promise<void> {
  return writeContent(path, state, { sync: false });
}

/**
 * Replaces a file atomically: after a crash of the daemon, with `sync` also of the machine, either the old or the new file
 * is there. Throws system errors.
 */
export function writeContent(path: string, value: object, { sync }: { sync: boolean }): Promise<void> {
  // Ages in the content count from now on, however long the writing takes.
  const header = { lvsd_state: VERSION, boot: bootId(), uptime: uptime() };
  const before = writing.get(path) ?? Promise.resolve();
  const done = before.catch(() => {}).then(() => writeParts(path, header, value, sync));
  writing.set(path, done);
  const forget = () => {
    if (writing.get(path) === done) writing.delete(path);
  };
  done.then(forget, forget);
  return done;
}

/** Some parts in each turn of the event loop: the states of 40,000 real servers are 10 MB. */
async function writeParts(path: string, start: Omit<Header, 'sha256'>, value: object, sync: boolean): Promise<void> {
  const hash = createHash('sha256');
  const content: string[] = [];
  let piece = '';
  await inTurns(jsonParts(value), PARTS_A_TURN, (part) => {
    hash.update(part);
    piece += part;
    if (piece.length < WRITE_SIZE) return;
    content.push(piece);
    piece = '';
  });
  const header: Header = { ...start, sha256: hash.digest('hex') };
  await replace(path, [`${JSON.stringify(header)}\n`, ...content, piece], sync);
}

async function replace(path: string, text: readonly string[], sync: boolean): Promise<void> {
  const temporary = `${path}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // A killed daemon may have left one. 'wx' does not follow a symbolic link in its place.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    for (const part of text) await file.writeFile(part);
    if (sync) await file.sync();
    await file.close();
    await rename(temporary, path);
    if (sync) await syncFolder(dirname(path));
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Returns the reason as a string if the file is not accepted. */
async function readBounded(path: string, largest: number): Promise<Buffer | string> {
  // O_NONBLOCK: opening a FIFO in its place must not block.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    const { size, uid, mode } = found;
    if (!found.isFile()) return 'it is not a regular file';
    if (uid !== process.geteuid?.() && uid !== 0) return `its owner is uid ${uid}, neither root nor this user`;
    if ((mode & 0o022) !== 0) return 'its group or others may write to it';
    if (size > largest) return `it has ${size} bytes, more than ${largest}`;
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

function readHeader(line: string): Header | undefined {
  try {
    const { lvsd_state, boot, uptime: then, sha256: sum } = JSON.parse(line) as Record<string, unknown>;
    if (typeof lvsd_state !== 'number' || typeof boot !== 'string') return undefined;
    if (typeof then !== 'number' || typeof sum !== 'string') return undefined;
    return { lvsd_state, boot, uptime: then, sha256: sum };
  } catch {
    return undefined;
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let boot: string | undefined;

export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
