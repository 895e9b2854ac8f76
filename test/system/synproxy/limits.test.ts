// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy at its limits: real servers that are full, no free port, SYNs with what it does not offer, duplicate ACKs, and
// clients that use a port again while its connection ends.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import {
  type DestinationConfig,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
  type ServiceConfig,
} from '../../../src/ipvs/index.ts';
import { ACK, FIN, mss, option, PSH, RST, type Segment, SYN } from '../fullnat/packets.ts';
import { destConfig, extStats, ip4, type Rig, serviceConfig, setVs } from '../fullnat/rig.ts';
import { closeAll, closed, dial, listen, readAll } from '../fullnat/tcp.ts';
import { Capture, eventually, type RawFlow, RawHost, sleep } from '../fullnat/wire.ts';
import { listening, methods, proxiedRig } from './proxied.ts';

const [ECE, CWR] = [0x40, 0x80];
/** Of another listener of the real server. */
const elsewhere = listening + 7;

let rig: Rig;
let raw: RawHost;
let leg: Capture;
let nextPort = 20_000;
let silent = false;

before(async () => {
  rig = await proxiedRig();
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  leg = new Capture(rig.rs1, 'eth0');
  await listen(rig.rs1, elsewhere, (socket) => {
    socket.write('hello ');
    socket.on('data', () => socket.end('from elsewhere'));
  });
  // What ends stays for the rest of a test.
  setVs(rig.balancer, { timeout_close: 60, timeout_timewait: 60 });
});

afterEach(speak);

after(async () => {
  closeAll();
  await rig.destroy();
});

/** The real server's host drops what its service is sent, until `speak`. */
function silence(): void {
  silent = true;
  const rule = `type filter hook prerouting priority -300\ntcp dport ${listening} drop`;
  rig.rs1.run(['nft', '-f', '-'], { input: `table ip silence {\nchain in {\n${rule}\n}\n}\n` });
}

function speak(): void {
  if (silent) rig.rs1.run('nft flush ruleset');
  silent = false;
}

const isSynAck = ({ flags }: Segment) => (flags & (SYN | ACK)) === (SYN | ACK);
const isReset = ({ flags }: Segment) => (flags & RST) !== 0;
const hello = (one: RawFlow) => one.expect('the greeting', ({ payload }) => payload.toString() === 'hello ');
const told = () => leg.segments.filter(({ outgoing, destinationPort }) => !outgoing && destinationPort === listening);
const stateOf = (one: RawFlow) => rig.connections().find(({ client }) => client === one.name)?.state;
const syn = Buffer.concat([mss(1460), option(4), Buffer.from([1]), option(3, 6)]);

/** A connection that has got as far as the client's ACK; `from`: on a port that was used before. */
async function connect(port: number, from = ++nextPort): Promise<RawFlow> {
  raw.capture.clear();
  leg.clear();
  const one = raw.flow(rig.vip, port, from);
  one.send(SYN, { options: syn });
  await one.expect('SYN-ACK', isSynAck);
  one.send(ACK);
  return one;
}

/** A service with SYN proxy and these real servers. */
async function service(
  name: string,
  port: number,
  settings: Partial<ServiceConfig>,
  realServers: DestinationConfig[],
): Promise<ServiceConfig> {
  const key = serviceConfig(rig.vip, port, { flags: IP_VS_SVC_F_SYNPROXY, ...settings });
  await rig.ipvs.addService(key);
  if (name === 'FULLNAT') for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(key, ip4(laddr));
  for (const one of realServers) await rig.ipvs.addDestination(key, one);
  return key;
}

/** Bytes that are held for one connection, and for all of a network namespace. */
const HELD = { connection: 4096, namespace: 4 << 20 };

/** Connects as many flows as it takes, sends nothing after their SYNs. */
async function handshakes(port: number, count: number): Promise<RawFlow[]> {
  raw.capture.clear();
  const flows = new Map(Array.from({ length: count }, () => [++nextPort, raw.flow(rig.vip, port, nextPort)]));
  for (const one of flows.values()) one.send(SYN, { options: syn });
  const answers = () => raw.capture.segments.filter((one) => !one.outgoing && isSynAck(one));
  await eventually('all SYN-ACKs', () => answers().length === count);
  for (const { destinationPort, seq } of answers()) {
    const flow = flows.get(destinationPort);
    if (flow) flow.ack = (seq + 1) >>> 0;
  }
  return [...flows.values()];
}

test('4 KB are held for a connection and 4 MB for a namespace; clients send the rest again', async () => {
  const flows = await handshakes(listening, HELD.namespace / HELD.connection);
  const [late, next] = await handshakes(listening, 2);
  assert.ok(late && next);
  const refused = () => extStats(rig.balancer).synproxy_synsend_qlen ?? 0;
  const before = refused();
  const fill = (flow: RawFlow, byte: string) => {
    for (const length of [1460, 1460, HELD.connection - 2 * 1460])
      flow.send(PSH | ACK, { payload: Buffer.alloc(length, byte) });
  };
  silence();
  for (const flow of flows) fill(flow, 'x');
  late.send(PSH | ACK, { payload: Buffer.from('l') });
  await eventually('a segment that is not held', () => refused() > before);
  assert.equal(refused(), before + 1, 'exactly 4 MB are held');
  for (const flow of flows) flow.send(RST);
  fill(next, 'n');
  next.send(PSH | ACK, { payload: Buffer.from('n') });
  await eventually('another one', () => refused() > before + 1);
  raw.capture.clear();
  leg.clear();
  speak();
  const bytes = () => told().reduce((sum, { payload }) => sum + (payload[0] === 0x6e ? payload.length : 0), 0);
  await eventually('all that was held', () => bytes() === HELD.connection);
  await late.expect('the greeting', ({ payload }) => payload.toString() === 'hello ');
  late.seq = (late.seq - 1) >>> 0;
  late.send(PSH | ACK, { payload: Buffer.from('l') });
  await late.expect('the echo', ({ payload }) => payload.toString() === 'l');
  assert.equal(bytes(), HELD.connection);
  for (const flow of [late, next]) flow.send(RST);
});

for (const { name, method, port } of methods) {
  const real = destConfig('10.31.4.2', listening, { method });

  test(`${name}: a real server that is full since the SYN: the client of the ACK is told; SYNs count nothing`, async () => {
    const limited = await service(name, port + 1000, {}, [{ ...real, port: elsewhere, upperThreshold: 1 }]);
    const open = async () => {
      const [one] = await rig.ipvs.destinations(limited);
      return one && [one.activeConnections, one.inactiveConnections];
    };
    raw.capture.clear();
    const flows = Array.from({ length: 20 }, () => raw.flow(rig.vip, limited.port, ++nextPort));
    for (const one of flows) one.send(SYN, { options: syn });
    for (const one of flows) await one.expect('SYN-ACK', isSynAck);
    assert.deepEqual(await open(), [0, 0]);
    const [first, second] = flows.slice(-2);
    assert.ok(first && second);
    first.send(ACK);
    await hello(first);
    assert.deepEqual(await open(), [1, 0]);
    const grown = await rig.counted(async () => {
      second.send(ACK);
      const reset = await second.expect('RST', isReset);
      assert.equal(reset.seq, second.ack);
    });
    assert.equal(grown.synproxy_no_dest, 1);
    assert.deepEqual(await open(), [1, 0]);
    // The kernel sums its counters every two seconds.
    const counted = async () => (await rig.ipvs.service(limited, { stats: true })).stats?.connections;
    const end = performance.now() + 20_000;
    while ((await counted()) === 0n && performance.now() < end) await sleep(100);
    assert.equal(await counted(), 1n);
    first.send(RST);
    await rig.ipvs.deleteService(limited);
  });

  test(`${name}: duplicate ACKs: none is answered while the real server is silent, and all of them pass afterwards`, async () => {
    const duplicates = 100;
    silence();
    const waiting = await connect(port);
    await eventually('a SYN', () => told().find(({ flags }) => flags & SYN));
    raw.capture.clear();
    for (let i = 0; i < duplicates; i++) waiting.send(ACK);
    // Answers would have come before this one, of a port without a service.
    const after = raw.flow(rig.vip, 9, ++nextPort);
    after.send(SYN);
    await after.expect('RST', isReset);
    assert.deepEqual(waiting.received(), []);
    waiting.send(RST);
    speak();
    const one = await connect(port);
    await hello(one);
    leg.clear();
    for (let i = 0; i < duplicates; i++) one.send(ACK);
    await eventually('all of them', () => told().filter(({ flags }) => flags === ACK).length === duplicates);
    one.send(RST);
  });

  test(`${name}: neither ECN nor data of a SYN: the client is offered none, its real server told of none`, async () => {
    raw.capture.clear();
    leg.clear();
    const one = raw.flow(rig.vip, port, ++nextPort);
    const first = (one.seq + 1) >>> 0;
    one.send(SYN | ECE | CWR, { options: syn, payload: Buffer.from('early') });
    const answer = await one.expect('SYN-ACK', isSynAck);
    assert.deepEqual([answer.flags, answer.ack], [SYN | ACK, first]);
    one.seq = first;
    one.send(ACK);
    await hello(one);
    assert.deepEqual(
      told().flatMap(({ flags, payload }) => (flags & SYN ? [[flags, payload.length]] : [])),
      [[SYN, 0]],
    );
    one.send(RST);
  });

  test(`${name}: a SYN-ACK is lost: the next one is as good`, async () => {
    raw.capture.clear();
    const one = raw.flow(rig.vip, port, ++nextPort);
    const packet = one.send(SYN, { options: syn });
    await one.expect('SYN-ACK', isSynAck);
    raw.capture.clear();
    raw.send(packet);
    await one.expect('another', isSynAck);
    one.send(ACK);
    await hello(one);
    one.send(RST);
  });

  if (name === 'FULLNAT')
    test('no free port since the SYN: the client of the ACK is told', async () => {
      const few = await service(name, port + 3000, { portMin: 30_000, portMax: 30_000 }, [
        { ...real, port: elsewhere },
      ]);
      const flows = Array.from({ length: rig.laddrs.length + 1 }, () => raw.flow(rig.vip, few.port, ++nextPort));
      for (const one of flows) {
        one.send(SYN, { options: syn });
        await one.expect('SYN-ACK', isSynAck);
      }
      const last = flows.pop();
      assert.ok(last);
      for (const one of flows) {
        one.send(ACK);
        await hello(one);
      }
      const grown = await rig.counted(async () => {
        last.send(ACK);
        const reset = await last.expect('RST', isReset);
        assert.equal(reset.seq, last.ack);
      });
      assert.equal(grown.fullnat_exhausted, 1);
      for (const one of flows) one.send(RST);
      await rig.ipvs.deleteService(few);
    });

  test(`${name}: SYNs with TCP-MD5 are refused`, async () => {
    raw.capture.clear();
    const one = raw.flow(rig.vip, port, ++nextPort);
    const signature = option(19, ...Buffer.alloc(16, 7));
    one.send(SYN, { options: Buffer.concat([mss(1460), signature]) });
    const reset = await one.expect('RST', isReset);
    assert.equal(reset.ack, one.seq);
    assert.equal(one.received().find(isSynAck), undefined);
  });

  /** The last of both FINs, in either order. IPVS has no LAST_ACK for connections that it sees both directions of. */
  const endings: { what: string; state: string; end: (one: RawFlow) => Promise<void> }[] = [
    { what: 'that was reset', state: 'CLOSE', end: async (one) => void one.send(RST) },
    {
      what: 'that the real server closed first',
      state: 'TIME_WAIT',
      end: async (one) => {
        one.send(PSH | ACK, { payload: Buffer.from('end') });
        await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
        one.send(FIN | ACK);
      },
    },
    {
      what: 'that the client closed first',
      state: 'TIME_WAIT',
      end: async (one) => {
        one.send(FIN | ACK);
        await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
      },
    },
  ];
  for (const { what, state, end } of endings)
    test(`${name}: the port of a connection ${what} is used again: a cookie, and then a new connection`, async () => {
      const old = await connect(port);
      await hello(old);
      await end(old);
      await eventually(state, () => stateOf(old) === state);
      const grown = await rig.counted(async () => {
        const one = await connect(port, old.from);
        const right = one.ack;
        const greeting = await hello(one);
        assert.equal(greeting.seq, right);
        assert.equal(stateOf(one), 'ESTABLISHED');
        one.send(RST);
      });
      assert.equal(grown.synproxy_conn_reused, 1);
      const counters = { close: grown.synproxy_conn_reused_close, wait: grown.synproxy_conn_reused_timewait };
      assert.deepEqual(counters, state === 'CLOSE' ? { close: 1, wait: undefined } : { close: undefined, wait: 1 });
    });

  test(`${name}: the port of a half-closed connection is used again: its real server challenges, and the next SYN succeeds`, async () => {
    const old = await connect(port);
    await hello(old);
    old.send(PSH | ACK, { payload: Buffer.from('end') });
    await old.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
    await eventually('FIN_WAIT', () => stateOf(old) === 'FIN_WAIT');
    raw.capture.clear();
    const one = raw.flow(rig.vip, port, old.from);
    one.send(SYN, { options: syn });
    // What a client in SYN_SENT does about an ACK that is not for its SYN.
    const challenge = await one.expect('the challenge', ({ flags }) => (flags & (SYN | ACK)) === ACK);
    assert.equal(challenge.ack, old.seq);
    one.send(RST, { seq: challenge.ack });
    await eventually('the end', () => stateOf(old) !== 'FIN_WAIT');
    const again = await connect(port, old.from);
    await hello(again);
    again.send(RST);
  });

  test(`${name}: persistence: all connections of a client have one real server`, async () => {
    const flags = IP_VS_SVC_F_SYNPROXY | IP_VS_SVC_F_PERSISTENT;
    const persistent = await service(name, port + 2000, { flags, timeout: 300 }, [real, { ...real, port: elsewhere }]);
    const greetings = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const { socket } = await dial(rig.client, rig.vip, persistent.port);
      socket.write('end');
      greetings.add(await readAll(socket));
      await closed(socket);
    }
    assert.equal(greetings.size, 1, [...greetings].join(', '));
    await rig.ipvs.deleteService(persistent);
  });
}
