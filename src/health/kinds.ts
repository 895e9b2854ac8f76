// SPDX-License-Identifier: MIT
import * as kinds from './checks.ts';

/** The kinds of checks by name. */
export const KINDS: Readonly<typeof kinds> = { ...kinds };
