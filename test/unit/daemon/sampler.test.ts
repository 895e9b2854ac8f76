// SPDX-License-Identifier: MIT
// When the kernel's counters are read: only on request, once for all who ask, and at most a twentieth of the time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sampler } from '../../../src/daemon/control/sampler.ts';

/** A sampler whose readings take `cost` milliseconds of its clock. */
function sampler(cost: number) {
  const state = { now: 1000, readings: 0 };
  const reader = {
    features: async () => new Set<never>(),
    serviceStatistics: async () => {
      state.readings++;
      state.now += cost;
    },
    destinationStatistics: async () => {},
    localAddresses: async () => [],
  };
  const one = new Sampler(reader, () => state.now);
  return { state, read: () => one.read(() => [], 5000), durations: () => one.durations };
}

test('a reading is shared by all who ask during it, and for five seconds', async () => {
  const { state, read } = sampler(10);
  assert.equal(state.readings, 0);
  const [first, second] = await Promise.all([read(), read()]);
  assert.equal(first, second);
  state.now += 4999;
  assert.equal(await read(), first);
  state.now += 2;
  assert.notEqual(await read(), first);
  assert.equal(state.readings, 2);
});

test('a long reading is shared for twenty times as long', async () => {
  const { state, read, durations } = sampler(2000);
  await read();
  state.now += 39_000;
  await read();
  assert.equal(state.readings, 1);
  state.now += 1001;
  await read();
  assert.equal(state.readings, 2);
  const { bounds, counts, count, sum } = durations();
  assert.deepEqual([count, sum, counts[bounds.indexOf(1)], counts[bounds.indexOf(2.5)]], [2, 4, 0, 2]);
});

test('after an error the next request reads again', async () => {
  let fails = true;
  const reader = {
    features: async () => new Set<never>(),
    serviceStatistics: async () => {
      if (fails) throw new Error('EBUSY');
    },
    destinationStatistics: async () => {},
    localAddresses: async () => [],
  };
  const one = new Sampler(reader);
  await assert.rejects(
    one.read(() => [], 5000),
    /EBUSY/,
  );
  fails = false;
  assert.equal((await one.read(() => [], 5000)).services.size, 0);
});
