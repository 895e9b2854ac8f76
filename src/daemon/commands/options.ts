// SPDX-License-Identifier: MIT
/** lvsd's command line: a verb and its options, in any order. */
import { parseArgs } from 'node:util';
import { UsageError } from '../../base/errors.ts';

export const VERBS = ['run', 'check', 'plan', 'apply', 'doctor', 'help', 'version'] as const;
export type Verb = (typeof VERBS)[number];

export interface Options {
  verb: Verb;
  file: string;
  socket: string;
  state: string;
  node: string | undefined;
  json: boolean;
  once: boolean;
}

const DEFINITIONS = {
  file: { type: 'string', short: 'f' },
  socket: { type: 'string' },
  state: { type: 'string' },
  node: { type: 'string' },
  json: { type: 'boolean' },
  once: { type: 'boolean' },
  test: { type: 'boolean', short: 't' },
  foreground: { type: 'boolean', short: 'n' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** What each verb takes beside --help. */
const TAKES: Readonly<Record<Verb, readonly string[]>> = {
  run: ['file', 'socket', 'state', 'node', 'once', 'foreground'],
  check: ['file', 'node', 'json', 'test'],
  plan: ['file', 'socket', 'state', 'node', 'json'],
  apply: ['file', 'socket', 'state', 'node', 'json'],
  doctor: ['json'],
  help: [],
  version: [],
};

/** Throws UsageError. */
export function parseOptions(words: readonly string[]): Options {
  const { values, positionals } = parse(words);
  const verb = verbOf(values, positionals);
  if (verb !== 'help' && verb !== 'version') {
    const stranger = Object.keys(values).find((name) => !TAKES[verb].includes(name));
    if (stranger !== undefined) throw new UsageError(`${verb} does not take --${stranger} (see lvsd --help)`);
  }
  return {
    verb,
    file: values.file ?? '/etc/lvsd/lvsd.yaml',
    socket: values.socket ?? '/run/lvsd/control.sock',
    state: values.state ?? '/run/lvsd/state.json',
    node: values.node,
    json: values.json ?? false,
    once: values.once ?? false,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: DEFINITIONS, allowPositionals: true, strict: true });
  } catch (error) {
    // node's own words end with advice on how to pass such a word on.
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(`${text.charAt(0).toLowerCase()}${text.slice(1)} (see lvsd --help)`);
  }
}

function verbOf(values: ReturnType<typeof parse>['values'], positionals: readonly string[]): Verb {
  if (values.help) return 'help';
  if (values.version) return 'version';
  const [word, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`unknown: ${extra} (see lvsd --help)`);
  if (word === undefined) {
    // As keepalived is called: -t tests the file, -n stays in the foreground.
    if (values.test) return 'check';
    if (values.foreground || values.file !== undefined) return 'run';
    throw new UsageError('what to do? (see lvsd --help)');
  }
  const verb = VERBS.find((one) => one === word);
  if (!verb) throw new UsageError(`unknown: ${word}; there are ${VERBS.slice(0, 5).join(', ')} (see lvsd --help)`);
  return verb;
}
