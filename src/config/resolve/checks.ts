// SPDX-License-Identifier: MIT
/** Resolves checks: inheritance, default values, and the rules of each kind. */
import { formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import type { CheckSource } from '../../health/common/kind.ts';
import type { CommonCheck } from '../../health/common/schema.ts';
import { KINDS } from '../../health/kinds.ts';
import { describe } from '../describe.ts';
import type { Check } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { NamedFiles } from './files.ts';
import { type Inherited, inherit, isIncomplete, type Keys, type RawCheckLayer } from './inheritance.ts';
import type { ProblemSink } from './problem-sink.ts';
import { addressOf, durationOf } from './values.ts';

/** Milliseconds. */
const INTERVAL = { default: 2000, least: 100, most: 86_400_000 };
const TIMEOUT = { default: 1000, least: 10 };
const RISE = 2;
const FALL = 3;

export class Checks {
  readonly #problems: ProblemSink;
  readonly #files: NamedFiles;
  /** Real servers that inherit the same check share one object. */
  readonly #resolved = new Map<RawCheckLayer, Check | undefined>();

  constructor(problems: ProblemSink, files: NamedFiles) {
    this.#problems = problems;
    this.#files = files;
  }

  /** Undefined: not checked, or invalid, which is reported. */
  resolve(layer: RawCheckLayer | undefined): Check | undefined {
    if (!layer) return undefined;
    if (this.#resolved.has(layer)) return this.#resolved.get(layer);
    const inherited = inherit(layer, this.#problems);
    const check = inherited && new CheckResolver(inherited, layer.path, this.#problems, this.#files).resolve();
    this.#resolved.set(layer, check);
    return check;
  }
}

/** Resolves one check. Problems of inherited values are reported where they are written, not here. */
class CheckResolver {
  readonly #type: Check['type'];
  readonly #keys: Keys;
  readonly #own: ReadonlySet<string>;
  readonly #path: Path;
  readonly #problems: ProblemSink;
  readonly #files: NamedFiles;

  constructor({ type, keys, own }: Inherited, path: Path, problems: ProblemSink, files: NamedFiles) {
    this.#type = type;
    this.#keys = keys;
    this.#own = own;
    this.#path = path;
    this.#problems = problems;
    this.#files = files;
  }

  resolve(): Check | undefined {
    const common = this.#common();
    const source: CheckSource<Keys> = {
      keys: this.#keys,
      isOwn: (key) => this.#own.has(key),
      wrong: (path, text, at) => this.#wrong(path, text, at),
      clash: (keys, text) => this.#clash(keys, text),
      missing: (text) => {
        if (!isIncomplete(this.#path, this.#problems)) this.#problems.report(this.#path, text);
      },
      quote: describe,
      files: this.#files,
    };
    // The keys are those of the check's kind.
    return KINDS[this.#type].resolve(source as CheckSource<never>, common);
  }

  /** Reports a problem of one key's value. */
  #wrong([key, ...rest]: readonly [string, ...(string | number)[]], text: string, at: 'key' | 'value' = 'value'): void {
    if (this.#own.has(key)) this.#problems.report([...this.#path, key, ...rest], text, at);
  }

  /** Reports a conflict of two keys at the first of them that is not inherited. */
  #clash(keys: readonly string[], text: string): void {
    const key = keys.find((name) => this.#own.has(name));
    if (key !== undefined) this.#problems.report([...this.#path, key], text);
  }

  #common(): CommonCheck {
    const { rise = RISE, fall = FALL, start = 'auto', port = 0, fwmark = 0 } = this.#keys;
    const interval = this.#duration('interval', INTERVAL.least) ?? INTERVAL.default;
    const timeout = this.#duration('timeout', TIMEOUT.least) ?? Math.min(TIMEOUT.default, interval);
    // The interval may have been rejected: its default is then not what the file means.
    const guessed = this.#keys.interval === undefined && isIncomplete(this.#path, this.#problems);
    if (timeout > interval && !guessed) {
      const which = this.#keys.interval === undefined ? 'the default interval' : 'the interval';
      const found = `found timeout ${formatDuration(timeout)}, longer than ${which} of ${formatDuration(interval)}`;
      this.#clash(['timeout', 'interval'], `${found}; allowed: at most the interval`);
    }
    const [address, bind] = [this.#address('address'), this.#address('bind')];
    return { interval, timeout, rise, fall, start, address, port, bind, fwmark };
  }

  #duration(key: 'interval' | 'timeout', least: number): number | undefined {
    const text = this.#keys[key];
    const found = text === undefined ? undefined : durationOf(text, least, INTERVAL.most);
    if (typeof found !== 'string') return found;
    this.#wrong([key], found);
    return undefined;
  }

  #address(key: 'address' | 'bind'): string | undefined {
    const text = this.#keys[key];
    const found = text === undefined ? undefined : addressOf(text);
    if (typeof found === 'object') return formatAddress(found.family, found.bytes);
    if (found !== undefined) this.#wrong([key], found);
    return undefined;
  }
}
