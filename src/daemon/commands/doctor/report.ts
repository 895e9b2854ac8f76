// SPDX-License-Identifier: MIT
/** The report as text. */
import type { Check } from './types.ts';

/** One line per check with its remedy below it, and a summary. */
export function reportText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const indent = ' '.repeat(width + 11);
  const lines = checks.flatMap(({ check, verdict, text, remedy = [] }) => [
    `${verdict.padEnd(7)}  ${check.padEnd(width)}  ${text}`,
    ...remedy.map((line) => `${indent}${line}`),
  ]);
  const count = (wanted: Check['verdict']) => checks.filter(({ verdict }) => verdict === wanted).length;
  return `${lines.join('\n')}\n${count('ok')} ok, ${count('note')} notes, ${count('problem')} problems\n`;
}
