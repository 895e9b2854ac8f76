// SPDX-License-Identifier: MIT
// Numbers of processes for metrics.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { numbersOf, ownNumbers } from '../../src/base/process-numbers.ts';

test('the start of this process is one number, about that in /proc', async () => {
  const first = ownNumbers();
  for (let i = 0; i < 20; i++) {
    await sleep(1);
    assert.equal(ownNumbers().startedAt, first.startedAt);
  }
  // /proc counts hundredths of a second, and from another moment of the start.
  assert.ok(Math.abs((numbersOf(process.pid)?.startedAt ?? 0) - first.startedAt) < 5);
  assert.ok(first.residentMemory > 1e6 && first.cpu > 0 && (first.openFiles ?? 0) > 2);
});
