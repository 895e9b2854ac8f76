// SPDX-License-Identifier: MIT
import { LvsdError } from './errors.ts';
import { isSystemError } from './native.ts';

/** An error as one line of a log. Errors that nothing throws on purpose are prefixed with their name. */
export function errorLine(error: unknown): string {
  if (error instanceof LvsdError || isSystemError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
