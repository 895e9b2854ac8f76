// SPDX-License-Identifier: MIT
/** The log interface. The daemon decides which lines are written, and where. */

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The log of one area. `text` is one sentence in lower case without a full stop; `fields` are for programs, with keys in
 * snake_case. Text from outside needs no escaping: control characters are escaped when the line is written.
 */
export interface Log {
  error(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  /** False if debug output is discarded. */
  readonly debugging?: boolean;
}

const nothing = (): void => {};

/** Discards everything. */
export const SILENT_LOG: Log = { error: nothing, warn: nothing, info: nothing, debug: nothing };
