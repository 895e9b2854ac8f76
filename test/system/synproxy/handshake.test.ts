// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy with FULLNAT and NAT, packet by packet: the answers to clients, the handshakes with real servers, and handshakes
// that fail.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { ACK, FIN, mss, option, PSH, RST, readToa, type Segment, SYN, timestamps } from '../fullnat/packets.ts';
import { destConfig, extStats, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { closeAll, closed, type DialError, dial, readAll } from '../fullnat/tcp.ts';
import { Capture, eventually, type RawFlow, RawHost, sleep } from '../fullnat/wire.ts';
import { listening, methods, proxiedRig } from './proxied.ts';

/** Of the client's SYN-ACK: Ethernet's MSS less the eight bytes of the address. */
const mssOffered = 1452;
const scaleOffered = 7;
const address = '10.1.0.3';

const vip = '10.99.0.10';
const full = process.env.LVSD_COUNTS === 'full';
const many = full ? 100 : 30;

let rig: Rig;
let raw: RawHost;
let leg: Capture;
let nextPort = 40_000;
let silent = false;

before(async () => {
  rig = await proxiedRig();
  raw = new RawHost(rig.client, 'eth0', address);
  leg = new Capture(rig.rs1, 'eth0');
});

afterEach(() => {
  if (silent) rig.rs1.run('nft flush ruleset');
  silent = false;
});

after(async () => {
  closeAll();
  await rig.destroy();
});

function flow(to: number): RawFlow {
  raw.capture.clear();
  leg.clear();
  return raw.flow(rig.vip, to, ++nextPort);
}

/** The real server's host drops what its service is sent, until the end of the test. */
function silence(): void {
  silent = true;
  const rule = `type filter hook prerouting priority -300\ntcp dport ${listening} drop`;
  rig.rs1.run(['nft', '-f', '-'], { input: `table ip silence {\nchain in {\n${rule}\n}\n}\n` });
}

const connection = (one: RawFlow) => rig.connections().find(({ client }) => client === one.name);
const kinds = ({ options }: Segment) => options.map(({ kind }) => kind).filter((kind) => kind !== 1);
const value = ({ options }: Segment, kind: number) => options.find((each) => each.kind === kind)?.data;
const isSynAck = ({ flags }: Segment) => (flags & (SYN | ACK)) === (SYN | ACK);
const isReset = ({ flags }: Segment) => (flags & RST) !== 0;

/** The segments that the real server was sent. */
const told = () => leg.segments.filter(({ outgoing, destinationPort }) => !outgoing && destinationPort === listening);
const toldSyns = () => told().filter(({ flags }) => (flags & SYN) !== 0);

const wscale = (shift: number) => option(3, shift);
const sackPermitted = option(4);
const nop = Buffer.from([1]);
const usual = Buffer.concat([mss(1460), sackPermitted, timestamps(1000, 0), nop, wscale(6)]);

/** SYN, SYN-ACK; the third segment is left to the test. Returns the answer and the options for what follows. */
async function begin(one: RawFlow, syn: Uint8Array = usual): Promise<{ answer: Segment; options: Buffer }> {
  one.send(SYN, { options: syn });
  const answer = await one.expect('SYN-ACK', isSynAck);
  const stamp = value(answer, 8);
  return { answer, options: stamp ? timestamps(1001, stamp.readUInt32BE(0)) : Buffer.alloc(0) };
}

const hello = (one: RawFlow) => one.expect('the greeting', ({ payload }) => payload.toString() === 'hello ');

/** Whom the real server takes for the client: with FULLNAT from the option, which NAT does not add. */
function clientIn(segment: Segment): string | undefined {
  const toa = segment.options.find(({ kind }) => kind === 254);
  if (segment.source === address) return toa ? undefined : `${segment.source}:${segment.sourcePort}`;
  return toa && readToa(toa);
}

for (const { name, method, port, refusing } of methods) {
  const key = serviceConfig(vip, port);
  test(`${name}: the balancer answers a SYN, and creates no connection`, async () => {
    const one = flow(port);
    const { answer } = await begin(one);
    assert.equal(answer.ack, one.seq);
    assert.deepEqual(kinds(answer), [2, 4, 8, 3]);
    assert.equal(value(answer, 2)?.readUInt16BE(0), mssOffered);
    assert.equal(value(answer, 3)?.[0], scaleOffered);
    assert.equal(value(answer, 8)?.readUInt32BE(4), 1000);
    await sleep(50);
    // Connections of the test before may still end.
    assert.deepEqual(toldSyns(), []);
    assert.equal(connection(one), undefined);
  });

  const offers: [string, Buffer, number[]][] = [
    ['nothing', Buffer.alloc(0), [2]],
    ['an MSS', mss(1460), [2]],
    ['SACK', Buffer.concat([mss(1460), sackPermitted]), [2, 4]],
    ['a window scale', Buffer.concat([mss(1460), nop, wscale(2)]), [2, 3]],
    ['timestamps', Buffer.concat([mss(1460), nop, nop, timestamps(7, 0)]), [2, 8]],
    ['SACK and timestamps', Buffer.concat([mss(1400), sackPermitted, timestamps(7, 0)]), [2, 4, 8]],
    ['all', usual, [2, 4, 8, 3]],
    [
      'unknown options, and options that are not offered',
      Buffer.concat([mss(536), option(34), option(30, 0, 1), option(253, 1, 2)]),
      [2],
    ],
  ];

  for (const [what, syn, answered] of offers)
    test(`${name}: a client that offers ${what}: its real server is told the same`, async () => {
      const one = flow(port);
      const { answer, options } = await begin(one, syn);
      assert.deepEqual(kinds(answer), answered);
      one.send(ACK, { options });
      await hello(one);
      const [first] = toldSyns();
      assert.ok(first);
      assert.deepEqual(
        kinds(first)
          .filter((kind) => kind !== 254)
          .sort(),
        [...answered].sort(),
      );
      const third = told().find(({ flags }) => (flags & (SYN | ACK)) === ACK);
      assert.ok(third);
      assert.equal(clientIn(first), one.name);
      assert.equal(clientIn(third), one.name, 'the segment that completes the handshake');
      // Both ways, with the right numbers.
      raw.capture.clear();
      one.send(PSH | ACK, { options, payload: Buffer.from('echo') });
      await one.expect('the echo', ({ payload, ack }) => payload.toString() === 'echo' && ack === one.seq);
      one.send(RST);
    });

  test(`${name}: the window is the real server’s, in the scale that the client was offered`, async () => {
    const one = flow(port);
    const { options } = await begin(one);
    one.send(ACK, { options });
    await hello(one);
    const seen = one.received().filter((segment) => !isSynAck(segment));
    const sent = leg.segments.filter(({ outgoing, sourcePort }) => outgoing && sourcePort === listening);
    const synAck = sent.find(isSynAck);
    const theirScale = synAck && value(synAck, 3)?.[0];
    assert.ok(theirScale !== undefined);
    const greeting = sent.find(({ payload }) => payload.length > 0);
    const got = seen.find(({ payload }) => payload.length > 0);
    assert.ok(greeting && got);
    assert.equal(got.window, Math.min(65_535, Math.floor((greeting.window * 2 ** theirScale) / 2 ** scaleOffered)));
    one.send(RST);
  });

  test(`${name}: data in the third segment arrives with the handshake`, async () => {
    const one = flow(port);
    const { options } = await begin(one);
    one.send(PSH | ACK, { options, payload: Buffer.from('early') });
    await one.expect('the echo', ({ payload }) => payload.toString().endsWith('early'));
    assert.equal(told().filter(({ payload }) => payload.toString() === 'early').length, 1);
    one.send(RST);
  });

  test(`${name}: a window probe completes a handshake, with the same options`, async () => {
    const one = flow(port);
    const { options } = await begin(one);
    one.send(ACK, { options, seq: (one.seq - 1) >>> 0 });
    await hello(one);
    const [first] = toldSyns();
    assert.ok(first);
    assert.equal(value(first, 3)?.[0], 6);
    assert.equal(first.seq >>> 0 === 0, false);
    raw.capture.clear();
    one.send(PSH | ACK, { options, payload: Buffer.from('echo') });
    await one.expect('the echo', ({ payload, ack }) => payload.toString() === 'echo' && ack === one.seq);
    one.send(RST);
  });

  test(`${name}: an ACK without a valid cookie is refused, and creates no connection`, async () => {
    const grown = await rig.counted(async () => {
      const one = flow(port);
      const { options } = await begin(one);
      const right = one.ack;
      // Cookies of the same SYN with other options: they may be followed by the right one, so that they are dropped.
      for (const off of [256, -256]) one.send(ACK, { options, ack: (right + off) >>> 0 });
      // Cookies of another time.
      for (const off of [3 * 2 ** 24, -4 * 2 ** 24]) {
        const ack = (right + off) >>> 0;
        one.send(ACK, { options, ack });
        await one.expect('RST', (segment) => isReset(segment) && segment.seq === ack);
      }
      assert.equal(one.received().filter(isReset).length, 2);
      assert.equal(connection(one), undefined);
    });
    assert.equal(grown.synproxy_bad_ack, 4);
    assert.equal(grown.synproxy_ok_ack, undefined);
    assert.deepEqual(told(), []);
  });

  test(`${name}: the first segments are lost, and a later one arrives: the client is not reset`, async () => {
    const one = flow(port);
    const { options } = await begin(one);
    const first = one.seq;
    const badAcks = extStats(rig.balancer).synproxy_bad_ack ?? 0;
    const grown = await rig.counted(async () => {
      one.send(PSH | ACK, { options, seq: (first + 5) >>> 0, payload: Buffer.from(' data') });
      await eventually('it', () => (extStats(rig.balancer).synproxy_bad_ack ?? 0) > badAcks);
    });
    assert.deepEqual(told(), []);
    one.send(PSH | ACK, { options, seq: first, payload: Buffer.from('first') });
    await hello(one);
    one.seq = (first + 5) >>> 0;
    one.send(ACK, { options });
    await one.expect('the echo', ({ payload }) => payload.toString() === 'first');
    assert.equal(grown.synproxy_bad_ack, 1);
    assert.equal(one.received().find(isReset), undefined);
    one.send(RST);
  });

  /** SYN proxy of the service, switched. */
  const setProxy = (on: boolean) =>
    rig.ipvs.setService({ ...key, flags: on ? IP_VS_SVC_F_SYNPROXY : 0 }, IP_VS_SVC_F_SYNPROXY);

  for (const [what, on] of [
    ['and on again', true],
    ['and stays off', false],
  ] as const)
    test(`${name}: a stranger’s SYN after the client’s SYN-ACK, while SYN proxy is off, ${what}: the client is connected`, async () => {
      const one = flow(port);
      const { options } = await begin(one);
      const right = one.ack;
      await setProxy(false);
      const stranger = raw.flow(rig.vip, port, one.from);
      stranger.send(SYN, { options: usual });
      await eventually('its handshake', () => connection(one)?.state === 'SYN_RECV');
      await one.expect('its SYN-ACK', (segment) => isSynAck(segment) && segment.ack === stranger.seq);
      if (on) await setProxy(true);
      raw.capture.clear();
      one.ack = right;
      one.send(ACK, { options });
      const greeting = await hello(one);
      assert.equal(greeting.seq, right);
      one.send(PSH | ACK, { options, payload: Buffer.from('echo') });
      await one.expect('the echo', ({ payload, ack }) => payload.toString() === 'echo' && ack === one.seq);
      assert.equal(one.received().find(isReset), undefined);
      one.send(RST);
      await setProxy(true);
    });

  test(`${name}: a half-closed connection stays, though one of its ACKs is a valid cookie`, async () => {
    const one = flow(port);
    const start = one.seq;
    // The client sends `end`, after which the real server closes its end.
    const number = (start + 4) >>> 0;
    one.send(SYN, { options: usual, seq: (number - 1) >>> 0 });
    const cookie = (await one.expect('a SYN-ACK', isSynAck)).seq;
    raw.capture.clear();
    one.seq = start;
    const { options } = await begin(one);
    one.send(ACK, { options });
    await hello(one);
    one.send(PSH | ACK, { options, payload: Buffer.from('end') });
    await one.expect('the end', ({ flags }) => (flags & FIN) !== 0);
    assert.equal(one.seq, number);
    const grown = await rig.counted(async () => {
      one.send(ACK, { options, ack: (cookie + 1) >>> 0 });
      one.send(PSH | ACK, { options, payload: Buffer.from('goes on') });
      await eventually('it', () => told().find(({ payload }) => payload.toString() === 'goes on'));
    });
    assert.equal(grown.synproxy_conn_reused, undefined);
    assert.equal(grown.synproxy_ok_ack, undefined);
    assert.equal(toldSyns().length, 1);
    assert.equal(one.received().find(isReset), undefined);
    one.send(RST);
  });

  test(`${name}: a client that begins anew while its real server is silent`, async () => {
    silence();
    const old = flow(port);
    const before = await begin(old);
    old.send(ACK, { options: before.options });
    await eventually('the first SYN', () => toldSyns().length === 1);
    raw.capture.clear();
    const one = raw.flow(rig.vip, port, old.from);
    const { options } = await begin(one);
    rig.rs1.run('nft flush ruleset');
    one.send(ACK, { options });
    const right = one.ack;
    const greeting = await hello(one);
    assert.equal(greeting.seq, right);
    one.send(RST);
  });

  test(`${name}: a real server that refuses: the client is told at once`, async () => {
    const one = flow(refusing);
    const grown = await rig.counted(async () => {
      const { options } = await begin(one);
      one.send(ACK, { options });
      const reset = await one.expect('RST', isReset);
      assert.equal(reset.seq, one.ack);
    });
    assert.equal(grown.synproxy_rs_error, 1);
  });

  // Seven seconds each.
  if (full || name === 'FULLNAT')
    test(`${name}: a real server that is silent: three SYNs, and then the client is told`, async () => {
      silence();
      const one = flow(port);
      const { options } = await begin(one);
      one.send(ACK, { options });
      const expected = one.ack;
      const reset = await one.expect('RST', isReset, 12_000);
      assert.equal(reset.seq, expected);
      assert.equal(toldSyns().length, 3);
      assert.ok(connection(one) === undefined || connection(one)?.state === 'CLOSE');
    });

  test(`${name}: a client that goes away meanwhile: its RST ends the connection`, async () => {
    silence();
    const one = flow(port);
    const { options } = await begin(one);
    one.send(ACK, { options });
    await eventually('the connection', () => connection(one)?.state === 'SYN_SENT');
    one.send(RST, { seq: (one.seq + 5) >>> 0 });
    await sleep(50);
    assert.equal(connection(one)?.state, 'SYN_SENT', 'a reset with another number');
    one.send(RST);
    await eventually('the end', () => connection(one)?.state !== 'SYN_SENT');
  });

  test(`${name}: no real server: clients are refused as without SYN proxy`, async () => {
    await rig.ipvs.setDestination(key, destConfig(rig.rs1Address, listening, { method, weight: 0 }));
    const one = flow(port);
    one.send(SYN, { options: usual });
    await sleep(200);
    assert.equal(one.received().find(isSynAck), undefined);
    await rig.ipvs.setDestination(key, destConfig(rig.rs1Address, listening, { method }));
    await begin(flow(port));
  });

  test(`${name}: sockets: ${many} connections, a port used again at once`, async () => {
    for (let i = 0; i < many; i++) {
      const { socket } = await dial(rig.client, rig.vip, port, { from: '10.1.0.2', fromPort: 30_000 + (i % 3) });
      socket.write('end');
      assert.equal(await readAll(socket), 'hello bye');
      await closed(socket);
    }
  });

  test(`${name}: sockets: a megabyte each way`, async () => {
    const { socket } = await dial(rig.client, rig.vip, port);
    const bytes = Buffer.alloc(1 << 20, 'abcdefghijklmnop');
    let got = '';
    socket.setEncoding('latin1').on('data', (data: string) => {
      got += data;
    });
    socket.write(bytes);
    await eventually('all of it', () => got.length >= bytes.length + 6, 60_000);
    assert.equal(got, `hello ${bytes.toString('latin1')}`);
    socket.destroy();
  });

  test(`${name}: sockets: a real server without a listener`, async () => {
    // The client is connected, and reset as soon as the real server has refused: before or after it looks.
    const outcome = dial(rig.client, rig.vip, refusing).then(
      ({ socket }) => new Promise<Error & { code?: string }>((done) => socket.once('error', done)),
      (error: DialError) => error,
    );
    assert.equal((await outcome).code, 'ECONNRESET');
  });

  test(`${name}: FIN behind the request, before the real server has answered`, async () => {
    const one = flow(port);
    const { options } = await begin(one);
    one.send(PSH | ACK | FIN, { options, payload: Buffer.from('end') });
    await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
    // The client acknowledges nothing, so some of it is sent again.
    const pieces = new Map(one.received().map(({ seq, payload }) => [seq, payload.toString()]));
    const text = [...pieces.values()].join('');
    assert.equal(text, 'hello bye');
    one.send(ACK, { options });
  });
}
