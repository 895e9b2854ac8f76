// SPDX-License-Identifier: MIT
/** lvsctl's command line: a command, its words, options anywhere. */
import { parseArgs } from 'node:util';
import { UsageError } from '../../base/errors.ts';
import { DEFAULT_SOCKET } from '../client.ts';

export type Command =
  | { name: 'help' }
  | { name: 'version' }
  | { name: 'plan' }
  | { name: 'reload' }
  | { name: 'status'; service?: string }
  | { name: 'drain' | 'undrain'; service?: string; server: string }
  | { name: 'pause'; on: boolean }
  | { name: 'events'; follow: boolean; after?: number };

export interface Invocation {
  command: Command;
  socket: string;
  json: boolean;
}

const COMMANDS = ['status', 'plan', 'reload', 'drain', 'undrain', 'pause', 'resume', 'events', 'help'] as const;

const DEFINITIONS = {
  socket: { type: 'string', short: 's' },
  json: { type: 'boolean', short: 'j' },
  follow: { type: 'boolean', short: 'f' },
  after: { type: 'string', short: 'a' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** Throws UsageError. */
export function parseInvocation(words: readonly string[]): Invocation {
  const { values, positionals } = parse(words);
  const { socket = DEFAULT_SOCKET, json = false, help, version, ...ofEvents } = values;
  const command = help
    ? ({ name: 'help' } as const)
    : version
      ? ({ name: 'version' } as const)
      : readCommand(positionals, ofEvents);
  return { command, socket, json };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: DEFINITIONS, allowPositionals: true, strict: true });
  } catch (error) {
    // Node's own words end with advice on how to pass such a word on.
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw wrong(`${text.charAt(0).toLowerCase()}${text.slice(1)}`);
  }
}

interface OfEvents {
  follow?: boolean | undefined;
  after?: string | undefined;
}

function readCommand([name, ...words]: readonly string[], ofEvents: OfEvents): Command {
  if (name === undefined) throw wrong('what to do?');
  if (name !== 'events') {
    const [option] = Object.keys(ofEvents);
    if (option !== undefined) throw wrong(`${name} does not take --${option}`);
  }
  switch (name) {
    case 'status': {
      const [service] = atMost(1, name, words);
      return { name, ...(service !== undefined && { service }) };
    }
    case 'plan':
    case 'reload':
    case 'help':
      atMost(0, name, words);
      return { name };
    case 'drain':
    case 'undrain': {
      const [first, second] = atMost(2, name, words);
      if (first === undefined) throw wrong(`${name} which real server?`);
      return second === undefined ? { name, server: first } : { name, service: first, server: second };
    }
    case 'pause': {
      const [word = 'on'] = atMost(1, name, words);
      if (word !== 'on' && word !== 'off') throw wrong(`pause takes on or off, not ${word}`);
      return { name, on: word === 'on' };
    }
    case 'resume':
      atMost(0, name, words);
      return { name: 'pause', on: false };
    case 'events':
      atMost(0, name, words);
      return { name, follow: ofEvents.follow ?? false, ...readAfter(ofEvents.after) };
    default:
      throw wrong(`unknown: ${name}; there are ${COMMANDS.join(', ')}`);
  }
}

function atMost(count: number, name: string, words: readonly string[]): readonly string[] {
  if (words.length > count) throw wrong(`too much for ${name}: ${words[count]}`);
  return words;
}

function readAfter(text: string | undefined): { after?: number } {
  if (text === undefined) return {};
  if (!/^\d{1,15}$/.test(text)) throw wrong(`--after takes the number of an event, not ${text}`);
  return { after: Number(text) };
}

const wrong = (text: string) => new UsageError(`${text} (see lvsctl --help)`);
