// SPDX-License-Identifier: MIT
import type { CommonCheck } from '../common/schema.ts';

/** A connection is made, and that is all. */
export interface TcpCheck extends CommonCheck {
  type: 'tcp';
}
