// SPDX-License-Identifier: MIT
/** Reads the files of a configuration: the main file, and the files that `include` names. */
import { readdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parseEvents } from 'js-yaml';
import { describe } from './describe.ts';
import { LIMITS } from './limits.ts';
import type { Problem } from './problems.ts';
import { readText } from './text.ts';
import { type Composed, compose, type Flaw, isMap } from './yaml/compose.ts';
import { Positions } from './yaml/positions.ts';
import { syntaxFlaws } from './yaml/syntax.ts';

/** A file that could be read. */
export interface Source {
  /** Name in messages: relative if the main file was given so. */
  file: string;
  value: Record<string, unknown>;
  positions: Positions;
}

export interface Files {
  /** The main file first. */
  sources: Source[];
  /** Names in messages of all files that were read, in order. */
  names: string[];
  problems: Problem[];
  /** False if a file is missing from `sources`. */
  complete: boolean;
}

/** A key that files of a configuration have. */
const OURS =
  /\b(?:version|include|services|local_addresses|nodes|manage|defaults|on_stop|timeouts|log|checks|resync)["']?\s*:/;
/** Anything but blanks and comments. */
const CONTENT = /^[ \t]*[^#\s]/m;

/** Reads the text of a file. */
export type ReadText = typeof readText;

/** Does not throw for invalid files. */
export function readFiles(path: string, read: ReadText = readText): Files {
  return new Reader(read).run(path);
}

interface Wanted {
  file: string;
  /** The file and item of `include` that named it; undefined for the main file. */
  from: { source: Source; index: number } | undefined;
  /** Identities of the files that include it, directly or indirectly. */
  trail: readonly string[];
}

class Reader {
  readonly #files: Files = { sources: [], names: [], problems: [], complete: true };
  readonly #seen = new Map<string, string>();
  readonly #readText: ReadText;
  #room: number = LIMITS.bytes;

  constructor(read: ReadText) {
    this.#readText = read;
  }

  run(path: string): Files {
    const wanted: Wanted[] = [{ file: path, from: undefined, trail: [] }];
    for (let next = wanted.shift(); next; next = wanted.shift()) {
      if (this.#files.names.length >= LIMITS.files) {
        this.#report(next, `is one of more than ${LIMITS.files} files; allowed: that many`);
        break;
      }
      // Included files come directly after the file that includes them.
      wanted.unshift(...this.#read(next));
    }
    return this.#files;
  }

  /** Reports a problem of a file as a whole, at the place where it is included. */
  #report({ file, from }: Wanted, text: string): void {
    if (from) this.#include(from.source, from.index, `found ${describe(file)}, which ${text}`);
    else {
      this.#files.complete = false;
      this.#files.problems.push({ text: `${file}: ${text}` });
    }
  }

  #include({ file, positions }: Source, index: number, text: string): void {
    const offset = positions.find(['include', index])?.value ?? 0;
    this.#files.complete = false;
    this.#files.problems.push({ place: { file, ...positions.lineColumn(offset) }, text: `include[${index}]: ${text}` });
  }

  /** Reads one file and returns what it includes. */
  #read(wanted: Wanted): Wanted[] {
    const { file, trail } = wanted;
    const found = this.#readText(file, this.#room);
    if (typeof found === 'string') {
      this.#report(wanted, found);
      return [];
    }
    const before = this.#seen.get(found.identity);
    if (before !== undefined) {
      const why = trail.includes(found.identity)
        ? 'includes itself, directly or indirectly'
        : `is included already, as ${before}`;
      this.#report(wanted, `${why}; allowed: each file once`);
      return [];
    }
    this.#seen.set(found.identity, file);
    this.#files.names.push(file);
    this.#room -= found.bytes;
    const source = this.#parse(file, found.text);
    if (!source) {
      this.#files.complete = false;
      return [];
    }
    this.#files.sources.push(source);
    return this.#includes(source, [...trail, found.identity]);
  }

  #parse(file: string, text: string): Source | undefined {
    const positions = new Positions(text);
    const isMain = this.#files.sources.length === 0;
    const isForeign = !OURS.test(text) && CONTENT.test(text);
    const keys = isMain ? 'version and services' : 'services or local_addresses, {} for none';
    const foreign = { offset: 0, text: `found none of the keys of a configuration; allowed: a map with ${keys}` };
    const flawed = (flaws: readonly Flaw[]) => {
      // A file that is no configuration is not quoted: messages and logs may have more readers than the file.
      for (const flaw of isForeign && flaws.length > 0 ? [foreign] : flaws)
        this.#files.problems.push({ place: { file, ...positions.lineColumn(flaw.offset) }, text: flaw.text });
    };
    let composed: Composed;
    try {
      composed = compose(text, parseEvents(text, { maxDepth: LIMITS.depth }));
    } catch (error) {
      flawed(syntaxFlaws(text, error));
      return undefined;
    }
    const { value, flaws } = composed;
    flawed(flaws);
    const empty = text.trim() === '' ? 'an empty file' : 'nothing but comments';
    const what = value === undefined || value === null ? empty : describe(value);
    if (!isMap(value) && flaws.length === 0)
      flawed([{ offset: 0, text: `found ${what}; allowed: a map with ${keys}` }]);
    return isMap(value) ? { file, value, positions } : undefined;
  }

  #includes(source: Source, trail: readonly string[]): Wanted[] {
    const { value, file } = source;
    if (!Array.isArray(value.include)) return [];
    return value.include.flatMap((pattern: unknown, index) => {
      // Other values are rejected by the schema.
      if (typeof pattern !== 'string' || pattern === '') return [];
      const matches = expand(pattern, dirname(file));
      if (typeof matches !== 'string') return matches.map((match) => ({ file: match, from: { source, index }, trail }));
      this.#include(source, index, `found ${describe(pattern)}${matches}`);
      return [];
    });
  }
}

/**
 * Expands a path with *, ? and [abc] to the matching paths, sorted. If none matches, returns a string with the reason.
 */
function expand(pattern: string, folder: string): string[] | string {
  if (pattern.includes('\0')) return '; allowed: a path';
  if (pattern.includes('**')) return '; allowed: * within one name, not **';
  const steps = pattern.split('/').filter((step) => step !== '');
  let found = [isAbsolute(pattern) ? '/' : folder];
  for (const step of steps) {
    if (!/[*?[]/.test(step)) {
      found = found.map((base) => join(base, step));
      continue;
    }
    const test = globTest(step);
    if (!test) return ', whose [ has no ]; allowed: [abc]';
    found = found.flatMap((base) =>
      list(base)
        .filter(test)
        .sort()
        .map((name) => join(base, name)),
    );
    if (found.length > LIMITS.files) return `, which matches more than ${LIMITS.files} files; allowed: that many`;
  }
  return found.length > 0 ? found : ', which matches no file; allowed: a pattern that matches at least one';
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Missing or not a directory: no match, which is reported.
    return [];
  }
}

type Test = (name: string) => boolean;

/**
 * The test of one name; undefined for a pattern with a [ that does not end. In linear time for each star: no
 * backtracking.
 */
function globTest(step: string): Test | undefined {
  const pattern = globParts(step);
  if (!pattern) return undefined;
  return (name) => (step.startsWith('.') || !name.startsWith('.')) && matches(pattern, [...name]);
}

/** '*', or the test of one character. */
type GlobPart = '*' | Test;

function globParts(step: string): GlobPart[] | undefined {
  const parts: GlobPart[] = [];
  const letters = [...step];
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at] as string;
    if (letter === '*') parts.push('*');
    else if (letter === '?') parts.push(() => true);
    else if (letter === '[') {
      const end = letters.indexOf(']', at + 2);
      if (end < 0) return undefined;
      const inside = letters.slice(at + 1, end).join('');
      const test = inside.startsWith('!') ? classTest(inside.slice(1), '^') : classTest(inside, '');
      if (!test) return undefined;
      parts.push(test);
      at = end;
    } else parts.push((one) => one === letter);
  }
  return parts;
}

/** The test of a class, which may contain ranges. */
function classTest(members: string, negation: '' | '^'): Test | undefined {
  try {
    const test = new RegExp(`^[${negation}${members.replace(/[\\\]^[]/g, '\\$&')}]$`, 'su');
    return (one) => test.test(one);
  } catch {
    return undefined;
  }
}

function matches(pattern: readonly GlobPart[], name: readonly string[]): boolean {
  let [part, at] = [0, 0];
  /** The last star, and where the rest after it was last tried. */
  let star: { part: number; at: number } | undefined;
  while (at < name.length) {
    const test = pattern[part];
    if (test === '*') star = { part: part++, at };
    else if (test?.(name[at] as string)) {
      part++;
      at++;
    } else if (star) {
      star.at++;
      [part, at] = [star.part + 1, star.at];
    } else return false;
  }
  return pattern.slice(part).every((one) => one === '*');
}
