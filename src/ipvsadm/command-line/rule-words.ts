// SPDX-License-Identifier: MIT
/** The words of one rule, as -S prints them and -R reads them. There is no quoting. */

/** ipvsadm skips this word wherever it stands in a rule. */
export const SKIPPED_WORD = 'ipvsadm';
const OWN_NAME = 'lvsadm';

/** Splits a rule at white space, and drops the program's name, which it may begin with. */
export function ruleWords(text: string): string[] {
  const words = split(text);
  if (words[0] === OWN_NAME) words.shift();
  return text.includes(SKIPPED_WORD) ? words.filter((word) => word !== SKIPPED_WORD) : words;
}

/** Most rules have single blanks only, which a plain split handles. */
function split(text: string): string[] {
  const words = text.split(' ');
  return words.includes('') || /[\t\r\f\v]/.test(text) ? text.split(/\s+/).filter((word) => word !== '') : words;
}
