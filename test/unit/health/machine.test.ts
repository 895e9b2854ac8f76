// SPDX-License-Identifier: MIT
// Rise and fall, quorums, and consecutive results after a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, resumed, unknown } from '../../../src/health/machine.ts';
import { nextQuorum } from '../../../src/health/quorum.ts';
import type { TargetState } from '../../../src/health/types.ts';

const THRESHOLDS = { rise: 2, fall: 3 };

/** The state after each of the results '+' and '-', as U and D. */
function history(results: string, up: boolean, thresholds = THRESHOLDS): string {
  let state = unknown('x', up, 0);
  return [...results]
    .map((sign, index) => {
      state = next(state, { at: 1000 * (index + 1), ok: sign === '+', reason: sign, latency: 1 }, thresholds);
      return state.up ? 'U' : 'D';
    })
    .join('');
}

test('it takes fall failures in a row to go down, and rise successes to come up', () => {
  assert.equal(history('+---+-++---', true), 'UUUDDDDUUUD');
  assert.equal(history('--+--+--+', true), 'UUUUUUUUU');
  assert.equal(history('+-+-++', false), 'DDDDDU');
});

test('the first results count like others: one lost probe after the start takes nothing down', () => {
  assert.equal(history('-+++', true), 'UUUU');
  assert.equal(history('---', true), 'UUD');
  assert.equal(history('+-++', false), 'DDDU');
});

test('with thresholds of one each result changes the state', () => {
  assert.equal(history('-+-', true, { rise: 1, fall: 1 }), 'DUD');
});

test('a state has counts and the last result', () => {
  let state = unknown('x', true, 500);
  assert.deepEqual(state, {
    id: 'x',
    up: true,
    streak: 0,
    since: 500,
    probed: false,
    last: undefined,
    probes: 0,
    failures: 0,
  });
  const result = { at: 1000, ok: false, reason: 'connection refused', latency: 3 };
  state = next(state, result, THRESHOLDS);
  assert.deepEqual(state, {
    id: 'x',
    up: true,
    streak: 1,
    since: 500,
    probed: true,
    last: result,
    probes: 1,
    failures: 1,
  });
  state = next(next(state, result, THRESHOLDS), { ...result, at: 3000 }, THRESHOLDS);
  assert.equal(state.up, false);
  assert.deepEqual([state.since, state.streak, state.probes, state.failures], [3000, 0, 3, 3]);
});

test('consecutive results survive a short pause, but not a long one or a clock set back', () => {
  const last = { at: 10_000, ok: false, reason: '', latency: 1 };
  const state: TargetState = { id: 'x', up: true, streak: 2, since: 0, probed: true, last, probes: 9, failures: 2 };
  const after = (now: number) => resumed(state, now, { interval: 1000 }).streak;
  assert.deepEqual([after(10_000), after(12_000), after(12_001), after(9_999)], [2, 2, 0, 0]);
  assert.equal(resumed({ ...state, last: undefined }, 10_000, { interval: 1000 }).streak, 0);
  assert.equal(resumed(state, 99_000, { interval: 1000 }).up, true);
});

test('a quorum is gained from quorum + hysteresis on and lost below quorum - hysteresis', () => {
  const walk = (weights: number[], quorum: number, hysteresis: number, before: boolean | undefined) => {
    let up = before;
    return weights
      .map((weight) => {
        up = nextQuorum(up, weight, quorum, hysteresis);
        return up ? 'U' : 'D';
      })
      .join('');
  };
  assert.equal(walk([5, 4, 3, 2, 1, 2, 3, 4, 5, 2], 3, 1, undefined), 'UUUUDDDUUU');
  assert.equal(walk([3, 2, 3], 3, 0, undefined), 'UDU');
  assert.equal(
    walk([2, 3, 4], 3, 1, undefined),
    'DDU',
    'a new service has it from quorum on, one that lost it needs more',
  );
  assert.equal(walk([1, 0, 1], 1, 0, true), 'UDU');
  assert.equal(walk([2, 1, 0, 3, 4], 2, 2, true), 'UUDDU', 'without any weight it is lost, whatever the hysteresis');
  assert.equal(walk([0, 0], 0, 0, undefined), 'DD');
});
