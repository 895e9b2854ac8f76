// SPDX-License-Identifier: MIT
/**
 * Events on disk: two segments of JSON lines, of which the older one is replaced. They are appended without fsync: a crash
 * of the machine may lose the last ones, but no number is used for two events.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fstatSync,
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
/** Bytes of both segments together: some 100,000 events. */
const KEEP = 32 << 20;
/** Bytes at the end of the last segment that are read at the start. */
const TAIL = 1 << 20;
/** Numbers that are skipped after an end without the last line: events may have been told and then lost. */
const SKIPPED = 1000;

/** The folder of events: each state file has one. */
export function eventsDirectory(state: string): string {
  return state === DEFAULT_STATE_FILE ? DEFAULT_DIRECTORY : `${state}.events`;
}

export interface StoreOptions {
  keep?: number;
  /** Called once when events cannot be stored; they are kept in memory then. */
  onProblem: (text: string) => void;
}

/** The last line of a segment whose writer ended in order. */
interface End {
  end: number;
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
  #failing = false;

  /** Does not throw: without a folder or a file, a new epoch begins. */
  constructor(directory: string, { keep = KEEP, onProblem }: StoreOptions) {
    this.#directory = directory;
    this.#keep = keep;
    this.#onProblem = onProblem;
    let found: Found | undefined;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      this.#fd = openSync(this.#path('current'), 'a+', 0o640);
      found = readEnd(this.#fd, true) ?? this.#endOfPrevious();
      this.#size = fstatSync(this.#fd).size;
    } catch (error) {
      this.#fail(error);
    }
    this.epoch = found?.epoch ?? randomBytes(4).toString('hex');
    this.next = found ? found.last + (found.clean ? 1 : 1 + SKIPPED) : 1;
    this.tail = found?.events ?? [];
    this.#last = this.next - 1;
  }

  append(events: readonly DaemonEvent[]): void {
    this.#last = events.at(-1)?.sequence ?? this.#last;
    this.#write(`${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
    if (this.#size >= this.#keep / 2) this.#rotate();
  }

  async *read(after: number): AsyncGenerator<DaemonEvent> {
    let last = after;
    for (const segment of ['previous', 'current'] as const)
      for await (const event of readLines(this.#path(segment))) {
        // The segments may have changed places in between.
        if (event.sequence <= last || event.epoch !== this.epoch) continue;
        last = event.sequence;
        yield event;
      }
  }

  close(): void {
    const end: End = { end: this.#last };
    this.#write(`${JSON.stringify(end)}\n`);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #path(segment: 'current' | 'previous'): string {
    return join(this.#directory, `${segment}.ndjson`);
  }

  #endOfPrevious(): Found | undefined {
    let fd: number | undefined;
    try {
      fd = openSync(this.#path('previous'), 'r');
      return readEnd(fd);
    } catch (error) {
      if (isSystemError(error) && error.code === 'ENOENT') return undefined;
      throw error;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #write(text: string): void {
    try {
      if (this.#fd === undefined) {
        mkdirSync(this.#directory, { recursive: true, mode: 0o750 });
        this.#fd = openSync(this.#path('current'), 'a+', 0o640);
      }
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
  last: number;
  clean: boolean;
  events: DaemonEvent[];
}

/** Reads the last events of a segment; with `cut`, cuts off a line that is not whole. Undefined: it has no event. */
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
  let end: number | undefined;
  for (const line of lines) {
    const value = parsed(line);
    if (value === undefined) continue;
    end = 'end' in value ? value.end : undefined;
    if ('end' in value) continue;
    // Of one epoch, so that the numbers of what is kept in memory grow.
    if (value.epoch !== events[0]?.epoch) events.length = 0;
    events.push(value);
  }
  const last = events.at(-1);
  if (!last) return undefined;
  return { epoch: last.epoch, last: end ?? last.sequence, clean: end !== undefined, events };
}

async function* readLines(path: string): AsyncGenerator<DaemonEvent> {
  const stream = createReadStream(path, { encoding: 'utf8' });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      const value = parsed(line);
      if (value && !('end' in value)) yield value;
    }
  } catch (error) {
    // Without the segment its events are a gap.
    if (!isSystemError(error)) throw error;
  } finally {
    lines.close();
    stream.destroy();
  }
}

/** Undefined: not a line of this file. */
function parsed(line: string): DaemonEvent | End | undefined {
  if (line === '') return undefined;
  try {
    const value = JSON.parse(line) as Partial<DaemonEvent & End> | null;
    if (Number.isSafeInteger(value?.end)) return value as End;
    const isEvent =
      Number.isSafeInteger(value?.sequence) && typeof value?.epoch === 'string' && typeof value.kind === 'string';
    return isEvent ? (value as DaemonEvent) : undefined;
  } catch {
    return undefined;
  }
}
