// SPDX-License-Identifier: MIT
/** The shape of events. Pure. */
import { either, has, integer, list, matching, number, object, optional, type Shape, text } from '../../base/shape.ts';
import type { DaemonEvent, Gap } from '../events/types.ts';

/** `epoch` and `sequence` become an id of server-sent events, which has one line. Other fields are shown only. */
const event = object<
  Pick<DaemonEvent, 'sequence' | 'epoch' | 'at' | 'kind' | 'severity' | 'text' | 'service' | 'instance'>
>({
  sequence: integer,
  epoch: matching(/^[0-9a-f]{8}$/, 'eight hexadecimal digits'),
  at: number,
  kind: text as Shape<DaemonEvent['kind']>,
  severity: text as Shape<DaemonEvent['severity']>,
  text,
  service: optional(text),
  instance: optional(text),
});

const range = object<{ from: number; to: number }>({ from: number, to: number });

const gap = object<Gap>({ gap: either(has('cursor'), object<{ cursor: string }>({ cursor: text }), range) });

export const eventItems = list(either(has('gap'), gap, event));
