// SPDX-License-Identifier: MIT
/**
 * Converts parser events to plain values. Differs from js-yaml's own constructor in three ways: it continues after a
 * problem and reports all of them, accepts only strings as keys, and limits the values that aliases repeat.
 */
import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import { LIMITS } from '../limits.ts';
import { looksOctal, plainScalar } from './scalars.ts';

export interface Flaw {
  /** In the text; -1 for no place. */
  offset: number;
  text: string;
}

export interface Composed {
  /** Of the first document; undefined for none. */
  value: unknown;
  flaws: Flaw[];
}

type YamlMap = Record<string, unknown>;

interface Frame {
  list: unknown[] | undefined;
  map: YamlMap | undefined;
  key: string | undefined;
  keyOffset: number;
  merging: boolean;
  /** Keys added by a merge key, which explicit keys may replace. */
  merged: Set<string> | undefined;
  anchor: Anchor | undefined;
  countBefore: number;
}

interface Anchor {
  value: unknown;
  /** Number of values in it, including itself. */
  size: number;
  /** False until its end is reached. */
  complete: boolean;
}

/** Replaces an invalid key that was reported; its value is ignored. */
const NO_KEY = '\0';

/** Offset of a node: its tag, anchor, quote or first letter; -1 for an empty node. */
export function eventOffset(event: Event): number {
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  if (event.type === EVENT_ID.POP || event.type === EVENT_ID.DOCUMENT) return -1;
  if (event.tagStart >= 0 && (event.anchorStart < 0 || event.tagStart < event.anchorStart)) return event.tagStart;
  if (event.anchorStart >= 0) return event.anchorStart - 1;
  if (event.type !== EVENT_ID.SCALAR) return event.start;
  const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
  return quoted ? event.valueStart - 1 : event.valueStart;
}

/** Offset of the first non-empty node after `index`. */
function nextOffset(events: readonly Event[], index: number): number {
  for (let at = index + 1; at < events.length; at++) {
    const event = events[at];
    const offset = event ? eventOffset(event) : -1;
    if (offset >= 0) return offset;
  }
  return 0;
}

/** Whether a value is a map of the document: an object, but not a list. */
export function isMap(value: unknown): value is YamlMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of the first document in `events`, which js-yaml has parsed from `source`, and all flaws. */
export function compose(source: string, events: readonly Event[]): Composed {
  return new Composer(source).run(events);
}

class Composer {
  readonly #source: string;
  readonly #flaws: Flaw[] = [];
  readonly #frames: Frame[] = [];
  #anchors = new Map<string, Anchor>();
  #documents: unknown[] = [];
  /** Number of values so far, including those that aliases repeat. */
  #count = 0;
  #repeated = 0;
  /** Offset of the current event. */
  #offset = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(events: readonly Event[]): Composed {
    for (const [index, event] of events.entries()) {
      this.#count++;
      const offset = eventOffset(event);
      // An empty node gets the place of the next one.
      this.#offset = offset < 0 && event.type === EVENT_ID.SCALAR ? nextOffset(events, index) : offset;
      if (event.type === EVENT_ID.SCALAR) this.#scalar(event);
      else if (event.type === EVENT_ID.POP) this.#pop();
      else if (event.type === EVENT_ID.ALIAS) {
        if (!this.#alias(event.anchorStart, event.anchorEnd)) break;
      } else if (event.type === EVENT_ID.DOCUMENT) {
        this.#document(event.directives);
        if (this.#documents.length < 2) continue;
        this.#flaw(nextOffset(events, index), 'found a second document; allowed: one in a file');
        break;
      } else this.#open(event);
    }
    return { value: this.#documents[0], flaws: this.#flaws };
  }

  #flaw(offset: number, text: string): void {
    const last = this.#flaws.at(-1);
    // Nested braces, {{ like this }}, are one mistake.
    if (last?.text === text && Math.abs(last.offset - offset) < 2) return;
    if (this.#flaws.length < LIMITS.problems) this.#flaws.push({ offset, text });
  }

  #document(directives: readonly { kind: string; version?: string }[]): void {
    this.#anchors = new Map();
    for (const { kind, version } of directives) {
      if (kind === 'tag') this.#flaw(0, 'found a %TAG directive; allowed: none, the format has no tags of its own');
      else if (version !== '1.2') this.#flaw(0, `found %YAML ${version}; allowed: YAML 1.2, which needs no such line`);
    }
    this.#documents.push(undefined);
  }

  #scalar(event: ScalarEvent): void {
    const text = getScalarValue(this.#source, event);
    const tag = event.tagStart < 0 ? '' : this.#source.slice(event.tagStart, event.tagEnd);
    const plain = event.style === SCALAR_STYLE.PLAIN;
    const value = tag === '' ? (plain ? plainScalar(text) : text) : this.#tagged(tag, text, event.tagStart);
    const frame = this.#frames.at(-1);
    if (frame?.map && frame.key === undefined) {
      frame.keyOffset = this.#offset;
      if (plain && text === '<<' && tag === '') {
        frame.key = text;
        frame.merging = true;
      } else frame.key = this.#key(frame.map, value, text, frame);
      if (event.anchorStart >= 0) this.#anchor(event, value, true);
      return;
    }
    if (plain && typeof value === 'number' && looksOctal(text)) {
      const octal = /^[-+]?[0-7]+$/.test(text) ? `, or 0o${value} for ${Number.parseInt(text, 8)}` : '';
      this.#flaw(event.valueStart, `found ${text}, which some parsers read as octal; write ${value}${octal}`);
    }
    if (event.anchorStart >= 0) this.#anchor(event, value, true);
    this.#add(value);
  }

  /** The key if it is valid, else NO_KEY. */
  #key(map: YamlMap, value: unknown, text: string, frame: Frame): string {
    if (typeof value !== 'string') {
      const what = value === null ? 'nothing' : `the ${typeof value === 'number' ? 'number' : 'word'} ${text}`;
      this.#flaw(frame.keyOffset, `found ${what} as a key; allowed: text${text === '' ? '' : `, so write "${text}"`}`);
      return NO_KEY;
    }
    if (value === '__proto__' || value === NO_KEY) {
      this.#flaw(frame.keyOffset, `found the key ${JSON.stringify(value)}; allowed: any other name`);
      return NO_KEY;
    }
    if (Object.hasOwn(map, value) && !frame.merged?.delete(value)) {
      this.#flaw(frame.keyOffset, `found the key ${JSON.stringify(value)} twice in one map; allowed: once`);
      return NO_KEY;
    }
    return value;
  }

  #tagged(tag: string, text: string, offset: number): unknown {
    const name = tag.replace(/^!<tag:yaml\.org,2002:(.*)>$/, '!!$1');
    if (name === '!' || name === '!!str') return text;
    const value = plainScalar(text);
    const type = value === null ? 'null' : typeof value;
    if (name === '!!int' && Number.isInteger(value)) return value;
    if (name === '!!float' && type === 'number') return value;
    if (name === '!!bool' && type === 'boolean') return value;
    if (name === '!!null' && type === 'null') return value;
    this.#flaw(offset, `found the tag ${tag}; allowed: no tag, the type follows from the value`);
    return text;
  }

  #open(event: Exclude<Event, ScalarEvent> & { start: number; tagStart: number }): void {
    const isList = event.type === EVENT_ID.SEQUENCE;
    const parent = this.#frames.at(-1);
    if (parent?.map && parent.key === undefined) parent.keyOffset = this.#offset;
    const frame: Frame = {
      list: isList ? [] : undefined,
      map: isList ? undefined : {},
      key: undefined,
      keyOffset: -1,
      merging: false,
      merged: undefined,
      anchor: undefined,
      countBefore: this.#count - 1,
    };
    if (event.tagStart >= 0 && 'tagEnd' in event) {
      const tag = this.#source.slice(event.tagStart, event.tagEnd);
      if (tag !== '!' && tag !== (isList ? '!!seq' : '!!map'))
        this.#flaw(event.tagStart, `found the tag ${tag}; allowed: no tag, the type follows from the value`);
    }
    if ('anchorStart' in event && event.anchorStart >= 0)
      frame.anchor = this.#anchor(event, frame.list ?? frame.map, false);
    this.#frames.push(frame);
  }

  #anchor(event: { anchorStart: number; anchorEnd: number }, value: unknown, complete: boolean): Anchor {
    const anchor = { value, size: 1, complete };
    this.#anchors.set(this.#source.slice(event.anchorStart, event.anchorEnd), anchor);
    return anchor;
  }

  #pop(): void {
    const frame = this.#frames.pop();
    if (!frame) return;
    if (frame.anchor) {
      frame.anchor.complete = true;
      frame.anchor.size = this.#count - frame.countBefore;
    }
    const parent = this.#frames.at(-1);
    if (parent?.map && parent.key === undefined) {
      const what = frame.list ? 'a list' : 'a map';
      const hint = 'a text that begins with [ or { needs quotes';
      this.#flaw(parent.keyOffset, `found ${what} as a key; allowed: text (${hint})`);
      parent.key = NO_KEY;
      return;
    }
    this.#add(frame.list ?? frame.map);
  }

  /** Returns false if aliases repeat too many values. */
  #alias(start: number, end: number): boolean {
    const name = this.#source.slice(start, end);
    const anchor = this.#anchors.get(name);
    if (!anchor?.complete) {
      const why = anchor ? `inside its own anchor` : `and no &${name} before it`;
      this.#flaw(start - 1, `found *${name} ${why}; allowed: the name of an anchor that is complete above it`);
      this.#add(null);
      return true;
    }
    this.#count += anchor.size;
    this.#repeated += anchor.size;
    if (this.#repeated > LIMITS.aliased) {
      this.#flaw(start - 1, `found aliases that repeat more than ${LIMITS.aliased} values; allowed: at most that`);
      return false;
    }
    const frame = this.#frames.at(-1);
    if (frame?.map && frame.key === undefined) {
      frame.keyOffset = start - 1;
      frame.key = this.#key(frame.map, anchor.value, `*${name}`, frame);
    } else this.#add(anchor.value);
    return true;
  }

  #add(value: unknown): void {
    const frame = this.#frames.at(-1);
    if (!frame) {
      this.#documents[this.#documents.length - 1] = value;
    } else if (frame.list) {
      frame.list.push(value);
    } else if (frame.map && frame.key !== undefined) {
      if (frame.merging) this.#merge(frame, value);
      else if (frame.key !== NO_KEY) frame.map[frame.key] = value;
      frame.key = undefined;
      frame.merging = false;
    }
  }

  #merge(frame: Frame, value: unknown): void {
    const { map } = frame;
    const sources = Array.isArray(value) ? value : [value];
    if (!map) return;
    for (const source of sources) {
      if (!isMap(source)) {
        this.#flaw(frame.keyOffset, 'found a value that is no map after <<; allowed: a map, or a list of maps');
        return;
      }
      for (const [key, given] of Object.entries(source)) {
        if (Object.hasOwn(map, key)) continue;
        map[key] = given;
        frame.merged ??= new Set();
        frame.merged.add(key);
      }
    }
  }
}
