// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../../src/daemon/reconcile/backoff.ts';

const NO = [{ sign: '+' as const, text: 'add a', reason: 'no' }];

test('a failed operation waits longer each time, up to a minute; other operations of the service do not wait', () => {
  const backoff = new Backoff();
  const waits = (operation: string, now: number) => backoff.waits('web', () => operation, now);
  assert.equal(waits('add a', 0), false);
  const delays = Array.from({ length: 9 }, () => backoff.failed('web', NO, new Set(['add a']), 0).retryAt / 1000);
  assert.deepEqual(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  assert.equal(waits('add a', 59_999), true);
  assert.equal(waits('delete b', 59_999), false);
  assert.equal(waits('add a', 60_000), false);
  assert.equal(
    backoff.waits('other', () => 'add a', 0),
    false,
  );
  backoff.failed('other', NO, 'all', 1000);
  assert.equal(
    backoff.waits('other', () => 'anything', 1999),
    true,
  );
  assert.equal(backoff.nextRetry(), 2000);
  assert.equal(backoff.succeeded('other'), true);
  assert.equal(backoff.succeeded('other'), false);
  backoff.reset();
  assert.equal(backoff.nextRetry(), undefined);
});
