// SPDX-License-Identifier: MIT
/** The command lines that scripts call by the thousand: changes, listings, saved tables. All else is in execute.ts. */
import { KernelLacksError, LvsdError, UsageError } from '../base/errors.ts';
import { changeOf, featureOf } from './commands.ts';
import { complaint } from './complaints.ts';
import { daemonsText, timeoutsText } from './daemons.ts';
import { parse } from './grammar.ts';
import type { Invocation } from './invocation.ts';
import { list } from './listing.ts';
import { HostNeeded } from './lookup.ts';
import { Fatal } from './outcome.ts';
import { save } from './save.ts';
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

/** Reads and prints by `print`, whose errors become an Outcome. Throws Fatal. */
export async function reading(
  line: Invocation,
  session: Session,
  print: (connected: Connected) => Promise<void> | void,
): Promise<Outcome> {
  const connected = await session.connect();
  try {
    await print(connected);
    return DONE;
  } catch (error) {
    if (error instanceof Fatal) throw error;
    return refusal(line, error, UNREADABLE);
  }
}

/** Carries out a change, prints the table, its time-outs or its daemons, or saves it; undefined for all else. */
export function executeUsual(line: Invocation, session: Session): Promise<Outcome> | undefined {
  const { command, options } = line;
  if (changeOf(line)) return session.connect().then((connected) => change(line, connected));
  const listing = command === 'list' && !options.has('json') && !options.has('connection');
  if (!listing && command !== 'save') return undefined;
  return reading(line, session, async ({ ipvs, info }) => {
    if (!listing) await save(ipvs, options.has('numeric') ? undefined : session.lookup, session.output, session.strict);
    else if (options.has('timeout')) session.output.out(timeoutsText(await ipvs.timeouts()));
    else if (options.has('daemon')) session.output.out(daemonsText(await ipvs.daemons()));
    else await list(line, ipvs, info, session);
  });
}

export function report({ complaint: text }: Outcome, { output }: Session): void {
  if (text !== undefined) output.err(`${text}\n`);
}
