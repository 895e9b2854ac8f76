// SPDX-License-Identifier: MIT
/**
 * Finds the place of a value in a text by its path. Parses the text again on first use: valid files never need it, and
 * keeping the events of the first parse would cost each of them memory.
 */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import { LIMITS } from '../limits.ts';
import { eventOffset } from './compose.ts';

export type Path = readonly (string | number)[];

interface Child {
  /** Offset of its key; for an item of a list, of the item. */
  key: number;
  /** Index of its first event. */
  event: number;
}

/** Offsets of a value's key and of the value itself (of its key if the value is empty). */
export interface Spot {
  key: number;
  value: number;
}

export class Positions {
  readonly #source: string;
  #parsed: readonly Event[] | undefined;
  /** For the first event of a collection, the index of its last. */
  #ends: Int32Array | undefined;
  /** Indices of the events that set an anchor, by its name, in order. */
  readonly #anchors = new Map<string, number[]>();
  readonly #children = new Map<number, Map<string | number, Child>>();
  #lines: number[] | undefined;

  /** If `source` is not YAML, only `lineColumn` works. */
  constructor(source: string) {
    this.#source = source;
  }

  get #events(): readonly Event[] {
    this.#parsed ??= parseEvents(this.#source, { maxDepth: LIMITS.depth });
    return this.#parsed;
  }

  /** Undefined if there is no value at `path`. */
  find(path: Path): Spot | undefined {
    let at = 1;
    let spot: Spot = { key: 0, value: this.#offset(1, 0) };
    for (const step of path) {
      const child = this.#childrenOf(at).get(step);
      if (!child) return undefined;
      at = child.event;
      spot = { key: child.key, value: this.#offset(at, child.key) };
    }
    return spot;
  }

  /** Number of steps of `path` that exist. */
  depth(path: Path): number {
    let at = 1;
    for (const [index, step] of path.entries()) {
      const child = this.#childrenOf(at).get(step);
      if (!child) return index;
      at = child.event;
    }
    return path.length;
  }

  /** Offset -> line and column, both from 1. */
  lineColumn(offset: number): { line: number; column: number } {
    this.#lines ??= lineStarts(this.#source);
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lines[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: Math.max(offset, 0) - (this.#lines[low] ?? 0) + 1 };
  }

  #offset(index: number, fallback: number): number {
    const event = this.#events[index];
    const offset = event ? eventOffset(event) : -1;
    return offset < 0 ? fallback : offset;
  }

  #index(): Int32Array {
    if (this.#ends) return this.#ends;
    const events = this.#events;
    const ends = new Int32Array(events.length);
    const open: number[] = [];
    for (const [index, event] of events.entries()) {
      ends[index] = index;
      if (event.type === EVENT_ID.POP) {
        const start = open.pop();
        if (start !== undefined) ends[start] = index;
        continue;
      }
      if (event.type !== EVENT_ID.SCALAR && event.type !== EVENT_ID.ALIAS) open.push(index);
      if ('anchorStart' in event && event.anchorStart >= 0 && event.type !== EVENT_ID.ALIAS) {
        const name = this.#source.slice(event.anchorStart, event.anchorEnd);
        const places = this.#anchors.get(name);
        if (places) places.push(index);
        else this.#anchors.set(name, [index]);
      }
    }
    this.#ends = ends;
    return ends;
  }

  /** The event that an alias refers to; other events are returned as they are. */
  #target(index: number): number {
    const event = this.#events[index];
    if (event?.type !== EVENT_ID.ALIAS) return index;
    const places = this.#anchors.get(this.#source.slice(event.anchorStart, event.anchorEnd));
    return places?.findLast((place) => place < index) ?? index;
  }

  #childrenOf(index: number): Map<string | number, Child> {
    const ends = this.#index();
    const at = this.#target(index);
    const known = this.#children.get(at);
    if (known) return known;
    const children = new Map<string | number, Child>();
    this.#children.set(at, children);
    const type = this.#events[at]?.type;
    const last = ends[at] ?? at;
    if (type === EVENT_ID.SEQUENCE) {
      let item = 0;
      for (let i = at + 1; i < last; i = (ends[i] ?? i) + 1)
        children.set(item++, { key: this.#offset(i, this.#offset(at, 0)), event: i });
    } else if (type === EVENT_ID.MAPPING) this.#readMapping(at, last, ends, children);
    return children;
  }

  #readMapping(at: number, last: number, ends: Int32Array, children: Map<string | number, Child>): void {
    const merges: number[] = [];
    let i = at + 1;
    while (i < last) {
      const keyIndex = i;
      const value = (ends[i] ?? i) + 1;
      const key = this.#events[this.#target(keyIndex)];
      if (key?.type === EVENT_ID.SCALAR) {
        const text = getScalarValue(this.#source, key);
        if (isMergeKey(key, text)) merges.push(value);
        // Of two equal keys the value of the first is used.
        else if (!children.has(text)) children.set(text, { key: this.#offset(keyIndex, 0), event: value });
      }
      i = (ends[value] ?? value) + 1;
    }
    for (const merge of merges) {
      const source = this.#target(merge);
      const list = this.#events[source]?.type === EVENT_ID.SEQUENCE;
      const sources = list ? [...this.#childrenOf(source).values()].map(({ event }) => event) : [source];
      for (const one of sources)
        for (const [key, child] of this.#childrenOf(one)) if (!children.has(key)) children.set(key, child);
    }
  }
}

function isMergeKey(key: ScalarEvent, text: string): boolean {
  return text === '<<' && key.style === SCALAR_STYLE.PLAIN && key.tagStart < 0;
}

function lineStarts(source: string): number[] {
  const starts = [0];
  // YAML's line breaks: LF, CR LF, and CR alone.
  if (!source.includes('\r')) {
    for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1);
    return starts;
  }
  for (let at = 0; at < source.length; at++) {
    const code = source.charCodeAt(at);
    if (code === 10 || (code === 13 && source.charCodeAt(at + 1) !== 10)) starts.push(at + 1);
  }
  return starts;
}
