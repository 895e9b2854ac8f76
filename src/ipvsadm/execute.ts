// SPDX-License-Identifier: MIT
/** Carries one command line out and says with which status the program ends. */
import { KernelLacksError, LvsdError, UsageError } from '../base/errors.ts';
import { changeOf, featureOf } from './commands.ts';
import { complaint } from './complaints.ts';
import { daemonsText, timeoutsText } from './daemons.ts';
import { parse } from './grammar.ts';
import type { Invocation } from './invocation.ts';
import { HostNeeded } from './lookup.ts';
import { Fatal } from './outcome.ts';
import type { Connected, Session } from './session.ts';

/** What a command came to, not yet printed. */
export interface Outcome {
  status: number;
  complaint: string | undefined;
}

export const DONE: Outcome = { status: 0, complaint: undefined };
/** What ipvsadm's main() returns for a refused change, -1, and for a listing that failed. */
export const REFUSED = 255;
const UNREADABLE = 1;

/** Parses, fetching the addresses of hosts as they are met. Throws Fatal and Rejected. */
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

/** Sends a change. Rejects only for a fault of our own. */
export function change(line: Invocation, { ipvs }: Connected): Promise<Outcome> {
  const sent = changeOf(line)?.(ipvs, line) ?? Promise.resolve();
  return sent.then(
    () => DONE,
    (error: unknown) => refusal(line, error, REFUSED),
  );
}

export function refusal(line: Invocation, error: unknown, status: number): Outcome {
  if (error instanceof KernelLacksError) return { status: error.exitCode, complaint: error.message };
  if (!(error instanceof LvsdError)) throw error;
  if (error instanceof UsageError) return { status: error.exitCode, complaint: error.message };
  if (line.command === 'help' || line.command === 'version') throw error;
  // These two fail in silence.
  if (line.options.has('timeout') || line.options.has('daemon')) return { status, complaint: undefined };
  return { status, complaint: complaint(line.command, error, featureOf(line) !== undefined) };
}

/** Prints what the commands print that read. Throws Fatal; other errors become an Outcome. */
export async function show(line: Invocation, session: Session): Promise<Outcome> {
  const { lookup, output } = session;
  if (line.command === 'help' || line.command === 'version') {
    const { helpText, versionLine } = await import('./help.ts');
    output.out(line.command === 'help' ? helpText(session.program) : `${versionLine(session.program)}\n`);
    return DONE;
  }
  const { ipvs, info } = await session.connect();
  try {
    const names = line.options.has('numeric') ? undefined : lookup;
    if (line.options.has('json')) await (await import('./json/index.ts')).printJson(line, ipvs, info, output);
    else if (line.command === 'save') await (await import('./save.ts')).save(ipvs, names, output, session.strict);
    else if (line.command === 'get-laddr')
      await (await import('./local-addresses.ts')).listLocalAddresses(line, ipvs, output);
    else if (line.options.has('connection'))
      await (await import('./connections.ts')).listConnections(
        line.options.has('persistent-conn'),
        names,
        line.filters,
        output,
      );
    else if (line.options.has('timeout')) output.out(timeoutsText(await ipvs.timeouts()));
    else if (line.options.has('daemon')) output.out(daemonsText(await ipvs.daemons()));
    else await (await import('./listing.ts')).list(line, ipvs, info, session);
    return DONE;
  } catch (error) {
    if (error instanceof Fatal) throw error;
    return refusal(line, error, UNREADABLE);
  }
}

/** One command line from start to end: its exit status. Throws Fatal and Rejected. */
export async function execute(words: readonly string[], session: Session): Promise<number> {
  const line = await parseLine(words, session);
  let outcome: Outcome;
  if (line.command === 'restore') {
    const { restore } = await import('./restore.ts');
    return restore(session.input, session);
  }
  if (line.watch !== undefined) {
    const { watch } = await import('./watch.ts');
    return watch(line.watch, session.output, async () => {
      const shown = await show(line, session);
      report(shown, session);
      return shown.status;
    });
  }
  if (changeOf(line)) outcome = await change(line, await session.connect());
  else outcome = await show(line, session);
  report(outcome, session);
  return outcome.status;
}

export function report({ complaint: text }: Outcome, { output }: Session): void {
  if (text !== undefined) output.err(`${text}\n`);
}
