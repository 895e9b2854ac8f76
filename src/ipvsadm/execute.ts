// SPDX-License-Identifier: MIT
/** Executes one parsed command line other than -R: a change of the table, a listing, or the help. */
import { KernelLacksError, LvsdError, UsageError } from '../base/errors.ts';
import { changes, featureOf } from './changes.ts';
import { parse } from './command-line/grammar.ts';
import type { Invocation } from './command-line/invocation.ts';
import { Fatal } from './errors.ts';
import { HostNeeded } from './lookup.ts';
import { daemonsText, timeoutsText } from './print/daemons.ts';
import { list } from './print/listing.ts';
import { listLocalAddresses } from './print/local-addresses.ts';
import { save } from './print/save.ts';
import type { Connected, Session } from './session.ts';

/** The result of a command: its exit status, and a message for standard error. */
export interface Outcome {
  status: number;
  message: string | undefined;
}

export const DONE: Outcome = { status: 0, message: undefined };
/** Exit statuses of ipvsadm's main(): -1 for a rejected change, 1 for a listing that failed. */
export const REJECTED = 255;
const UNREADABLE = 1;

/** Prints the message of an outcome, and returns its status. */
export function report({ status, message }: Outcome, { output }: Session): number {
  if (message !== undefined) output.err(`${message}\n`);
  return status;
}

/** Parses a line, and looks up each host name that it contains. Throws Fatal and Rejected. */
export function parseLine(
  words: readonly string[],
  session: Pick<Session, 'lookup' | 'program'>,
): Invocation | Promise<Invocation> {
  try {
    return parse(words, session.lookup, session.program);
  } catch (error) {
    if (!(error instanceof HostNeeded)) throw error;
    return session.lookup.fetchHost(error.host).then(() => parseLine(words, session));
  }
}

/** Executes a line. Throws Fatal; other errors become an Outcome. */
export async function execute(line: Invocation, session: Session): Promise<Outcome> {
  if (line.command === 'help' || line.command === 'version') {
    const { helpText, versionLine } = await import('./help.ts');
    const { program, output } = session;
    output.out(line.command === 'help' ? helpText(program) : `${versionLine(program)}\n`);
    return DONE;
  }
  const connected = await session.connect();
  if (line.command in changes) return change(line, connected);
  try {
    await print(line, connected, session);
    return DONE;
  } catch (error) {
    if (error instanceof Fatal) throw error;
    return failed(line, error, UNREADABLE);
  }
}

/** Sends a change. Rejects only on an internal error. */
export async function change(line: Invocation, { ipvs }: Connected): Promise<Outcome> {
  try {
    await changes[line.command]?.(ipvs, line);
    return DONE;
  } catch (error) {
    return failed(line, error, REJECTED);
  }
}

async function print(line: Invocation, { ipvs, info }: Connected, session: Session): Promise<void> {
  const { command, options, filters } = line;
  const { output, strict } = session;
  const names = options.has('numeric') ? undefined : session.lookup;
  if (options.has('json')) {
    const { printJson } = await import('./print/json/print.ts');
    await printJson(line, ipvs, info, output);
  } else if (command === 'save') await save(ipvs, names, output, strict);
  else if (command === 'get-laddr') await listLocalAddresses(line, ipvs, output);
  else if (options.has('connection')) {
    const { listConnections } = await import('./print/connections.ts');
    await listConnections(options.has('persistent-conn'), names, filters, output);
  } else if (options.has('timeout')) output.out(timeoutsText(await ipvs.timeouts()));
  else if (options.has('daemon')) output.out(daemonsText(await ipvs.daemons()));
  else await list(line, ipvs, info, session);
}

/** The outcome of a command that failed with `error`. Throws `error` if it is an internal one. */
export async function failed(line: Invocation, error: unknown, status: number): Promise<Outcome> {
  if (error instanceof KernelLacksError || error instanceof UsageError)
    return { status: error.exitCode, message: error.message };
  if (!(error instanceof LvsdError)) throw error;
  if (line.command === 'help' || line.command === 'version') throw error;
  // ipvsadm prints nothing when these two fail.
  if (line.options.has('timeout') || line.options.has('daemon')) return { status, message: undefined };
  const { errorText } = await import('./kernel-errors.ts');
  return { status, message: errorText(line.command, error, featureOf(line) !== undefined) };
}
