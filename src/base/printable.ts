// SPDX-License-Identifier: MIT
/** Text from outside, made harmless for a terminal and for files that are read line by line. */

/**
 * Controls of C0 and C1 (escape sequences, line ends), what turns the direction of text, separators of lines and
 * paragraphs, invisible signs, halves of surrogate pairs.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const hex = (character: string, width: number) => character.charCodeAt(0).toString(16).padStart(width, '0');

function escaped(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  return character <= '\xff' ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`;
}

/** The same on one line: 'a\x1b[2Jb\n' -> 'a\\x1b[2Jb\\n'. A backslash stays as it is. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** JSON in ASCII wherever a terminal could take offence; reads back as the same value. */
export function printableJson(value: unknown, indent = 0): string {
  // JSON.stringify escapes C0 by itself; the line ends left are its own.
  return JSON.stringify(value, null, indent).replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${hex(character, 4)}`,
  );
}

/** At most `length` characters, the last of them '…' where something is left out. */
export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
