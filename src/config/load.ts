// SPDX-License-Identifier: MIT
/** From a path to a Config, or to everything that is wrong. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Combined, overlay } from './combine.ts';
import { pathText } from './describe.ts';
import { explain } from './explain.ts';
import { type Files, type ReadText, readFiles } from './files.ts';
import { LIMITS } from './limits.ts';
import { ConfigError, type Problem, problemLine } from './problems.ts';
import { prune } from './prune.ts';
import { resolveConfig } from './resolve/config.ts';
import type { RawConfig } from './schema.ts';
import { readText } from './text.ts';
import type { Config, Place } from './types.ts';
import { isValid, jsonSchema } from './validator.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

export interface LoadOptions {
  /** Host name whose entry of `nodes` is laid over the rest; without it this host's. */
  node?: string;
  /** Judge the configuration as each node of `nodes` has it, not only as this one does. */
  everyNode?: boolean;
}

/** Rounds of leaving parts out until the schema is content: each goes one level up at least. */
const ROUNDS = 12;
/** Problems that are gathered: beyond, a file is no configuration at all. */
const MOST = 20 * LIMITS.problems;

/** Reads and checks a configuration. Throws a ConfigError with every problem that it has. */
export function loadConfig(path: string, options: LoadOptions = {}): Config {
  return loadFrom(path, readText, options);
}

/** The same, with texts from elsewhere than the files. */
export function loadFrom(
  path: string,
  read: ReadText,
  { node = hostname(), everyNode = false }: LoadOptions = {},
): Config {
  const files = readFiles(path, read);
  const [main, ...others] = files.sources;
  if (main?.file !== path) throw new ConfigError(files.problems, files.names);
  const combined = new Combined(main, others);
  const problems = [...files.problems, ...combined.problems];
  const own = nodeName(combined.value, node);
  const config = new Judge(files, combined, problems, own).run();
  if (everyNode)
    for (const other of nodeNames(combined.value)) {
      if (other === own) continue;
      const known = new Set(problems.map(problemLine));
      const theirs: Problem[] = [];
      new Judge(files, combined, theirs, other).run();
      for (const problem of theirs)
        if (!known.has(problemLine(problem))) problems.push({ ...problem, text: `on ${other}: ${problem.text}` });
    }
  if (problems.length > 0 || !config) throw new ConfigError(problems, files.names);
  return config;
}

function nodeNames({ nodes }: Record<string, unknown>): string[] {
  return isMap(nodes) ? Object.keys(nodes) : [];
}

/** The entry of `nodes` that is this host's: by its whole name, then by the part before the first dot. */
function nodeName(value: Record<string, unknown>, host: string): string | undefined {
  const names = nodeNames(value);
  return [host, host.split('.')[0] ?? host].find((name) => names.includes(name));
}

/** Judges what the files say together, for one node. */
class Judge {
  readonly #files: Files;
  readonly #combined: Combined;
  readonly #problems: Problem[];
  readonly #node: string | undefined;
  readonly #maimed = new Set<string>();
  /** Places that YAML's reader complained of: one complaint will do. */
  readonly #flawed: ReadonlySet<string>;
  /** By the path of a list, as JSON: the items of it that were left out, in order. */
  readonly #leftOut = new Map<string, number[]>();
  /** What has been told where: an anchor that is used twice is wrong once. */
  readonly #told = new Set<string>();

  constructor(files: Files, combined: Combined, problems: Problem[], node: string | undefined) {
    this.#files = files;
    this.#combined = combined;
    this.#problems = problems;
    this.#node = node;
    this.#flawed = new Set(files.problems.flatMap(({ place }) => (place ? [placeKey(place)] : [])));
  }

  run(): Config | undefined {
    let value: unknown = this.#fitting(this.#combined.value, undefined);
    if (isMap(value)) {
      const { nodes, ...base } = value;
      const over = this.#node !== undefined && isMap(nodes) ? nodes[this.#node] : undefined;
      value = over === undefined ? base : this.#fitting(overlay(base, over), this.#node);
    }
    // With a file missing, what it defines would seem to be missing.
    if (!isMap(value) || !this.#files.complete) return undefined;
    if (value.services === undefined && !this.#maimed.has('services'))
      this.#report([], 'services is missing; allowed: a map of services by name, {} for none');
    const names = this.#files.names.map((name) => resolve(name));
    const placeOf = (service: string) => this.#combined.place(['services', service], 'key', this.#node);
    return resolveConfig(value as RawConfig, names, placeOf, {
      report: (path, text, at) => this.#report(path, text, at),
      maimed: (...path) => this.#maimed.has(path.join('.')) || this.#maimed.has(path[0]),
    });
  }

  #report(found: Path, text: string, at: 'key' | 'value' = 'value', node = this.#node): void {
    if (this.#problems.length >= MOST) return;
    const path = this.#original(found);
    const place = this.#combined.place(path, at, node);
    if (this.#flawed.has(placeKey(place)) || this.#told.has(placeKey(place) + text)) return;
    this.#told.add(placeKey(place) + text);
    // A key that should not be there is told of the map that it is in.
    const subject = at === 'key' ? path.slice(0, -1) : path;
    this.#problems.push({ place, text: subject.length === 0 ? text : `${pathText(subject)}: ${text}` });
  }

  /** The value as far as the schema allows it; what it refuses is told. */
  #fitting(value: unknown, node: string | undefined): unknown {
    let rest = value;
    for (let round = 0; round < ROUNDS; round++) {
      if (isValid(rest)) return rest;
      const misfits = explain(jsonSchema(), rest);
      if (misfits.length === 0) throw new Error('the schema refuses what nothing is wrong with');
      // Later rounds meet what leaving things out has left: no news.
      if (round === 0) for (const { path, text, at } of misfits) this.#report(path, text, at, node);
      rest = prune(rest, misfits);
      for (const path of misfits.map((misfit) => this.#original(misfit.path))) this.#maim(path);
    }
    return undefined;
  }

  /** The path in the files of what has another after parts were left out. */
  #original(path: Path): Path {
    if (this.#leftOut.size === 0) return path;
    const original: (string | number)[] = [];
    for (const step of path) {
      const gone = typeof step === 'number' ? (this.#leftOut.get(JSON.stringify(original)) ?? []) : [];
      original.push(gone.reduce<string | number>((at, index) => (index <= Number(at) ? Number(at) + 1 : at), step));
    }
    return original;
  }

  #maim(path: Path): void {
    const [first, second] = path;
    const last = path.at(-1);
    if (typeof last === 'number') {
      const list = JSON.stringify(path.slice(0, -1));
      this.#leftOut.set(
        list,
        [...new Set([...(this.#leftOut.get(list) ?? []), last])].sort((a, b) => a - b),
      );
    }
    if (first === undefined) return;
    this.#maimed.add(second === undefined || first === 'defaults' ? String(first) : `${first}.${second}`);
  }
}

function placeKey({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}
