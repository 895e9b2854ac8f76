// SPDX-License-Identifier: MIT
/** Sends one verb to the daemon and prints the answer. */
import { EXIT, type ExitCode } from '../../base/errors.ts';
import { printable, printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import type { Params, Verb } from '../verbs.ts';
import { printEvents } from './events.ts';
import type { Paint } from './terminal.ts';

export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
  paint: Paint;
}

/** Returns the exit code. Throws the client's errors. */
export async function execute(
  client: ControlClient,
  { verb, params }: { verb: Verb; params: object },
  json: boolean,
  { out, err, paint }: Streams,
): Promise<ExitCode> {
  if (verb.method === 'events') {
    await printEvents(client, params as Params<'events'>, json, out);
    return EXIT.OK;
  }
  const result = await client.call(verb.method, params);
  out(json ? `${printableJson(result, 2)}\n` : verb.print(result, { paint, now: Date.now() }));
  for (const text of verb.errors?.(result) ?? []) err(`lvsctl: ${printable(text)}\n`);
  return verb.exitCode?.(result) ?? EXIT.OK;
}
