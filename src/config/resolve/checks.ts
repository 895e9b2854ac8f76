// SPDX-License-Identifier: MIT
/** Checks: what is inherited, what is laid over it, and what comes out. */
import { formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import type { CommonCheck } from '../../health/common/schema.ts';
import { describe, listOf } from '../describe.ts';
import type { RawCheck } from '../schema.ts';
import type { Check } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';
import type { NamedFiles } from './files.ts';
import { addressOf, durationOf } from './values.ts';

type CheckType = Check['type'];
type RawMap = Exclude<RawCheck, 'none'>;
/** A check's keys, whatever its type; `type` may still be missing. */
type Keys = Partial<
  Omit<Extract<RawMap, { type: 'https' }>, 'type'> & Omit<Extract<RawMap, { type: 'exec' }>, 'type'>
> & { type?: CheckType };

/** A `check` as written, where it is written, and what it is laid over. */
export interface Written {
  raw: RawCheck;
  path: Path;
  below: Written | undefined;
}

/** Milliseconds. */
const INTERVAL = { value: 2000, least: 100, most: 86_400_000 };
const TIMEOUT = { value: 1000, least: 10 };

const COMMON_KEYS = ['type', 'interval', 'timeout', 'rise', 'fall', 'start', 'address', 'port', 'bind', 'fwmark'];
const HTTP_KEYS = [...COMMON_KEYS, 'method', 'path', 'host', 'headers', 'status', 'body'];
const KEYS: Readonly<Record<CheckType, ReadonlySet<string>>> = {
  tcp: new Set(COMMON_KEYS),
  http: new Set(HTTP_KEYS),
  https: new Set([...HTTP_KEYS, 'tls']),
  exec: new Set([...COMMON_KEYS, 'command', 'user']),
};

/** Header lines that the checker writes itself. */
const OWN_HEADERS: Readonly<Record<string, string>> = {
  host: 'the key `host`',
  connection: 'any other header, lvsd closes each connection',
  'content-length': 'any other header',
  'transfer-encoding': 'any other header',
};

/** What a `check` comes to: its keys with what they inherit, and where each was written. */
interface Effective {
  type: CheckType;
  keys: Keys;
  origins: ReadonlyMap<string, Path>;
}

function typeOf(raw: RawMap): CheckType | undefined {
  return 'type' in raw ? raw.type : undefined;
}

const isHttp = (type: CheckType) => type === 'http' || type === 'https';

/** undefined: not checked. Problems are told once, where the `check` that has them is written. */
function effective(written: Written | undefined, report: (path: Path, text: string) => void): Effective | undefined {
  if (!written || written.raw === 'none') return undefined;
  const { raw, path } = written;
  const inherited = effective(written.below, () => {});
  const type = typeOf(raw) ?? inherited?.type;
  if (type === undefined) {
    report(path, 'type is missing, and there is no check above to lay this over; allowed: tcp, http, https or exec');
    return undefined;
  }
  const kin = inherited && (inherited.type === type || (isHttp(inherited.type) && isHttp(type)));
  const keys: Record<string, unknown> = { type };
  const origins = new Map<string, Path>();
  for (const [key, origin] of kin ? inherited.origins : []) {
    if (!KEYS[type].has(key)) continue;
    keys[key] = inherited?.keys[key as keyof Keys];
    origins.set(key, origin);
  }
  for (const [key, value] of Object.entries(raw)) {
    const place = [...path, key];
    if (!KEYS[type].has(key)) {
      const homes = (Object.keys(KEYS) as CheckType[]).filter((home) => KEYS[home].has(key));
      report(place, `found a key of ${listOf(homes, 'and')} checks, and this is a ${type} check`);
      continue;
    }
    if (key !== 'type') origins.set(key, place);
    keys[key] = value;
  }
  return { type, keys: keys as Keys, origins };
}

export class Checks {
  readonly #context: Context;
  readonly #files: NamedFiles;
  /** Equal pieces of the file give the same object: ten thousand real servers share one check. */
  readonly #done = new Map<Written, Check | undefined>();

  constructor(context: Context, files: NamedFiles) {
    this.#context = context;
    this.#files = files;
  }

  /** undefined: not checked, or wrong (then it has been told). */
  resolve(written: Written | undefined): Check | undefined {
    if (!written) return undefined;
    if (this.#done.has(written)) return this.#done.get(written);
    const found = effective(written, (path, text) => this.#context.report(path, text));
    const check = found && this.#check(found, written.path);
    this.#done.set(written, check);
    return check;
  }

  #check({ type, keys, origins }: Effective, path: Path): Check | undefined {
    const common = this.#common(keys, origins, path);
    if (type === 'tcp') return { type, ...common };
    if (type === 'exec') return this.#exec(keys, origins, path, common);
    return {
      type,
      ...common,
      method: keys.method ?? 'GET',
      path: keys.path ?? '/',
      host: keys.host,
      headers: this.#headers(keys, origins),
      status: this.#status(keys, origins),
      body: this.#body(keys, origins),
      tls: type === 'https' ? this.#tls(keys, origins) : undefined,
    };
  }

  #common(keys: Keys, origins: ReadonlyMap<string, Path>, path: Path): CommonCheck {
    const at = (key: string) => origins.get(key) ?? path;
    const read = (key: 'interval' | 'timeout', least: number, most: number, otherwise: number) => {
      const text = keys[key];
      if (text === undefined) return otherwise;
      const found = durationOf(text, least, most);
      if (typeof found === 'number') return found;
      this.#context.report(at(key), found);
      return otherwise;
    };
    const interval = read('interval', INTERVAL.least, INTERVAL.most, INTERVAL.value);
    const timeout = read('timeout', TIMEOUT.least, INTERVAL.most, Math.min(TIMEOUT.value, interval));
    if (timeout > interval) {
      const which = keys.interval === undefined ? 'the default interval' : 'the interval';
      const found = `found ${formatDuration(timeout)}, longer than ${which} of ${formatDuration(interval)}`;
      this.#context.report(at('timeout'), `${found}; allowed: at most the interval`);
    }
    return {
      interval,
      timeout,
      rise: keys.rise ?? 2,
      fall: keys.fall ?? 3,
      start: keys.start ?? ('auto' as const),
      address: this.#address(keys.address, at('address')),
      port: keys.port ?? 0,
      bind: this.#address(keys.bind, at('bind')),
      fwmark: keys.fwmark ?? 0,
    };
  }

  #address(text: string | undefined, path: Path): string | undefined {
    if (text === undefined) return undefined;
    const address = addressOf(text);
    if (typeof address !== 'string') return formatAddress(address.family, address.bytes);
    this.#context.report(path, address);
    return undefined;
  }

  #exec(keys: Keys, origins: ReadonlyMap<string, Path>, path: Path, common: CommonCheck): Check | undefined {
    const { command, user } = keys;
    if (!command) {
      this.#context.report(
        path,
        'command is missing; allowed: a list: the program’s absolute path, then its arguments',
      );
      return undefined;
    }
    const wrong = this.#files.program(command[0] ?? '');
    const place = origins.get('command') ?? path;
    if (wrong !== undefined) this.#context.report([...place, 0], wrong);
    for (const [index, word] of command.entries())
      if (word.includes('\0')) this.#context.report([...place, index], 'found a zero byte; allowed: any other text');
    return { type: 'exec', ...common, command, user };
  }

  #headers({ headers }: Keys, origins: ReadonlyMap<string, Path>): [string, string][] {
    const list = Object.entries(headers ?? {});
    for (const [name] of list) {
      const lower = name.toLowerCase();
      const own = Object.hasOwn(OWN_HEADERS, lower) ? OWN_HEADERS[lower] : undefined;
      if (own === undefined) continue;
      this.#context.report(
        [...(origins.get('headers') ?? []), name],
        `found the header ${name}; allowed: ${own}`,
        'key',
      );
    }
    return list;
  }

  #status({ status }: Keys, origins: ReadonlyMap<string, Path>): [number, number][] {
    if (status === undefined) return [[200, 299]];
    const path = origins.get('status') ?? [];
    const list = Array.isArray(status) ? status : [status];
    return list.map((item, index) => {
      if (typeof item === 'number') return [item, item];
      const [from = 0, to = 0] = item.split('-').map(Number);
      if (from > to)
        this.#context.report(
          Array.isArray(status) ? [...path, index] : path,
          `found ${describe(item)}, which goes backwards; allowed: ${to}-${from}`,
        );
      return [from, to];
    });
  }

  #body({ body, method }: Keys, origins: ReadonlyMap<string, Path>) {
    if (body === undefined) return undefined;
    const path = origins.get('body') ?? [];
    if (method === 'HEAD')
      this.#context.report(path, 'found `body` with the method HEAD, whose answers have none; allowed: GET', 'key');
    if ('matches' in body)
      try {
        new RegExp(body.matches);
      } catch (error) {
        const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
        this.#context.report([...path, 'matches'], `found no regular expression: ${why}`);
      }
    return body;
  }

  #tls({ tls }: Keys, origins: ReadonlyMap<string, Path>) {
    const { server_name: serverName, verify = true, ca } = tls ?? {};
    const wrong = ca === undefined ? undefined : this.#files.authorities(ca);
    if (wrong !== undefined) this.#context.report([...(origins.get('tls') ?? []), 'ca'], wrong);
    if (!verify && ca !== undefined)
      this.#context.report([...(origins.get('tls') ?? []), 'ca'], 'found `ca` with `verify: false`, which ignores it');
    return { serverName, verify, ca };
  }
}
