// SPDX-License-Identifier: MIT
// The state file across restarts and changes of the system clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { wallTime } from '../../../src/base/clock.ts';
import { serviceStatuses } from '../../../src/daemon/control/status.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { jsonParts } from '../../../src/daemon/state/json-parts.ts';
import { readDaemonState } from '../../../src/daemon/state/schema.ts';
import { fromState, savedOverrides, toState } from '../../../src/daemon/state/snapshot.ts';
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

test('a drain takes its full time, however the clock is set meanwhile', () => {
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

test('a real server that drains keeps its name, also across a restart', () => {
  const runtime = new RuntimeState();
  const named = realServer(2, { check: undefined, name: 'web2' });
  const web = (...servers: ReturnType<typeof realServer>[]) =>
    virtualServices(config([service('web', servers, { drain: 300_000 })]));
  runtime.configure(web(realServer(1, { check: undefined }), named), 0);
  runtime.configure(web(), 0);
  const names = ({ draining }: Pick<RuntimeState, 'draining'>) => draining.map(({ name }) => name);
  assert.deepEqual(names(runtime), [undefined, 'web2']);
  const state = readDaemonState(JSON.parse([...jsonParts(toState(runtime, new Set(), new Map()))].join('')));
  const restarted = new RuntimeState();
  restarted.configure(web(), 0);
  restarted.restore(fromState(state));
  assert.deepEqual(names(restarted), [undefined, 'web2']);
  const sources = { runtime: restarted, health: new Map(), table: () => undefined, failures: new Map() };
  assert.deepEqual(
    serviceStatuses(sources)[0]?.realServers.map(({ name, state: is }) => [name, is]),
    [
      ['10.31.0.1:80', 'draining'],
      ['web2', 'draining'],
    ],
  );
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

test('a state that lasted an hour has lasted that long after a restart, however the clock is set', () => {
  const state = {
    ...target('a'),
    since: 999 * HOUR,
    last: { at: 1000 * HOUR - 500, ok: true, reason: 'x', latency: 1 },
  };
  // The clock was set two hours forward since lvsd started.
  const written = { wall: 1002 * HOUR, monotonic: 5000, steady: 1000 * HOUR };
  const file = toState(new RuntimeState(), new Set(), new Map([['a', state]]), written);
  const [first] = file.health;
  assert.deepEqual([first?.since, first?.last?.at], [1001 * HOUR, 1002 * HOUR - 500]);
  for (const step of [-HOUR, 0, HOUR]) {
    const now = { wall: 1002 * HOUR + 60_000 + step, monotonic: 70, steady: 1002 * HOUR + 60_000 + step };
    const { health } = fromState(file, 60_000, now);
    assert.equal(now.steady - (health.get('a')?.since ?? 0), HOUR + 60_000);
    assert.equal(now.steady - (health.get('a')?.last?.at ?? 0), 60_500);
  }
  // An older lvsd did not write the time.
  delete file.written;
  const now = { wall: 1002 * HOUR + 60_000, monotonic: 70, steady: 1002 * HOUR + 60_000 };
  assert.equal(now.steady - (fromState(file, 60_000, now).health.get('a')?.since ?? 0), HOUR + 60_000);
});

test('an override keeps its age across restarts, however the clock is set', () => {
  const runtime = new RuntimeState();
  const override = { service: 'web', server: '10.31.0.1:80', at: 999 * HOUR };
  runtime.configure(virtualServices(config([service('web', [realServer(1)])])), 0);
  runtime.setOverride(override, true);
  // The clock was set two hours forward since lvsd started.
  const written = { wall: 1002 * HOUR, monotonic: 5000, steady: 1000 * HOUR };
  const file = toState(runtime, new Set(), new Map(), written);
  assert.equal(file.overrides[0]?.at, 1001 * HOUR);
  assert.deepEqual(savedOverrides([override], written), [{ ...override, at: 1001 * HOUR }]);
  for (const step of [-HOUR, 0, HOUR]) {
    const now = { wall: 1002 * HOUR + 60_000 + step, monotonic: 70, steady: 1002 * HOUR + 60_000 + step };
    assert.equal(now.steady - (fromState(file, 60_000, now).overrides[0]?.at ?? 0), HOUR + 60_000);
  }
});

test('times in status keep their age by the present clock', () => {
  const now = { wall: 1002 * HOUR, monotonic: 5000, steady: 1000 * HOUR };
  assert.equal(wallTime(999 * HOUR, now), 1001 * HOUR);
});

const target = (id: string) => ({ id, up: true, streak: 0, since: 0, probed: true, probes: 1, failures: 0 });
