// SPDX-License-Identifier: MIT
// Local addresses in use: draining, adding again, deletion under connections, and namespaces that end with all of it.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { destConfig, fullnatRig, ip4, kernelLog, type Rig, run } from './rig.ts';
import { closeAll, dial, listen } from './tcp.ts';
import { eventually } from './wire.ts';

const port = 80;
let rig: Rig;
const open: Socket[] = [];

async function serve(): Promise<void> {
  await listen(rig.rs1, port, (socket) => socket.on('data', (data) => socket.write(data)));
}

before(async () => {
  rig = await fullnatRig({ port });
  await serve();
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.resetAndDestroy();
  await eventually('an empty table', () => rig.connections().length === 0, 20_000);
});

after(async () => {
  closeAll();
  await rig.destroy();
});

async function connect(count: number): Promise<Socket[]> {
  const made = await Promise.all(
    Array.from({ length: count }, async () => (await dial(rig.client, rig.vip, port)).socket),
  );
  open.push(...made);
  return made;
}

async function echo(socket: Socket): Promise<void> {
  const word = `word ${Math.random()}`;
  const answer = new Promise<string>((done, fail) => {
    socket.once('data', (data) => done(data.toString()));
    socket.once('close', () => fail(new Error('the connection ended')));
  });
  socket.write(word);
  assert.equal(await answer, word);
}

/** Connections of each local address, and whether it drains. */
const state = async () =>
  Object.fromEntries(
    (await rig.ipvs.localAddresses(rig.key)).map(({ address, connections, draining }) => [
      address.join('.'),
      draining ? `${connections} draining` : `${connections}`,
    ]),
  );

test('a draining address is listed, keeps its connections and gets no new ones; adding it ends the drain', async () => {
  const [a = '', b = ''] = rig.laddrs;
  const first = await connect(6);
  assert.deepEqual(await state(), { [a]: '3', [b]: '3' });
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(a), { drain: true });
  assert.deepEqual(await state(), { [a]: '3 draining', [b]: '3' });
  assert.equal((await rig.ipvs.service(rig.key)).numLocalAddresses, 2);
  await connect(4);
  assert.deepEqual(await state(), { [a]: '3 draining', [b]: '7' });
  for (const socket of first) await echo(socket);
  await rig.ipvs.addLocalAddress(rig.key, ip4(a));
  assert.deepEqual(await state(), { [a]: '3', [b]: '7' });
  await connect(4);
  assert.deepEqual(await state(), { [a]: '5', [b]: '9' });
  await assert.rejects(rig.ipvs.addLocalAddress(rig.key, ip4(a)), { errnoName: 'EEXIST' });
});

test('a deleted address keeps its connections; if all drain, new clients are rejected', async () => {
  const [a = '', b = ''] = rig.laddrs;
  const sockets = await connect(4);
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(a));
  assert.deepEqual(await state(), { [b]: '2' });
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(b), { drain: true });
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(b), { drain: true });
  await assert.rejects(dial(rig.client, rig.vip, port, { timeout: 3000 }), { code: 'ECONNREFUSED' });
  for (const socket of sockets) await echo(socket);
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(b));
  assert.deepEqual(await state(), {});
  for (const socket of sockets) await echo(socket);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(laddr));
  await connect(2);
  for (const socket of sockets) await echo(socket);
});

test('connections survive the deletion and re-creation of their service', async () => {
  const sockets = await connect(4);
  await rig.ipvs.deleteService(rig.key);
  await rig.ipvs.addService(rig.key);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(laddr));
  await rig.ipvs.addDestination(rig.key, destConfig(rig.rs1Address, port));
  for (const socket of sockets) await echo(socket);
  for (const socket of await connect(4)) await echo(socket);
});

test('the balancer’s namespace is deleted with open connections: no leak, no kernel message', async () => {
  await connect(50);
  assert.equal(rig.connections().length, 50);
  const log = kernelLog().length;
  const sockets = open.splice(0);
  await rig.destroy();
  for (const socket of sockets) socket.destroy();
  // A kernel worker destroys the namespace; the scheduler is unused once its service is gone.
  await eventually('the end of its services', () => /^ip_vs_rr \d+ 0 /m.test(run('cat', '/proc/modules')), 20_000);
  assert.deepEqual(
    kernelLog()
      .slice(log)
      .filter((line) => /BUG|WARNING|Call Trace|unregister_netdevice/.test(line)),
    [],
  );
  rig = await fullnatRig({ port });
  await serve();
  await echo((await connect(1))[0] as Socket);
});
