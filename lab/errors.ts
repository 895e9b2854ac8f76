// SPDX-License-Identifier: MIT

/** A failure of the lab itself whose message is all that the operator needs. `exitCode` is the lab's own. */
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
