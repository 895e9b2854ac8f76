// SPDX-License-Identifier: MIT
/** `lvsctl events`: prints events as they arrive, and how many were lost in between. */
import { printable, printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import type { DaemonEvent } from '../messages.ts';
import type { Params } from '../verbs.ts';
import { clockText } from './words.ts';

/** Resolves after the last event, with `follow` never. Throws the errors of the client. */
export async function printEvents(
  client: ControlClient,
  params: Params<'events'>,
  json: boolean,
  out: (text: string) => void,
): Promise<void> {
  let last = params.after;
  for await (const event of client.events(params)) {
    const missed = last === undefined ? 0 : event.sequence - last - 1;
    if (missed > 0 && !json) out(`… ${missed} events are no longer available\n`);
    last = event.sequence;
    out(json ? `${printableJson(event)}\n` : eventLine(event));
  }
}

/** '2026-11-22 19:24:41    17  server    shop: web1 is down' */
function eventLine({ sequence, at, kind, service, text }: DaemonEvent): string {
  const named = service === undefined || text.startsWith(service) ? text : `${service}: ${text}`;
  return `${clockText(at)}  ${String(sequence).padStart(4)}  ${printable(kind).padEnd(8)}  ${printable(named)}\n`;
}
