// SPDX-License-Identifier: MIT
/** The three ways in which ipvsadm gives up; in a restore they differ in what becomes of the lines that follow. */

/** A line of ours that ends the program, earlier lines of a restore staying applied. */
export class Fatal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A command line that is refused; a restore goes on with the next. */
export class Rejected extends Error {
  readonly status = 255;
}

/** Wrong use of the command line. */
export function usage(message: string): Fatal {
  return new Fatal(2, message);
}

/** Not even a command. */
export function tryHelp(program: string): Fatal {
  return new Fatal(255, `Try \`${program} -h' or '${program} --help' for more information.`);
}
