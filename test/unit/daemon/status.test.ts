// SPDX-License-Identifier: MIT
// Since when a real server has its state, and what is said of one without a result.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { steady, wallTime } from '../../../src/base/clock.ts';
import { serviceStatuses } from '../../../src/daemon/control/status.ts';
import type { Override } from '../../../src/daemon/model/overrides.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import type { TargetState } from '../../../src/health/types.ts';
import { config, realServer, service } from '../../support/specs.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Status of a real server whose check decided an hour ago, with overrides of the last minutes. */
function shown(up: boolean, last: TargetState['last'], ...overrides: Pick<Override, 'kind'>[]) {
  const now = steady();
  const runtime = new RuntimeState();
  runtime.configure(virtualServices(config([service('web', [realServer(1)])])), 0);
  const [{ id = '' } = {}] = runtime.services[0]?.realServers[0]?.targets ?? [];
  runtime.setTarget(id, up);
  overrides.forEach((one, index) => {
    runtime.setOverride({ service: 'web', server: '10.31.0.1:80', at: now - (index + 1) * MINUTE, ...one }, true);
  });
  const state = { id, up, streak: 0, since: now - HOUR, probed: last !== undefined, last, probes: 1, failures: 0 };
  const health = new Map([[id, state]]);
  const [web] = serviceStatuses({ runtime, health, table: () => undefined, failures: new Map() });
  const [server] = web?.realServers ?? [];
  assert.ok(server);
  return { ...server, age: Math.round((wallTime(steady()) - (server.since ?? 0)) / MINUTE) };
}

const RESULT = { at: 0, ok: true, reason: 'status 200', latency: 1 };

test('a state that an operator decides lasts since then', () => {
  const age = (up: boolean, ...kinds: Override['kind'][]) => {
    const { state, age } = shown(up, RESULT, ...kinds.map((kind) => ({ kind })));
    return [state, age];
  };
  assert.deepEqual(age(true), ['up', 60]);
  assert.deepEqual(age(true, 'drain'), ['draining', 1]);
  assert.deepEqual(age(true, 'disable'), ['down', 1]);
  assert.deepEqual(age(false, 'up'), ['up', 1]);
  assert.deepEqual(age(true, 'up', 'drain'), ['draining', 2]);
  assert.deepEqual(age(true, 'drain', 'disable'), ['down', 2]);
  // A drain has no effect on a server that is down.
  assert.deepEqual(age(false, 'drain'), ['down', 60]);
});

test('a server without a result is not checked yet', () => {
  assert.equal(shown(true, undefined).reason, 'not checked yet');
  assert.equal(shown(true, RESULT).reason, 'status 200');
});
