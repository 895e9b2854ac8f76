// SPDX-License-Identifier: MIT
/** The shape of events. Pure. */
import {
  either,
  has,
  integer,
  list,
  matching,
  number,
  object,
  optional,
  type Shape,
  simple,
  text,
} from '../../base/shape.ts';
import type { DaemonEvent, Gap } from '../events/types.ts';

/** Milliseconds that a Date can be made of (ECMA-262, section 21.4.1.1): the page writes them as a date. */
const instant = simple<number>((value) => Number.isFinite(value) && Math.abs(value as number) <= 8.64e15, 'an instant');

/** `epoch` and `sequence` become an id of server-sent events, which has one line. Other fields are shown only. */
const event = object<
  Pick<DaemonEvent, 'sequence' | 'epoch' | 'at' | 'kind' | 'severity' | 'text' | 'service' | 'instance'>
>({
  sequence: integer,
  epoch: matching(/^[0-9a-f]{8}$/, 'eight hexadecimal digits'),
  at: instant,
  kind: text as Shape<DaemonEvent['kind']>,
  severity: text as Shape<DaemonEvent['severity']>,
  text,
  service: optional(text),
  instance: optional(text),
});

const range = object<{ from: number; to: number }>({ from: number, to: number });

const gap = object<Gap>({ gap: either(has('cursor'), object<{ cursor: string }>({ cursor: text }), range) });

export const eventItems = list(either(has('gap'), gap, event));
