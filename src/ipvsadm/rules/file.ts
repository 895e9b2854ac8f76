// SPDX-License-Identifier: MIT
/** Reads a file of rules: the table it describes, or all of its errors. */
import { closeSync, openSync } from 'node:fs';
import { ruleWords } from '../command-line/rule-words.ts';
import { Fatal, Rejected, usage } from '../errors.ts';
import { parseLine } from '../execute.ts';
import { readWhole } from '../input.ts';
import type { Session } from '../session.ts';
import { BadRule, RuleTable } from './table.ts';

/** A line that cannot be applied. */
export interface Problem {
  line: number;
  reason: string;
}

/** Bytes; 50,000 rules have 5 MB. */
const LARGEST = 256 << 20;
/** Problems to print; the rest are counted. */
const PRINTED = 100;

/** `name` is for messages. Throws Fatal (status 2) that lists the wrong lines and ends with `conclusion`. */
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
  let fd = 0;
  let bytes: Buffer | undefined;
  try {
    if (path !== '-') fd = openSync(path, 'r');
    bytes = readWhole(fd, LARGEST);
  } catch (error) {
    throw usage(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  } finally {
    if (fd > 0) closeSync(fd);
  }
  if (!bytes) throw usage(`${name} has more than ${LARGEST >> 20} MiB`);
  return bytes.toString('utf8');
}

/** The table that a text describes, and its errors. Empty lines and lines that begin with # are ignored. */
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
      // Only a host name has to be waited for.
      table.apply(parsed instanceof Promise ? await parsed : parsed, index + 1);
    } catch (error) {
      const expected = error instanceof BadRule || error instanceof Fatal || error instanceof Rejected;
      if (!expected) throw error;
      problems.push({ line: index + 1, reason: reasonOf(error.message, line) });
    }
  }
  return { table, problems };
}

/** The message as one line; a reference to the help is replaced by a reason. */
function reasonOf(message: string, line: string): string {
  return message.startsWith('Try `') ? `\`${line.trim().slice(0, 60)}' is not a rule` : message.trim();
}

function problemsText(name: string, problems: readonly Problem[]): string {
  const lines = problems.slice(0, PRINTED).map(({ line, reason }) => `${name}:${line}: ${reason}`);
  if (problems.length > PRINTED) lines.push(`${problems.length - PRINTED} more errors`);
  return lines.join('\n');
}
