// SPDX-License-Identifier: MIT
// Intended differences from ipvsadm, each with its reason. None affects a script.
import type { Answer } from './answers.ts';
import type { Case } from './grammar.ts';

export interface Difference {
  readonly reason: string;
  applies(one: Case, original: Answer): boolean;
  /** The answer that lvsadm must give, from ipvsadm's answer and the permitted parts of its own. */
  expected(original: Answer, ours: Answer): Answer;
}

const VERSION = 'ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)';
const HELP = /^(-h.*|--help)$/;

const isServer = ([command = '']: readonly string[]) => /^(-[ae]|--(add|edit)-server)$/.test(command);

export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'The help also lists the options of lvsadm, in its own words. Its stream and its status are the same.',
    applies: ({ words }, original) => HELP.test(words[0] ?? '') && original.status === 0,
    expected: (original, ours) => ({
      ...original,
      stdout: ours.stdout.startsWith(`${VERSION}\nUsage:\n`) ? ours.stdout : '',
    }),
  },
  {
    reason: "ipvsadm crashes when --sched-flags names nothing (','); lvsadm reads it as no flags.",
    applies: (_one, original) => original.status === null,
    expected: (_original, ours) => ours,
  },
  {
    reason:
      'After -a and -e, -b is FULLNAT as in the fork, without a value; ipvsadm refuses -b there. Both end with 2.',
    applies: ({ words }, original) => isServer(words) && words.includes('-b') && original.status === 2,
    expected: (original, ours) => ({ ...original, stderr: ours.stderr }),
  },
];
