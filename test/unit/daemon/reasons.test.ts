// SPDX-License-Identifier: MIT
// Why services are not up, in one line each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RealServerStatus, ServiceStatus } from '../../../src/control/messages.ts';
import { reasonText, serviceReasons } from '../../../src/daemon/control/reasons.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { config, realServer, service } from '../../support/specs.ts';

const server = (name: string, state: RealServerStatus['state'], reason?: string, more = {}): RealServerStatus => ({
  ...{ name, address: '10.31.0.1', port: 80, weight: 1, effectiveWeight: 1, state, override: undefined, reason },
  ...{ since: 0, latency: 1, activeConnections: 0, inactiveConnections: 0, ...more },
});
const status = (realServers: RealServerStatus[], more: Partial<ServiceStatus> = {}): ServiceStatus => ({
  ...{ name: 'web', virtuals: ['tcp 10.99.0.1:80'], scheduler: 'rr', sorry: false, error: undefined, realServers },
  quorum: { needed: 1, weight: 1, up: true },
  ...more,
});

test('what the kernel refuses, the quorum, then real servers: three by name, those that drain last', () => {
  const drain = { override: 'drain', overrides: [{ kind: 'drain', by: 'alice', reason: 'CHG-4711' }] };
  const down = (name: string) => server(name, 'down', 'connection refused');
  assert.equal(
    reasonText(status([server('a', 'draining', 'status 200', drain), down('b'), server('c', 'up', 'status 200')])),
    'b: connection refused; a: drained by alice (CHG-4711)',
  );
  assert.equal(
    reasonText(status(['a', 'b', 'c', 'd', 'e'].map(down))),
    'a: connection refused; b: connection refused; c: connection refused; 2 more',
  );
  assert.equal(
    reasonText(
      status([down('a')], { error: '+ x: no device', sorry: true, quorum: { needed: 1, weight: 0, up: false } }),
    ),
    'kernel refused: + x: no device; quorum lost, sorry server in use; a: connection refused',
  );
  const disabled = { override: 'disable', overrides: [{ kind: 'disable' }] };
  assert.equal(reasonText(status([server('a', 'down', 'status 200', disabled)])), 'a: disabled');
  assert.equal(reasonText(status([server('a', 'up'), server('b', 'unchecked')])), '');
  assert.equal(reasonText(status([server('a', 'down', 'x'.repeat(1000))])).length, 240);
});

test('of services that are up there is none', async () => {
  const runtime = new RuntimeState();
  runtime.configure(virtualServices(config([service('web', [realServer(1)]), service('dns', [realServer(2)])])), 0);
  const sources = { runtime, health: new Map(), failures: new Map() };
  const [web] = runtime.services;
  assert.deepEqual(await serviceReasons(sources), []);
  runtime.setTarget(web?.realServers[0]?.targets[0]?.id ?? '', false);
  runtime.updateQuorums();
  const [found, ...rest] = await serviceReasons(sources);
  assert.deepEqual([found?.service, rest], ['web', []]);
  assert.equal(found?.reason, '10.31.0.1:80: down');
  const failure = { changes: [{ sign: '+', text: 'x', reason: 'no device' }], since: 0, attempts: 1, retryAt: 1 };
  const failures = new Map([['dns', failure]]) as unknown as Parameters<typeof serviceReasons>[0]['failures'];
  assert.deepEqual(
    (await serviceReasons({ ...sources, failures })).map(({ service: name }) => name),
    ['web', 'dns'],
  );
});
