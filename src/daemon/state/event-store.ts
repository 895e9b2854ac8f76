// SPDX-License-Identifier: MIT
/**
 * Events on disk: two segments of JSON lines, of which the older is overwritten. They are appended without fsync: a crash
 * of the machine may lose the last ones. Numbers are reserved with fsync, so that none is used for two events.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errorLine } from '../../base/error-line.ts';
import { isSystemError } from '../../base/native.ts';
import type { EventStore } from '../../control/events/log.ts';
import type { DaemonEvent } from '../../control/events/types.ts';
import { DEFAULT_STATE_FILE } from './file.ts';

const DEFAULT_DIRECTORY = '/var/lib/lvsd/events';
/** Bytes of both segments together: some 100,000 events; as in the configuration. */
const KEEP = 32 << 20;
/** Bytes at the end of the last segment that are read at the start. */
const TAIL = 1 << 20;
/** Numbers that are reserved on disk before they are used, so that none is used again after a crash of the machine. */
const RESERVED = 10_000;

/** The folder of events: each state file has one. */
export function eventsDirectory(state: string): string {
  return state === DEFAULT_STATE_FILE ? DEFAULT_DIRECTORY : `${state}.events`;
}

export interface StoreOptions {
  keep?: number;
  /** Called once when events cannot be stored; they are kept in memory then. */
  onProblem: (text: string) => void;
}

/** A line that is no event: numbers up to `next - 1` may have been used. The last line after a clean shutdown has the next. */
interface Mark {
  next: number;
  epoch: string;
}

export class FileEventStore implements EventStore {
  readonly epoch: string;
  readonly next: number;
  readonly tail: readonly DaemonEvent[];
  readonly #directory: string;
  readonly #keep: number;
  readonly #onProblem: (text: string) => void;
  #fd: number | undefined;
  #size = 0;
  #last: number;
  /** The first number that is not reserved. */
  #reserved: number;
  #failing = false;
  /** Events that could not be stored. */
  dropped = 0;

  /** Does not throw: without a folder or a file, a new epoch begins. */
  constructor(directory: string, { keep = KEEP, onProblem }: StoreOptions) {
    this.#directory = directory;
    this.#keep = keep;
    this.#onProblem = onProblem;
    let found: Found | undefined;
    let reserved = false;
    try {
      this.#fd = this.#open();
      found = readEnd(this.#fd, true) ?? this.#endOfPrevious();
    } catch (error) {
      this.#fail(error);
    }
    const next = found?.next ?? 1;
    this.#reserved = next;
    let epoch = found?.epoch ?? newEpoch();
    if (this.#fd !== undefined) reserved = this.#reserve(next, epoch);
    // Numbers of this run will not be found by the next one.
    if (!reserved) epoch = newEpoch();
    this.epoch = epoch;
    this.next = next;
    this.tail = reserved ? (found?.events ?? []) : [];
    this.#last = next - 1;
  }

  append(events: readonly DaemonEvent[]): void {
    this.#last = events.at(-1)?.sequence ?? this.#last;
    if (this.#last >= this.#reserved) this.#reserve(this.#last + 1, this.epoch);
    this.#write(`${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
    if (this.#failing) this.dropped += events.length;
    if (this.#size >= this.#keep / 2) this.#rotate();
  }

  async *read(after: number): AsyncGenerator<DaemonEvent> {
    let last = after;
    // Both at once: the segments may change places while the first one is read.
    const files = (['previous', 'current'] as const).flatMap((segment) => this.#openSegment(segment));
    try {
      for (let fd = files.shift(); fd !== undefined; fd = files.shift())
        for await (const event of readLines(fd, startAfter(fd, last, this.epoch))) {
          if (event.sequence <= last || event.epoch !== this.epoch) continue;
          last = event.sequence;
          yield event;
        }
    } finally {
      for (const fd of files) closeSync(fd);
    }
  }

  close(): void {
    this.#write(`${this.#mark(this.#last + 1, this.epoch)}\n`);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #mark(next: number, epoch: string): string {
    return JSON.stringify({ next, epoch } satisfies Mark);
  }

  /** Reserves numbers from `next` on. False: the disk does not have it. */
  #reserve(next: number, epoch: string): boolean {
    const end = next + RESERVED;
    this.#write(`${this.#mark(end, epoch)}\n`);
    if (this.#failing || this.#fd === undefined) return false;
    try {
      fsyncSync(this.#fd);
      // The name of a new file too.
      const folder = openSync(this.#directory, 'r');
      fsyncSync(folder);
      closeSync(folder);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#reserved = end;
    return true;
  }

  /** A regular file, as an earlier run made it: nobody's link or pipe. */
  #open(): number {
    mkdirSync(this.#directory, { recursive: true, mode: 0o750 });
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(this.#path('current'), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640);
    const { size, uid } = fstatSync(fd);
    if (!fstatSync(fd).isFile() || uid !== process.geteuid?.()) {
      closeSync(fd);
      throw Object.assign(new Error(`${this.#path('current')} is not a file of this user`), { code: 'EPERM' });
    }
    this.#size = size;
    return fd;
  }

  #path(segment: 'current' | 'previous'): string {
    return join(this.#directory, `${segment}.ndjson`);
  }

  #endOfPrevious(): Found | undefined {
    for (const fd of this.#openSegment('previous'))
      try {
        return readEnd(fd);
      } finally {
        closeSync(fd);
      }
    return undefined;
  }

  /** Empty: there is no such segment, or something else has its name. Throws system errors. */
  #openSegment(segment: 'current' | 'previous'): number[] {
    try {
      const fd = openSync(this.#path(segment), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if (fstatSync(fd).isFile()) return [fd];
      closeSync(fd);
      return [];
    } catch (error) {
      // A folder that could not be made was reported.
      if (isSystemError(error) && ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(error.code)) return [];
      throw error;
    }
  }

  #write(text: string): void {
    try {
      this.#fd ??= this.#open();
      // After a failure the last line may not be whole.
      const bytes = Buffer.from(this.#failing ? `\n${text}` : text);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      this.#size = fstatSync(this.#fd).size;
      this.#failing = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  #rotate(): void {
    try {
      renameSync(this.#path('current'), this.#path('previous'));
      if (this.#fd !== undefined) closeSync(this.#fd);
      this.#fd = undefined;
      this.#size = 0;
      // The end of the previous segment is not read any more.
      this.#reserve(this.#last + 1, this.epoch);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!isSystemError(error)) throw error;
    if (!this.#failing)
      this.#onProblem(`cannot store events in ${this.#directory}, they are kept in memory: ${errorLine(error)}`);
    this.#failing = true;
  }
}

interface Found {
  epoch: string;
  /** The first number that was certainly not used. */
  next: number;
  events: DaemonEvent[];
}

const newEpoch = (): string => randomBytes(4).toString('hex');

/** Reads the last events of a segment; with `cut`, cuts off a line that is not whole. Undefined: it has no line of a store. */
function readEnd(fd: number, cut = false): Found | undefined {
  const { size } = fstatSync(fd);
  const start = Math.max(0, size - TAIL);
  const bytes = Buffer.alloc(size - start);
  let length = 0;
  while (length < bytes.length) {
    const got = readSync(fd, bytes, length, bytes.length - length, start + length);
    if (got === 0) break;
    length += got;
  }
  const whole = bytes.subarray(0, length).lastIndexOf(0x0a) + 1;
  if (cut && whole < length) ftruncateSync(fd, start + whole);
  const lines = bytes.subarray(0, whole).toString('utf8').split('\n');
  const events: DaemonEvent[] = [];
  let epoch: string | undefined;
  let next = 0;
  for (const line of lines) {
    const value = parsed(line);
    if (value === undefined) continue;
    // Of one epoch, so that the numbers of what is kept in memory grow.
    if (value.epoch !== epoch) {
      events.length = 0;
      next = 0;
    }
    epoch = value.epoch;
    if ('next' in value) next = value.next;
    else {
      events.push(value);
      next = Math.max(next, value.sequence + 1);
    }
  }
  return epoch === undefined ? undefined : { epoch, next, events };
}

/** Bytes that are looked at in one place: some hundred lines. */
const PIECE = 64 << 10;

/**
 * An offset from which to read for all events of the epoch with a higher number than `after`: by binary search, as the
 * numbers of the last epoch in a segment grow.
 */
function startAfter(fd: number, after: number, epoch: string): number {
  const piece = Buffer.alloc(PIECE);
  let [low, high] = [0, fstatSync(fd).size];
  while (high - low > 2 * PIECE) {
    // Not by a shift: the sum may have more than 31 bits.
    const middle = Math.floor((low + high) / 2);
    const length = readSync(fd, piece, 0, PIECE, middle);
    const line = firstEvent(piece.subarray(0, length));
    if (line && (line.epoch !== epoch || line.sequence <= after)) low = middle + line.at;
    else high = middle;
  }
  return low;
}

/** The first whole line with an event, and its place. */
function firstEvent(piece: Buffer): { at: number; sequence: number; epoch: string } | undefined {
  for (let at = piece.indexOf(0x0a) + 1; at > 0; at = piece.indexOf(0x0a, at) + 1) {
    const [, sequence, epoch = ''] = EVENT_HEAD.exec(piece.toString('latin1', at, at + 80)) ?? [];
    if (sequence !== undefined) return { at, sequence: Number(sequence), epoch };
  }
  return undefined;
}

/** As EventLog.add makes them. */
const EVENT_HEAD = /^\{"sequence":(\d+),"epoch":"([^"]*)"/;

/** Closes the file. */
async function* readLines(fd: number, start: number): AsyncGenerator<DaemonEvent> {
  const stream = createReadStream('', { fd, start, encoding: 'utf8' });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      const value = parsed(line);
      if (value && !('next' in value)) yield value;
    }
  } finally {
    lines.close();
    stream.destroy();
  }
}

/** Undefined: not a line of this file. */
function parsed(line: string): DaemonEvent | Mark | undefined {
  if (line === '') return undefined;
  try {
    const value = JSON.parse(line) as Partial<DaemonEvent & Mark> | null;
    if (typeof value?.epoch !== 'string') return undefined;
    if (Number.isSafeInteger(value.next)) return value as Mark;
    return Number.isSafeInteger(value.sequence) && typeof value.kind === 'string' ? (value as DaemonEvent) : undefined;
  } catch {
    return undefined;
  }
}
