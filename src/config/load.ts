// SPDX-License-Identifier: MIT
/** Loads a configuration file, or reports all of its problems. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Combined, isForeign, overlay } from './combine.ts';
import { describe, listOf, pathText } from './describe.ts';
import { explain } from './explain.ts';
import { type Files, type ReadText, readFiles } from './files.ts';
import { LIMITS } from './limits.ts';
import { ConfigError, type Problem, problemLine, sortProblems } from './problems.ts';
import { prune } from './prune.ts';
import { resolveConfig } from './resolve/config.ts';
import { samePriorities } from './resolve/vrrp.ts';
import type { RawConfig } from './schema.ts';
import { readInput, readText, readTrustedText } from './text.ts';
import type { Config, Place } from './types.ts';
import { isValid, jsonSchema } from './validator.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

export interface LoadOptions {
  /** Host name that selects the entry of `nodes`; default: this host's. */
  node?: string;
  /** `node` was given by an operator: `nodes` must have it, if the file has `nodes`. */
  requireNode?: boolean;
  /** Requires that only root and this user can change the files and the folders that lead to them. */
  trusted?: boolean;
  /** Validates the configuration for each node of `nodes`, not only for this one. */
  everyNode?: boolean;
}

/** Maximum rounds of removing rejected parts: each round removes a value at least one level further up. */
const ROUNDS = 12;
/** Maximum number of problems that are collected. */
const MAX_PROBLEMS = 20 * LIMITS.problems;

/** Throws a ConfigError with all problems of the configuration. */
export function loadConfig(path: string, options: LoadOptions = {}): Config {
  return loadFrom(path, readerOf(options), options);
}

/** How files are read: with or without the check of their owners and modes. */
export const readerOf = ({ trusted = false }: LoadOptions): ReadText => (trusted ? readTrustedText : readText);

const FOREIGN_MAIN = "found a map with none of lvsd's keys; allowed: a map with version and services";

/** Name of standard input in messages. Files that it includes are relative to the working directory. */
const INPUT = 'standard input';

/** Loads the configuration from standard input. Throws ConfigError. */
export function loadInput(options: LoadOptions = {}): Config {
  const read = readerOf(options);
  return loadFrom(INPUT, (path, room) => (path === INPUT ? readInput(room) : read(path, room)), options);
}

/** The same with another source of the files' texts. */
export function loadFrom(
  path: string,
  read: ReadText,
  { node = hostname(), requireNode = false, everyNode = false }: LoadOptions = {},
): Config {
  const files = readFiles(path, read);
  const [main, ...others] = files.sources;
  if (main?.file !== path) throw new ConfigError(files.problems, files.names);
  if (isForeign(main.value))
    throw new ConfigError([{ place: { file: main.file, line: 1, column: 1 }, text: FOREIGN_MAIN }], files.names);
  const combined = new Combined(main, others);
  const problems = [...files.problems, ...combined.problems];
  const own = nodeName(combined.value, node);
  // A host may have no entry; a name that somebody gave is a typing error then.
  if (requireNode && own === undefined && nodeNames(combined.value).length > 0)
    problems.push({
      place: combined.place(['nodes'], 'key', undefined),
      text: `nodes: found no entry for ${describe(node)}, the name given by --node; allowed: ${listOf(nodeNames(combined.value), 'or')}`,
    });
  const config = new NodeValidator(files, combined, problems, own).run();
  const nodes = new Map(config && own !== undefined ? [[own, config]] : []);
  if (everyNode)
    for (const other of nodeNames(combined.value)) {
      if (other === own) continue;
      const known = new Set(problems.map(problemLine));
      const theirs: Problem[] = [];
      const one = new NodeValidator(files, combined, theirs, other).run();
      if (one) nodes.set(other, one);
      for (const problem of theirs)
        if (!known.has(problemLine(problem))) problems.push({ ...problem, text: `on ${other}: ${problem.text}` });
    }
  if (problems.length > 0 || !config) throw new ConfigError(problems, files.names);
  return nodes.size < 2 ? config : { ...config, warnings: warningsOf(config, nodes) };
}

/** The warnings of all nodes, and of what they have in common. */
function warningsOf(config: Config, nodes: ReadonlyMap<string, Config>): string[] {
  const theirs = [...nodes].flatMap(([node, { warnings }]) =>
    warnings.filter((line) => !config.warnings.includes(line)).map((line) => `on ${node}: ${line}`),
  );
  return [...config.warnings, ...theirs, ...samePriorities(nodes)];
}

function nodeNames({ nodes }: Record<string, unknown>): string[] {
  return isMap(nodes) ? Object.keys(nodes) : [];
}

/** The entry of `nodes` for this host: by its full name, else by the part before the first dot. */
function nodeName(value: Record<string, unknown>, host: string): string | undefined {
  const names = nodeNames(value);
  return [host, host.split('.')[0] ?? host].find((name) => names.includes(name));
}

/** Validates the combined files for one node. */
class NodeValidator {
  readonly #files: Files;
  readonly #combined: Combined;
  readonly #problems: Problem[];
  readonly #node: string | undefined;
  readonly #invalid = new Set<string>();
  /** Services of which it is not known which of their keys the schema rejected, and the others' keys: 'shop.drain'. */
  readonly #uncertain = new Set<string>();
  readonly #rejected = new Set<string>();
  /** Places of YAML errors, where no further problem is reported. */
  readonly #flawed: ReadonlySet<string>;
  /** Indices of the items that were left out of a list, by its path as JSON. */
  readonly #leftOut = new Map<string, number[]>();
  /** Place and text of reported problems: one in an anchor is reported once, however often it is used. */
  readonly #reported = new Set<string>();

  constructor(files: Files, combined: Combined, problems: Problem[], node: string | undefined) {
    this.#files = files;
    this.#combined = combined;
    this.#problems = problems;
    this.#node = node;
    this.#flawed = new Set(files.problems.flatMap(({ place }) => (place ? [placeKey(place)] : [])));
  }

  run(): Config | undefined {
    let value: unknown = this.#validPart(this.#combined.value, undefined);
    if (isMap(value)) {
      const { nodes, ...base } = value;
      const over = this.#node !== undefined && isMap(nodes) ? nodes[this.#node] : undefined;
      value = over === undefined ? base : this.#validPart(overlay(base, over), this.#node);
    }
    // With a file missing, its definitions would be reported as missing.
    if (!isMap(value) || !this.#files.complete) return undefined;
    if (value.services === undefined && !this.#invalid.has('services'))
      this.#report([], 'services is missing; allowed: a map of services by name, {} for none');
    const names = this.#files.names.map((name) => resolve(name));
    const placeOf = (service: string) => this.#combined.place(['services', service], 'key', this.#node);
    const warnings: Problem[] = [];
    const config = resolveConfig(value as RawConfig, names, placeOf, {
      report: (path, text, at) => this.#report(path, text, at),
      warn: (path, text) =>
        warnings.push({ place: this.#combined.place(path, 'value', this.#node), text: `${pathText(path)}: ${text}` }),
      isInvalidService: (name, keys) =>
        this.#uncertain.has(name) || keys.some((key) => this.#rejected.has(`${name}.${key}`)),
      isInvalid: (...path) => path.some((_, index) => this.#invalid.has(path.slice(0, index + 1).join('.'))),
    });
    return { ...config, warnings: sortProblems(warnings, this.#files.names).map(problemLine) };
  }

  #report(found: Path, text: string, at: 'key' | 'value' = 'value', node = this.#node): void {
    if (this.#problems.length >= MAX_PROBLEMS) return;
    const path = this.#original(found);
    const place = this.#combined.place(path, at, node);
    if (this.#flawed.has(placeKey(place)) || this.#reported.has(placeKey(place) + text)) return;
    this.#reported.add(placeKey(place) + text);
    // A problem of a key is one of the map that has it.
    const subject = at === 'key' ? path.slice(0, -1) : path;
    this.#problems.push({ place, text: subject.length === 0 ? text : `${pathText(subject)}: ${text}` });
  }

  /** The part of the value that fits the schema; the rest is reported. */
  #validPart(value: unknown, node: string | undefined): unknown {
    let rest = value;
    for (let round = 0; round < ROUNDS; round++) {
      if (isValid(rest)) return rest;
      const misfits = explain(jsonSchema(), rest);
      if (misfits.length === 0) throw new Error('internal error: the schema rejects a value without a misfit');
      // Misfits of later rounds are caused by the removal.
      if (round === 0) for (const { path, text, at } of misfits) this.#report(path, text, at, node);
      rest = prune(rest, misfits);
      for (const [path, at] of misfits.map((misfit) => [this.#original(misfit.path), misfit.at] as const))
        this.#markInvalid(path, at);
    }
    return undefined;
  }

  /** The path in the files of a value whose path has changed because items were left out. */
  #original(path: Path): Path {
    if (this.#leftOut.size === 0) return path;
    const original: (string | number)[] = [];
    for (const step of path) {
      const gone = typeof step === 'number' ? (this.#leftOut.get(JSON.stringify(original)) ?? []) : [];
      original.push(gone.reduce<string | number>((at, index) => (index <= Number(at) ? Number(at) + 1 : at), step));
    }
    return original;
  }

  #markInvalid(path: Path, at: 'key' | 'value'): void {
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
    if (first === 'services') {
      // An unknown key of the service may be any key that is misspelt.
      if (path.length < 3 || (path.length === 3 && at === 'key')) this.#uncertain.add(String(second));
      else this.#rejected.add(`${second}.${path[2]}`);
    }
    const owner = first === 'defaults' || second === undefined ? String(first) : `${first}.${second}`;
    // Rules about other keys do not depend on checks.
    const from = first === 'defaults' ? 1 : 2;
    if (path.includes('check', from) || (first === 'services' && path.includes('checks', from)))
      this.#invalid.add(`${owner}.check`);
    // An unknown key may be any key that is misspelt.
    else if (first === 'defaults' && second !== undefined && at === 'value') this.#invalid.add(`${first}.${second}`);
    else this.#invalid.add(owner);
  }
}

function placeKey({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}
