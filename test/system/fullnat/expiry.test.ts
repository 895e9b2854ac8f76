// SPDX-License-Identifier: MIT
// The end of FULLNAT connections and the reuse of their tuples: time-outs of the sysctls, resets that both ends accept,
// clients that reuse a port.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { ACK, FIN, PSH, RST, SYN } from './packets.ts';
import { fullnatRig, type Rig, setVs } from './rig.ts';
import { closeAll, dial, listen } from './tcp.ts';
import { Capture, eventually, type RawFlow, RawHost, sleep } from './wire.ts';

const port = 80;
let rig: Rig;
let raw: RawHost;
let nextPort = 50_000;
/** Sockets at the real server by the client's address and port. */
const served = new Map<string, { socket: Socket; error: string | undefined; ended: boolean }>();

before(async () => {
  rig = await fullnatRig({ port });
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  await listen(rig.rs1, port, (socket) => {
    const entry: { socket: Socket; error: string | undefined; ended: boolean } = {
      ...{ socket, error: undefined, ended: false },
    };
    served.set(`${socket.remoteAddress}:${socket.remotePort}`, entry);
    socket.on('error', (error: Error & { code?: string }) => {
      entry.error = error.code;
    });
    socket.on('end', () => {
      entry.ended = true;
    });
    socket.on('data', (data) => (data.toString() === 'end' ? socket.end('bye') : socket.write(data)));
  });
});

const defaults = {
  ...{ timeout_established: 0, timeout_synsent: 30, timeout_synrecv: 30, timeout_finwait: 30, timeout_timewait: 7 },
  ...{ timeout_close: 3, timeout_closewait: 60, timeout_lastack: 7, conn_expire_tcp_rst: 1 },
};
afterEach(() => setVs(rig.balancer, defaults));

after(async () => {
  closeAll();
  await rig.destroy();
});

function flow(): RawFlow {
  raw.capture.clear();
  return raw.flow(rig.vip, port, ++nextPort);
}

const entry = (client: string) => rig.connections().find((each) => each.client === client);

async function echo(one: RawFlow, text: string): Promise<void> {
  raw.capture.clear();
  one.send(PSH | ACK, { payload: Buffer.from(text) });
  await one.expect(`the echo of ${text}`, ({ payload }) => payload.toString() === text);
  one.send(ACK);
}

test('an open connection that times out is reset at both ends, and both accept it', async () => {
  setVs(rig.balancer, { timeout_established: 3 });
  const { socket } = await dial(rig.client, rig.vip, port);
  const client = `${socket.localAddress}:${socket.localPort}`;
  let error: string | undefined;
  socket.on('error', (problem: Error & { code?: string }) => {
    error = problem.code;
  });
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  socket.write('hello');
  await eventually('the echo', () => received === 'hello');
  assert.deepEqual([entry(client)?.state, (entry(client)?.seconds ?? 9) <= 3], ['ESTABLISHED', true]);
  const counts = await rig.counted(() => eventually('the reset', () => error && served.get(client)?.error, 10_000));
  assert.equal(error, 'ECONNRESET');
  assert.equal(served.get(client)?.error, 'ECONNRESET');
  assert.deepEqual([counts.rst_in_established, counts.rst_out_established], [1, 1]);
  assert.equal(entry(client), undefined);
});

test('resets take the route of the data, not one of the local addresses', async () => {
  setVs(rig.balancer, { timeout_established: 3 });
  const rules = rig.laddrs.map((laddr) => `from ${laddr} lookup 100`);
  rig.balancer.ip('route add blackhole default table 100', ...rules.map((rule) => `rule add ${rule}`));
  try {
    const one = flow();
    await one.handshake();
    await echo(one, 'hello');
    const there = served.get(one.name);
    await eventually('the reset at the real server', () => there?.error, 10_000);
    assert.equal(there?.error, 'ECONNRESET');
  } finally {
    rig.balancer.ip(...rules.map((rule) => `rule del ${rule}`), 'route del blackhole default table 100');
  }
});

test('the reset is valid after a keepalive probe of the real server, whose number is one lower', async () => {
  setVs(rig.balancer, { timeout_established: 4 });
  const wire = new Capture(rig.rs1, 'eth0');
  const { socket } = await dial(rig.client, rig.vip, port);
  const client = `${socket.localAddress}:${socket.localPort}`;
  let error: string | undefined;
  socket.on('error', (problem: Error & { code?: string }) => {
    error = problem.code;
  });
  socket.write('hello');
  await new Promise((done) => socket.once('data', done));
  const there = await eventually('the server’s socket', () => served.get(client));
  const last = wire.segments.filter(({ outgoing, payload }) => outgoing && payload.length > 0).at(-1);
  there.socket.setKeepAlive(true, 1000);
  const probe = await eventually('a probe', () =>
    wire.segments.find(
      ({ outgoing, seq, payload }) => outgoing && payload.length === 0 && seq === (last?.seq ?? 0) + 4,
    ),
  );
  assert.ok(probe);
  there.socket.setKeepAlive(false);
  wire.close();
  await eventually('the reset at the real server', () => there.error, 15_000);
  await eventually('the reset at the client', () => error, 2000);
  assert.equal(error, 'ECONNRESET');
});

test('conn_expire_tcp_rst 0: no reset', async () => {
  setVs(rig.balancer, { timeout_established: 2, conn_expire_tcp_rst: 0 });
  const one = flow();
  await one.handshake();
  await echo(one, 'hello');
  const wire = new Capture(rig.rs1, 'eth0');
  raw.capture.clear();
  await eventually('the end of the entry', () => !entry(one.name), 10_000);
  await sleep(200);
  assert.equal(one.received().length, 0);
  assert.equal(wire.segments.length, 0);
  wire.close();
  served.get(one.name)?.socket.destroy();
});

test('timeout_established 0 applies the time-out of IPVS_CMD_SET_CONFIG at once', async () => {
  const was = await rig.ipvs.timeouts();
  const one = flow();
  await one.handshake();
  await echo(one, 'one');
  assert.ok((entry(one.name)?.seconds ?? 0) > was.tcp - 10);
  await rig.ipvs.setTimeouts({ tcp: 77, tcpFin: 0, udp: 0 });
  try {
    await echo(one, 'two');
    const seconds = entry(one.name)?.seconds ?? 0;
    assert.ok(seconds > 60 && seconds <= 77, `${seconds} s`);
  } finally {
    await rig.ipvs.setTimeouts(was);
  }
  one.send(RST | ACK);
});

test('each state has its own time-out', async () => {
  setVs(rig.balancer, { timeout_synrecv: 41, timeout_finwait: 43, timeout_timewait: 44, timeout_close: 45 });
  setVs(rig.balancer, { timeout_established: 42 });
  const near = (client: string, state: string, seconds: number) =>
    eventually(`${state} for ${seconds} s`, () => {
      const at = entry(client);
      return at?.state === state && at.seconds <= seconds && at.seconds > seconds - 4;
    });
  const one = flow();
  one.send(SYN);
  await one.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
  await near(one.name, 'SYN_RECV', 41);
  one.send(ACK);
  await near(one.name, 'ESTABLISHED', 42);
  raw.capture.clear();
  one.send(PSH | ACK, { payload: Buffer.from('end') });
  await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
  await near(one.name, 'FIN_WAIT', 43);
  one.send(FIN | ACK);
  await near(one.name, 'TIME_WAIT', 44);
  const two = flow();
  await two.handshake();
  two.send(RST | ACK);
  await near(two.name, 'CLOSE', 45);
});

/** Opens a new connection from the same client port; its first number is `distance` away from the old ones. */
async function again(one: RawFlow, distance: number): Promise<void> {
  const next = raw.flow(rig.vip, port, one.from);
  next.seq = (one.seq + distance) >>> 0;
  raw.capture.clear();
  served.delete(one.name);
  // A client tries again after a second, too.
  const answered = () => next.received().some(({ flags, ack }) => flags & SYN && ack === (next.seq + 1) >>> 0);
  const start = next.seq;
  for (let tries = 0; tries < 4 && !answered(); tries++) {
    next.seq = start;
    next.send(SYN);
    next.seq = start;
    await eventually('an answer', answered, 1000).catch(() => {
      const challenge = next.received().find(({ flags }) => flags === ACK);
      // A stack in SYN_SENT answers a challenge ACK by a RST (RFC 9293, 3.10.7.3).
      if (challenge) {
        next.seq = challenge.ack;
        next.send(RST);
        raw.capture.clear();
      }
    });
  }
  assert.ok(answered(), 'the second connection was not answered');
  next.seq = (start + 1) >>> 0;
  await next.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
  next.send(ACK);
  await echo(next, 'second');
  assert.ok(served.has(one.name));
  next.send(RST | ACK);
}

for (const distance of [-1_000_000, 2_000_000_000]) {
  test(`a client reuses its port after a close from both sides, numbers ${distance} away`, async () => {
    const one = flow();
    await one.handshake();
    await echo(one, 'first');
    raw.capture.clear();
    one.send(PSH | ACK, { payload: Buffer.from('end') });
    await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
    one.send(FIN | ACK);
    await eventually('TIME_WAIT', () => entry(one.name)?.state === 'TIME_WAIT');
    await again(one, distance);
  });

  test(`a client reuses its port, half closed by the real server, numbers ${distance} away`, async () => {
    const one = flow();
    await one.handshake();
    raw.capture.clear();
    one.send(PSH | ACK, { payload: Buffer.from('end') });
    await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
    one.send(ACK);
    await eventually('FIN_WAIT', () => entry(one.name)?.state === 'FIN_WAIT');
    await again(one, distance);
  });

  test(`a client reuses its port after a reset, numbers ${distance} away`, async () => {
    const one = flow();
    await one.handshake();
    one.send(RST | ACK);
    await eventually('CLOSE', () => entry(one.name)?.state === 'CLOSE');
    await again(one, distance);
  });

  test(`a client reuses its port after it vanished, numbers ${distance} away`, async () => {
    const one = flow();
    await one.handshake();
    await echo(one, 'first');
    await again(one, distance);
  });
}
