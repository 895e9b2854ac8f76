// SPDX-License-Identifier: MIT
// FULLNAT and the TCP options of clients: forged addresses never reach a real server, unsupported options are removed,
// and the client's address is always transmitted, however little room there is. The client is made of packets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ACK, FIN, mss, option, PSH, RST, readToa, type Segment, SYN, timestamps, toa } from './packets.ts';
import { fullnatRig, type Rig, setVs } from './rig.ts';
import { closeAll, listen } from './tcp.ts';
import { Capture, eventually, type RawFlow, RawHost, sleep } from './wire.ts';

const address = '10.1.0.3';
/** Address in forged options: bytes that no other option of these tests has. */
const forger = '6.6.6.6';
const forged = Buffer.from([6, 6, 6, 6]);
const port = 80;

let rig: Rig;
let client: RawHost;
let rs: Capture;
let nextPort = 20_000;
/** Peers that accept() and getpeername() reported at the real server, in order. */
const peers: string[] = [];

before(async () => {
  rig = await fullnatRig({ port });
  client = new RawHost(rig.client, 'eth0', address);
  rs = new Capture(rig.rs1, 'eth0');
  await listen(rig.rs1, port, (socket) => {
    peers.push(`${socket.remoteAddress}:${socket.remotePort}`);
    socket.on('data', (data) => socket.write(data));
  });
});

after(async () => {
  closeAll();
  await rig.destroy();
});

function flow(): RawFlow {
  nextPort += 1;
  client.capture.clear();
  rs.clear();
  return client.flow(rig.vip, port, nextPort);
}

/** Segments that the real server has received from the balancer since flow(). */
const atServer = () => rs.segments.filter(({ outgoing, source }) => !outgoing && rig.laddrs.includes(source));
const toas = (segment: Segment) => segment.options.filter(({ kind }) => kind === 254 || kind === 253);

async function echoed(from: RawFlow, text: string, options?: Uint8Array): Promise<void> {
  client.capture.clear();
  from.send(PSH | ACK, { payload: Buffer.from(text), ...(options ? { options } : {}) });
  await from.expect(`the echo of ${text}`, ({ payload }) => payload.toString() === text);
}

async function finish(from: RawFlow, options?: Uint8Array): Promise<void> {
  from.send(FIN | ACK, options ? { options } : {});
  await from.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
  from.send(ACK);
}

const toa6 = (kind: number) => option(kind, 0x1f, 0x90, ...Array.from({ length: 16 }, () => 6));
const t = (kind = 254) => toa(666, forger, kind);
const cases: { name: string; area: Buffer; seen: boolean }[] = [
  { name: 'IPv4', area: t(), seen: true },
  { name: 'IPv6', area: toa6(254), seen: true },
  { name: 'IPv6, kind 253', area: toa6(253), seen: true },
  { name: 'kind 253', area: t(253), seen: true },
  { name: 'at an odd offset', area: Buffer.concat([Buffer.from([1]), t(), Buffer.from([1, 1, 1])]), seen: true },
  { name: 'five of them', area: Buffer.concat([t(), t(253), t(), t(), t()]), seen: true },
  { name: 'IPv6 and IPv4', area: Buffer.concat([toa6(253), t(), t()]), seen: true },
  { name: 'behind the end of options', area: Buffer.concat([Buffer.from([0]), t()]), seen: false },
  { name: 'before and behind the end', area: Buffer.concat([t(), Buffer.from([1, 0]), t()]), seen: true },
  { name: 'behind an option of length 1', area: Buffer.concat([Buffer.from([99, 1]), t()]), seen: false },
  { name: 'behind an option of length 0', area: Buffer.concat([Buffer.from([3, 0]), t()]), seen: false },
  { name: 'behind an option that is too long', area: Buffer.concat([Buffer.from([99, 40]), t()]), seen: false },
  { name: 'cut off', area: Buffer.from([1, 1, 254, 8, 2, 154, 6, 6, 6, 6, 6, 6].slice(0, 8)), seen: false },
  { name: 'inside an unknown option', area: option(99, ...t()), seen: false },
  { name: 'of another length', area: option(254, 6, 6, 6, 6, 6, 6, 6, 6), seen: true },
];

for (const { name, area, seen } of cases) {
  test(`a forged address never reaches the real server: ${name}`, async () => {
    const one = flow();
    const counts = await rig.counted(async () => {
      await one.handshake(area, area);
      await echoed(one, 'in the TOA phase', area);
      one.send(ACK);
      await echoed(one, 'after it', area);
      one.send(ACK, { options: area });
      await finish(one, area);
    });
    const segments = atServer();
    assert.ok(segments.length >= 6, `${segments.length} segments`);
    for (const segment of segments) {
      const bytes = Buffer.concat(segment.options.filter(({ kind }) => kind !== 99).map(({ data }) => data));
      // The contents of other options are not an address.
      const all = name.startsWith('inside') ? bytes : segment.optionBytes;
      assert.equal(all.includes(forged), false, segment.optionBytes.toString('hex'));
      for (const each of toas(segment)) assert.equal(readToa(each), one.name);
    }
    const data = segments.filter(({ payload }) => payload.length > 0);
    assert.deepEqual(
      segments
        .slice(0, 2)
        .map(toas)
        .map((each) => each.length),
      [1, 1],
      'SYN and third ACK carry it',
    );
    assert.equal(toas(data[0] as Segment).length, 1, 'so does the first data');
    assert.equal(toas(data[1] as Segment).length, 0, 'and none that follows the real server’s answer');
    assert.ok(peers.includes(one.name), `the real server saw ${peers.slice(-1)}`);
    assert.equal(counts.fullnat_toa_forged ?? 0, seen ? 6 : 0);
    assert.equal(counts.fullnat_toa_lost, undefined);
  });
}

test('with another kind by the sysctl, forged options of both kinds are removed', async () => {
  setVs(rig.balancer, { fullnat_toa_kind: 200 });
  try {
    const one = flow();
    await one.handshake(Buffer.concat([t(200), t(254)]), Buffer.concat([t(254), t(200)]));
    const segments = await eventually('two segments', () => (atServer().length >= 2 ? atServer() : undefined));
    for (const { options } of segments) {
      assert.deepEqual(
        options.map(({ kind }) => kind),
        [200],
      );
      assert.equal(readToa(options[0] as Segment['options'][0]), one.name);
    }
    one.send(RST | ACK);
  } finally {
    setVs(rig.balancer, { fullnat_toa_kind: 254 });
  }
});

const foreign: { name: string; area: Buffer }[] = [
  { name: 'Fast Open cookie', area: option(34, 1, 2, 3, 4, 5, 6, 7, 8) },
  { name: 'Fast Open request', area: option(34) },
  { name: 'MPTCP', area: option(30, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8) },
  { name: 'an unknown kind', area: option(77, 1, 2) },
];

for (const { name, area } of foreign) {
  test(`an unsupported option is removed, the others stay: ${name}`, async () => {
    const one = flow();
    const kept = [mss(1400), option(4), timestamps(1000, 0), option(3, 5)];
    const counts = await rig.counted(async () => {
      one.send(SYN, { options: Buffer.concat([...kept.slice(0, 2), area, ...kept.slice(2)]) });
      await one.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
    });
    const [syn] = atServer();
    assert.ok(syn);
    assert.deepEqual(
      syn.options.map(({ kind }) => kind).sort((a, b) => a - b),
      [2, 3, 4, 8, 254],
    );
    assert.equal(syn.options.find(({ kind }) => kind === 2)?.data.readUInt16BE(), 1400);
    assert.equal(syn.options.find(({ kind }) => kind === 3)?.data[0], 5);
    assert.equal(counts.fullnat_opt_removed, 1);
    one.send(RST | ACK);
  });
}

test('the experimental form of Fast Open, which has kind 254, is removed', async () => {
  const one = flow();
  one.send(SYN, { options: Buffer.concat([option(254, 0xf9, 0x89, 1, 2, 3, 4, 5, 6), mss(1460)]) });
  await one.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
  const [syn] = atServer();
  assert.deepEqual(
    syn?.options.map(({ kind }) => kind),
    [254, 2],
  );
  assert.equal(readToa(syn?.options[0] as Segment['options'][0]), one.name);
  one.send(RST | ACK);
});

for (const [name, area] of [
  ['TCP-MD5', option(19, ...Array.from({ length: 16 }, (_, i) => i))],
  ['TCP-AO', option(29, 1, 1, ...Array.from({ length: 12 }, (_, i) => i))],
] as const) {
  test(`a signed connection is rejected by RST: ${name}`, async () => {
    const one = flow();
    const start = one.seq;
    const counts = await rig.counted(async () => {
      one.send(SYN, { options: area });
      const reset = await one.expect('RST', ({ flags }) => (flags & RST) !== 0);
      assert.equal(reset.flags, RST | ACK);
      assert.equal(reset.ack, (start + 1) >>> 0);
    });
    assert.equal(counts.fullnat_signed_refused, 1);
    assert.deepEqual(atServer(), []);
    // A connection from the same port without a signature is served.
    client.capture.clear();
    one.seq = (start + 1_000_000) >>> 0;
    await one.handshake();
    await echoed(one, 'plain');
    one.send(RST | ACK);
  });
}

test('a signed SYN whose checksum is wrong is not answered', async () => {
  const one = flow();
  const area = option(19, ...Array.from({ length: 16 }, (_, i) => i));
  const packet = one.send(SYN, { options: area });
  await one.expect('RST', ({ flags }) => (flags & RST) !== 0);
  client.capture.clear();
  const wrong = Buffer.from(packet);
  wrong.writeUInt16BE(wrong.readUInt16BE(36) ^ 0x0101, 36);
  const counts = await rig.counted(async () => {
    client.send(wrong);
    await sleep(200);
  });
  assert.deepEqual(one.received(), []);
  assert.deepEqual([counts.fullnat_signed_refused, counts.fullnat_conn_refused], [1, undefined]);
});

test('the MSS of the SYN-ACK is reduced by the length of the option', async () => {
  const one = flow();
  const answer = await one.handshake(mss(1460));
  assert.equal(answer.options.find(({ kind }) => kind === 2)?.data.readUInt16BE(), 1452);
  one.send(RST | ACK);
});

test('before a segment that fills the MTU, a bare ACK carries the address', async () => {
  const one = flow();
  const payload = Buffer.alloc(1460, 'x');
  const counts = await rig.counted(async () => {
    one.send(SYN, { options: mss(1460) });
    await one.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
    // No third ACK: the full segment completes the handshake.
    one.send(PSH | ACK, { payload });
    await one.expect('the echo', (segment) => segment.payload.length > 0);
  });
  const [syn, bare, full] = atServer();
  assert.ok(syn && bare && full);
  assert.equal(bare.payload.length, 0);
  assert.deepEqual(toas(bare).map(readToa), [one.name]);
  assert.equal(full.payload.length, 1460);
  assert.equal(full.bytes.length, 1500);
  assert.equal(bare.seq, full.seq);
  assert.ok(peers.includes(one.name), `the real server saw ${peers.slice(-1)}`);
  assert.deepEqual([counts.fullnat_toa_bare_ack, counts.fullnat_add_toa_fail_len], [1, 1]);
  assert.equal(counts.fullnat_toa_lost, undefined);
  one.send(RST | ACK);
});

test('SACK blocks make room for the address', async () => {
  const one = flow();
  await one.handshake(Buffer.concat([mss(1460), option(4), timestamps(5000, 0)]), timestamps(5001, 0));
  const synAck = one.received().find(({ flags }) => (flags & SYN) !== 0);
  const echo = synAck?.options.find(({ kind }) => kind === 8)?.data.readUInt32BE() ?? 0;
  rs.clear();
  const blocks = Buffer.alloc(24);
  for (let i = 0; i < 6; i++) blocks.writeUInt32BE((one.ack + 1000 * (i + 1)) >>> 0, 4 * i);
  const counts = await rig.counted(async () => {
    one.send(ACK, {
      options: Buffer.concat([Buffer.from([1, 1]), timestamps(5002, echo), Buffer.from([1, 1]), option(5, ...blocks)]),
    });
    await eventually('the ACK', () => atServer().length > 0);
  });
  const [ack] = atServer();
  assert.deepEqual(ack?.options.map(({ kind }) => kind).sort(), [254, 5, 8]);
  assert.equal(ack?.options.find(({ kind }) => kind === 5)?.data.length, 16);
  assert.equal(counts.fullnat_toa_made_room, 1);
  one.send(RST | ACK);
});

test('a segment with a truncated header is dropped and counted, and the connection continues', async () => {
  const one = flow();
  await one.handshake();
  await eventually('SYN and ACK', () => atServer().length >= 2);
  rs.clear();
  const packet = one.send(PSH | ACK, { payload: Buffer.alloc(0) });
  await sleep(100);
  rs.clear();
  // The data offset is 60 bytes, the packet is shorter.
  const short = Buffer.from(packet);
  short[32] = 0xf0;
  const counts = await rig.counted(async () => {
    client.send(short);
    await sleep(200);
  });
  assert.deepEqual(atServer(), []);
  assert.equal(counts.fullnat_malformed, 1);
  await echoed(one, 'still there');
  one.send(RST | ACK);
});
