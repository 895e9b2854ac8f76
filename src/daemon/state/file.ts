// SPDX-License-Identifier: MIT
/**
 * The state file: a line about the file, a line of content. It is input like any other, and the daemon does without
 * rather than believe a damaged, foreign or old one.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { isSystemError } from '../../base/native.ts';
import { type DaemonState, MisfitError, readDaemonState } from './schema.ts';

export const DEFAULT_STATE_FILE = '/run/lvsd/state.json';
const VERSION = 1;
/** Bytes; 40,000 real servers need 15 MB. */
const LARGEST = 128 << 20;
/** Health that is older says nothing about now. */
const MAX_AGE = 15 * 60_000;

/** Age in milliseconds; or why there is no state, and whether that is simply because there is no file. */
export type StateRead = { state: DaemonState; age: number } | { state: undefined; reason: string; missing: boolean };

interface Header {
  lvsd_state: number;
  /** The kernel's id of this boot. */
  boot: string;
  /** Seconds since then, which no clock that is set can change. */
  uptime: number;
  sha256: string;
}

export interface ReadStateOptions {
  /** Milliseconds. */
  maxAge?: number;
}

/** Reads what `writeState` wrote, in this boot. Never throws for what the file is like. */
export async function readState(path: string, { maxAge = MAX_AGE }: ReadStateOptions = {}): Promise<StateRead> {
  const without = (reason: string, missing = false): StateRead => ({ state: undefined, reason, missing });
  let bytes: Buffer | string;
  try {
    bytes = await readBounded(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return without(error.message, error.code === 'ENOENT');
  }
  if (typeof bytes === 'string') return without(bytes);
  if (!isUtf8(bytes)) return without('it is no UTF-8');
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n');
  const header = readHeader(text.slice(0, Math.max(end, 0)));
  if (!header) return without('it does not begin as a state file does');
  if (header.lvsd_state !== VERSION) return without(`it has version ${header.lvsd_state}, not ${VERSION}`);
  const content = text.slice(end + 1);
  if (header.sha256 !== sha256(content)) return without('its checksum does not fit: it is damaged');
  if (header.boot !== bootId()) return without('it is from before the last boot');
  const age = Math.round((uptime() - header.uptime) * 1000);
  if (!(age <= maxAge)) return without(`it is ${Math.round(age / 1000)}s old`);
  try {
    return { state: readDaemonState(JSON.parse(content)), age: Math.max(0, age) };
  } catch (error) {
    return without(error instanceof MisfitError ? `state${error.message}` : 'its content is no JSON');
  }
}

/** By path: writes go one after the other, as they share the name of the file that is not finished. */
const writing = new Map<string, Promise<void>>();

/**
 * Replaces the file as a whole: whenever the daemon is killed, the old one is there or the new one. Not synced to disk:
 * it is believed in this boot only, so nothing is lost with the power, and no slow disk holds the daemon up. Throws
 * system errors.
 */
export function writeState(path: string, state: DaemonState): Promise<void> {
  const content = JSON.stringify(state);
  const header: Header = { lvsd_state: VERSION, boot: bootId(), uptime: uptime(), sha256: sha256(content) };
  const before = writing.get(path) ?? Promise.resolve();
  const done = before.catch(() => {}).then(() => replace(path, `${JSON.stringify(header)}\n${content}`));
  writing.set(path, done);
  const forget = () => {
    if (writing.get(path) === done) writing.delete(path);
  };
  done.then(forget, forget);
  return done;
}

async function replace(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // One that a killed daemon left; and 'wx' follows no link that somebody laid there.
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.close();
    await rename(unfinished, path);
  } catch (error) {
    await file.close();
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** The bytes, or why not. */
async function readBounded(path: string): Promise<Buffer | string> {
  // O_NONBLOCK: a pipe in its place must not hold us up.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    const { size, uid, mode } = found;
    if (!found.isFile()) return 'it is no regular file';
    if (uid !== process.geteuid?.() && uid !== 0) return `it belongs to uid ${uid}`;
    if ((mode & 0o022) !== 0) return 'others may write to it';
    if (size > LARGEST) return `it has ${size} bytes, more than ${LARGEST}`;
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

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
