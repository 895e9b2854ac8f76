// SPDX-License-Identifier: MIT
/**
 * The daemon's log: filters records by level and rate, formats them with winston, and writes them to standard error.
 * Levels and format change with a reload; the `Log` objects of the areas stay valid.
 */
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import winston from 'winston';
import type { Log, LogFields } from '../../base/log.ts';
import { LOG_AREAS, type LogArea, type LogLevel, type LogSettings } from '../../config/types.ts';
import { isJournal } from './journal.ts';
import { JournalSocket } from './journal-socket.ts';
import { type LogRecord, logLine } from './lines.ts';
import { RateLimit } from './rate-limit.ts';
import { LineSink } from './sink.ts';

const LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
const WINDOW = 10_000;
/** Maximum of equal lines per window. */
const MAX_EQUAL = 3;
/** Maximum of lines of one area and level per window. */
const MAX_TOTAL = 5000;
/** Maximum of records inside winston, which buffers all records of one turn of the event loop. */
const MAX_BUFFERED = 10_000;

export interface DaemonLogOptions {
  /** Default: standard error. */
  stream?: Writable;
  /** Whether the journal reads `stream`. Default: as for standard error. */
  journal?: boolean;
  /** The journal's own socket, for records with fields; undefined: as lines to `stream`. Default: if the journal reads. */
  journalSocket?: JournalSocket | undefined;
}

export class DaemonLog {
  readonly #winston: winston.Logger;
  readonly #sink: LineSink;
  readonly #journal: boolean;
  readonly #journalSocket: JournalSocket | undefined;
  readonly #equal = new RateLimit(MAX_EQUAL, WINDOW);
  readonly #total = new RateLimit(MAX_TOTAL, WINDOW);
  readonly #areas = new Map<LogArea, Log>();
  #settings: LogSettings;
  #buffered = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: LogSettings, options: DaemonLogOptions = {}) {
    this.#settings = settings;
    this.#journal = options.journal ?? isJournal(process.env.JOURNAL_STREAM, 2);
    this.#journalSocket =
      'journalSocket' in options || options.stream || !this.#journal ? options.journalSocket : new JournalSocket();
    this.#sink = new LineSink(options.stream ?? process.stderr, (dropped) => this.#droppedLine(dropped));
    this.#winston = winston.createLogger({
      levels: LEVELS,
      level: 'debug',
      format: winston.format.printf(({ record }) => this.#line(record as LogRecord)),
      transports: new winston.transports.Stream({ stream: this.#outlet(), eol: '' }),
    });
    for (const area of LOG_AREAS) this.#areas.set(area, this.#makeArea(area));
  }

  area(name: LogArea): Log {
    return this.#areas.get(name) ?? this.#makeArea(name);
  }

  /** Lines that were dropped, because they were not read in time. */
  get dropped(): number {
    return this.#sink.lost;
  }

  /** Sets levels and format for the next lines. */
  configure(settings: LogSettings): void {
    this.#settings = settings;
  }

  /**
   * Writes pending summaries. Resolves when everything is written or the reader is stuck. Call it before the process
   * ends.
   */
  async flush(): Promise<void> {
    this.#writeSummaries(Number.POSITIVE_INFINITY);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#buffered > 0) await setImmediate();
    await this.#sink.flush();
    this.#journalSocket?.close();
  }

  /** The stream that winston writes to. Always ready, because winston's buffer for a slow stream has no limit. */
  #outlet(): Writable {
    return new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, next) => {
        this.#buffered--;
        this.#sink.write(line);
        next();
      },
    });
  }

  #makeArea(area: LogArea): Log {
    const at = (level: LogLevel) => (text: string, fields?: LogFields) => this.#log(area, level, text, fields);
    const lines = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
    const debugging = () => this.#passes(area, 'debug');
    return {
      ...lines,
      get debugging() {
        return debugging();
      },
    };
  }

  #passes(area: LogArea, level: LogLevel): boolean {
    const { levels, level: general } = this.#settings;
    return LEVELS[level] <= LEVELS[levels[area] ?? general];
  }

  #log(area: LogArea, level: LogLevel, text: string, fields: LogFields | undefined): void {
    if (!this.#passes(area, level)) return;
    // Debug lines are not limited.
    if (level !== 'debug' && !this.#admit(area, level, text)) return;
    this.#write({ at: Date.now(), level, area, text, fields });
  }

  #admit(area: LogArea, level: LogLevel, text: string): boolean {
    const now = performance.now();
    this.#writeSummaries(now);
    const of = `${level} ${area} `;
    if (this.#equal.admit(of + text, now) && this.#total.admit(of, now)) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writeSummaries(performance.now());
    }, WINDOW).unref();
    return false;
  }

  #writeSummaries(now: number): void {
    for (const { key, held } of [...this.#equal.ended(now), ...this.#total.ended(now)]) {
      const [level, area, ...words] = key.split(' ');
      const text = words.join(' ');
      const more = `… and ${held} more ${text === '' ? `lines of ${area} (${level})` : 'like it'} in ${WINDOW / 1000}s`;
      const record = { at: Date.now(), level: level as LogLevel, area: area ?? '', fields: { held } };
      this.#write({ ...record, text: text === '' ? more : `${text} ${more}` });
    }
  }

  #write(record: LogRecord): void {
    // Lines of JSON are for programs that read them from the text.
    if (this.#settings.format === 'text' && this.#journalSocket?.send(record)) return;
    if (this.#buffered >= MAX_BUFFERED) {
      this.#sink.drop();
      return;
    }
    this.#buffered++;
    this.#winston.log({ level: record.level, message: record.text, record });
  }

  #line(record: LogRecord): string {
    return logLine(record, this.#settings.format, this.#journal);
  }

  #droppedLine(dropped: number): string {
    const text = `${dropped} log lines were dropped: standard error was not read in time`;
    return this.#line({ at: Date.now(), level: 'warn', area: 'daemon', text, fields: { dropped } });
  }
}
