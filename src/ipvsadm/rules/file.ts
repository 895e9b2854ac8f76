// SPDX-License-Identifier: MIT
/** A file of rules, read whole: the table that it means, or every line that is wrong. */
import { readFileSync } from 'node:fs';
import { Fatal, Rejected, usage } from '../outcome.ts';
import { ruleWords } from '../restore.ts';
import type { Session } from '../session.ts';
import { parseLine } from '../usual.ts';
import { BadRule, RuleTable } from './table.ts';

/** A line that cannot be applied: its number and why. */
export interface Problem {
  line: number;
  reason: string;
}

/** Problems that are printed; the rest are counted. */
const PRINTED = 100;

/** `name` for messages. Throws Fatal (status 2), whose message names every wrong line and ends with `conclusion`. */
export async function readRules(
  path: string,
  session: Session,
  conclusion = '',
): Promise<{ name: string; table: RuleTable }> {
  const name = path === '-' ? 'standard input' : path;
  const { table, problems } = await tableOf(readText(path, name), session);
  if (problems.length > 0) throw new Fatal(2, problemsText(name, problems) + conclusion);
  return { name, table };
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw usage(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** What the text means, and what of it means nothing. Lines that are empty or begin with # are remarks. */
export async function tableOf(
  text: string,
  session: Pick<Session, 'lookup' | 'program'>,
): Promise<{ table: RuleTable; problems: Problem[] }> {
  const table = new RuleTable();
  const problems: Problem[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = ruleWords(line);
    if (words.length === 0 || words[0]?.startsWith('#')) continue;
    try {
      const parsed = parseLine(words, session);
      // Only a host's name has to be waited for.
      table.apply(parsed instanceof Promise ? await parsed : parsed, index + 1);
    } catch (error) {
      const foreseen = error instanceof BadRule || error instanceof Fatal || error instanceof Rejected;
      if (!foreseen) throw error;
      problems.push({ line: index + 1, reason: plain(error.message, line) });
    }
  }
  return { table, problems };
}

/** One line; and where the program would point to its help, what is wrong. */
function plain(message: string, line: string): string {
  return message.startsWith('Try `') ? `\`${line.trim().slice(0, 60)}' is no rule` : message.trim();
}

function problemsText(name: string, problems: readonly Problem[]): string {
  const lines = problems.slice(0, PRINTED).map(({ line, reason }) => `${name}:${line}: ${reason}`);
  if (problems.length > PRINTED) lines.push(`and ${problems.length - PRINTED} more lines are wrong`);
  return lines.join('\n');
}
