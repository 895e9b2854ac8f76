// SPDX-License-Identifier: MIT
/**
 * Reads a configuration again after a change. If the change is within some services, only those are parsed and validated,
 * and all other services stay the same objects. The result is equal to that of loadConfig.
 */
import { createHash, type Hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ReadText } from '../files.ts';
import { type LoadOptions, loadFrom, readerOf } from '../load.ts';
import { addressId } from '../resolve/values.ts';
import type { Config, ServiceSpec } from '../types.ts';
import { type Change, changeOf, cut, type Sections } from './sections.ts';

interface Known {
  sections: Sections;
  config: Config;
}

export class Rereader {
  readonly #path: string;
  readonly #options: LoadOptions;
  readonly #readText: ReadText;
  #known: Known | undefined;
  /** Number of times that only a part was read. */
  parts = 0;
  /** Twelve hexadecimal digits of the text of all files as they were last read. */
  digest = '';

  constructor(path: string, options: LoadOptions = {}) {
    this.#path = path;
    this.#options = options;
    this.#readText = readerOf(options);
  }

  /** Throws ConfigError. */
  read(): Config {
    const hash = createHash('sha256');
    const config = this.#read(hash);
    this.digest = hash.digest('hex').slice(0, 12);
    return config;
  }

  #read(hash: Hash): Config {
    const part = this.#known && this.#readPart(this.#known);
    if (!part) return this.#readWhole(hash);
    hash.update(part.sections.text);
    this.#known = part;
    this.parts++;
    return part.config;
  }

  #readWhole(hash: Hash): Config {
    let text: string | undefined;
    const config = loadFrom(
      this.#path,
      (path, room) => {
        const found = this.#readText(path, room);
        if (typeof found !== 'string') {
          text = found.text;
          hash.update(text);
        }
        return found;
      },
      this.#options,
    );
    const sections = text !== undefined && config.files.length === 1 && cut(text, [...config.services.keys()]);
    this.#known = sections ? { sections, config } : undefined;
    return config;
  }

  /** Undefined: the whole file has to be read. */
  #readPart({ sections, config }: Known): Known | undefined {
    const found = this.#readText(this.#path);
    if (typeof found === 'string') return undefined;
    if (found.text === sections.text) return { sections, config };
    const change = changeOf(sections, found.text);
    if (!change) return undefined;
    const services = this.#changed(sections, change, config, found);
    return services && { sections: change.after, config: { ...config, services } };
  }

  /** All services, with the changed ones replaced; undefined if the change may affect other parts of the file. */
  #changed(
    { text, starts, names }: Sections,
    { first, end, text: changed }: Change,
    before: Config,
    found: { bytes: number; identity: string },
  ): Config['services'] | undefined {
    // Includes one neighbour on either side, which shows whether the change extends into them.
    const [from, to] = [Math.max(first - 1, 0), Math.min(end + 1, names.length)];
    const piece = (start: number, stop: number) => text.slice(starts[start], starts[stop] ?? text.length);
    const short = `${text.slice(0, starts[0])}${piece(from, first)}${changed}${end < names.length ? piece(end, to) : ''}`;
    let config: Config;
    try {
      config = loadFrom(this.#path, () => ({ ...found, text: short }), this.#options);
    } catch {
      // Reading the whole file reports the problems with their places.
      return undefined;
    }
    if (!isDeepStrictEqual([...config.services.keys()], names.slice(from, to))) return undefined;
    const made = new Map<string, ServiceSpec>();
    for (const [index, name] of names.slice(from, to).entries()) {
      const [is, was] = [config.services.get(name), before.services.get(name)];
      if (!is || !was) return undefined;
      const same = isDeepStrictEqual(is, was);
      const inside = from + index >= first && from + index < end;
      if (!same && (!inside || !isAlone(is, was, before))) return undefined;
      if (!same) made.set(name, is);
    }
    if (made.size === 0) return before.services;
    return new Map([...before.services].map(([name, spec]) => [name, made.get(name) ?? spec]));
  }
}

/** Whether the change of a service cannot conflict with another service. */
function isAlone(is: ServiceSpec, was: ServiceSpec, { services }: Config): boolean {
  if (is.device !== was.device || !isDeepStrictEqual(is.virtuals, was.virtuals)) return false;
  if (is.localAddresses === undefined) return true;
  // FULLNAT: no real server may be a virtual address.
  const virtual = new Set<number | string>();
  for (const { virtuals } of services.values())
    for (const { fwmark, address } of virtuals) if (fwmark === 0) virtual.add(addressId(address));
  const servers = is.sorryServer ? [...is.realServers, is.sorryServer] : is.realServers;
  return !servers.some(({ address }) => virtual.has(addressId(address)));
}
