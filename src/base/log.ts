// SPDX-License-Identifier: MIT
/** What every part of the project logs through; where lines go, and which of them, is the daemon's business. */

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * One area's log. `text` is one sentence for people, in lower case and without a full stop; `fields` are for programs,
 * with keys in snake_case. Whatever came from outside may go in as it is: control characters are escaped at the way out.
 */
export interface Log {
  error(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  /** False: nobody reads lines of this level, and who would write thousands need not. */
  readonly debugging?: boolean;
}

const nothing = (): void => {};

/** For who has nobody to tell. */
export const SILENT_LOG: Log = { error: nothing, warn: nothing, info: nothing, debug: nothing };
