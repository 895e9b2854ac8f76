// SPDX-License-Identifier: MIT
import { LvsdError } from './errors.ts';
import { isSystemError } from './native.ts';

/** The text of an error for the log. Unexpected ones, neither LvsdError nor a failed system call, name their class. */
export function errorLine(error: unknown): string {
  if (error instanceof LvsdError || isSystemError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
