// SPDX-License-Identifier: MIT
/** Colours, and the exit after the reader of the output has closed the pipe. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Colour = keyof typeof CODES;

/** Colours a text, or returns it unchanged. */
export type Paint = (colour: Colour | undefined, text: string) => string;

export const PLAIN: Paint = (_colour, text) => text;

export const COLOURED: Paint = (colour, text) =>
  colour === undefined || text === '' ? text : `\x1b[${CODES[colour]}m${text}\x1b[0m`;

/** Decides by the stream and the environment whether to use colours (no-color.org). */
export function paintFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  return stream.isTTY && !env.NO_COLOR && env.TERM !== 'dumb' ? COLOURED : PLAIN;
}

/** A closed pipe, as with `| head`, is not an error. */
export function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`lvsctl: ${error.message}\n`);
    process.exit(error.code === 'EPIPE' ? process.exitCode : 1);
  });
}
