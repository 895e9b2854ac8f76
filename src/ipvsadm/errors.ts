// SPDX-License-Identifier: MIT
/** Errors of a command line. In a restore, they differ in whether the following rules are executed. */

/** Ends the program. Earlier rules of a restore stay applied. */
export class Fatal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Rejects a command line. A restore continues with the next rule. */
export class Rejected extends Error {
  readonly status = 255;
}

/** A usage error. */
export function usage(message: string): Fatal {
  return new Fatal(2, message);
}

/** The command line does not begin with a command. */
export function tryHelp(program: string): Fatal {
  return new Fatal(255, `Try \`${program} -h' or '${program} --help' for more information.`);
}
