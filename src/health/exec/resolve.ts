// SPDX-License-Identifier: MIT
import { findUserNow } from '../../base/users.ts';
import type { CheckSource, RawKeys } from '../common/kind.ts';
import type { CommonCheck } from '../common/schema.ts';
import type { ExecCheck, execCheckSchema } from './schema.ts';

/** Undefined without a command. Other problems are reported, and the check is returned. */
export function resolveExec(
  source: CheckSource<RawKeys<typeof execCheckSchema>>,
  common: CommonCheck,
): ExecCheck | undefined {
  const { command, user } = source.keys;
  if (!command) {
    source.missing('command is missing; allowed: a list, the program’s absolute path and its arguments');
    return undefined;
  }
  if (user !== undefined && source.isOwn('user') && !findUserNow(user))
    source.wrong(
      ['user'],
      `found ${user}, which is not a user of this machine; allowed: a name that getent passwd lists`,
    );
  const wrong = source.isOwn('command') ? source.files.program(command[0] ?? '', user) : undefined;
  if (wrong !== undefined) source.wrong(['command', 0], wrong);
  for (const [index, word] of command.entries())
    if (word.includes('\0')) source.wrong(['command', index], 'found a zero byte; allowed: text without it');
  return { type: 'exec', ...common, command, user };
}
