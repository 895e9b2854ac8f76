// SPDX-License-Identifier: MIT
/**
 * Commands that are words: `diff`, `restore` and `save`. ipvsadm refuses a first argument that is no option, so no
 * command line of its means one of these.
 */
import { tryHelp, usage } from '../outcome.ts';
import { POPT_ERRORS, Popt, type PoptOption } from '../popt.ts';
import type { Session } from '../session.ts';

const option = (long: string, short = ''): PoptOption => ({ long, short, argument: 'none' });

const VERBS = {
  diff: [option('json')],
  restore: [option('atomic')],
  save: [option('full'), option('numeric', 'n')],
} as const;

type Verb = keyof typeof VERBS;

/** Runs `words` if they begin with a verb: the exit status; undefined: they do not. Throws Fatal. */
export async function runVerb(words: readonly string[], session: Session): Promise<number | undefined> {
  const [first = '', ...rest] = words;
  if (!Object.hasOwn(VERBS, first)) return undefined;
  const verb = first as Verb;
  const { options, leftovers } = split(verb, rest);
  const file = verb === 'save' ? [] : [leftovers.shift()];
  if (file.includes(undefined)) throw usage(`${verb}: which file? - is standard input`);
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
