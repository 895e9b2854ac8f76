// SPDX-License-Identifier: MIT
// A log that records its lines.
import type { Log, LogFields } from '../../src/base/log.ts';

export interface RecordingLog extends Log {
  readonly lines: string[];
  readonly fields: (LogFields | undefined)[];
}

export function recordingLog(): RecordingLog {
  const lines: string[] = [];
  const fields: (LogFields | undefined)[] = [];
  const at = (level: string) => (text: string, more?: LogFields) => {
    lines.push(`${level} ${text}`);
    fields.push(more);
  };
  return { lines, fields, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
