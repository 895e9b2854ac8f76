// SPDX-License-Identifier: MIT
// TCP options that checks negotiate with real servers: of every kind of check that connects, and of listeners with
// settings of their own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { native } from '../../../src/base/native.ts';
import { socketAddress } from '../../../src/base/socket-address.ts';
import { dial, negotiatedOf } from '../../../src/health/common/dial.ts';
import { HealthMonitor } from '../../../src/health/monitor.ts';
import { unpackNegotiated } from '../../../src/health/negotiated.ts';
import type { Target } from '../../../src/health/types.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { closedPort, HTTP, listening, serve, TCP, target } from '../../support/probes.ts';
import { recordingLog } from '../../support/recording-log.ts';

const prepare = await loadProbers();

/** The number that comes with the verdict of a probe. */
const negotiated = (of: Target): Promise<number | undefined> =>
  new Promise((resolve) => {
    prepare(of.check).start(of, (_verdict, number) => resolve(number));
  });

const sysctl = (name: string) => readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim() !== '0';
/** The options of this machine's own stack, which is both ends here. */
const own = { timestamps: sysctl('tcp_timestamps'), sack: sysctl('tcp_sack') };

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_TCP = 6;
const TCP_MAXSEG = 2;

/** A listener with a small receive buffer, hence without a scale to speak of, and with an MSS of 1000. */
async function modestListener(onSocket: (socket: Socket) => void): Promise<number> {
  const socket = new (native().Socket)(2, 1, IPPROTO_TCP);
  socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 8192);
  socket.setsockopt(IPPROTO_TCP, TCP_MAXSEG, 1000);
  const any = socketAddress('127.0.0.1', 0) ?? assert.fail();
  socket.bind(any.bytes);
  const server = createServer((connection) => {
    connection.on('error', () => {});
    onSocket(connection);
  });
  after(() => server.close());
  await new Promise<void>((done) => server.listen({ fd: socket.takeFd() }, done));
  const address = server.address();
  return typeof address === 'object' && address ? address.port : assert.fail();
}

test('a tcp check and an http check tell what their handshake has negotiated', async () => {
  const port = await listening(createHttpServer((_request, response) => response.end('ok')));
  for (const check of [TCP, HTTP]) {
    const found = unpackNegotiated((await negotiated(target(check, port))) ?? 0);
    assert.deepEqual({ timestamps: found.timestamps, sack: found.sack }, own, check.type);
    assert.ok(found.windowScale !== undefined && found.windowScale > 0, check.type);
    assert.ok(found.mss > 1460, `${check.type}: ${found.mss}`);
  }
});

test('the scale and the MSS are the listener’s', async () => {
  const answer = (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const port = await modestListener(answer);
  for (const check of [TCP, HTTP])
    assert.deepEqual(unpackNegotiated((await negotiated(target(check, port))) ?? 0), {
      ...own,
      windowScale: 0,
      mss: 1000,
    });
  // As https checks connect.
  const to = socketAddress('127.0.0.1', port) ?? assert.fail();
  const packed = await new Promise<number>((resolve, fail) => {
    dial({ family: to.family, address: to.bytes, bind: undefined, mark: 0, port }, (result) => {
      if ('outcome' in result) return fail(new Error(result.reason));
      resolve(negotiatedOf(result));
      result.close();
    });
  });
  assert.deepEqual(unpackNegotiated(packed), { ...own, windowScale: 0, mss: 1000 });
});

test('a failure tells nothing', async () => {
  assert.equal((await negotiated(target(TCP, await closedPort()))) ?? 0, 0);
});

test('the monitor reports it once for each target', async () => {
  const monitor = new HealthMonitor({ concurrency: 10, log: recordingLog() });
  try {
    let accepted = 0;
    const port = await serve(() => accepted++);
    const check = { ...TCP, interval: 100 };
    const one = target(check, port);
    const reports: [string, number][] = [];
    monitor.onNegotiated((id, number) => reports.push([id, number]));
    assert.equal(monitor.negotiated(one.id), 0);
    monitor.configure([one, target(check, await closedPort())]);
    while (accepted < 4) await new Promise((done) => setTimeout(done, 20));
    await monitor.states();
    assert.deepEqual(reports, [[one.id, monitor.negotiated(one.id)]]);
    assert.equal(unpackNegotiated(monitor.negotiated(one.id)).sack, own.sack);
  } finally {
    await monitor.stop();
  }
});
