// SPDX-License-Identifier: MIT
/** Checks as written -> checks as they are carried out. */

import { formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import type { CheckSource } from '../../health/common/kind.ts';
import type { CommonCheck } from '../../health/common/schema.ts';
import { KINDS } from '../../health/kinds.ts';
import { describe } from '../describe.ts';
import type { Check } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';
import type { NamedFiles } from './files.ts';
import { type Inherited, inherit, isMaimed, type Keys, type Written } from './inheritance.ts';
import { addressOf, durationOf } from './values.ts';

/** What is not written. Milliseconds. */
const INTERVAL = { usual: 2000, least: 100, most: 86_400_000 };
const TIMEOUT = { usual: 1000, least: 10 };
const RISE = 2;
const FALL = 3;
export class Checks {
  readonly #context: Context;
  readonly #files: NamedFiles;
  /** What a service says once goes for all its real servers: one object. */
  readonly #done = new Map<Written, Check | undefined>();

  constructor(context: Context, files: NamedFiles) {
    this.#context = context;
    this.#files = files;
  }

  /** undefined: not checked, or wrong (then it has been told). */
  resolve(written: Written | undefined): Check | undefined {
    if (!written) return undefined;
    if (this.#done.has(written)) return this.#done.get(written);
    const inherited = inherit(written, this.#context);
    const check = inherited && new Reader(inherited, written.path, this.#context, this.#files).read();
    this.#done.set(written, check);
    return check;
  }
}

/** Reads one check. What is wrong with an inherited value is told where it is written, and not here. */
class Reader {
  readonly #type: Check['type'];
  readonly #keys: Keys;
  readonly #own: ReadonlySet<string>;
  readonly #path: Path;
  readonly #context: Context;
  readonly #files: NamedFiles;

  constructor({ type, keys, own }: Inherited, path: Path, context: Context, files: NamedFiles) {
    this.#type = type;
    this.#keys = keys;
    this.#own = own;
    this.#path = path;
    this.#context = context;
    this.#files = files;
  }

  read(): Check | undefined {
    const common = this.#common();
    const source: CheckSource<Keys> = {
      keys: this.#keys,
      isOwn: (key) => this.#own.has(key),
      wrong: (path, text, at) => this.#wrong(path, text, at),
      clash: (keys, text) => this.#clash(keys, text),
      missing: (text) => {
        if (!isMaimed(this.#path, this.#context)) this.#context.report(this.#path, text);
      },
      quote: describe,
      files: this.#files,
    };
    // The keys are those of the check's kind.
    return KINDS[this.#type].resolve(source as CheckSource<never>, common);
  }

  /** Of one key's value. */
  #wrong([key, ...rest]: readonly [string, ...(string | number)[]], text: string, at: 'key' | 'value' = 'value'): void {
    if (this.#own.has(key)) this.#context.report([...this.#path, key, ...rest], text, at);
  }

  /** Of two keys, one of which may be inherited: at the first of them that is written here. */
  #clash(keys: readonly string[], text: string): void {
    const key = keys.find((name) => this.#own.has(name));
    if (key !== undefined) this.#context.report([...this.#path, key], text);
  }

  #common(): CommonCheck {
    const { rise = RISE, fall = FALL, start = 'auto', port = 0, fwmark = 0 } = this.#keys;
    const interval = this.#duration('interval', INTERVAL.least) ?? INTERVAL.usual;
    const timeout = this.#duration('timeout', TIMEOUT.least) ?? Math.min(TIMEOUT.usual, interval);
    if (timeout > interval) {
      const which = this.#keys.interval === undefined ? 'the usual interval' : 'the interval';
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
