// SPDX-License-Identifier: MIT
// The history of a check and its bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_HISTORY, History } from '../../../src/health/history.ts';

const result = (at: number, ok: boolean, reason: string) => ({
  at,
  ok,
  reason,
  ...(ok ? {} : { code: 'refused' as const }),
  latency: at / 10,
});

test('results, failures and reasons are kept, oldest first', () => {
  const history = new History();
  assert.deepEqual(history.data(), EMPTY_HISTORY);
  for (const [at, mark] of [...'--+-++'].entries()) history.add(result(at, mark === '+', 'refused'));
  assert.deepEqual(history.data(), {
    recent: '--+-++',
    failures: [0, 1, 3].map((at) => ({ at, reason: 'refused', code: 'refused', latency: at / 10 })),
    reasons: [{ reason: 'refused', count: 3 }],
  });
});

test('at most 30 results, 10 failures and 8 reasons are kept', () => {
  const history = new History();
  for (let at = 0; at < 10_000; at++) history.add(result(at, at % 2 === 0, at < 20 ? 'usual' : `reason ${at}`));
  history.add(result(10_000, false, 'x'.repeat(100_000)));
  const { recent, failures, reasons } = history.data();
  assert.equal(recent, `${'+-'.repeat(14)}+--`.padStart(30, '-').slice(-30));
  assert.deepEqual(
    failures.map(({ at }) => at),
    [9983, 9985, 9987, 9989, 9991, 9993, 9995, 9997, 9999, 10_000],
  );
  assert.equal(failures.at(-1)?.reason.length, 200);
  assert.equal(reasons.length, 9);
  assert.deepEqual(reasons.slice(0, 2), [
    { reason: '', count: 5001 - 10 - 7 },
    { reason: 'usual', count: 10 },
  ]);
  assert.equal(
    reasons.reduce((sum, { count }) => sum + count, 0),
    5001,
  );
});
