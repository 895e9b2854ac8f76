// SPDX-License-Identifier: MIT
// The state file across restarts, while somebody sets the clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { fromState, toState } from '../../../src/daemon/state/snapshot.ts';
import { config, realServer, service } from '../../support/specs.ts';

const HOUR = 3_600_000;

function saved(now: { wall: number; monotonic: number }) {
  const runtime = new RuntimeState();
  const web = (count: number) => {
    const servers = Array.from({ length: count }, (_, i) => realServer(i + 1, { check: undefined }));
    return virtualServices(config([service('web', servers, { drain: 300_000 })]));
  };
  runtime.configure(web(2), now.monotonic);
  runtime.configure(web(1), now.monotonic);
  assert.equal(runtime.draining.length, 1);
  return toState(runtime, new Set(), new Map(), now);
}

test('a drain takes as long as it was to take, however the clock is set meanwhile', () => {
  const state = saved({ wall: 1000 * HOUR, monotonic: 5000 });
  assert.deepEqual(
    state.leaving.map(({ until, left }) => [until, left]),
    [[1000 * HOUR + 300_000, 300_000]],
  );
  // Restarted a minute later, with the clock an hour forward or back.
  for (const step of [-HOUR, 0, HOUR]) {
    const { draining } = fromState(state, 60_000, { wall: 1000 * HOUR + 60_000 + step, monotonic: 70 });
    assert.deepEqual(
      draining.map(({ until, destination }) => [until, destination.family]),
      [[240_070, AF_INET]],
    );
  }
});

test('a state file of an older lvsd has only the instant of the wall clock', () => {
  const state = saved({ wall: 1000 * HOUR, monotonic: 5000 });
  for (const one of state.leaving) delete one.left;
  const { draining } = fromState(state, 60_000, { wall: 1000 * HOUR + 60_000, monotonic: 70 });
  assert.deepEqual(
    draining.map(({ until }) => until),
    [240_070],
  );
});
