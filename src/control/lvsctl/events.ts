// SPDX-License-Identifier: MIT
/** `lvsctl events`: prints events as they arrive, and the gaps between them. */
import { printable, printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import { type DaemonEvent, type EventItem, isGap } from '../events/types.ts';
import type { Params } from '../methods.ts';
import { clockText } from './words.ts';

const KIND_WIDTH = 21;

/** Resolves after the last event, with `follow` never. Throws the errors of the client. */
export async function printEvents(
  client: ControlClient,
  params: Params<'events'>,
  json: boolean,
  out: (text: string) => void,
): Promise<void> {
  for await (const item of client.events(params)) out(json ? `${printableJson(item)}\n` : itemLine(item));
}

function itemLine(item: EventItem): string {
  if (!isGap(item)) return eventLine(item);
  const { gap } = item;
  return 'cursor' in gap
    ? `… the events after ${printable(gap.cursor)} are no longer available: all that are stored follow\n`
    : `… the events ${gap.from} to ${gap.to} are not available\n`;
}

/** '2026-11-22 19:24:41    17  real_server.down  shop: web1 is down' */
function eventLine({ sequence, at, kind, service, instance, text }: DaemonEvent): string {
  const subject = service ?? instance;
  const named = subject === undefined || text.startsWith(subject) ? text : `${subject}: ${text}`;
  return `${clockText(at)}  ${String(sequence).padStart(4)}  ${printable(kind).padEnd(KIND_WIDTH)}  ${printable(named)}\n`;
}
