// SPDX-License-Identifier: MIT
// What every tool prints: progress on stderr, so that stdout stays free for results.
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's top folder, absolute. */
export const top = resolve(fileURLToPath(import.meta.url), '../../..');

/** A path as one would type it from the checkout's top. */
export const short = (path) => relative(top, path) || '.';

export function say(text) {
  process.stderr.write(`lvsd: ${text}\n`);
}

/** An error whose message is all that the operator needs: printed without a stack. */
export class Complaint extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a tool's main function; whatever it throws becomes one line and an exit code. */
export async function main(run) {
  try {
    const code = await run(process.argv.slice(2));
    if (typeof code === 'number') process.exitCode = code;
  } catch (error) {
    if (!(error instanceof Complaint)) {
      process.stderr.write(`lvsd: ${error?.stack ?? error}\n`);
      process.exitCode = 1;
      return;
    }
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
