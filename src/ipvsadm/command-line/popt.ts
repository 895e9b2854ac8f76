// SPDX-License-Identifier: MIT
/**
 * Parses a command line into an ordered stream of events, as popt does. ipvsadm's grammar depends on it: the order of
 * options matters, short options cluster, an argument may directly follow its short option, some arguments are optional,
 * and long names cannot be abbreviated. test/unit/ipvsadm/popt.test.ts compares it with libpopt.
 */

export interface PoptOption {
  readonly long: string;
  /** One character, or none. */
  readonly short?: string;
  /** An optional argument is taken from the next word only if that does not start with '-'. */
  readonly argument: 'none' | 'required' | 'optional';
}

/** Texts of poptStrerror(3). */
export const POPT_ERRORS = {
  BADOPT: 'unknown option',
  NOARG: 'missing argument',
  UNWANTEDARG: 'option does not take an argument',
} as const;

export type PoptEvent<O extends PoptOption> =
  | { readonly kind: 'option'; readonly option: O; readonly argument: string | undefined }
  | { readonly kind: 'error'; readonly error: keyof typeof POPT_ERRORS; readonly word: string };

export class Popt<O extends PoptOption> {
  /** May be replaced between events. If two options share a name, the first one wins, as in popt. */
  options: readonly O[];
  readonly #words: readonly string[];
  readonly #leftovers: string[] = [];
  #next = 0;
  /** The remaining letters of a cluster of short options. */
  #cluster = '';
  #onlyLeftovers = false;

  /** `words`: without the name of the program. */
  constructor(words: readonly string[], options: readonly O[]) {
    this.#words = words;
    this.options = options;
  }

  /** The word of the last event, including all of its cluster. */
  get word(): string {
    return this.#words[this.#next - 1] ?? '';
  }

  /** The next option or error; undefined at the end. */
  next(): PoptEvent<O> | undefined {
    while (this.#cluster === '') {
      if (this.#next >= this.#words.length) return undefined;
      const word = this.#words[this.#next++] ?? '';
      if (this.#onlyLeftovers || !word.startsWith('-') || word === '-') this.#leftovers.push(word);
      else if (word === '--') this.#onlyLeftovers = true;
      else if (word.startsWith('--')) return this.#long(word.slice(2));
      else this.#cluster = word.slice(1);
    }
    return this.#short();
  }

  /** The next word that is not an option. To be called after `next` has returned undefined. */
  leftover(): string | undefined {
    return this.#leftovers.shift();
  }

  #long(text: string): PoptEvent<O> {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const option = this.options.find(({ long }) => long === name);
    if (!option) return this.#error('BADOPT');
    const glued = equals < 0 ? undefined : text.slice(equals + 1);
    if (option.argument === 'none') return glued === undefined ? this.#event(option) : this.#error('UNWANTEDARG');
    return glued === undefined ? this.#fromNextWord(option) : this.#event(option, glued);
  }

  #short(): PoptEvent<O> {
    const letter = this.#cluster.charAt(0);
    const rest = this.#cluster.slice(1);
    this.#cluster = '';
    const option = this.options.find(({ short }) => short === letter);
    if (!option) return this.#error('BADOPT');
    if (option.argument === 'none') {
      if (rest.startsWith('=')) return this.#error('UNWANTEDARG');
      this.#cluster = rest;
      return this.#event(option);
    }
    if (rest !== '') return this.#event(option, rest.startsWith('=') ? rest.slice(1) : rest);
    return this.#fromNextWord(option);
  }

  #fromNextWord(option: O): PoptEvent<O> {
    const word = this.#words[this.#next];
    if (option.argument === 'optional' && (word === undefined || word.startsWith('-'))) return this.#event(option);
    if (word === undefined) return this.#error('NOARG');
    this.#next++;
    return this.#event(option, word);
  }

  #event(option: O, argument?: string): PoptEvent<O> {
    return { kind: 'option', option, argument };
  }

  #error(error: keyof typeof POPT_ERRORS): PoptEvent<O> {
    return { kind: 'error', error, word: this.word };
  }
}
