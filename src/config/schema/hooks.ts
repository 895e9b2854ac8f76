// SPDX-License-Identifier: MIT
/** Schema of hooks: programs that are run when a real server or a quorum changes. */
import { Type } from '@sinclair/typebox';
import { duration } from '../../base/schema-words.ts';

const command = (description: string, example: string[]) =>
  Type.Optional(
    Type.Array(Type.String({ maxLength: 4000 }), {
      title: 'a list: the program’s absolute path, then its arguments',
      minItems: 1,
      maxItems: 100,
      description,
      examples: [example],
    }),
  );

export const hooksSchema = Type.Object(
  {
    up: command('Run when a real server comes up.', ['/usr/local/lib/lvsd/notify', '--chat']),
    down: command('Run when a real server goes down.', ['/usr/local/lib/lvsd/notify']),
    quorum: command('Run when the quorum is gained or lost.', ['/usr/local/lib/lvsd/page']),
    user: Type.Optional(
      Type.String({
        title: 'a user’s name',
        pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,31}$',
        description: 'User that the programs run as. Without this key: the user of lvsd.',
        examples: ['nobody'],
      }),
    ),
    timeout: Type.Optional(
      duration({
        description: 'Time after which a running program is stopped. 100ms to 1h.',
        default: '10s',
        examples: ['30s'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Programs that are run at changes of real servers and quorums, with the details in their environment: see docs/health.md. Those of a service run one at a time, in order.',
    default: {},
    examples: [{ down: ['/usr/local/lib/lvsd/notify'], timeout: '30s' }],
  },
);
