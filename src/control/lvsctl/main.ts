// SPDX-License-Identifier: MIT
/** The program lvsctl: arguments in, exit status out. */
import { EXIT, LvsdError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { version } from '../../base/version.ts';
import { ControlClient, NoDaemonError } from '../client.ts';
import { DOWN_TEXT } from '../metrics/text.ts';
import { execute, type Streams } from './execute.ts';
import { helpText } from './help.ts';
import { parseInvocation } from './options.ts';
import { endQuietlyWithReader, paintFor } from './terminal.ts';
import { top } from './top/run.ts';

/** Runs one command line. Prints expected errors without a stack trace. */
export async function main(words: readonly string[]): Promise<number> {
  endQuietlyWithReader();
  const streams: Streams = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    paint: paintFor(process.stdout, process.env),
    terminal: process.stdout.isTTY === true && process.env.TERM !== 'dumb',
  };
  try {
    return await run(words, streams);
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    // An invalid configuration has one line per problem.
    streams.err(`lvsctl: ${error.message.split('\n').map(printable).join('\n')}\n`);
    return error.exitCode;
  }
}

async function run(words: readonly string[], streams: Streams): Promise<number> {
  const { command, socket, json } = parseInvocation(words);
  if (!('verb' in command)) {
    streams.out(command.name === 'help' ? helpText() : `lvsctl ${version()}\n`);
    return EXIT.OK;
  }
  if (command.name === 'top') return await top(socket, command.options, json, streams.out, streams.paint);
  const client = await ControlClient.open(socket).catch((error: unknown) => {
    // Alerts need a sample rather than no file.
    if (command.name === 'metrics' && error instanceof NoDaemonError) streams.out(DOWN_TEXT);
    throw error;
  });
  try {
    return await execute(client, command, json, streams);
  } finally {
    client.close();
  }
}
