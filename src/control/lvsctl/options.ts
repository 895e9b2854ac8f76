// SPDX-License-Identifier: MIT
/** Parses lvsctl's command line: a verb of verbs/, its arguments, options anywhere. */
import { parseArgs } from 'node:util';
import { UsageError } from '../../base/errors.ts';
import { DEFAULT_SOCKET } from '../client.ts';
import { readWords } from './verbs/arguments.ts';
import { VERBS } from './verbs/index.ts';
import { VERB_OPTIONS, type Verb, type VerbOptions } from './verbs/verb.ts';

export type Command =
  | { name: 'help' }
  | { name: 'version' }
  | { name: string; verb: Verb; params: object; options: VerbOptions };

export interface Invocation {
  command: Command;
  socket: string;
  json: boolean;
}

const DEFINITIONS = {
  socket: { type: 'string', short: 's' },
  json: { type: 'boolean', short: 'j' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  ...VERB_OPTIONS,
} as const;

/** Throws UsageError. */
export function parseInvocation(words: readonly string[]): Invocation {
  const { values, positionals } = parse(words);
  const { socket = DEFAULT_SOCKET, json = false, help, version, ...options } = values;
  if (help) return { command: { name: 'help' }, socket, json };
  if (version) return { command: { name: 'version' }, socket, json };
  return { command: readCommand(positionals, options), socket, json };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: DEFINITIONS, allowPositionals: true, strict: true });
  } catch (error) {
    // Keep the first sentence of Node's message; the rest explains how to pass such a word as a positional.
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw usage(`${text.charAt(0).toLowerCase()}${text.slice(1)}`);
  }
}

function readCommand([name, ...words]: readonly string[], options: VerbOptions): Command {
  if (name === undefined) throw usage('missing command');
  const verb: Verb | undefined = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb && name !== 'help')
    throw usage(`unknown command: ${name}; commands: ${[...Object.keys(VERBS), 'help'].join(', ')}`);
  for (const option of Object.keys(options) as (keyof VerbOptions)[])
    if (!verb?.options?.includes(option)) throw usage(`${name} does not take --${option}`);
  const params = readWords(verb?.words ?? '', words);
  if ('problem' in params) throw usage(`${name}: ${params.problem}`);
  if (!verb) return { name: 'help' };
  try {
    return { name, verb, params: verb.read?.(words, options) ?? params, options };
  } catch (error) {
    throw error instanceof UsageError ? usage(error.message) : error;
  }
}

const usage = (text: string) => new UsageError(`${text} (see lvsctl --help)`);
