// SPDX-License-Identifier: MIT
/** Resolves the hooks of a service. */
import { findUserNow } from '../../base/users.ts';
import { DEFAULTS } from '../limits.ts';
import type { RawHooks } from '../schema.ts';
import type { Hooks } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { NamedFiles } from './files.ts';
import type { ProblemSink } from './problem-sink.ts';
import { durationOf } from './values.ts';

/** Milliseconds. */
const TIMEOUT = { least: 100, most: 3_600_000 };

/** Undefined: no hook. */
export function resolveHooks(raw: RawHooks, path: Path, files: NamedFiles, problems: ProblemSink): Hooks | undefined {
  const { up, down, quorum, user } = raw;
  if (user !== undefined && !findUserNow(user))
    problems.report(
      [...path, 'user'],
      `found ${user}, which is not a user of this machine; allowed: a name that getent passwd lists`,
    );
  for (const [name, command] of Object.entries({ up, down, quorum })) {
    if (!command) continue;
    const wrong = files.program(command[0] ?? '', user);
    if (wrong !== undefined) problems.report([...path, name, 0], wrong);
    for (const [index, word] of command.entries())
      if (word.includes('\0')) problems.report([...path, name, index], 'found a zero byte; allowed: text without it');
  }
  const timeout =
    raw.timeout === undefined ? DEFAULTS.hookTimeout : durationOf(raw.timeout, TIMEOUT.least, TIMEOUT.most);
  if (typeof timeout === 'string') problems.report([...path, 'timeout'], timeout);
  if (!up && !down && !quorum) return undefined;
  return { up, down, quorum, user, timeout: typeof timeout === 'number' ? timeout : DEFAULTS.hookTimeout };
}
