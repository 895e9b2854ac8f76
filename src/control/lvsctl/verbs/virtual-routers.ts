// SPDX-License-Identifier: MIT
/** Verbs of virtual routers (VRRP): vrrp, yield, announce. */
import { parseDuration } from '../../../base/durations.ts';
import { EXIT, UsageError } from '../../../base/errors.ts';
import { printable } from '../../../base/printable.ts';
import { vrrpText } from '../vrrp.ts';
import { verb } from './verb.ts';

export const VIRTUAL_ROUTERS = {
  vrrp: verb({
    method: 'vrrp',
    words: '[INSTANCE]',
    help: 'virtual routers (VRRP): their states, addresses and counters',
    print: ({ instances }, { paint, now }) => vrrpText(instances, paint, now),
  }),
  yield: verb({
    method: 'yield',
    words: 'INSTANCE',
    help: 'give the addresses of this virtual router to another node',
    options: ['for'],
    read: ([instance = ''], { for: text }) => {
      if (text === undefined) return { instance };
      const hold = parseDuration(text);
      if (hold === undefined) throw new UsageError(`--for takes a duration such as 30s or 10m, not ${text}`);
      return { instance, hold };
    },
    print: ({ instance, state }) => (state === 'master' ? `${printable(instance)}: yielded\n` : ''),
    exitCode: ({ state }) => (state === 'master' ? EXIT.OK : EXIT.RUNTIME),
    errors: ({ instance, state, reason }) =>
      state === 'master'
        ? []
        : [
            `${instance} is ${state}${reason === undefined ? '' : ` (${reason})`}: only a master gives addresses away; nothing was changed`,
          ],
  }),
  announce: verb({
    method: 'announce',
    words: 'INSTANCE',
    help: 'announce the addresses of this virtual router again (ARP and neighbor advertisements)',
    print: ({ instance, state }) => (state === 'master' ? `${printable(instance)}: announced\n` : ''),
    exitCode: ({ state }) => (state === 'master' ? EXIT.OK : EXIT.RUNTIME),
    errors: ({ instance, state }) =>
      state === 'master' ? [] : [`${printable(instance)} is ${state}: only a master announces addresses`],
  }),
};
