// SPDX-License-Identifier: MIT
/** The program lvsctl: words in, exit status out. */
import { EXIT, LvsdError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { version } from '../../base/version.ts';
import { ControlClient } from '../client.ts';
import { execute, type Streams } from './commands.ts';
import { HELP } from './help.ts';
import { parseInvocation } from './options.ts';
import { endQuietlyWithReader, paintFor } from './terminal.ts';

/** Runs one command line. Prints errors as lines, never a stack trace. */
export async function main(words: readonly string[]): Promise<number> {
  endQuietlyWithReader();
  const streams: Streams = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    paint: paintFor(process.stdout, process.env),
  };
  try {
    return await run(words, streams);
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    // Of a wrong file each problem has its line.
    streams.err(`lvsctl: ${error.message.split('\n').map(printable).join('\n')}\n`);
    return error.exitCode;
  }
}

async function run(words: readonly string[], streams: Streams): Promise<number> {
  const { command, socket, json } = parseInvocation(words);
  if (command.name === 'help' || command.name === 'version') {
    streams.out(command.name === 'help' ? HELP : `lvsctl ${version()}\n`);
    return EXIT.OK;
  }
  const client = await ControlClient.open(socket);
  try {
    return await execute(client, command, { json }, streams);
  } finally {
    client.close();
  }
}
