// SPDX-License-Identifier: MIT
// Messages and exit codes of the tools. Progress goes to stderr, so that stdout stays free for results.
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout. */
export const top = resolve(fileURLToPath(import.meta.url), '../../..');

/**
 * Returns a path relative to the checkout.
 * @param {string} path
 */
export const short = (path) => relative(top, path) || '.';

/** @param {string} text */
export function say(text) {
  process.stderr.write(`lvsd: ${text}\n`);
}

/** An error for the operator: main() prints its message without a stack. */
export class ErrorReport extends Error {
  /** @param {string} message */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Runs a tool's main function; an ErrorReport becomes one line and an exit code.
 * @param {(args: string[]) => Promise<number | void>} run
 */
export async function main(run) {
  try {
    const code = await run(process.argv.slice(2));
    if (typeof code === 'number') process.exitCode = code;
  } catch (error) {
    if (!(error instanceof ErrorReport)) {
      process.stderr.write(`lvsd: ${error instanceof Error ? error.stack : error}\n`);
      process.exitCode = 1;
      return;
    }
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
