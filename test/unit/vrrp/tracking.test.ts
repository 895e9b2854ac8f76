// SPDX-License-Identifier: MIT
// Tracking: causes of a fault and the priority follow from the present state alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Link } from '../../../src/net/index.ts';
import { initialState, step } from '../../../src/vrrp/machine.ts';
import { dependence, linkFault, type Tracked } from '../../../src/vrrp/tracking.ts';
import type { Settings, State } from '../../../src/vrrp/types.ts';

const link = (name: string, up = true, carrier = true): Link => ({
  index: 1,
  name,
  loopback: false,
  up,
  carrier,
  hardwareAddress: new Uint8Array(6),
});
const none = new Map<string, boolean>();

test('an interface is missing, down, or without carrier', () => {
  const links = [link('eth0'), link('eth1', false, false), link('eth2', true, false)];
  assert.deepEqual(
    ['eth0', 'eth1', 'eth2', 'eth3'].map((name) => linkFault(links, name)),
    [undefined, 'eth1 is down', 'eth2: no carrier', 'no device eth3'],
  );
});

test('without a weight each absence is a cause of its own', () => {
  const track: Tracked[] = [
    { kind: 'interface', name: 'eth1' },
    { kind: 'service', name: 'shop' },
    { kind: 'service', name: 'dns' },
  ];
  const found = dependence(
    { interface: 'eth0', priority: 100, track },
    [link('eth1', false)],
    new Map([['shop', false]]),
  );
  assert.deepEqual(found.causes, ['no device eth0', 'eth1 is down', 'service shop has no quorum']);
  assert.deepEqual(
    found.tracked.map(({ name, up }) => [name, up]),
    [
      ['eth1', false],
      ['shop', false],
      ['dns', true],
    ],
  );
  assert.equal(found.priority, 100);
});

test('negative weights count while it is down, positive ones while it is up', () => {
  const track: Tracked[] = [
    { kind: 'interface', name: 'eth1', weight: -20 },
    { kind: 'service', name: 'shop', weight: 10 },
  ];
  const at = (up: boolean, shop: boolean) => {
    const links = [link('eth0'), link('eth1', up)];
    const { priority, causes, reasons } = dependence(
      { interface: 'eth0', priority: 100, track },
      links,
      new Map([['shop', shop]]),
    );
    assert.deepEqual(causes, []);
    return [priority, ...reasons];
  };
  assert.deepEqual(at(true, true), [110, 'service shop is up']);
  assert.deepEqual(at(true, false), [100]);
  assert.deepEqual(at(false, true), [90, 'eth1 is down', 'service shop is up']);
  assert.deepEqual(at(false, false), [80, 'eth1 is down']);
});

test('the weights keep the priority within 1 to 254, and leave an owner alone', () => {
  const track: Tracked[] = [{ kind: 'interface', name: 'eth1', weight: -253 }];
  const priority = (configured: number) =>
    dependence({ interface: 'eth0', priority: configured, track }, [link('eth0')], none).priority;
  assert.deepEqual([priority(100), priority(255)], [1, 255]);
});

const SETTINGS: Settings = {
  version: 3,
  priority: 100,
  interval: 1_000_000,
  downAfter: 3,
  preempt: true,
  preemptDelay: 0,
  startDelay: 0,
  answerLower: true,
};

test('after any sequence of changes an instance is in fault exactly while a cause holds', () => {
  const names = ['eth0', 'eth1', 'shop', 'dns'] as const;
  const track: Tracked[] = [
    { kind: 'interface', name: 'eth1' },
    { kind: 'service', name: 'shop' },
    { kind: 'service', name: 'dns', weight: -50 },
  ];
  const change = fc.record({ name: fc.constantFrom(...names), up: fc.boolean(), tick: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 100 }), (changes) => {
      const up = new Map<string, boolean>(names.map((name) => [name, true]));
      let now = 0;
      let state: State = step(initialState(SETTINGS, Uint8Array.of(10, 0, 0, 1)), { kind: 'start' }, now).state;
      for (const { name, up: isUp, tick } of changes) {
        now += 5_000_000;
        up.set(name, isUp);
        const links = [link('eth0', true, up.get('eth0')), link('eth1', up.get('eth1'))];
        const { causes, priority } = dependence({ interface: 'eth0', priority: 100, track }, links, up);
        state = step(state, { kind: 'causes', causes }, now).state;
        state = step(state, { kind: 'priority', priority }, now).state;
        if (tick) state = step(state, { kind: 'tick' }, now).state;
        const holds = !up.get('eth0') || !up.get('eth1') || !up.get('shop');
        assert.equal(state.phase === 'fault', holds);
        assert.equal(state.priority, up.get('dns') ? 100 : 50);
      }
    }),
  );
});
