// SPDX-License-Identifier: MIT
/** One record as one line: for people, for programs, for the journal. */
import type { LogFields } from '../../base/log.ts';
import { printable, printableJson, shortened } from '../../base/printable.ts';
import type { LogLevel, LogSettings } from '../../config/types.ts';
import { PRIORITY } from './journal.ts';

/** Characters of a text; what is longer came from outside, or is a mistake. */
const LONGEST = 4096;

export interface LogRecord {
  /** Milliseconds since the epoch. */
  at: number;
  level: LogLevel;
  area: string;
  text: string;
  fields: LogFields | undefined;
}

/** A line with its end. In the journal a text has no time, the journal knows it. */
export function logLine(record: LogRecord, format: LogSettings['format'], journal: boolean): string {
  const text = format === 'json' ? jsonLine(record) : textLine(record, journal);
  return `${journal ? PRIORITY[record.level] : ''}${text}\n`;
}

function textLine({ at, level, area, text }: LogRecord, journal: boolean): string {
  const line = `${area}: ${printable(shortened(text, LONGEST))}`;
  return journal ? line : `${new Date(at).toISOString()} ${level.padEnd(5)} ${line}`;
}

function jsonLine({ at, level, area, text, fields }: LogRecord): string {
  const fixed = { time: new Date(at).toISOString(), level, area, text: shortened(text, LONGEST) };
  const more = Object.entries(fields ?? {}).map(([key, value]) => [
    key,
    typeof value === 'string' ? shortened(value, LONGEST) : value,
  ]);
  // The fixed names come first, and no field takes their place.
  return printableJson({ ...fixed, ...Object.fromEntries(more), ...fixed });
}
