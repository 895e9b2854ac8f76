// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// An instance that tracks interfaces and services, beside keepalived, with adverts every 100 ms.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const pair = new Pair(FAST, 50);
const { lvsd, keepalived } = pair;

/** Makes a device with carrier. */
function addDevice(name: string): void {
  lvsd.namespace.ip(`link add ${name} type veth peer name ${name}p`);
  lvsd.namespace.ip(`link set ${name}p up`);
  lvsd.namespace.ip(`link set ${name} up`);
}

before(async () => {
  addDevice('eth1');
  lvsd.track = [
    { kind: 'interface', name: 'eth1' },
    { kind: 'interface', name: 'eth2', weight: -10 },
    { kind: 'service', name: 'shop', weight: -50 },
    { kind: 'service', name: 'dns' },
  ];
  await keepalived.start(120);
  await pair.settles(keepalived);
  await lvsd.start(150);
});
beforeEach(() => pair.settles(lvsd));
after(() => pair.destroy());

test('a device that does not exist lowers the priority by its weight', async () => {
  assert.equal((await lvsd.status()).priority, 140);
  addDevice('eth2');
  await until('the whole priority', async () => (await lvsd.status()).priority === 150);
  const reasons = lvsd.messages.flatMap((one) => (one.type === 'event' && one.event === 'priority' ? one.reason : []));
  assert.deepEqual(reasons, ['priority 140: no device eth2', 'priority 150']);
});

test('an interface without a weight is a fault while it is down or deleted', async () => {
  lvsd.namespace.ip('link set eth1 down');
  await pair.settles(keepalived);
  assert.deepEqual((await lvsd.status()).faults, ['eth1 is down']);
  lvsd.namespace.ip('link del eth1');
  await until('the other cause', async () => (await lvsd.status()).faults.join() === 'no device eth1');
  addDevice('eth1');
  await pair.settles(lvsd);
  assert.deepEqual((await lvsd.status()).faults, []);
});

test('a service with a weight gives the addresses to keepalived, and takes them back', async () => {
  lvsd.send({ type: 'services', up: { shop: false }, checked: true });
  await pair.settles(keepalived);
  const { phase, priority, faults, tracked } = await lvsd.status();
  assert.deepEqual([phase, priority, faults], ['backup', 100, []]);
  assert.deepEqual(
    tracked.map(({ name, up }) => `${name} ${up}`),
    ['eth1 true', 'eth2 true', 'shop false', 'dns true'],
  );
  lvsd.send({ type: 'services', up: { shop: true }, checked: true });
  await pair.settles(lvsd);
});

test('a service without a weight is a fault: it sends priority 0, so that keepalived takes over at once', async () => {
  lvsd.send({ type: 'services', up: { dns: false }, checked: true });
  await pair.settles(keepalived);
  assert.deepEqual((await lvsd.status()).faults, ['service dns has no quorum']);
  const down = lvsd.messages.find((one) => one.type === 'state' && one.to === 'fault' && one.reason.includes('dns'));
  assert.ok(down, 'reported as a transition');
  // A reload with the service still down must not end the fault.
  lvsd.configure(200);
  assert.equal((await lvsd.status()).phase, 'fault');
  lvsd.send({ type: 'services', up: {}, checked: true });
  await pair.settles(lvsd);
  assert.equal((await lvsd.status()).priority, 200);
});

test('a node whose services have not been checked yet does not preempt', async () => {
  await lvsd.end('SIGTERM');
  await pair.settles(keepalived);
  const configuration = { ...lvsd.configuration(150), waitsForChecks: true };
  await lvsd.start(150, () => lvsd.send({ type: 'configure', instances: [configuration] }));
  await until('adverts of keepalived', async () => ((await lvsd.status()).counters.received ?? 0) > 10);
  assert.equal((await lvsd.status()).phase, 'backup');
  lvsd.send({ type: 'services', up: {}, checked: true });
  await pair.settles(lvsd);
});
