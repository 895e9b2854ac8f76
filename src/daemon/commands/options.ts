// SPDX-License-Identifier: MIT
/** lvsd's command line: a command and its options, in any order. */
import { parseArgs } from 'node:util';
import { UsageError } from '../../base/errors.ts';

export const COMMANDS = [
  'run',
  'check',
  'plan',
  'apply',
  'doctor',
  'withdraw',
  'web',
  'password',
  'help',
  'version',
] as const;
export type Command = (typeof COMMANDS)[number];

export interface Options {
  command: Command;
  file: string;
  socket: string;
  state: string;
  /** Default: DEFAULT_OVERRIDES_FILE, if `state` is DEFAULT_STATE_FILE. */
  overrides?: string;
  node: string | undefined;
  json: boolean;
  once: boolean;
  /** Of `web`. */
  listen?: string;
  host?: string[];
  /** Of `password`. */
  user?: string | undefined;
}

export const DEFINITIONS = {
  file: { type: 'string', short: 'f' },
  socket: { type: 'string' },
  state: { type: 'string' },
  overrides: { type: 'string' },
  node: { type: 'string' },
  json: { type: 'boolean' },
  once: { type: 'boolean' },
  listen: { type: 'string' },
  host: { type: 'string', multiple: true },
  test: { type: 'boolean', short: 't' },
  foreground: { type: 'boolean', short: 'n' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** Options of each command, besides --help. */
const OPTIONS: Readonly<Record<Command, readonly string[]>> = {
  run: ['file', 'socket', 'state', 'overrides', 'node', 'once', 'foreground'],
  check: ['file', 'node', 'json', 'test'],
  plan: ['file', 'socket', 'state', 'overrides', 'node', 'json'],
  apply: ['file', 'socket', 'state', 'overrides', 'node', 'json'],
  doctor: ['json'],
  withdraw: ['socket', 'state'],
  web: ['listen', 'socket', 'host'],
  password: [],
  help: [],
  version: [],
};

/** Throws UsageError. */
export function parseOptions(words: readonly string[]): Options {
  const { values, positionals } = parse(words);
  const command = commandOf(values, positionals);
  if (command !== 'help' && command !== 'version') {
    const invalid = Object.keys(values).find((name) => !OPTIONS[command].includes(name));
    if (invalid !== undefined) throw new UsageError(`${command} does not take --${invalid} (see lvsd --help)`);
  }
  return {
    command,
    file: values.file ?? '/etc/lvsd/lvsd.yaml',
    socket: values.socket ?? (command === 'web' ? '/run/lvsd/read.sock' : '/run/lvsd/control.sock'),
    state: values.state ?? '/run/lvsd/state.json',
    node: values.node,
    json: values.json ?? false,
    once: values.once ?? false,
    ...(values.overrides === undefined ? {} : { overrides: values.overrides }),
    ...(values.listen !== undefined && { listen: values.listen }),
    ...(values.host && { host: values.host }),
    ...(command === 'password' && { user: positionals[1] }),
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: DEFINITIONS, allowPositionals: true, strict: true });
  } catch (error) {
    // Without Node's advice on how to pass the word as a positional.
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(`${text.charAt(0).toLowerCase()}${text.slice(1)} (see lvsd --help)`);
  }
}

function commandOf(values: ReturnType<typeof parse>['values'], positionals: readonly string[]): Command {
  if (values.help) return 'help';
  if (values.version) return 'version';
  const [word, extra, more] = positionals;
  if (extra !== undefined && (word !== 'password' || more !== undefined))
    throw new UsageError(`unexpected argument ${more ?? extra} (see lvsd --help)`);
  if (word === undefined) {
    // keepalived's options: -t tests the file, -n stays in the foreground.
    if (values.test) return 'check';
    if (values.foreground || values.file !== undefined) return 'run';
    throw new UsageError('missing command (see lvsd --help)');
  }
  const command = COMMANDS.find((one) => one === word);
  if (!command)
    throw new UsageError(`unknown command ${word}; allowed: ${COMMANDS.slice(0, -2).join(', ')} (see lvsd --help)`);
  return command;
}
