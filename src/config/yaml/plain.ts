// SPDX-License-Identifier: MIT
/**
 * The short way through a text that is as plain as configurations mostly are: maps and lists in block style, or in
 * brackets within a line, words and numbers without blanks, texts in quotes without escapes, comments. No events, no
 * second pass: a quarter of the time and a tenth of the memory. Whatever is any less plain, or wrong, is not judged here.
 */
import { looksOctal, plainScalar } from './scalars.ts';

type YamlMap = Record<string, unknown>;

/** Beyond it nothing is plain. */
const DEPTH = 16;

const [NEWLINE, BLANK, QUOTE, HASH, APOSTROPHE, COMMA, DASH] = [10, 32, 34, 35, 39, 44, 45];
const [COLON, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [58, 91, 93, 123, 125];

/** By letter: 1 may stand in a word, 2 may also begin one. */
const LETTERS = new Uint8Array(128);
for (const letter of '.:-') LETTERS[letter.charCodeAt(0)] = 1;
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/')
  LETTERS[letter.charCodeAt(0)] = 2;

/** What the text has to be besides: no letter that means something elsewhere, or that YAML refuses. */
const OTHER_LETTER = /[^\n\x20-\x7e\xa1-\u1fff]/;

class Unusual extends Error {}

/** The one document's map; undefined: not as plain as that. */
export function readPlain(text: string): YamlMap | undefined {
  if (OTHER_LETTER.test(text)) return undefined;
  const { stackTraceLimit } = Error;
  // Leaving is no accident.
  Error.stackTraceLimit = 0;
  try {
    return new Reader(text).document();
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;
  /** Blanks before the first letter of the line at hand, which is where `#at` is between values; -1: the end. */
  #indent = -1;

  constructor(text: string) {
    this.#text = text;
  }

  document(): YamlMap {
    this.#line();
    if (this.#indent !== 0) throw new Unusual();
    const map = this.#map(0, 0);
    if (this.#indent >= 0) throw new Unusual();
    return map;
  }

  /** Goes to the next line that has something, from where one begins. */
  #line(): void {
    const text = this.#text;
    for (let at = this.#at; ; ) {
      const start = at;
      while (text.charCodeAt(at) === BLANK) at++;
      const letter = text.charCodeAt(at);
      if (Number.isNaN(letter)) {
        this.#at = at;
        this.#indent = -1;
        return;
      }
      if (letter !== NEWLINE && letter !== HASH) {
        this.#at = at;
        this.#indent = at - start;
        return;
      }
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    }
  }

  /** Past the end of the line, where nothing but a comment may be, to the next. */
  #endLine(): void {
    const text = this.#text;
    const start = this.#at;
    while (text.charCodeAt(this.#at) === BLANK) this.#at++;
    const letter = text.charCodeAt(this.#at);
    if (letter === HASH && this.#at > start) this.#at = text.indexOf('\n', this.#at);
    else if (letter !== NEWLINE && !Number.isNaN(letter)) throw new Unusual();
    if (this.#at < 0 || Number.isNaN(letter)) this.#at = text.length;
    else this.#at++;
    this.#line();
  }

  /** The map whose keys have this indent, from its first key on. */
  #map(indent: number, depth: number): YamlMap {
    if (depth > DEPTH) throw new Unusual();
    const map: YamlMap = {};
    do {
      const key = this.#key();
      if (Object.hasOwn(map, key)) throw new Unusual();
      map[key] = this.#value(indent, depth);
    } while (this.#indent === indent && this.#text.charCodeAt(this.#at) !== DASH);
    if (this.#indent > indent) throw new Unusual();
    return map;
  }

  /** A key with its colon; what follows is a blank or the line's end. */
  #key(): string {
    const text = this.#text;
    const start = this.#at;
    let key: string;
    const first = text.charCodeAt(start);
    if (first === QUOTE || first === APOSTROPHE) {
      key = this.#quoted(first);
    } else {
      if (LETTERS[first] !== 2) throw new Unusual();
      let at = start;
      for (let letter = first; LETTERS[letter] && letter !== COLON; letter = text.charCodeAt(at)) at++;
      this.#at = at;
      key = text.slice(start, at);
      // A number is no key.
      if (typeof plainScalar(key) !== 'string') throw new Unusual();
    }
    const after = text.charCodeAt(this.#at + 1);
    if (text.charCodeAt(this.#at) !== COLON || (after !== BLANK && after !== NEWLINE && !Number.isNaN(after)))
      throw new Unusual();
    if (key === '__proto__') throw new Unusual();
    this.#at++;
    return key;
  }

  /** What follows a key of this indent, or the lines below it. */
  #value(indent: number, depth: number): unknown {
    const text = this.#text;
    while (text.charCodeAt(this.#at) === BLANK) this.#at++;
    const letter = text.charCodeAt(this.#at);
    if (letter !== NEWLINE && letter !== HASH && !Number.isNaN(letter)) {
      const value = this.#inline(letter, false, depth + 1);
      this.#endLine();
      return value;
    }
    this.#endLine();
    const below = this.#indent;
    const isList = text.charCodeAt(this.#at) === DASH;
    if (below > indent) return isList ? this.#list(below, depth + 1) : this.#map(below, depth + 1);
    // The dashes of a list may stand below its key.
    return below === indent && isList ? this.#list(below, depth + 1) : null;
  }

  #list(indent: number, depth: number): unknown[] {
    if (depth > DEPTH) throw new Unusual();
    const text = this.#text;
    const list: unknown[] = [];
    while (this.#indent === indent && text.charCodeAt(this.#at) === DASH) {
      const dash = this.#at;
      this.#at++;
      if (text.charCodeAt(this.#at) !== BLANK) throw new Unusual();
      while (text.charCodeAt(this.#at) === BLANK) this.#at++;
      list.push(this.#item(indent + this.#at - dash, depth));
    }
    if (this.#indent > indent) throw new Unusual();
    return list;
  }

  /** `indent`: of what is behind the dash. */
  #item(indent: number, depth: number): unknown {
    if (this.#isKey()) return this.#map(indent, depth + 1);
    const value = this.#inline(this.#text.charCodeAt(this.#at), false, depth + 1);
    this.#endLine();
    return value;
  }

  /** Whether a word here is followed by a colon and a blank or the line's end. */
  #isKey(): boolean {
    const text = this.#text;
    let at = this.#at;
    while (LETTERS[text.charCodeAt(at)]) at++;
    return at > this.#at && text.charCodeAt(at - 1) === COLON;
  }

  /** A value within the line. */
  #inline(letter: number, inBrackets: boolean, depth: number): unknown {
    if (letter === OPEN_MAP) return this.#flowMap(depth);
    if (letter === OPEN_LIST) return this.#flowList(depth);
    if (letter === QUOTE || letter === APOSTROPHE) return this.#quoted(letter);
    const text = this.#text;
    const start = this.#at;
    if (LETTERS[letter] !== 2) throw new Unusual();
    let at = start + 1;
    while (LETTERS[text.charCodeAt(at)]) at++;
    const end = text.charCodeAt(at);
    const closes = inBrackets && (end === COMMA || end === CLOSE_MAP || end === CLOSE_LIST);
    if (end !== BLANK && end !== NEWLINE && !Number.isNaN(end) && !closes) throw new Unusual();
    if (text.charCodeAt(at - 1) === COLON) throw new Unusual();
    this.#at = at;
    const word = text.slice(start, at);
    const value = plainScalar(word);
    if (typeof value === 'number' && looksOctal(word)) throw new Unusual();
    return value;
  }

  #quoted(quote: number): string {
    const text = this.#text;
    const start = this.#at + 1;
    for (let at = start; ; at++) {
      const letter = text.charCodeAt(at);
      if (letter === quote) {
        // Two apostrophes are one.
        if (quote === APOSTROPHE && text.charCodeAt(at + 1) === APOSTROPHE) throw new Unusual();
        this.#at = at + 1;
        return text.slice(start, at);
      }
      if (Number.isNaN(letter) || letter === NEWLINE || letter === 92 /* \ */) throw new Unusual();
    }
  }

  #flowMap(depth: number): YamlMap {
    if (depth > DEPTH) throw new Unusual();
    const map: YamlMap = {};
    this.#at++;
    this.#blanks();
    if (this.#closes(CLOSE_MAP)) return map;
    do {
      this.#blanks();
      const key = this.#key();
      if (Object.hasOwn(map, key)) throw new Unusual();
      this.#blanks();
      map[key] = this.#inline(this.#text.charCodeAt(this.#at), true, depth + 1);
      this.#blanks();
    } while (this.#closes(COMMA));
    if (!this.#closes(CLOSE_MAP)) throw new Unusual();
    return map;
  }

  #flowList(depth: number): unknown[] {
    if (depth > DEPTH) throw new Unusual();
    const list: unknown[] = [];
    this.#at++;
    this.#blanks();
    if (this.#closes(CLOSE_LIST)) return list;
    do {
      this.#blanks();
      list.push(this.#inline(this.#text.charCodeAt(this.#at), true, depth + 1));
      this.#blanks();
    } while (this.#closes(COMMA));
    if (!this.#closes(CLOSE_LIST)) throw new Unusual();
    return list;
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) === BLANK) this.#at++;
  }

  /** Goes past this letter, if it is there. */
  #closes(letter: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== letter) return false;
    this.#at++;
    return true;
  }
}
