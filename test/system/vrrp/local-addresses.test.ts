// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Local addresses of FULLNAT that follow a virtual router: only the master has them; they come before the virtual
// addresses and go after them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Running, until } from '../../../lab/topology.ts';
import { MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const LOCAL = ['10.31.3.101', '10.31.3.102'];
const pair = new Pair(FAST, 45);
const nodes = [pair.lvsd, pair.other];
let monitor: Running;

const held = ({ namespace }: { namespace: { run(command: string): { stdout: string } } }) =>
  LOCAL.filter((address) => namespace.run('ip -o addr show dev eth1').stdout.includes(` ${address}/32 scope link`));

/** Changes of addresses since `start`, such as '+10.31.3.101'. */
const changes = (start: number) =>
  [
    ...monitor
      .stdout()
      .slice(start)
      .matchAll(/^(Deleted )?\d+: eth[01] +inet (10\.(?:31\.3\.10|9\.0\.100)\d?)\//gm),
  ].map(([, deleted, address]) => `${deleted ? '-' : '+'}${address}`);

before(async () => {
  const inside = pair.topology.namespace('vi45');
  for (const [index, { namespace }] of nodes.entries())
    pair.topology.link({ in: namespace, device: 'eth1' }, { in: inside, device: `in${index}` });
  pair.topology.bridge(inside, 'br0', ['in0', 'in1']);
  for (const node of nodes)
    node.more = {
      localAddresses: LOCAL.map((address) => ({ address, prefix: 32, device: 'eth1', purpose: 'local' as const })),
    };
  monitor = pair.lvsd.namespace.spawn(['ip', '-o', 'monitor', 'address']);
  await pair.other.start(100);
  await pair.settles(pair.other);
});
after(() => pair.destroy());

test('only the master has them', async () => {
  assert.deepEqual(held(pair.other), LOCAL);
  assert.deepEqual(held(pair.lvsd), []);
});

test('a takeover adds them before the virtual address, announced on their device', async () => {
  const capture = pair.lvsd.namespace.spawn(['tcpdump', '-Z', 'root', '-l', '-n', '-i', 'eth1', 'arp']);
  await until('tcpdump', () => capture.stderr().includes('listening on'), 30_000);
  await pair.lvsd.start(150);
  await pair.settles(pair.lvsd);
  await until('the local addresses', () => held(pair.lvsd).length === 2 && held(pair.other).length === 0);
  await until('the monitor', () => changes(0).length >= 3);
  assert.deepEqual(changes(0), ['+10.31.3.101', '+10.31.3.102', '+10.9.0.100']);
  for (const address of LOCAL)
    await until(`the announcement of ${address}`, () => capture.stdout().includes(`who-has ${address} `));
  await capture.stop();
});

test('one that another program removes is put back, without a transition', async () => {
  pair.lvsd.namespace.ip('addr del 10.31.3.102/32 dev eth1');
  await until('the address', () => held(pair.lvsd).length === 2);
  const events = () => pair.lvsd.messages.filter((one) => one.type === 'event');
  await until('the event', () => events().length > 0);
  assert.match(JSON.stringify(events()), /10\.31\.3\.102 was removed by another program/);
  assert.ok(pair.holds(pair.lvsd));
});

test('a reload adds and removes single ones', async () => {
  const [first, second] = pair.lvsd.more.localAddresses ?? [];
  const third = { ...(first ?? assert.fail()), address: '10.31.3.103' };
  pair.lvsd.more = { localAddresses: [first ?? assert.fail(), third] };
  const start = monitor.stdout().length;
  pair.lvsd.configure(150);
  await until('the change', () => changes(start).length >= 2);
  assert.deepEqual(changes(start), ['+10.31.3.103', '-10.31.3.102']);
  pair.lvsd.more = { localAddresses: [first ?? assert.fail(), second ?? assert.fail()] };
  pair.lvsd.configure(150);
  await until('the change back', () => changes(start).length >= 4);
});

test('a yield removes them after the virtual address', async () => {
  const start = monitor.stdout().length;
  pair.lvsd.send({ type: 'yield', instance: 'edge', hold: 60_000 });
  await pair.settles(pair.other);
  await until('the local addresses', () => held(pair.other).length === 2 && held(pair.lvsd).length === 0);
  await until('the monitor', () => changes(start).length >= 3);
  assert.deepEqual(changes(start), ['-10.9.0.100', '-10.31.3.101', '-10.31.3.102']);
});
