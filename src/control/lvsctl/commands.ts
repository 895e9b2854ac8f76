// SPDX-License-Identifier: MIT
/** What each command asks the daemon, and how it prints the answer. */
import { EXIT, type ExitCode } from '../../base/errors.ts';
import { printable, printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import type { DaemonEvent } from '../messages.ts';
import { planText } from '../plan-text.ts';
import type { Command, Invocation } from './options.ts';
import { statusText } from './status.ts';
import type { Paint } from './terminal.ts';
import { clockText, count } from './words.ts';

export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
  paint: Paint;
}

type Asking = Exclude<Command, { name: 'help' } | { name: 'version' }>;

/** One command of a connected client: its exit code. Throws what the client throws. */
export async function execute(
  client: ControlClient,
  command: Asking,
  { json }: Pick<Invocation, 'json'>,
  streams: Streams,
): Promise<ExitCode> {
  const { out, err, paint } = streams;
  const print = (value: unknown, text: () => string) => out(json ? `${printableJson(value, 2)}\n` : text());
  switch (command.name) {
    case 'status': {
      const { service } = command;
      const status = await client.call('status', service === undefined ? {} : { service });
      print(status, () => statusText(status, paint, Date.now()));
      return EXIT.OK;
    }
    case 'plan': {
      const plan = await client.call('plan', {});
      print(plan, () => planText(plan.lines));
      return plan.lines.length > 0 ? EXIT.PLAN_NOT_EMPTY : EXIT.OK;
    }
    case 'reload': {
      const result = await client.call('reload', {});
      print(result, () => `reloaded: ${count(result.operations, 'operation')}, ${result.failed.length} failed\n`);
      for (const text of result.failed) err(`lvsctl: ${printable(text)}\n`);
      return result.failed.length > 0 ? EXIT.RUNTIME : EXIT.OK;
    }
    case 'drain':
    case 'undrain': {
      const { name, ...params } = command;
      const result = await client.call(name, params);
      const word = name === 'drain' ? 'drained' : 'no longer drained';
      print(result, () => result.servers.map((server) => `${printable(server)}: ${word}\n`).join(''));
      return EXIT.OK;
    }
    case 'pause': {
      const result = await client.call('pause', { on: command.on });
      print(result, () => (result.paused ? 'paused: nothing is written to the kernel\n' : 'not paused\n'));
      return EXIT.OK;
    }
    case 'events':
      await printEvents(client, command, json, out);
      return EXIT.OK;
  }
}

async function printEvents(
  client: ControlClient,
  { follow, after }: Extract<Command, { name: 'events' }>,
  json: boolean,
  out: Streams['out'],
): Promise<void> {
  let last = after;
  for await (const event of client.events({ follow, ...(after !== undefined && { after }) })) {
    const missed = last === undefined ? 0 : event.sequence - last - 1;
    if (missed > 0 && !json) out(`… ${missed} events are gone\n`);
    last = event.sequence;
    out(json ? `${printableJson(event)}\n` : eventLine(event));
  }
}

/** '2026-11-22 19:24:41    17  server    shop: web1 is down' */
function eventLine({ sequence, at, kind, service, text }: DaemonEvent): string {
  const named = service === undefined || text.startsWith(service) ? text : `${service}: ${text}`;
  return `${clockText(at)}  ${String(sequence).padStart(4)}  ${printable(kind).padEnd(8)}  ${printable(named)}\n`;
}
