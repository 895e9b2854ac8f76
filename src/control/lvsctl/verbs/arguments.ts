// SPDX-License-Identifier: MIT
/** Arguments of a verb. Pure. */

/** Arguments as parameters, by the names in `words`: '[SERVICE] SERVER' and one argument -> { server }. */
export function readWords(words: string, given: readonly string[]): { [name: string]: string } | { problem: string } {
  const names = words === '' ? [] : words.split(' ');
  const required = names.filter((name) => !name.startsWith('['));
  if (given.length < required.length) return { problem: `missing ${required[given.length]}` };
  if (given.length > names.length) return { problem: `unexpected argument ${given[names.length]}` };
  let optional = given.length - required.length;
  const params: { [name: string]: string } = {};
  let index = 0;
  for (const name of names) {
    if (name.startsWith('[') && optional-- <= 0) continue;
    params[name.replace(/[[\]]/g, '').toLowerCase()] = given[index++] as string;
  }
  return params;
}
