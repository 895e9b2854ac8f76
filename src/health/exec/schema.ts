// SPDX-License-Identifier: MIT
import type { CommonCheck } from '../common/schema.ts';

/** A program: exit status 0 is success. Its environment says what it checks (LVSD_ADDRESS, LVSD_PORT, LVSD_SERVICE...). */
export interface ExecCheck extends CommonCheck {
  type: 'exec';
  /** Absolute path of the program, then its arguments; no shell. */
  command: readonly string[];
  /** Whom it runs as; undefined: the exec helper's own user. */
  user: string | undefined;
}
