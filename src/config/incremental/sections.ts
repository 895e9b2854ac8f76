// SPDX-License-Identifier: MIT
/**
 * Splits the text of a configuration into its services line by line. Supports block style with `services` as the last key;
 * other texts are not split.
 */

export interface Sections {
  text: string;
  /** Offset of the first line of each service, in order. */
  starts: number[];
  names: readonly string[];
  /** Spaces before each name. */
  indent: number;
}

/**
 * Anchors, aliases and merge keys affect other lines; directives and documents split the text; named files may change.
 */
const REACHING = /[&*\r\t]|<<|^(?:---|\.\.\.|%)|(?:command|ca)["']?[ ]*:/m;
const TOP_KEY = /^(?:#|[a-z_]+:(?: |$))/;
/** `nodes` and `include` affect services from elsewhere. */
const ELSEWHERE = /^(?:nodes|include):/;

/** Whether the meaning of this text does not depend on other lines. */
export function isSelfContained(text: string): boolean {
  return !REACHING.test(text);
}

/** Whether all lines but comments are indented. */
export function isIndented(text: string): boolean {
  return !/^[^ #\n]/m.test(text);
}

/** `names`: the services of the whole text, in order. Undefined: the text cannot be split. */
export function cut(text: string, names: readonly string[]): Sections | undefined {
  const head = /^services:[ ]*(?:#.*)?\n/m.exec(text);
  if (!head || !isSelfContained(text)) return undefined;
  const first = head.index + head[0].length;
  for (const line of text.slice(0, head.index).split('\n'))
    if (/^[^ ]/.test(line) && (!TOP_KEY.test(line) || ELSEWHERE.test(line))) return undefined;
  if (!isIndented(text.slice(first))) return undefined;
  const indent = /^( +)[^ #\n]/m.exec(text.slice(first))?.[1]?.length ?? 0;
  const starts = indent > 0 && beginnings(text, first, text.length, indent, names);
  return starts ? { text, starts, names, indent } : undefined;
}

/** Offsets of exactly these services between two offsets. */
function beginnings(
  text: string,
  from: number,
  to: number,
  indent: number,
  names: readonly string[],
): number[] | undefined {
  const starts: number[] = [];
  for (let at = from; at < to; at = text.indexOf('\n', at) + 1 || to) {
    let column = 0;
    while (text.charCodeAt(at + column) === 32 /* blank */) column++;
    const letter = text.charCodeAt(at + column);
    if (column !== indent || letter === 35 /* # */ || letter === 10 || Number.isNaN(letter)) continue;
    const name = names[starts.length];
    if (name === undefined || !text.startsWith(`${name}:`, at + column)) return undefined;
    starts.push(at);
  }
  return starts.length === names.length ? starts : undefined;
}

/** A change within the services from `first` to before `end`; `text` is their new text. */
export interface Change {
  first: number;
  end: number;
  text: string;
  /** The new sections, if the change is valid. */
  after: Sections;
}

/** The change, if it is within services and keeps their names; undefined otherwise. */
export function changeOf({ text: before, starts, names, indent }: Sections, after: string): Change | undefined {
  const shorter = Math.min(before.length, after.length);
  const same = commonPrefix(before, after, shorter);
  const tail = commonSuffix(before, after, shorter - same);
  let first = lastAtMost(starts, same);
  // Lines inserted before a service's first line belong to the service above.
  if (same <= (starts[first] ?? 0) + indent) first--;
  if (first < 0) return undefined;
  const end = Math.max(lastAtMost(starts, before.length - tail - 1), first) + 1;
  const delta = after.length - before.length;
  const from = starts[first] ?? 0;
  const to = (starts[end] ?? before.length) + delta;
  const text = after.slice(from, to);
  if (!isSelfContained(text) || !isIndented(text)) return undefined;
  const within = beginnings(after, from, to, indent, names.slice(first, end));
  if (within?.[0] !== from) return undefined;
  const moved = starts.slice(end).map((start) => start + delta);
  return {
    first,
    end,
    text,
    after: { text: after, starts: [...starts.slice(0, first), ...within, ...moved], names, indent },
  };
}

/** Characters compared at a time: string comparison is much faster than a loop. */
const PIECE = 1 << 16;

function commonPrefix(a: string, b: string, most: number): number {
  let at = 0;
  while (at < most && a.slice(at, at + PIECE) === b.slice(at, at + PIECE)) at += PIECE;
  at = Math.min(at, most);
  while (at < most && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
}

function commonSuffix(a: string, b: string, most: number): number {
  const piece = (of: string, from: number) => of.slice(of.length - from - PIECE, of.length - from);
  let length = 0;
  while (length + PIECE <= most && piece(a, length) === piece(b, length)) length += PIECE;
  while (length < most && a.charCodeAt(a.length - 1 - length) === b.charCodeAt(b.length - 1 - length)) length++;
  return length;
}

/** Index of the last number that is not above `limit`; -1 for none. */
function lastAtMost(numbers: readonly number[], limit: number): number {
  let low = -1;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((numbers[middle] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
