// SPDX-License-Identifier: MIT
// Words and closing line of npm run soak.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSoak, soakEnd, vrrpRounds } from '../../../tools/lib/soak.mjs';

test('a duration is a number with a unit; without one the fuzzers run for an hour on 6.1', () => {
  const { seed, ...rest } = parseSoak([]);
  assert.ok(Number.isInteger(seed));
  assert.deepEqual(rest, { what: 'fuzz', line: '6.1', seconds: 3600 });
  const found = parseSoak(['--kernel', '6.12', '--seed', '7', '90m']);
  assert.deepEqual(found, { what: 'fuzz', line: '6.12', seed: 7, seconds: 5400 });
  const { what, seconds } = parseSoak(['vrrp', '8h']);
  assert.deepEqual([what, seconds], ['vrrp', 28_800]);
  for (const [text, seconds] of [
    ['20s', 20],
    ['8h', 28_800],
    ['2d', 172_800],
  ] as const) {
    assert.equal(parseSoak([text]).seconds, seconds);
  }
});

test('a soak of VRRP has rounds of an hour at most', () => {
  assert.deepEqual(vrrpRounds(600), [600]);
  assert.deepEqual(vrrpRounds(3600), [3600]);
  assert.deepEqual(vrrpRounds(9000), [3600, 3600, 1800]);
});

test('other words are rejected', () => {
  for (const words of [
    ['90'],
    ['0h'],
    ['1.5h'],
    ['--kernel', '6.13'],
    ['--kernel'],
    ['--seed', 'x'],
    ['--fast', '1'],
  ]) {
    assert.throws(() => parseSoak(words), { exitCode: 2 }, words.join(' '));
  }
});

test('the last line counts the rounds, and names the seed of the one that failed', () => {
  const ran = { line: '6.1', rounds: 2, count: 250_000, seconds: 900 };
  const done = '2 rounds of 250000 segments and 250000 netlink messages on 6.1 in 900 s';
  assert.equal(soakEnd(ran), `soak: passed: ${done}`);
  assert.equal(soakEnd({ ...ran, failedSeed: 2007 }), `soak: failed: after ${done}, in the round with --seed 2007`);
});
