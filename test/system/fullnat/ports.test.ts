// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// The tuple space of FULLNAT: used to the last port, a RST beyond it; ports in TIME_WAIT at the real server are reused,
// ports of the balancer's own sockets are not used.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { destConfig, extStats, fullnatRig, getVs, ip4, kernelLog, type Rig, setVs, within } from './rig.ts';
import { closeAll, closed, DialError, type Dialed, dial, listen, readAll } from './tcp.ts';
import { Capture, eventually } from './wire.ts';

const port = 80;
/** A service whose real server closes first, and so has sockets in TIME_WAIT. */
const closing = 81;

let rig: Rig;
const open = new Set<Socket>();

before(async () => {
  rig = await fullnatRig({ port });
  const greet = (socket: Socket) => socket.write(`${socket.remoteAddress}:${socket.remotePort}\n`);
  await listen(rig.rs1, port, greet);
  await listen(rig.rs2, port, greet);
  await listen(rig.rs1, closing, (socket) => socket.end('x'));
});

/** Resets every connection and waits for the end of its entry, timeout_close later. */
async function resetAll(): Promise<void> {
  for (const socket of open) socket.resetAndDestroy();
  open.clear();
  await eventually('an empty table', () => rig.connections().length === 0, 20_000);
}

afterEach(async () => {
  range(5000, 65535);
  setVs(rig.balancer, { fullnat_exhaust_drop: 0 });
  await resetAll();
});

after(async () => {
  closeAll();
  await rig.destroy();
});

function range(min: number, max: number): void {
  const now = getVs(rig.balancer, 'fullnat_lport_max');
  const ends: [string, number][] = [
    ['fullnat_lport_min', min],
    ['fullnat_lport_max', max],
  ];
  // Each end limits the other: the one that widens the range goes first.
  for (const [name, value] of min > now ? ends.reverse() : ends) setVs(rig.balancer, { [name]: value });
}

async function connect(to = port, timeout?: number): Promise<Dialed> {
  const dialed = await dial(rig.client, rig.vip, to, timeout === undefined ? {} : { timeout });
  open.add(dialed.socket);
  dialed.socket.once('close', () => open.delete(dialed.socket));
  return dialed;
}

async function connectMany(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 20) {
    await Promise.all(Array.from({ length: Math.min(20, left) }, () => connect()));
  }
}

async function refused(): Promise<DialError> {
  const error = await connect(port, 1500).then(
    () => assert.fail('the connection succeeded'),
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof DialError);
  return error;
}

test('two local addresses of 100 ports: 200 connections for each real server, then a RST, a counter, a log line', async () => {
  range(30_000, 30_099);
  const filled = await rig.counted(() => connectMany(200));
  assert.equal(filled.fullnat_exhausted, undefined);
  assert.equal(filled.fullnat_takeover, undefined);
  const laddrs = await rig.ipvs.localAddresses(rig.key);
  assert.deepEqual(
    laddrs.map(({ connections }) => connections),
    [100, 100],
  );
  assert.deepEqual(
    laddrs.map(({ portsInUse, portsTotal }) => [portsInUse, portsTotal]),
    [
      [100, 100],
      [100, 100],
    ],
  );

  const wire = new Capture(rig.client, 'eth0');
  const last = kernelLog().at(-1) ?? '';
  const counts = await rig.counted(async () => {
    for (let i = 0; i < 10; i++) assert.equal((await refused()).code, 'ECONNREFUSED');
  });
  const segments = wire.segments;
  wire.close();
  for (const reset of segments.filter(({ outgoing, flags }) => !outgoing && flags & 4)) {
    const syn = segments.find(({ outgoing, sourcePort }) => outgoing && sourcePort === reset.destinationPort);
    assert.ok(syn && reset.at - syn.at < 100, `RST after ${reset.at - (syn?.at ?? 0)} ms`);
  }
  assert.equal(segments.filter(({ outgoing, flags }) => !outgoing && flags & 4).length, 10);
  assert.equal(counts.fullnat_exhausted, 10);
  assert.equal(counts.fullnat_conn_refused, 10);
  // New lines may replace old ones in a full ring: counts from the last line.
  const log = kernelLog();
  const lines = log.slice(log.lastIndexOf(last) + 1).filter((line) => line.includes('has no free local port'));
  assert.match(lines[0] ?? '', /IPVS: service 10\.99\.0\.10:80 has no free local port \(2 local addresses\)/);
  assert.ok(lines.length <= 3, `${lines.length} lines`);
  assert.ok((await rig.ipvs.localAddresses(rig.key)).every(({ exhausted }) => exhausted >= 10n));

  // The same ports serve another real server.
  const { ipvs, key } = rig;
  await ipvs.setDestination(key, destConfig(rig.rs1Address, port, { weight: 0 }));
  await ipvs.addDestination(key, destConfig(rig.rs2Address, port));
  try {
    await connectMany(200);
    assert.equal((await refused()).code, 'ECONNREFUSED');
    assert.equal(rig.connections().filter(({ state }) => state === 'ESTABLISHED').length, 400);
  } finally {
    await resetAll();
    await ipvs.deleteDestination(key, destConfig(rig.rs2Address, port));
    await ipvs.setDestination(key, destConfig(rig.rs1Address, port));
  }
});

test('fullnat_exhaust_drop: no RST', async () => {
  range(30_000, 30_000);
  setVs(rig.balancer, { fullnat_exhaust_drop: 1 });
  const counts = await rig.counted(async () => {
    await connectMany(2);
    assert.equal((await refused()).code, 'ETIMEDOUT');
  });
  assert.ok((counts.fullnat_exhausted ?? 0) >= 1);
  assert.equal(counts.fullnat_conn_refused, undefined);
});

test('without a local address the client gets a RST', async () => {
  for (const laddr of rig.laddrs) await rig.ipvs.deleteLocalAddress(rig.key, ip4(laddr));
  try {
    const counts = await rig.counted(async () => assert.equal((await refused()).code, 'ECONNREFUSED'));
    assert.equal(counts.fullnat_exhausted, 1);
  } finally {
    for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(laddr));
  }
});

test('a local address that the host lacks is skipped and counted', async () => {
  const [first = '', second = ''] = rig.laddrs;
  rig.balancer.ip(`addr del ${first}/32 dev in0`);
  try {
    const counts = await rig.counted(() => connectMany(10));
    assert.ok((counts.fullnat_laddr_nonlocal ?? 0) >= 5);
    assert.equal(counts.fullnat_exhausted, undefined);
    const laddrs = await rig.ipvs.localAddresses(rig.key);
    assert.deepEqual(
      laddrs.map(({ address, connections }) => [address.join('.'), connections]),
      [
        [first, 0],
        [second, 10],
      ],
    );
    rig.balancer.ip(`addr del ${second}/32 dev in0`);
    assert.equal((await refused()).code, 'ECONNREFUSED');
    rig.balancer.ip(`addr add ${second}/32 dev in0`);
  } finally {
    rig.balancer.ip(`addr add ${first}/32 dev in0`);
  }
});

test('tuples of the balancer’s own sockets are not used, and the sockets work', async () => {
  range(31_000, 31_002);
  const [laddr = '', other = ''] = rig.laddrs;
  await rig.ipvs.deleteLocalAddress(rig.key, ip4(other));
  try {
    const own = await dial(rig.balancer, rig.rs1Address, port, { from: laddr, fromPort: 31_001 });
    open.add(own.socket);
    const received: string[] = [];
    own.socket.setEncoding('utf8').on('data', (text: string) => received.push(text));
    await eventually('the greeting', () => received.length > 0);
    assert.equal(received.join(''), `${laddr}:31001\n`);
    await connectMany(2);
    assert.equal((await refused()).code, 'ECONNREFUSED');
    own.socket.resetAndDestroy();
    await closed(own.socket);
    await connect();
  } finally {
    await rig.ipvs.addLocalAddress(rig.key, ip4(other));
  }
});

/** Whether the real server has a socket in TIME_WAIT (06 in /proc/net/tcp) for a local port of the balancer. */
function timeWait(local: number): boolean {
  const peer = `:${local.toString(16).toUpperCase()} 06 `;
  return within(rig.rs1, () => readFileSync('/proc/net/tcp', 'utf8')).includes(peer);
}

const rounds = 20;
for (const stamps of [1, 0]) {
  test(`a port in TIME_WAIT at the real server serves the next connection: timestamps ${stamps}`, async () => {
    const key = { ...rig.key, port: closing };
    await rig.ipvs.addService(key);
    await rig.ipvs.addLocalAddress(key, ip4(rig.laddrs[0] ?? ''));
    await rig.ipvs.addDestination(key, destConfig(rig.rs1Address, closing));
    range(32_000, 32_000);
    rig.client.sysctl({ 'net.ipv4.tcp_timestamps': stamps });
    const wire = new Capture(rig.rs1, 'eth0');
    try {
      const times: number[] = [];
      const counts = await rig.counted(async () => {
        for (let i = 0; i < rounds; i++) {
          const { socket, ms } = await connect(closing);
          times.push(ms);
          assert.equal(await readAll(socket), 'x');
          await closed(socket);
          // The client's last ACK may not have arrived yet.
          await eventually(`connection ${i}: TIME_WAIT at the real server`, () => timeWait(32_000));
        }
      });
      const syns = wire.segments.filter(({ outgoing, flags }) => !outgoing && flags === 2);
      assert.equal(syns.length, rounds, 'no SYN was sent twice');
      assert.deepEqual([...new Set(syns.map(({ sourcePort }) => sourcePort))], [32_000]);
      assert.equal(syns.filter(({ options }) => options.some(({ kind }) => kind === 8)).length, stamps ? rounds : 0);
      assert.ok(Math.max(...times) < 1000, `handshakes took ${times.map(Math.round)} ms`);
      assert.equal(counts.fullnat_takeover, rounds - 1);
    } finally {
      wire.close();
      rig.client.sysctl({ 'net.ipv4.tcp_timestamps': 1 });
      await rig.ipvs.deleteService(key);
    }
  });
}

test('open connections keep their port, closing ones are replaced', async () => {
  range(33_000, 33_001);
  setVs(rig.balancer, { timeout_close: 60, timeout_timewait: 60 });
  try {
    await connectMany(4);
    assert.equal((await refused()).code, 'ECONNREFUSED');
    const [gone] = open;
    assert.ok(gone);
    gone.resetAndDestroy();
    await eventually('a closing connection', () => rig.connections().some(({ state }) => state === 'CLOSE'));
    const before = extStats(rig.balancer).fullnat_takeover ?? 0;
    await connect();
    assert.equal(extStats(rig.balancer).fullnat_takeover, before + 1);
    assert.equal((await refused()).code, 'ECONNREFUSED');
  } finally {
    setVs(rig.balancer, { timeout_close: 3, timeout_timewait: 7 });
  }
});
