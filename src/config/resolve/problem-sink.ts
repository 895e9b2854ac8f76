// SPDX-License-Identifier: MIT
import type { Path } from '../yaml/positions.ts';

/** Collects the problems of a configuration. */
export interface ProblemSink {
  /** Reports a problem of the value at `path`, or of its key. An empty path is the file as a whole. */
  report(path: Path, text: string, at?: 'key' | 'value'): void;
  /** Reports something that is valid, but probably not meant. */
  warn(path: Path, text: string): void;
  /**
   * True for `services.NAME`, `local_addresses.NAME`, `defaults.KEY`, and `check` of a service or of the defaults, if the
   * schema rejected parts of them and these were left out: rules that concern several keys are then not applied.
   */
  isInvalid(...path: readonly [string, ...string[]]): boolean;
  /**
   * True if the schema rejected one of these keys of the service, or a part that may be any key: a key that it does not
   * know, or the service as a whole.
   */
  isInvalidService(name: string, keys: readonly string[]): boolean;
}
