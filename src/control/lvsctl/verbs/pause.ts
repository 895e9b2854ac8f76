// SPDX-License-Identifier: MIT
/** Verbs that stop writing to the kernel and go on: pause, resume. */
import { UsageError } from '../../../base/errors.ts';
import { verb } from './verb.ts';

/** For standard error. */
export const pausedLines = (paused: boolean) =>
  paused ? ['accepted, but lvsd is paused: nothing is written to the kernel until lvsctl resume'] : [];

const printPaused = ({ paused }: { paused: boolean }) =>
  paused ? 'paused: nothing is written to the kernel\n' : 'not paused\n';

export const PAUSE = {
  pause: verb({
    method: 'pause',
    words: '[on|off]',
    help: 'on: stop writing to the kernel, checks continue; off: apply what is pending',
    read: ([word = 'on']) => {
      if (word !== 'on' && word !== 'off') throw new UsageError(`pause takes on or off, not ${word}`);
      return { on: word === 'on' };
    },
    print: printPaused,
  }),
  resume: verb({
    method: 'pause',
    words: '',
    help: 'same as pause off',
    read: () => ({ on: false }),
    print: printPaused,
  }),
};
