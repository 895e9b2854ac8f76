// SPDX-License-Identifier: MIT
/** From a path to a Config, or to everything that is wrong. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Combined, overlay } from './combine.ts';
import { pathText } from './describe.ts';
import { explain, type Misfit } from './explain.ts';
import { readFiles } from './files.ts';
import { ConfigError, type Problem } from './problems.ts';
import { prune } from './prune.ts';
import { resolveConfig } from './resolve/config.ts';
import type { RawConfig } from './schema.ts';
import type { Config } from './types.ts';
import { isValid, jsonSchema } from './validator.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

export interface LoadOptions {
  /** Host name whose entry of `nodes` is laid over the rest; without it this host's. */
  node?: string;
}

/** Rounds of leaving parts out until the schema is content: each goes one level up at least. */
const ROUNDS = 12;

/** Reads and checks a configuration. Throws a ConfigError with every problem that it has. */
export function loadConfig(path: string, { node = hostname() }: LoadOptions = {}): Config {
  const files = readFiles(path);
  const [main, ...others] = files.sources;
  if (!main || main.file !== path) throw new ConfigError(files.problems, files.names);
  const combined = new Combined(main, others);
  const problems: Problem[] = [...files.problems, ...combined.problems];
  const judge = new Judge(combined, problems, nodeName(combined.value, node));
  const config = judge.run(
    files.names.map((name) => resolve(name)),
    files.complete && combined.problems.length === 0,
  );
  if (problems.length > 0 || !config) throw new ConfigError(problems, files.names);
  return config;
}

/** The entry of `nodes` that is this host's: by its whole name, then by the part before the first dot. */
function nodeName({ nodes }: Record<string, unknown>, host: string): string | undefined {
  if (!isMap(nodes)) return undefined;
  return [host, host.split('.')[0] ?? host].find((name) => Object.hasOwn(nodes, name));
}

class Judge {
  readonly #combined: Combined;
  readonly #problems: Problem[];
  readonly #node: string | undefined;
  readonly #maimed = new Set<string>();

  constructor(combined: Combined, problems: Problem[], node: string | undefined) {
    this.#combined = combined;
    this.#problems = problems;
    this.#node = node;
  }

  run(files: readonly string[], complete: boolean): Config | undefined {
    let value: unknown = this.#fitting(this.#combined.value, undefined);
    if (this.#node !== undefined && isMap(value)) {
      const { nodes, ...base } = value;
      value = this.#fitting(overlay(base, isMap(nodes) ? (nodes[this.#node] ?? {}) : {}), this.#node);
    }
    if (!isMap(value)) return undefined;
    const raw = value as RawConfig;
    if (raw.services === undefined && complete && !this.#maimed.has('services'))
      this.#report([], 'services is missing; allowed: a map of services by name, {} for none');
    // With files missing, what they define would seem to be missing.
    if (!complete) return undefined;
    return resolveConfig(raw, files, (name) => this.#combined.place(['services', name], 'key', this.#node), {
      report: (path, text, at) => this.#report(path, text, at),
      maimed: (...path) => this.#maimed.has(path.join('.')) || this.#maimed.has(path[0]),
    });
  }

  #report(path: Path, text: string, at: 'key' | 'value' = 'value'): void {
    const place = this.#combined.place(path, at, this.#node);
    // What YAML's reader complained of is not complained of twice.
    const told = this.#problems.some(
      ({ place: other }) => other?.file === place.file && other.line === place.line && other.column === place.column,
    );
    if (!told) this.#problems.push({ place, text: path.length === 0 ? text : `${pathText(path)}: ${text}` });
  }

  /** The value as far as the schema allows it; what it refuses is told. */
  #fitting(value: Record<string, unknown> | unknown, node: string | undefined): unknown {
    let rest = value;
    for (let round = 0; round < ROUNDS; round++) {
      if (isValid(rest)) return rest;
      const misfits = explain(jsonSchema(), rest);
      // Later rounds meet what leaving things out has left: no news.
      if (round === 0) for (const misfit of misfits) this.#tell(misfit, node);
      for (const { path } of misfits) this.#maim(path);
      if (misfits.length === 0) break;
      rest = prune(rest, misfits);
    }
    return undefined;
  }

  #tell({ path, text, at }: Misfit, node: string | undefined): void {
    const place = this.#combined.place(path, at, node);
    this.#problems.push({ place, text: path.length === 0 ? text : `${pathText(path)}: ${text}` });
  }

  #maim([first, second]: Path): void {
    if (first === undefined) return;
    this.#maimed.add(second === undefined || first === 'defaults' ? String(first) : `${first}.${second}`);
  }
}
