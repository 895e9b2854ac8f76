// SPDX-License-Identifier: MIT
/** Formats a record as one line of text or JSON. */
import type { LogFields } from '../../base/log.ts';
import { printable, printableJson, shortened } from '../../base/printable.ts';
import type { LogLevel, LogSettings } from '../../config/types.ts';
import { PRIORITY } from './journal.ts';

/** Maximum of characters of a text. */
export const LONGEST = 4096;

export interface LogRecord {
  /** Milliseconds since the epoch. */
  at: number;
  level: LogLevel;
  area: string;
  text: string;
  fields: LogFields | undefined;
}

/** Returns the line with its line end. Text lines for the journal have no time, because the journal records it. */
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
  // The fixed keys come first, and fields cannot replace them.
  return printableJson({ ...fixed, ...Object.fromEntries(more), ...fixed });
}
