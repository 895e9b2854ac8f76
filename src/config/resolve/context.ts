// SPDX-License-Identifier: MIT
import type { Path } from '../yaml/positions.ts';

/** What those who make sense of values share. */
export interface Context {
  /** Tells a problem of the value at `path`, or of its key. Without a path: of nothing in particular. */
  report(path: Path, text: string, at?: 'key' | 'value'): void;
  /**
   * True for `services.NAME`, `local_addresses.NAME` and `defaults` where parts have been left out because the schema
   * refuses them: what is judged by several keys at once is then not judged.
   */
  maimed(...path: [string] | [string, string]): boolean;
}
