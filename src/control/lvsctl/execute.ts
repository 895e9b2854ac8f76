// SPDX-License-Identifier: MIT
/** Sends one verb to the daemon and prints the answer. */
import { setTimeout } from 'node:timers/promises';
import { EXIT, type ExitCode } from '../../base/errors.ts';
import { printable, printableJson, printableValues } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import type { Params } from '../methods.ts';
import { printEvents } from './events.ts';
import { printMetrics } from './metrics.ts';
import type { Paint } from './terminal.ts';
import type { Verb, VerbOptions } from './verbs/verb.ts';

export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
  paint: Paint;
  /** Output goes to a terminal. */
  terminal?: boolean;
}

/** Milliseconds between two rounds of `--watch`. */
const WATCH = 2000;
/** Moves to the top left and clears the terminal from there. */
const CLEAR = '\x1b[H\x1b[J';

/** Returns the exit code. Throws the client's errors. */
export async function execute(
  client: ControlClient,
  { verb, params, options }: { verb: Verb; params: object; options: VerbOptions },
  json: boolean,
  streams: Streams,
): Promise<ExitCode> {
  if (verb.method === 'events') {
    await printEvents(client, params as Params<'events'>, json, streams.out);
    return EXIT.OK;
  }
  if (verb.method === 'stats') return await printMetrics(client, options, json, streams.out);
  if (options.watch) return await watch(client, { verb, params, options }, json, streams);
  const result = await client.call(verb.method, params);
  const { out, err, paint } = streams;
  out(json ? `${printableJson(selected(verb, options, result), 2)}\n` : printed(verb, options, result, paint));
  for (const text of verb.errors?.(result) ?? []) err(`lvsctl: ${printable(text)}\n`);
  return verb.exitCode?.(result) ?? EXIT.OK;
}

/** Repeats the verb until it fails or the process is interrupted. JSON: one line for each round. */
async function watch(
  client: ControlClient,
  { verb, params, options }: { verb: Verb; params: object; options: VerbOptions },
  json: boolean,
  { out, paint, terminal = false }: Streams,
): Promise<never> {
  for (;;) {
    const result = await client.call(verb.method, params);
    if (json) out(`${printableJson(selected(verb, options, result))}\n`);
    else out(`${terminal ? CLEAR : ''}${printed(verb, options, result, paint)}${terminal ? '' : '\n'}`);
    await setTimeout(WATCH);
  }
}

/** The part of the answer that the options ask for. */
const selected = (verb: Verb, options: VerbOptions, result: unknown) => verb.select?.(result, options) ?? result;

/** The answer as text. Whatever the daemon sent, no control character of it reaches the terminal. */
function printed(verb: Verb, options: VerbOptions, result: unknown, paint: Paint): string {
  const safe = printableValues(result);
  return verb.print(selected(verb, options, safe), { paint, now: Date.now(), options }, safe);
}
