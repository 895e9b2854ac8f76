// SPDX-License-Identifier: MIT
// Random tables on the patched kernel, with FULLNAT and local addresses; and a local address that drains while it
// has a real connection, and is removed after it.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { Addresses } from '../../../src/net/index.ts';
import { apply, describe, difference, readActual } from '../../../src/plan/index.ts';
import type { Actual, Desired, DesiredAddress, Ownership } from '../../../src/plan/types.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { closeAll, dial, listen } from '../fullnat/tcp.ts';
import { eventually, netnsPath } from '../fullnat/wire.ts';
import { Kernel, round } from './rounds.ts';

const ROUNDS = process.env.LVSD_COUNTS === 'full' ? 200 : 10;
const ALL: Ownership = { all: true };
let kernel: Kernel;

before(() => {
  kernel = new Kernel(true);
});
after(() => kernel.close());

test(`${ROUNDS} random tables are reconciled, as ipvsadm and ip show`, {
  timeout: 3_000_000,
}, async () => {
  for (let seed = 1001; seed <= 1000 + ROUNDS; seed++) await round(kernel, seed);
});

test('the table is not read again while the generation is unchanged', async () => {
  const first = await kernel.read();
  const again = await readActual(kernel.ipvs, kernel.addresses, first);
  assert.equal(again.generation, first.generation);
  assert.ok(again.services.every((one, index) => one === first.services[index]));
  await kernel.ipvs.addService(serviceConfig('192.0.2.77', 77));
  const third = await readActual(kernel.ipvs, kernel.addresses, first);
  assert.notEqual(third.generation, first.generation);
  assert.equal(third.services.length, first.services.length + 1);
  kernel.run('ipvsadm', ['-C']);
  assert.equal((await readActual(kernel.ipvs, kernel.addresses, third)).services.length, 0);
});

async function echo(socket: Socket): Promise<void> {
  const word = `word ${Math.random()}`;
  const answer = new Promise<string>((done, fail) => {
    socket.once('data', (data) => done(data.toString()));
    socket.once('close', () => fail(new Error('the connection ended')));
  });
  socket.write(word);
  assert.equal(await answer, word);
}

const LADDRS = ['10.31.3.111', '10.31.3.112'];
const PORT = 80;

function desiredTable(rig: Rig, laddrs: readonly string[]): Desired {
  const service = {
    ...{ ...serviceConfig(rig.vip, PORT), name: 'shop', establishedTimeout: undefined },
    ...{ destinations: [destConfig(rig.rs1Address, PORT)], localAddresses: laddrs.map(ip4) },
  };
  const addresses = laddrs.map(
    (text): DesiredAddress => ({
      ...{ device: 'in0', family: 2, address: ip4(text), prefix: 32, purpose: 'local', name: 'inner' },
    }),
  );
  return { services: [service], addresses, timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };
}

test('a local address is removed after its last connection', async () => {
  const rig = await fullnatRig({ port: PORT, bare: true });
  const addresses = new Addresses({ netns: netnsPath(rig.balancer) });
  const target = { ipvs: rig.ipvs, addresses };
  const read = () => readActual(rig.ipvs, addresses);
  const applyDifference = async (desired: Desired, actual: Actual) => {
    const plan = difference(desired, actual, ALL);
    for (const { operation, error } of await apply(plan.operations, target))
      assert.ok(error === undefined || error === 'skipped', `${operation.op}: ${String(error)}`);
    return plan;
  };
  const device = async () =>
    (await addresses.list()).filter((one) => one.ours && one.device === 'in0').map(({ address }) => address.join('.'));
  try {
    await listen(rig.rs1, PORT, (socket) => socket.on('data', (data) => socket.write(data)));
    const both = desiredTable(rig, LADDRS);
    await applyDifference(both, await read());
    assert.deepEqual((await device()).sort(), LADDRS);
    assert.deepEqual(difference(both, await read(), ALL), { operations: [], waiting: [] });
    // Two connections in a row get two local addresses.
    const sockets = [(await dial(rig.client, rig.vip, PORT)).socket, (await dial(rig.client, rig.vip, PORT)).socket];
    for (const socket of sockets) await echo(socket);

    const one = desiredTable(rig, LADDRS.slice(1));
    const plan = await applyDifference(one, await read());
    assert.deepEqual(
      plan.operations.map((operation) => describe(operation).text),
      [`tcp ${rig.vip}:80 local address ${LADDRS[0]} drains`],
    );
    const draining = difference(one, await read(), ALL);
    assert.deepEqual(draining.operations, []);
    assert.deepEqual(
      draining.waiting.map(({ address, connections }) => [address.join('.'), connections]),
      [[LADDRS[0], 1]],
    );
    assert.deepEqual((await device()).sort(), LADDRS, 'it was removed from its device while it had a connection');
    for (const socket of sockets) await echo(socket);
    // New connections get the other address.
    const later = (await dial(rig.client, rig.vip, PORT)).socket;
    await echo(later);
    assert.equal(
      (await rig.ipvs.localAddresses(rig.key)).find(({ address }) => address.join('.') === LADDRS[1])?.connections,
      2,
    );

    for (const socket of [...sockets, later]) socket.resetAndDestroy();
    await eventually('an empty table', () => rig.connections().length === 0, 30_000);
    const last = await applyDifference(one, await read());
    assert.deepEqual(
      last.operations.map(({ op }) => op),
      ['delete-local-address', 'delete-address'],
    );
    assert.deepEqual(await device(), LADDRS.slice(1));
    assert.deepEqual(difference(one, await read(), ALL), { operations: [], waiting: [] });
  } finally {
    closeAll();
    addresses.close();
    await rig.destroy();
  }
});

test('a connection made between reading and applying defers the removal', async () => {
  const rig = await fullnatRig({ port: PORT, bare: true });
  const addresses = new Addresses({ netns: netnsPath(rig.balancer) });
  const target = { ipvs: rig.ipvs, addresses };
  try {
    await listen(rig.rs1, PORT, (socket) => socket.on('data', (data) => socket.write(data)));
    const full = desiredTable(rig, LADDRS);
    await apply(difference(full, await readActual(rig.ipvs, addresses), ALL).operations, target);
    const stale = difference(desiredTable(rig, []), await readActual(rig.ipvs, addresses), ALL);
    const { socket } = await dial(rig.client, rig.vip, PORT);
    await echo(socket);
    const results = await apply(stale.operations, target);
    const ends = results.map(({ operation, error }) => `${operation.op}: ${error ?? 'done'}`);
    assert.deepEqual(ends.filter((line) => line.startsWith('delete')).sort(), [
      'delete-address: done',
      'delete-address: skipped',
      'delete-local-address: done',
      'delete-local-address: skipped',
    ]);
    await echo(socket);
    socket.resetAndDestroy();
  } finally {
    closeAll();
    addresses.close();
    await rig.destroy();
  }
});
