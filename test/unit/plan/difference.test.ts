// SPDX-License-Identifier: MIT
// Plans as an operator reads them in `lvsd plan`: order and text of the operations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SynProxy, serviceKeyText } from '../../../src/ipvs/index.ts';
import { describe, difference, drift, toJson } from '../../../src/plan/index.ts';
import { bytesKey } from '../../../src/plan/keys.ts';
import type { Actual, Desired, DesiredService, Ownership } from '../../../src/plan/types.ts';
import { localAddress } from '../../support/kernel-model.ts';
import { actualAddress, actualService, actualTable, desiredTable, ip, onDevice, server, service } from './states.ts';

const ALL: Ownership = { all: true };
const lines = (desired: Desired, actual: Actual, ownership: Ownership = ALL) =>
  difference(desired, actual, ownership).operations.map((operation) => {
    const { sign, service: name, text } = describe(operation);
    return `${sign} ${name ?? '(none)'} ${text}`;
  });

const LOCAL = ['10.31.3.101', '10.31.3.102'].map(ip);
const shop = service('shop', '10.99.0.10:443', {
  ...{ flags: 1, timeout: 300, netmask: 0xffffff00, localAddresses: LOCAL },
  destinations: [server('10.31.4.2:8443', { method: 5, weight: 2 }), server('10.31.4.3:8443', { method: 5 })],
});
const addresses = [
  onDevice('10.99.0.10', 'lo'),
  ...LOCAL.map((address) => onDevice(address.join('.'), 'eth1', { purpose: 'local', name: 'inner' })),
];

test('a new service: local addresses, service, pool, real servers, then its virtual address', () => {
  assert.deepEqual(lines(desiredTable([shop], addresses), actualTable([])), [
    '+ inner local address 10.31.3.101/32 on eth1',
    '+ inner local address 10.31.3.102/32 on eth1',
    '+ shop tcp 10.99.0.10:443 scheduler wrr, persistence 5m per 255.255.255.0',
    '+ shop tcp 10.99.0.10:443 local address 10.31.3.101',
    '+ shop tcp 10.99.0.10:443 local address 10.31.3.102',
    '+ shop tcp 10.99.0.10:443 real server 10.31.4.2:8443 forward fullnat, weight 2',
    '+ shop tcp 10.99.0.10:443 real server 10.31.4.3:8443 forward fullnat, weight 1',
    '+ shop virtual address 10.99.0.10/32 on lo',
  ]);
});

test('a service is removed in reverse order; objects of other programs stay', () => {
  const on = addresses.map((one) => actualAddress(one));
  const other = actualService(service('', '10.99.0.11:80'));
  const foreign = actualAddress(onDevice('10.99.0.11', 'lo'), false);
  const actual = actualTable([actualService(shop), other], [...on, foreign]);
  const ownership: Ownership = { all: false, services: new Set([serviceKeyText(shop)]) };
  assert.deepEqual(lines(desiredTable([]), actual, ownership), [
    '- (none) address 10.99.0.10/32 on lo',
    '- (none) tcp 10.99.0.10:443',
    '- (none) address 10.31.3.101/32 on eth1',
    '- (none) address 10.31.3.102/32 on eth1',
  ]);
  assert.deepEqual(lines(desiredTable([]), actual, { all: false, services: new Set() }), [
    '- (none) address 10.99.0.10/32 on lo',
  ]);
});

test('edits: the service first, additions before removals', () => {
  const was = service('shop', '10.99.0.10:443', {
    scheduler: 'rr',
    destinations: [server('10.31.4.2:8443', { weight: 5 }), server('10.31.4.3:8443'), server('10.31.4.4:8443')],
  });
  const desired = {
    ...was,
    scheduler: 'wlc',
    destinations: [server('10.31.4.3:8443', { weight: 3 }), server('10.31.4.5:8443'), server('10.31.4.2:8443')],
  };
  assert.deepEqual(lines(desiredTable([desired]), actualTable([actualService(was)])), [
    '~ shop tcp 10.99.0.10:443 scheduler rr → wlc',
    '~ shop tcp 10.99.0.10:443 real server 10.31.4.3:8443 weight 1 → 3',
    '+ shop tcp 10.99.0.10:443 real server 10.31.4.5:8443 forward masquerade, weight 1',
    '~ shop tcp 10.99.0.10:443 real server 10.31.4.2:8443 weight 5 → 1',
    '- shop tcp 10.99.0.10:443 real server 10.31.4.4:8443',
  ]);
});

test('one-packet scheduling comes once no FULLNAT real server is left', () => {
  const was = { ...shop, flags: 0 };
  const desired = { ...was, flags: 4, localAddresses: [], destinations: [server('10.31.4.2:8443', { weight: 2 })] };
  assert.deepEqual(lines(desiredTable([desired]), actualTable([actualService(was)])), [
    '~ shop tcp 10.99.0.10:443 real server 10.31.4.2:8443 forward fullnat → masquerade',
    '- shop tcp 10.99.0.10:443 real server 10.31.4.3:8443',
    '~ shop tcp 10.99.0.10:443 one-packet off → on',
    '~ shop tcp 10.99.0.10:443 local address 10.31.3.101 drains',
    '~ shop tcp 10.99.0.10:443 local address 10.31.3.102 drains',
    '- shop tcp 10.99.0.10:443 local address 10.31.3.101',
    '- shop tcp 10.99.0.10:443 local address 10.31.3.102',
  ]);
});

test('SYN proxy comes once every real server has FULLNAT or NAT, and ends before another one is added', () => {
  const on = { synProxy: { enabled: true, sack: false }, localAddresses: LOCAL };
  const proxied = service('shop', '10.99.0.10:443', { ...on, destinations: [server('10.31.4.2:80', { method: 5 })] });
  const plain = service('shop', '10.99.0.10:443', { destinations: [server('10.31.4.2:80', { method: 3 })] });
  const nat = service('shop', '10.99.0.10:443', { destinations: [server('10.31.4.2:80')] });
  assert.deepEqual(lines(desiredTable([proxied]), actualTable([])).slice(0, 1), [
    '+ shop tcp 10.99.0.10:443 scheduler wrr, SYN proxy on, with no SACK',
  ]);
  assert.deepEqual(lines(desiredTable([proxied]), actualTable([actualService(plain)])), [
    '+ shop tcp 10.99.0.10:443 local address 10.31.3.101',
    '+ shop tcp 10.99.0.10:443 local address 10.31.3.102',
    '~ shop tcp 10.99.0.10:443 real server 10.31.4.2:80 forward direct → fullnat',
    '~ shop tcp 10.99.0.10:443 SYN proxy off → on, with no SACK',
  ]);
  assert.deepEqual(lines(desiredTable([plain]), actualTable([actualService(proxied)])).slice(0, 2), [
    '~ shop tcp 10.99.0.10:443 SYN proxy on, with no SACK → off',
    '~ shop tcp 10.99.0.10:443 real server 10.31.4.2:80 forward fullnat → direct',
  ]);
  assert.deepEqual(lines(desiredTable([{ ...nat, synProxy: on.synProxy }]), actualTable([actualService(nat)])), [
    '~ shop tcp 10.99.0.10:443 SYN proxy off → on, with no SACK',
  ]);
  const usual = { ...proxied, synProxy: { enabled: true } };
  const complete = { enabled: true, mss: 0, windowScale: 7, sack: true, timestamps: true, window: 2896 };
  assert.deepEqual(lines(desiredTable([usual]), actualTable([actualService({ ...usual, synProxy: complete })])), []);
});

test('settings of SYN proxy that are undefined keep their values, and are sent with those that change', () => {
  const complete = { enabled: true, mss: 1440, windowScale: 9, sack: false, timestamps: true, window: 2896 };
  const base = service('shop', '10.99.0.10:443', {
    ...{ localAddresses: LOCAL, destinations: [server('10.31.4.2:80', { method: 5 })] },
  });
  const actual = actualTable([
    actualService(
      { ...base, synProxy: complete },
      LOCAL.map((one) => localAddress(one)),
    ),
  ]);
  const plan = (synProxy: SynProxy) => difference(desiredTable([{ ...base, synProxy }]), actual, ALL).operations;
  assert.deepEqual(plan({ enabled: true, window: 2896 }), []);
  const [change, ...more] = plan({ enabled: true, timestamps: false, window: 2896 });
  assert.deepEqual(more, []);
  assert.ok(change?.op === 'set-service');
  assert.deepEqual(change.service.synProxy, { ...complete, timestamps: false });
});

test('a virtual address waits for local addresses only if its service needs them after the plan', () => {
  const table = actualTable([
    actualService(
      shop,
      LOCAL.map((one) => localAddress(one)),
    ),
  ]);
  const needs = (destinations: DesiredService['destinations']) =>
    difference(desiredTable([{ ...shop, destinations }], addresses), table, ALL).operations.flatMap((one) =>
      one.op === 'add-address' && one.address.purpose === 'virtual' ? [one.needsLocal] : [],
    );
  assert.deepEqual(needs(shop.destinations), [LOCAL.map(bytesKey)]);
  assert.deepEqual(needs([server('10.31.4.2:8443', { method: 0 })]), [undefined]);
});

test('a defence is set, changed and ended', () => {
  const base = service('shop', '10.99.0.10:443', { destinations: [server('10.31.4.2:80')] });
  const defence = { dropStrays: true, dropFragments: true, synRate: 5000, synBurst: 500 };
  const plan = (wanted: DesiredService, is: DesiredService) =>
    lines(desiredTable([wanted]), actualTable([actualService(is)]));
  const text = 'drops strays, drops fragments, 5000 SYNs a second, 500 at once';
  const of = '~ shop tcp 10.99.0.10:443 defence';
  assert.deepEqual(plan({ ...base, defence }, base), [`${of} none → ${text}`]);
  assert.deepEqual(plan(base, { ...base, defence }), [`${of} ${text} → none`]);
  assert.deepEqual(plan({ ...base, defence: { ...defence, synRate: 0, dropFragments: false } }, { ...base, defence }), [
    `${of} ${text} → drops strays`,
  ]);
  assert.deepEqual(plan({ ...base, defence }, { ...base, defence }), []);
});

test('a local address with connections drains and stays on its device; added back, it is used again', () => {
  const pool = [localAddress(ip('10.31.3.101'), 7), localAddress(ip('10.31.3.102'))];
  const on = addresses.map((one) => actualAddress(one));
  const desired = desiredTable(
    [{ ...shop, localAddresses: LOCAL.slice(1) }],
    [addresses[0], addresses[2]].filter((one) => one !== undefined),
  );
  const plan = difference(desired, actualTable([actualService(shop, pool)], on), ALL);
  assert.deepEqual(
    plan.operations.map(({ op }) => op),
    ['drain-local-address'],
  );
  assert.deepEqual(
    plan.waiting.map(({ name, connections }) => [name, connections]),
    [['shop', 7]],
  );
  const drained = [localAddress(ip('10.31.3.101'), 7, true), localAddress(ip('10.31.3.102'))];
  const waiting = difference(desired, actualTable([actualService(shop, drained)], on), ALL);
  assert.deepEqual([waiting.operations, waiting.waiting.length], [[], 1]);
  const idle = [localAddress(ip('10.31.3.101'), 0, true), localAddress(ip('10.31.3.102'))];
  assert.deepEqual(lines(desired, actualTable([actualService(shop, idle)], on)), [
    '- shop tcp 10.99.0.10:443 local address 10.31.3.101',
    '- (none) address 10.31.3.101/32 on eth1',
  ]);
  assert.deepEqual(lines(desiredTable([shop], addresses), actualTable([actualService(shop, drained)], on)), [
    '~ shop tcp 10.99.0.10:443 local address 10.31.3.101 is used again',
  ]);
});

test('an address that a service of another program uses stays on its device', () => {
  const foreign = actualService({ ...service('', '10.99.0.11:80'), localAddresses: LOCAL });
  const on = actualAddress(onDevice('10.31.3.101', 'eth1'));
  assert.deepEqual(lines(desiredTable([]), actualTable([foreign], [on]), { all: false, services: new Set() }), []);
});

test('an address that moves to another device or prefix is added before it is removed', () => {
  const on = actualAddress(onDevice('10.99.0.10', 'eth0'));
  const known = actualTable([actualService(shop)], [on]);
  assert.deepEqual(lines(desiredTable([shop], [onDevice('10.99.0.10', 'lo')]), known), [
    '+ shop virtual address 10.99.0.10/32 on lo',
    '- (none) address 10.99.0.10/32 on eth0',
  ]);
  const wider = onDevice('10.99.0.10', 'eth0', { prefix: 24 });
  assert.deepEqual(
    lines(desiredTable([shop], [wider]), known).map((line) => line.slice(0, 1)),
    ['+', '-'],
  );
  const v6 = service('shop', '[2001:db8::1]:80');
  const here = actualAddress(onDevice('2001:db8::1', 'eth0'));
  // The kernel accepts an IPv6 address once per device.
  const other = onDevice('2001:db8::1', 'eth0', { prefix: 64 });
  assert.deepEqual(
    lines(desiredTable([v6], [other]), actualTable([actualService(v6)], [here])).map((line) => line.slice(0, 1)),
    ['-', '+'],
  );
});

test('fields without effect are no difference', () => {
  const plain = service('shop', '10.99.0.10:443', { destinations: [server('10.31.4.2:8443')] });
  const odd = actualService({
    ...{ ...plain, timeout: 77, netmask: 0 },
    destinations: [server('10.31.4.2:8443', { tunnelType: 1, tunnelPort: 99, tunnelFlags: 1 })],
  });
  assert.deepEqual(lines(desiredTable([plain]), actualTable([odd])), []);
  const ipip = server('10.31.4.2:8443', { method: 2, tunnelPort: 5, tunnelFlags: 1 });
  const same = { ...plain, destinations: [server('10.31.4.2:8443', { method: 2 })] };
  assert.deepEqual(lines(desiredTable([{ ...plain, destinations: [ipip] }]), actualTable([actualService(same)])), []);
});

test('timeouts: only those that differ are set; 0 leaves one unchanged', () => {
  const desired = { ...desiredTable([]), timeouts: { tcp: 900, tcpFin: 60, udp: 0 } };
  assert.deepEqual(difference(desired, actualTable([]), ALL).operations, [
    { op: 'set-timeouts', timeouts: { tcp: 0, tcpFin: 60, udp: 0 }, was: { tcp: 900, tcpFin: 120, udp: 300 } },
  ]);
  assert.deepEqual(lines(desired, actualTable([])), ['~ (none) timeouts tcp_fin 2m → 1m']);
});

test('operations as JSON', () => {
  const was = { ...shop, destinations: [server('10.31.4.2:8443', { method: 5, weight: 1 })] };
  const { operations } = difference(
    desiredTable([{ ...was, destinations: shop.destinations }]),
    actualTable([actualService(was)]),
    ALL,
  );
  assert.deepEqual(operations.map(toJson), [
    {
      ...{
        op: 'set-destination',
        sign: '~',
        service: 'shop',
        virtual: 'tcp 10.99.0.10:443',
        realServer: '10.31.4.2:8443',
      },
      text: 'tcp 10.99.0.10:443 real server 10.31.4.2:8443 weight 1 → 2',
      changes: [{ aspect: 'weight', from: '1', to: '2' }],
    },
    {
      ...{
        op: 'add-destination',
        sign: '+',
        service: 'shop',
        virtual: 'tcp 10.99.0.10:443',
        realServer: '10.31.4.3:8443',
      },
      text: 'tcp 10.99.0.10:443 real server 10.31.4.3:8443 forward fullnat, weight 1',
    },
  ]);
});

test('drift: filtered by service; more than 50 changes are counted', () => {
  const mine = actualService(shop);
  const other = actualService(service('', '10.99.0.11:80'));
  const filter = { service: (key: string) => key === serviceKeyText(shop) };
  assert.deepEqual(drift(actualTable([mine, other]), actualTable([mine]), filter), []);
  assert.deepEqual(drift(actualTable([mine, other]), actualTable([other]), filter), [
    {
      objects: { service: 1 },
      text: 'tcp 10.99.0.10:443 was deleted',
      service: serviceKeyText(shop),
      virtual: 'tcp 10.99.0.10:443',
    },
  ]);
  const many = Array.from({ length: 200 }, (_, index) => actualService(service('', `10.0.0.1:${1 + index}`)));
  const changes = drift(actualTable([mine, ...many]), actualTable([mine]));
  assert.equal(changes.length, 51);
  assert.equal(changes.at(-1)?.text, 'and 150 more changes');
  assert.deepEqual(changes.at(-1)?.objects, { service: 150 });
});

test('a pool that begins to follow a virtual router leaves the device, although services use it', () => {
  const one = onDevice('10.31.3.101', 'eth1', { purpose: 'local', name: 'inner' });
  const pooled = { ...shop, localAddresses: [one.address] };
  const actual = actualTable([actualService(pooled)], [actualAddress(one)]);
  assert.deepEqual(lines(desiredTable([pooled]), actual), []);
  const followed = { ...desiredTable([pooled]), followed: [one.address] };
  assert.deepEqual(lines(followed, actual), ['- (none) address 10.31.3.101/32 on eth1']);
});
