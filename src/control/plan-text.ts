// SPDX-License-Identifier: MIT
import { printable } from '../base/printable.ts';
import type { PlanLine } from './messages.ts';

const PLURALS = { '+': 'to add', '~': 'to change', '-': 'to remove' } as const;

/** A plan as text: one line per difference, then the totals. */
export function planText(lines: readonly PlanLine[]): string {
  if (lines.length === 0) return 'no difference\n';
  const count = (sign: PlanLine['sign']) => lines.filter((line) => line.sign === sign).length;
  const sums = (['+', '~', '-'] as const).map((sign) => `${count(sign)} ${PLURALS[sign]}`);
  return `${lines.map(({ sign, text }) => `${sign} ${printable(text)}\n`).join('')}${sums.join(', ')}\n`;
}
