// SPDX-License-Identifier: MIT
/** Checks as written -> checks as they are carried out. */

import { formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import { findUserNow } from '../../base/users.ts';
import type { CommonCheck } from '../../health/common/schema.ts';
import type { ExecCheck } from '../../health/exec/schema.ts';
import type { HttpCheck, TlsCheck } from '../../health/http/schema.ts';
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
const STATUS = [200, 299] as const;

/** Header lines that the checker writes itself, and what to do instead. */
const OWN_HEADERS: Readonly<Record<string, string>> = {
  host: 'the key `host`',
  connection: 'any other, as lvsd closes each connection',
  'content-length': 'any other',
  'transfer-encoding': 'any other',
};

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
    if (this.#type === 'tcp') return { type: this.#type, ...common };
    return this.#type === 'exec' ? this.#exec(common) : this.#http(this.#type, common);
  }

  /** Of one key's value. */
  #wrong([key, ...rest]: [string, ...(string | number)[]], text: string, at: 'key' | 'value' = 'value'): void {
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

  #exec(common: CommonCheck): ExecCheck | undefined {
    const { command, user } = this.#keys;
    if (!command) {
      const text = 'command is missing; allowed: a list, the program’s absolute path and its arguments';
      if (!isMaimed(this.#path, this.#context)) this.#context.report(this.#path, text);
      return undefined;
    }
    if (user !== undefined && this.#own.has('user') && !findUserNow(user))
      this.#wrong(
        ['user'],
        `found ${user}, which is no user of this machine; allowed: the name of one (getent passwd)`,
      );
    const wrong = this.#own.has('command') ? this.#files.program(command[0] ?? '', user) : undefined;
    if (wrong !== undefined) this.#wrong(['command', 0], wrong);
    for (const [index, word] of command.entries())
      if (word.includes('\0')) this.#wrong(['command', index], 'found a zero byte; allowed: any other text');
    return { type: 'exec', ...common, command, user };
  }

  #http(type: HttpCheck['type'], common: CommonCheck): HttpCheck {
    const { method = 'GET', path = '/', host, headers = {}, body } = this.#keys;
    for (const name of Object.keys(headers)) {
      const lower = name.toLowerCase();
      const instead = Object.hasOwn(OWN_HEADERS, lower) ? OWN_HEADERS[lower] : undefined;
      if (instead !== undefined) this.#wrong(['headers', name], `found the header ${name}; allowed: ${instead}`, 'key');
    }
    if (body && method === 'HEAD')
      this.#clash(['body', 'method'], 'found `body` with method HEAD, whose answers have no body; allowed: GET');
    if (body && 'matches' in body) this.#checkRegex(body.matches);
    const tls = type === 'https' ? this.#tls() : undefined;
    return { type, ...common, method, path, host, headers: Object.entries(headers), status: this.#status(), body, tls };
  }

  #checkRegex(source: string): void {
    try {
      new RegExp(source);
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
      this.#wrong(
        ['body', 'matches'],
        `found no regular expression: ${describe(source)} (${why.replace(/^.*: /, '')})`,
      );
    }
  }

  #status(): HttpCheck['status'] {
    const { status } = this.#keys;
    if (status === undefined) return [STATUS];
    const list = Array.isArray(status) ? status : [status];
    return list.map((item, index) => {
      if (typeof item === 'number') return [item, item];
      const [from = 0, to = 0] = item.split('-').map(Number);
      const text = `found ${describe(item)}, which goes backwards; allowed: FIRST-LAST, or ${to}-${from}`;
      if (from > to) this.#wrong(Array.isArray(status) ? ['status', index] : ['status'], text);
      return [from, to];
    });
  }

  #tls(): TlsCheck {
    const { server_name: serverName, verify = true, ca } = this.#keys.tls ?? {};
    if (ca === undefined || !this.#own.has('tls')) return { serverName, verify, ca };
    const wrong = this.#files.authorities(ca);
    if (!verify)
      this.#wrong(['tls', 'ca'], 'found ca with `verify: false`, which looks at no certificate; allowed: one of them');
    else if (wrong !== undefined)
      this.#wrong(['tls', 'ca'], `${wrong}; allowed: a PEM file with certificates to trust`);
    return { serverName, verify, ca };
  }
}
