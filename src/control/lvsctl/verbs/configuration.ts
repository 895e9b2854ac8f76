// SPDX-License-Identifier: MIT
/** Verbs of the configuration and what it names: secret, plan, reload. */
import { resolve } from 'node:path';
import { EXIT, UsageError } from '../../../base/errors.ts';
import { count } from '../../../base/words.ts';
import { planExitCode, planNotes, planText } from '../../plan-text.ts';
import { pausedLines } from './pause.ts';
import { verb } from './verb.ts';

export const CONFIGURATION = {
  secret: verb({
    method: 'secret',
    words: '[ACTION] [FILE]',
    help: 'fingerprints of the secrets of SYN cookies; stage FILE and rotate change them',
    read: ([action, file]) => {
      if (action === undefined) return {};
      if (action === 'rotate' && file === undefined) return { action };
      // The daemon has another working directory.
      if (action === 'stage' && file !== undefined) return { action, file: resolve(file) };
      throw new UsageError(`secret takes stage FILE or rotate, not ${[action, file].join(' ').trimEnd()}`);
    },
    print: ({ fingerprints: [used = 'none: this kernel has no SYN proxy', staged] }) =>
      `in use: ${used}\n${staged === undefined ? '' : `staged: ${staged}\n`}`,
  }),
  plan: verb({
    method: 'plan',
    words: '',
    help: 'what a reload would change in the kernel now; changes nothing',
    print: ({ lines }) => planText(lines),
    exitCode: planExitCode,
    errors: planNotes,
  }),
  reload: verb({
    method: 'reload',
    words: '',
    help: 'read the configuration again; an invalid one is rejected as a whole and changes nothing',
    print: ({ operations, failed }) => `reloaded: ${count(operations, 'operation')}, ${failed.length} failed\n`,
    exitCode: ({ failed, paused }) => (failed.length > 0 || paused ? EXIT.RUNTIME : EXIT.OK),
    errors: ({ failed, paused }) => [...failed, ...pausedLines(paused)],
  }),
};
