// SPDX-License-Identifier: MIT
// TCP checks on real sockets: who is well, who is not, and of whom nothing can be said.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { native } from '../../../src/base/native.ts';
import { dial } from '../../../src/health/common/dial.ts';
import { socketAddress } from '../../../src/health/common/sockaddr.ts';
import { tcpProber } from '../../../src/health/tcp/prober.ts';
import { closedPort, probe, serve, TCP, target } from './probes.ts';

test('a server that accepts is well, over IPv4 and IPv6', async () => {
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

test('a closed port refuses', async () => {
  assert.equal(await probe(target(TCP, await closedPort())), 'failure: connection refused');
});

test('a port that the kernel gave the probe itself is closed all the same', async () => {
  // A socket that is bound to what it connects to meets itself, which a probe of a local port may do by chance.
  const port = await closedPort();
  const self = socketAddress('127.0.0.1', port);
  assert.ok(self);
  const to = { family: self.family, address: self.bytes, bind: self, mark: 0, port };
  const result = await new Promise((resolve) => dial(to, resolve));
  assert.deepEqual(result, { outcome: 'failure', reason: 'connection refused' });
});

test('a server whose queue is full answers nothing', async () => {
  // Nobody accepts, and one connection fills the queue of length 0: the kernel drops the SYN of any further one.
  const address = socketAddress('127.0.0.1', await closedPort());
  assert.ok(address);
  const server = new (native().Socket)(AF_INET, 1, 6);
  server.setsockopt(1, 2, 1);
  server.bind(address.bytes);
  server.listen(0);
  const port = Buffer.from(address.bytes).readUInt16BE(2);
  const fillers = [0, 1, 2].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await probe(target({ ...TCP, timeout: 150 }, port)), 'failure: no answer within 150ms');
  for (const filler of fillers) filler.destroy();
  server.close();
});

test('a source address is used, and one that is not ours is our own trouble', async () => {
  let from: string | undefined;
  const port = await serve((socket) => {
    from = socket.remoteAddress;
  });
  assert.equal(await probe(target({ ...TCP, bind: '127.0.0.9' }, port)), 'success: connected');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(from, '127.0.0.9');
  assert.equal(
    await probe(target({ ...TCP, bind: '192.0.2.77' }, port)),
    'inconclusive: the source address could not be bound: this machine does not have it',
  );
});

test('what cannot be probed at all is said once, when it is prepared', () => {
  const of = (address: string, bind?: string) => tcpProber(target({ ...TCP, bind }, 80, address));
  assert.throws(() => of('shop.example'), /shop\.example is not an address/);
  assert.throws(() => of('::1', '127.0.0.1'), /127\.0\.0\.1 is no source address for probes of ::1/);
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
