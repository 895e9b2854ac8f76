// SPDX-License-Identifier: MIT
/**
 * The verbs `diff`, `restore` and `save`. ipvsadm rejects a first argument that is not an option, so they conflict with
 * none of its command lines.
 */
import { POPT_ERRORS, Popt, type PoptOption } from '../command-line/popt.ts';
import { tryHelp, usage } from '../errors.ts';
import type { Session } from '../session.ts';

const option = (long: string, short = ''): PoptOption => ({ long, short, argument: 'none' });

const VERBS = {
  diff: [option('json')],
  restore: [option('atomic')],
  save: [option('full'), option('numeric', 'n')],
} as const;

type Verb = keyof typeof VERBS;

/** Runs `words` and returns the exit status; undefined if they do not begin with a verb. Throws Fatal. */
export async function runVerb(words: readonly string[], session: Session): Promise<number | undefined> {
  const [first = '', ...rest] = words;
  if (!Object.hasOwn(VERBS, first)) return undefined;
  const verb = first as Verb;
  const { options, leftovers } = split(verb, rest);
  const file = verb === 'save' ? [] : [leftovers.shift()];
  if (file.includes(undefined)) throw usage(`${verb}: missing file; - is standard input`);
  if (leftovers.length > 0) throw usage(`unexpected argument ${leftovers[0]}`);
  const [path = ''] = file;
  if (verb === 'diff') return (await import('./difference.ts')).diff(path, options.has('json'), session);
  if (verb === 'restore') return (await import('./restore.ts')).restoreAtomically(path, session);
  if (!options.has('full')) throw tryHelp(session.program);
  await (await import('./save.ts')).saveFull(await session.connect(), session.output);
  return 0;
}

function split(verb: Verb, words: readonly string[]): { options: ReadonlySet<string>; leftovers: string[] } {
  const popt = new Popt<PoptOption>(words, VERBS[verb]);
  const options = new Set<string>();
  for (let event = popt.next(); event; event = popt.next()) {
    if (event.kind === 'error') throw usage(`${event.word}: ${POPT_ERRORS[event.error]}`);
    options.add(event.option.long);
  }
  const leftovers: string[] = [];
  for (let word = popt.leftover(); word !== undefined; word = popt.leftover()) leftovers.push(word);
  return { options, leftovers };
}
