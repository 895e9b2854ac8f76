// SPDX-License-Identifier: MIT
/** Verbs that set something for a real server: drain, undrain, disable, force-up, enable, weight. */
import { EXIT, UsageError } from '../../../base/errors.ts';
import { printable } from '../../../base/printable.ts';
import type { Overridden, Params } from '../../methods.ts';
import { planText } from '../../plan-text.ts';
import { unsavedText } from '../../unsaved-text.ts';
import { readWords } from './arguments.ts';
import { pausedLines } from './pause.ts';
import { type Verb, type VerbOptions, verb } from './verb.ts';

const printServers = ({ servers, unchanged = [], plan }: Overridden, state: string, nothing = state) =>
  plan
    ? servers.map((server) => `${printable(server)}: dry run, nothing is changed\n`).join('') + planText(plan)
    : servers.map((server) => `${printable(server)}: ${unchanged.includes(server) ? nothing : state}\n`).join('');

/** Parameters of an override, with the reason and the user of the caller. */
function readOverride(place: Record<string, string>, { reason, 'dry-run': dryRun }: VerbOptions): Params<'drain'> {
  // Set by sudo(8).
  const by = process.env.SUDO_USER;
  return {
    ...(place as { server: string }),
    ...(reason === undefined ? {} : { reason }),
    ...(by ? { by } : {}),
    ...(dryRun ? { dryRun } : {}),
  };
}

const OVERRIDE_VERB = {
  options: ['reason', 'dry-run'] as const,
  exitCode: ({ paused, unsaved, plan }: Overridden) =>
    (paused && !plan) || unsaved !== undefined ? EXIT.RUNTIME : EXIT.OK,
  errors: ({ paused, unsaved, notes = [], plan }: Overridden) => [
    ...pausedLines(paused && !plan),
    ...(unsaved === undefined ? [] : [unsavedText(unsaved)]),
    ...notes,
  ],
};

/** `nothing`: the text for a real server without an override to end. */
const override = (
  method: 'drain' | 'undrain' | 'disable' | 'enable' | 'forceUp',
  help: string,
  state: string,
  nothing = state,
): Verb =>
  verb<typeof method>({
    ...OVERRIDE_VERB,
    method,
    words: '[SERVICE] SERVER',
    help,
    read: (words, options) => readOverride(readWords('[SERVICE] SERVER', words) as Record<string, string>, options),
    print: (result) => printServers(result, state, nothing),
  });

export const REAL_SERVERS = {
  drain: override('drain', 'no new connections to this real server; existing ones continue', 'drained'),
  undrain: override('undrain', 'end a drain', 'no longer drained', 'was not drained'),
  disable: override('disable', 'count this real server as down, whatever its checks say', 'disabled'),
  'force-up': override('forceUp', 'count this real server as up, whatever its checks say', 'forced up'),
  enable: override(
    'enable',
    'end disable or force-up: its checks decide again',
    'its checks decide',
    'was neither disabled nor forced up',
  ),
  weight: verb({
    ...OVERRIDE_VERB,
    method: 'weight',
    words: '[SERVICE] SERVER N',
    help: 'give this real server the weight N; with reset for N, that of the file',
    read: (words, options) => {
      const { n: text = '', ...place } = readWords('[SERVICE] SERVER N', words) as Record<string, string>;
      if (text !== 'reset' && !/^\d{1,5}$/.test(text))
        throw new UsageError(`weight takes a number or reset, not ${text}`);
      return { ...readOverride(place, options), ...(text === 'reset' ? {} : { weight: Number(text) }) };
    },
    print: (result) =>
      printServers(
        result,
        result.weight === undefined ? 'weight of the file again' : `weight ${result.weight}`,
        'had the weight of the file',
      ),
  }),
};
