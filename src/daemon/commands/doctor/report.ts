// SPDX-License-Identifier: MIT
/** The report as text. */
import { count } from '../../../base/words.ts';
import type { Check } from './types.ts';

/** One line per check with its remedy below it, and a summary. */
export function reportText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const indent = ' '.repeat(width + 11);
  const lines = checks.flatMap(({ check, verdict, text, remedy = [] }) => [
    `${verdict.padEnd(7)}  ${check.padEnd(width)}  ${text}`,
    ...remedy.map((line) => `${indent}${line}`),
  ]);
  const number = (wanted: Check['verdict']) => checks.filter(({ verdict }) => verdict === wanted).length;
  const sums = `${number('ok')} ok, ${count(number('note'), 'note')}, ${count(number('problem'), 'problem')}`;
  return `${lines.join('\n')}\n${sums}\n`;
}
