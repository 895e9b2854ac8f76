// SPDX-License-Identifier: MIT
/**
 * popt's way through a command line, as an ordered stream of events. ipvsadm's grammar leans on it: the order of
 * options matters, short options cluster and take their argument glued on, some arguments are optional, and
 * long names cannot be shortened. Compared with libpopt itself in test/unit/ipvsadm/popt.test.ts.
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
  /** May be replaced between events. As with popt, the first of two that share a name counts. */
  options: readonly O[];
  readonly #words: readonly string[];
  readonly #leftovers: string[] = [];
  #next = 0;
  /** The rest of a cluster of short options, '' for none. */
  #cluster = '';
  #onlyLeftovers = false;

  /** `words`: without the program's name. */
  constructor(words: readonly string[], options: readonly O[]) {
    this.#words = words;
    this.options = options;
  }

  /** The word that the last event came from, the whole of a cluster. */
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

  /** A word that is no option, in order; call when `next` has come to the end. */
  leftover(): string | undefined {
    return this.#leftovers.shift();
  }

  #long(text: string): PoptEvent<O> {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    // A table by name takes longer to make than a run has of it, and a restore of 50,000 lines is no faster with one.
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
