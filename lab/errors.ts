// SPDX-License-Identifier: MIT

/** An error of the lab itself, printed without a stack. The lab exits with `exitCode`. */
export class LabError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Prints progress on stderr, because stdout is for the command's output. */
export function say(text: string): void {
  process.stderr.write(`lab: ${text}\n`);
}
