// SPDX-License-Identifier: MIT
// What yield and announce print, and their exit statuses: only a master has addresses to give away or to announce.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN } from '../../../src/control/lvsctl/terminal.ts';
import { VERBS } from '../../../src/control/lvsctl/verbs/index.ts';

for (const [name, done] of [
  ['yield', 'edge: yielded\n'],
  ['announce', 'edge: announced\n'],
] as const)
  test(`${name}: a master, and any other state`, () => {
    const verb = VERBS[name];
    assert.ok(verb);
    const outcome = (result: object) => [
      verb.print(result, { paint: PLAIN, now: 0, options: {} }, result),
      verb.errors?.(result),
      verb.exitCode?.(result),
    ];
    assert.deepEqual(outcome({ instance: 'edge', state: 'master' }), [done, [], 0]);
    for (const state of ['backup', 'fault', 'init']) {
      const [out, [line = ''] = [], code] = outcome({ instance: 'edge', state, reason: 'no device eth9' }) as [
        string,
        string[],
        number,
      ];
      assert.deepEqual([out, code], ['', 1]);
      assert.match(line, new RegExp(`^edge is ${state}.*: only a master`));
    }
  });
