// SPDX-License-Identifier: MIT
// When health checks count as stopped, and when a restart of the daemon is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Liveness, type Stop } from '../../../src/health/worker/liveness.ts';

/**
 * A worker whose processes send a heartbeat in each of their first `beats` seconds, then hang until they are killed.
 */
function run(seconds: number, beats: (process: number) => number) {
  const changes: (string | undefined)[] = [];
  const stops: Stop[] = [];
  let [now, process, age, kills, dead] = [0, 0, 0, 0, Number.POSITIVE_INFINITY];
  const liveness = new Liveness(0, (stop) => {
    changes.push(stop?.reason);
    if (stop) stops.push(stop);
  });
  liveness.started();
  for (; now < seconds * 1000; now += 1000) {
    // The first heartbeat comes at once.
    if (age++ < beats(process)) liveness.beat(now);
    const kill = liveness.tick();
    if (!liveness.alive) dead = Math.min(dead, now / 1000);
    if (!kill) continue;
    kills++;
    liveness.ended('SIGKILL');
    process++;
    age = 0;
    liveness.started();
  }
  return { liveness, changes, stops, kills, dead };
}

const HEALTHY = Number.POSITIVE_INFINITY;

test('a worker that sends heartbeats is alive, and nothing is reported', () => {
  const { liveness, changes, kills, dead } = run(600, () => HEALTHY);
  assert.deepEqual([liveness.alive, liveness.stop, changes, kills, dead], [true, undefined, [], 0, Infinity]);
});

test('workers that hang some seconds after each start are killed, reported as a stop, and not alive after 40 s', () => {
  for (const beats of [0, 1, 4, 14]) {
    const { liveness, changes, stops, kills, dead } = run(300, () => beats);
    assert.equal(liveness.alive, false, `${beats}`);
    assert.ok(dead <= 41, `${beats}: dead at ${dead}`);
    assert.ok(kills >= 300 / (16 + beats) - 1);
    // One stop, which no restart ends.
    assert.deepEqual(changes, ['the health worker does not respond']);
    assert.equal(stops[0]?.since, Math.max(0, beats - 1) * 1000);
    assert.equal(liveness.stop?.restarts, kills);
  }
});

test('after one hang, a new process that works is enough', () => {
  const { liveness, changes, kills, dead } = run(300, (process) => (process === 0 ? 60 : HEALTHY));
  assert.deepEqual([liveness.alive, liveness.stop, kills, dead], [true, undefined, 1, Infinity]);
  assert.deepEqual(changes, ['the health worker does not respond', undefined]);
});

test('a worker that ends at each start is a stop, and not alive after 40 s', () => {
  const changes: (string | undefined)[] = [];
  const liveness = new Liveness(0, (stop) => changes.push(stop?.reason));
  for (let second = 0; second < 41; second++) {
    liveness.started();
    liveness.beat(second * 1000);
    liveness.tick();
    liveness.ended('exit status 1');
  }
  assert.equal(liveness.alive, false);
  assert.deepEqual(changes, ['the health worker ended (exit status 1)']);
  assert.equal(liveness.stop?.since, 0);
});

test('a pause of 4 s is no stop', () => {
  const changes: unknown[] = [];
  const liveness = new Liveness(0, (stop) => changes.push(stop));
  liveness.started();
  for (let second = 0; second < 60; second++) {
    if (second % 5 === 0) liveness.beat(second * 1000);
    if (second % 5 !== 4) liveness.tick();
  }
  assert.deepEqual([changes, liveness.alive], [[], true]);
});
