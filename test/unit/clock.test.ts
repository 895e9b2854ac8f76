// SPDX-License-Identifier: MIT
// The clock that setting the time of day does not change, and its copy in a child process.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { adoptClock, clockArgument, steady } from '../../src/base/clock.ts';

test('the clock begins with the time of day, whatever the environment says', () => {
  const clock = new URL('../../src/base/clock.ts', import.meta.url).href;
  const script = `import { steady } from '${clock}'; console.log(steady());`;
  const env = { ...process.env, LVSD_EPOCH: '1000' };
  const words = ['--import', 'tsx', '--input-type=module', '-e', script];
  const text = execFileSync(process.execPath, words, { env, encoding: 'utf8' });
  assert.ok(Math.abs(Number(text) - Date.now()) < 20_000, text);
});

test('a process adopts the clock of its parent, and no other text', () => {
  const [before, own] = [steady(), clockArgument()];
  for (const text of [undefined, '', 'run', '0']) adoptClock(text);
  assert.equal(clockArgument(), own);
  adoptClock(String(Number(own) + 3_600_000));
  assert.ok(steady() - before >= 3_600_000);
  adoptClock(own);
  assert.ok(steady() - before < 60_000);
});
