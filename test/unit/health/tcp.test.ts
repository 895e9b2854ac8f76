// SPDX-License-Identifier: MIT
// TCP checks on real sockets: healthy, failed and inconclusive ones.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { native } from '../../../src/base/native.ts';
import { socketAddress } from '../../../src/base/socket-address.ts';
import { Connections } from '../../../src/health/common/connections.ts';
import { dial } from '../../../src/health/common/dial.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { closedPort, probe, serve, TCP, target } from '../../support/probes.ts';

const prepare = await loadProbers();

test('a server that accepts is healthy, over IPv4 and IPv6', async () => {
  assert.equal(await probe(target(TCP, await serve(() => {}))), 'success: connected');
  assert.equal(await probe(target(TCP, await serve(() => {}, '::1'), '::1')), 'success: connected');
});

test('the connection ends by a reset, so that nothing stays in TIME_WAIT', async () => {
  let code: string | undefined;
  const ended = new Promise<void>((resolve) => {
    void serve((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code;
      });
      socket.on('close', () => resolve());
      socket.resume();
    }).then((port) => probe(target(TCP, port)));
  });
  await ended;
  assert.equal(code, 'ECONNRESET');
});

test('a connection that the server resets at once counts as connected', async () => {
  const port = await serve((socket) => socket.resetAndDestroy());
  const verdicts = new Set<string>();
  for (let i = 0; i < 200; i++) verdicts.add(await probe(target(TCP, port)));
  assert.deepEqual([...verdicts], ['success: connected']);
});

test('a closed port is a failure', async () => {
  assert.equal(await probe(target(TCP, await closedPort())), 'failure: connection refused');
});

test('a socket that connected to itself counts as refused', async () => {
  // A socket bound to the address that it connects to connects to itself, as a probe of a local port may by chance.
  const port = await closedPort();
  for (const address of ['127.0.0.1', '::1']) {
    const self = socketAddress(address, port);
    assert.ok(self);
    const to = { family: self.family, address: self.bytes, bind: self, mark: 0, port };
    const refused = { outcome: 'failure', reason: 'connection refused', code: 'refused' };
    assert.deepEqual(await new Promise((resolve) => dial(to, resolve)), refused);
    assert.deepEqual(await new Promise((end) => new Connections().begin(to, null, { end })), refused);
    assert.deepEqual(await new Promise((end) => new Connections().begin(to, Buffer.from('x'), { end })), refused);
  }
});

/** A listener whose queue is full, so that the kernel drops the SYN of any further connection. */
async function deafServer() {
  const address = socketAddress('127.0.0.1', await closedPort());
  assert.ok(address);
  const server = new (native().Socket)(AF_INET, 1, 6);
  server.setsockopt(1, 2, 1);
  server.bind(address.bytes);
  server.listen(0);
  const port = Buffer.from(address.bytes).readUInt16BE(2);
  // One connection fills a queue of length 0.
  const fillers = [0, 1, 2].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    port,
    close() {
      for (const filler of fillers) filler.destroy();
      server.close();
    },
  };
}

test('a server that does not answer is a failure at the deadline', async () => {
  const server = await deafServer();
  assert.equal(await probe(target({ ...TCP, timeout: 150 }, server.port)), 'failure: no answer within 150ms');
  server.close();
});

test('the source address is used, and one that this machine does not have is inconclusive', async () => {
  const server = await deafServer();
  const bound = { ...TCP, timeout: 200, bind: '127.0.0.9' };
  const probing = probe(target(bound, server.port));
  // While it waits, the kernel's table has its local and remote address, in the host's byte order.
  const port = server.port.toString(16).toUpperCase().padStart(4, '0');
  assert.match(readFileSync('/proc/net/tcp', 'utf8'), new RegExp(` 0900007F:[0-9A-F]{4} 0100007F:${port} `));
  assert.equal(await probing, 'failure: no answer within 200ms');
  server.close();
  const open = await serve(() => {});
  assert.equal(await probe(target(bound, open)), 'success: connected');
  assert.equal(
    await probe(target({ ...TCP, bind: '192.0.2.77' }, open)),
    'inconclusive: the source address could not be bound: this machine does not have it',
  );
});

test('a probe of an impossible target throws', () => {
  const of = (address: string, bind?: string) => {
    const one = target({ ...TCP, bind }, 80, address);
    return prepare(one.check).start(one, () => {});
  };
  assert.throws(() => of('shop.example'), /shop\.example is not an address/);
  assert.throws(() => of('::1', '127.0.0.1'), /bind 127\.0\.0\.1 and ::1 are of different address families/);
});

test('a mark is set', { skip: process.getuid?.() !== 0 && 'needs CAP_NET_ADMIN' }, async () => {
  assert.equal(await probe(target({ ...TCP, fwmark: 0xffffffff }, await serve(() => {}))), 'success: connected');
});

test('probes leave no descriptor open', async () => {
  const [open, closed] = [await serve(() => {}), await closedPort()];
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 200; i++) {
    await probe(target(TCP, closed));
    const running = probe(target({ ...TCP, timeout: 1 }, open));
    await running;
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(readdirSync('/proc/self/fd').length <= before + 2);
});

test('of 300 concurrent connections each gets its own result, and cancelled ones get none', async () => {
  const [open, closed, deaf] = [await serve(() => {}), await closedPort(), await deafServer()];
  const connections = new Connections();
  const results: string[] = [];
  const stops: (() => void)[] = [];
  const begin = (name: string, port: number) => {
    const address = socketAddress('127.0.0.1', port);
    assert.ok(address);
    const to = { family: address.family, address: address.bytes, bind: undefined, mark: 0, port };
    const end = (trouble?: { reason: string }) => results.push(`${name} ${trouble?.reason ?? 'connected'}`);
    const connection = connections.begin(to, null, { end });
    stops.push(() => connection.cancel());
  };
  for (let i = 0; i < 300; i++) begin(`${i}`, [open, closed, deaf.port][i % 3] ?? 0);
  // Cancels some before their results, among them some that get none, each of them twice.
  for (const i of [0, 1, 2, 3, 4, 5]) for (const _ of [1, 2]) stops[i]?.();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const expected = Array.from({ length: 300 }, (_, i) => i)
    .filter((i) => i > 5 && i % 3 < 2)
    .map((i) => `${i} ${i % 3 === 0 ? 'connected' : 'connection refused'}`);
  assert.deepEqual(results.sort(), expected.sort());
  for (const stop of stops) stop();
  // Their numbers can be used again.
  results.length = 0;
  for (let i = 0; i < 300; i++) begin('again', closed);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    results,
    Array.from({ length: 300 }, () => 'again connection refused'),
  );
  deaf.close();
});
