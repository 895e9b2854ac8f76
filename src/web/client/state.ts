// SPDX-License-Identifier: MIT
/** The state of the page: the last of each part that messages had. Pure. */
import {
  type Detail,
  type Head,
  keyOf,
  type LiveMessage,
  type PageEvent,
  type Point,
  type Rows,
  type Side,
} from '../page/messages.ts';

/** Points of a curve. */
export const CURVE = 120;
const EVENTS = 100;

export interface Known {
  head: Head | undefined;
  rows: Rows | undefined;
  side: Side | undefined;
  /** Null: there is no such service. Undefined: not known yet. */
  open: Detail | null | undefined;
  /** The newest first. */
  events: readonly PageEvent[];
  /** Curves of the rows, by key. */
  curves: ReadonlyMap<string, readonly Point[]>;
  problem: string | undefined;
  /** The last answer of the daemon, as an instant of clock(). */
  answeredAt: number | undefined;
  /** Milliseconds by which the server's clock is ahead of clock(). */
  ahead: number;
}

export const NOTHING: Known = {
  head: undefined,
  rows: undefined,
  side: undefined,
  open: undefined,
  events: [],
  curves: new Map(),
  problem: undefined,
  answeredAt: undefined,
  ahead: 0,
};

/** `now`: an instant of clock(). */
export function received(known: Known, message: LiveMessage, now: number): Known {
  const { head, rows, side, open, events, problem } = message;
  const answered = problem === undefined || known.answeredAt !== undefined;
  return {
    head: head ? withHistory(head, known.head) : known.head,
    rows: rows ?? known.rows,
    side: side ?? known.side,
    open: open === undefined ? known.open : open,
    events: events ? newestFirst(known.events, events) : known.events,
    curves: rows ? curvesOf(known.curves, rows) : known.curves,
    problem,
    answeredAt: answered ? now - message.age : undefined,
    ahead: message.now - now,
  };
}

/** A head of a later reading has one more point of the sums. */
function withHistory(head: Head, before: Head | undefined): Head {
  if (head.history || !before?.history) return head;
  const { connections, traffic } = before.history;
  if (head.readings === before.readings) return { ...head, history: before.history };
  const history = {
    connections: [...connections, head.connections].slice(-CURVE),
    traffic: [...traffic, head.traffic].slice(-CURVE),
  };
  return { ...head, history };
}

/** A new stream begins with events that are known already. */
function newestFirst(known: readonly PageEvent[], events: readonly PageEvent[]): PageEvent[] {
  const had = new Set(known.map(({ id }) => id));
  return [...events.filter(({ id }) => !had.has(id)).reverse(), ...known].slice(0, EVENTS);
}

function curvesOf(known: Known['curves'], { rows }: Rows): Known['curves'] {
  return new Map(
    rows.map(({ name, virtual, history, point }) => {
      const key = keyOf({ name, virtual });
      if (history) return [key, history];
      const before = known.get(key) ?? [];
      return [key, point === undefined ? before : [...before, point].slice(-CURVE)];
    }),
  );
}
