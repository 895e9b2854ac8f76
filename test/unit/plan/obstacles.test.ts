// SPDX-License-Identifier: MIT
// Obstacles of a plan are found before anything is changed, and reported once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planExitCode, planNotes } from '../../../src/control/plan-text.ts';
import type { Feature } from '../../../src/ipvs/index.ts';
import { apply, difference, obstacles } from '../../../src/plan/index.ts';
import { KernelModel } from '../../support/kernel-model.ts';
import { actualTable, desiredTable, ip, onDevice, server, service } from './states.ts';

const machine = (features: Feature[] = [], devices = ['eth0'], absentSchedulers: string[] = []) => ({
  absentSchedulers: new Set(absentSchedulers),
  features: new Set(features),
  devices: new Set(devices),
});
const fullnat = (name: string, port: number) =>
  service(name, `10.99.0.10:${port}`, {
    localAddresses: [ip('10.31.3.1')],
    destinations: [server('10.31.4.2:80', { method: 5 })],
  });
const LACKS = 'the running ip_vs does not support FULLNAT, which is needed by';
const REMEDY = "load lvsd's ip_vs modules, see docs/kernel.md";

test('twenty services that need FULLNAT are one obstacle', () => {
  const many = Array.from({ length: 20 }, (_, index) => fullnat(`s${index}`, 1000 + index));
  assert.deepEqual(obstacles(desiredTable([...many, service('plain', '10.99.0.11:80')]), machine()), [
    { kernel: true, text: `${LACKS} s0, s1, s2 and 17 more services: ${REMEDY}` },
  ]);
  assert.deepEqual(obstacles(desiredTable(many), machine(['FULLNAT'])), []);
});

test('the virtual services of one name count once', () => {
  const both = [fullnat('web', 80), fullnat('web', 443)];
  assert.equal(obstacles(desiredTable(both), machine())[0]?.text, `${LACKS} web: ${REMEDY}`);
});

test('SYN proxy needs a feature of its own, which older builds of our modules lack', () => {
  const proxied = { ...fullnat('web', 80), synProxy: { enabled: true } };
  const text = `the running ip_vs does not support SYN proxy, which is needed by web: ${REMEDY}`;
  assert.deepEqual(obstacles(desiredTable([proxied, fullnat('mail', 25)]), machine(['FULLNAT'])), [
    { kernel: true, text },
  ]);
  assert.equal(obstacles(desiredTable([proxied]), machine())[0]?.text, `${LACKS} web: ${REMEDY}`);
  assert.deepEqual(obstacles(desiredTable([proxied]), machine(['FULLNAT', 'SYNPROXY'])), []);
});

test('SYN proxy with NAT needs another one', () => {
  const nat = service('web', '10.99.0.10:80', {
    synProxy: { enabled: true },
    destinations: [server('10.31.4.2:80')],
  });
  const lacks = (what: string) => [
    { kernel: true, text: `the running ip_vs does not support ${what}, which is needed by web: ${REMEDY}` },
  ];
  assert.deepEqual(obstacles(desiredTable([nat]), machine()), lacks('SYN proxy'));
  assert.deepEqual(obstacles(desiredTable([nat]), machine(['FULLNAT', 'SYNPROXY'])), lacks('SYN proxy with NAT'));
  assert.deepEqual(obstacles(desiredTable([nat]), machine(['FULLNAT', 'SYNPROXY', 'SYNPROXY_NAT'])), []);
});

test('a defence needs a feature of its own', () => {
  const defended = service('web', '10.99.0.12:80', {
    defence: { dropStrays: true, dropFragments: false, synRate: 0, synBurst: 1 },
  });
  const text = `the running ip_vs does not support defence of services, which is needed by web: ${REMEDY}`;
  assert.deepEqual(obstacles(desiredTable([defended]), machine()), [{ kernel: true, text }]);
  assert.deepEqual(obstacles(desiredTable([defended]), machine(['DEFENCE'])), []);
});

test('a timeout that no kernel has, and devices that are not there', () => {
  const slow = service('slow', '10.99.0.12:80', { establishedTimeout: 900 });
  const addresses = ['10.99.0.1', '10.99.0.2', '10.99.0.3', '10.99.0.4', '10.99.0.5'].map((one) =>
    onDevice(one, 'eth7'),
  );
  assert.deepEqual(
    obstacles(desiredTable([slow], [...addresses, onDevice('10.99.0.9', 'eth0')]), machine(['FULLNAT'])),
    [
      {
        kernel: true,
        text: 'the running ip_vs does not support timeouts.established, which is needed by slow: remove it from the file',
      },
      {
        kernel: false,
        text: 'there is no device eth7 for 10.99.0.1/32, 10.99.0.2/32, 10.99.0.3/32 and 2 more addresses: create it, or correct `device` in the file',
      },
    ],
  );
});

test('a scheduler that the kernel lacks is named, and may come later', () => {
  const wanted = desiredTable([
    service('web', '10.99.0.11:80', { scheduler: 'twos' }),
    service('mail', '10.99.0.11:25', { scheduler: 'twos' }),
    service('plain', '10.99.0.11:81'),
  ]);
  assert.deepEqual(obstacles(wanted, machine([], [], ['twos', 'unused'])), [
    {
      kernel: false,
      text: 'there is no scheduler twos in this kernel for web, mail: install its module, ip_vs_twos, or choose another one',
    },
  ]);
  assert.deepEqual(obstacles(wanted, machine()), []);
});

test('a pool with a device needs FULLNAT too, also if no service uses it', () => {
  const pool = onDevice('10.31.3.1', 'eth0', { purpose: 'local', name: 'inner' });
  assert.deepEqual(obstacles(desiredTable([service('plain', '10.99.0.11:80')], [pool]), machine()), [
    { kernel: true, text: `${LACKS} local_addresses.inner: ${REMEDY}` },
  ]);
  assert.equal(obstacles(desiredTable([fullnat('web', 80)], [pool]), machine())[0]?.text, `${LACKS} web: ${REMEDY}`);
});

test('a missing feature of the kernel gives status 5; a missing device or a pause is only reported', () => {
  const lines = [{ sign: '+', service: 'web', text: 'tcp' }] as const;
  assert.equal(planExitCode({ lines, obstacles: [{ text: 'no FULLNAT', kernel: true }] }), 5);
  assert.equal(planExitCode({ lines, obstacles: [{ text: 'no eth7', kernel: false }] }), 3);
  assert.equal(planExitCode({ lines: [], obstacles: [] }), 0);
  assert.deepEqual(planNotes({ lines, obstacles: [{ text: 'no eth7', kernel: false }], paused: true }), [
    'no eth7',
    'lvsd is paused: nothing of this is written until lvsctl resume',
  ]);
});

test('a service that needs what the kernel lacks is not added without its real servers', async () => {
  const model = new KernelModel(actualTable([]));
  model.lacking.add('FULLNAT');
  const pool = onDevice('10.31.3.1', 'eth0', { purpose: 'local', name: 'inner' });
  const desired = desiredTable([fullnat('web', 80), service('plain', '10.99.0.11:80')], [pool]);
  const { operations } = difference(desired, actualTable([]), { all: true });
  const results = await apply(operations, { ipvs: model, addresses: model.addresses });
  assert.deepEqual(
    results.map(({ operation, error }) => [operation.op, error instanceof Error ? error.message : error]),
    [
      // Nor is its pool put on a device.
      ['add-address', 'no FULLNAT'],
      ['add-service', 'no FULLNAT'],
      ['add-local-address', 'skipped'],
      ['add-destination', 'skipped'],
      ['add-service', undefined],
    ],
  );
});
