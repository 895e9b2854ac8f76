// SPDX-License-Identifier: MIT

/** An error of the lab itself, printed without a stack. The lab exits with `exitCode`. */
export class LabError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Progress goes to stderr: stdout belongs to the command. */
export function say(text: string): void {
  process.stderr.write(`lab: ${text}\n`);
}
