// SPDX-License-Identifier: MIT
/** Makes text from outside safe for terminals and for line-oriented files. */

/**
 * C0 and C1 controls (escape sequences, line ends), bidirectional controls, line and paragraph separators, invisible
 * characters, unpaired surrogates.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters to escape
  /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const hex = (character: string, width: number) => character.charCodeAt(0).toString(16).padStart(width, '0');

function escaped(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  return character <= '\xff' ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
}

/** Escapes to a single line: 'a\x1b[2Jb\n' -> 'a\\x1b[2Jb\\n'. Backslashes are not escaped. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/**
 * The same for a piece of text from outside, whose own backslashes are escaped too: it cannot look as if it were
 * escaped.
 */
export function quotable(text: string): string {
  return printable(text.replaceAll('\\', '\\\\'));
}

/** JSON with the same characters escaped; parses to the same value. */
export function printableJson(value: unknown, indent = 0): string {
  // JSON.stringify has escaped C0; the remaining line ends are its own.
  return JSON.stringify(value, null, indent).replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${hex(character, 4)}`,
  );
}

/**
 * A copy of parsed JSON whose texts and keys are printable; also where its type has numbers or fixed words, as parsed JSON
 * may be of any type.
 */
export function printableValues<T>(value: T): T {
  const copy = (one: unknown): unknown => {
    if (typeof one === 'string') return printable(one);
    if (Array.isArray(one)) return one.map(copy);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [printable(key), copy(inner)]));
  };
  return copy(value) as T;
}

/** At most `length` characters, ending in '…' if the text was longer. */
export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
