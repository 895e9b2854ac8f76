// SPDX-License-Identifier: MIT
import { EXIT, type ExitCode } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import type { PlanLine, PlanObstacle } from './messages.ts';

const PLURALS = { '+': 'to add', '~': 'to change', '-': 'to remove' } as const;

/** A plan as text: one line per difference, then the totals. */
export function planText(lines: readonly PlanLine[]): string {
  if (lines.length === 0) return 'no difference\n';
  const count = (sign: PlanLine['sign']) => lines.filter((line) => line.sign === sign).length;
  const sums = (['+', '~', '-'] as const).map((sign) => `${count(sign)} ${PLURALS[sign]}`);
  return `${lines.map(({ sign, text }) => `${sign} ${printable(text)}\n`).join('')}${sums.join(', ')}\n`;
}

interface PlanFindings {
  lines: readonly PlanLine[];
  obstacles?: readonly PlanObstacle[];
  paused?: boolean;
}

/** Reasons why the plan, or a part of it, will not be applied. */
export function planNotes({ obstacles = [], paused = false }: PlanFindings): string[] {
  const notes = obstacles.map(({ text }) => text);
  return paused ? [...notes, 'lvsd is paused: nothing of this is written until lvsctl resume'] : notes;
}

/** 5 if the kernel lacks a feature, 3 if there is a difference, else 0. */
export function planExitCode({ lines, obstacles = [] }: PlanFindings): ExitCode {
  if (obstacles.some(({ kernel }) => kernel)) return EXIT.KERNEL_LACKS;
  return lines.length > 0 ? EXIT.PLAN_NOT_EMPTY : EXIT.OK;
}
