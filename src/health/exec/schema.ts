// SPDX-License-Identifier: MIT
import { Type } from '@sinclair/typebox';
import { type CommonCheck, commonCheckKeys } from '../common/schema.ts';

/** A program; exit status 0 is success. Its environment names the target (LVSD_ADDRESS, LVSD_PORT, LVSD_SERVICE...). */
export interface ExecCheck extends CommonCheck {
  type: 'exec';
  /** Absolute path of the program, then its arguments; no shell. */
  command: readonly string[];
  /** The user that it runs as; undefined: that of the exec helper. */
  user: string | undefined;
}

export const execCheckKeys = {
  ...commonCheckKeys,
  command: Type.Array(Type.String({ maxLength: 4000 }), {
    title: 'a list: the program’s absolute path, then its arguments',
    minItems: 1,
    maxItems: 100,
    description:
      'Program and arguments, run without a shell. It must exist, be executable and not be writable by group or others.',
    examples: [['/usr/local/lib/lvsd/check-db', '--quick']],
  }),
  user: Type.String({
    title: 'a user’s name',
    pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,31}$',
    description: 'User to run the program as. Default: the user of lvsd’s exec helper.',
    examples: ['nobody'],
  }),
};

export const execCheckSchema = Type.Object(
  { type: Type.Literal('exec'), ...Type.Partial(Type.Object(execCheckKeys)).properties },
  { additionalProperties: false, title: 'an exec check', description: 'A program whose exit status 0 is success.' },
);
