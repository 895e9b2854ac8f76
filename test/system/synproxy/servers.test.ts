// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy with FULLNAT and NAT, and real servers that are packet sockets: their answers, and the segments that the client gets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_MASQ, IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { ACK, mss, option, PSH, RST, type Segment, SYN, tcpPacket, timestamps } from '../fullnat/packets.ts';
import { destConfig, extStats, fullnatRig, ip4, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { closeAll } from '../fullnat/tcp.ts';
import { eventually, type RawFlow, RawHost } from '../fullnat/wire.ts';

const serverPort = 90;
const methods = [
  { name: 'FULLNAT', method: IP_VS_CONN_F_FULLNAT, port: 90 },
  { name: 'NAT', method: IP_VS_CONN_F_MASQ, port: 91 },
];
const serverAddress = '10.31.4.77';
const scaleOffered = 7;
/** Bytes of a client that are held. */
const held = 4096;

let rig: Rig;
let raw: RawHost;
let server: RawHost;
let nextPort = 45_000;

before(async () => {
  rig = await fullnatRig({ bare: true });
  // With NAT, real servers answer to clients' addresses.
  rig.inside.ip('route add 10.1.0.0/16 via 10.31.3.2');
  rig.rs1.ip('route add 10.1.0.0/16 via 10.31.4.1');
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  server = new RawHost(rig.rs1, 'eth0', serverAddress);
  for (const { method, port } of methods) {
    const key = serviceConfig(rig.vip, port, { flags: IP_VS_SVC_F_SYNPROXY });
    await rig.ipvs.addService(key);
    if (method === IP_VS_CONN_F_FULLNAT)
      for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(key, ip4(laddr));
    await rig.ipvs.addDestination(key, destConfig(serverAddress, serverPort, { method }));
  }
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const isSynAck = ({ flags }: Segment) => (flags & (SYN | ACK)) === (SYN | ACK);
const isReset = ({ flags }: Segment) => (flags & RST) !== 0;
const value = ({ options }: Segment, kind: number) => options.find((each) => each.kind === kind)?.data;
const stamps = (segment: Segment) => value(segment, 8);

const wscale = (shift: number) => Buffer.concat([Buffer.from([1]), option(3, shift)]);
const sackPermitted = option(4);
const all = Buffer.concat([mss(1460), sackPermitted, timestamps(1000, 0), wscale(6)]);
const withoutStamps = Buffer.concat([mss(1460), Buffer.from([1, 1]), sackPermitted, wscale(6)]);

/** The segments that the real server's host was sent, oldest first. */
const told = () =>
  server.capture.segments.filter(({ outgoing, destination }) => !outgoing && destination === serverAddress);

/** Answers a segment that the real server was sent. */
function answer(
  to: Segment,
  fields: { seq: number; ack: number; flags: number; options?: Uint8Array; window?: number },
) {
  server.send(
    tcpPacket({
      ...{ source: serverAddress, destination: to.source },
      ...{ sourcePort: to.destinationPort, destinationPort: to.sourcePort },
      ...fields,
    }),
  );
}

const serverIsn = 0xfffffff0;

interface Begun {
  one: RawFlow;
  /** The SYN that the real server was sent. */
  syn: Segment;
  options: Buffer;
}

/** A client's handshake with the balancer, and the SYN that follows. */
async function begin(port: number, offer: Uint8Array): Promise<Begun> {
  raw.capture.clear();
  server.capture.clear();
  const one = raw.flow(rig.vip, port, ++nextPort);
  one.send(SYN, { options: offer });
  const stamp = stamps(await one.expect('SYN-ACK', isSynAck));
  const options = stamp ? timestamps(1001, stamp.readUInt32BE(0)) : Buffer.alloc(0);
  one.send(ACK, { options });
  const syn = await eventually('SYN', () => told().find(({ flags }) => (flags & SYN) !== 0));
  return { one, syn, options };
}

const synAck = (syn: Segment, options: Uint8Array, window = 20_000) =>
  answer(syn, { seq: serverIsn, ack: (syn.seq + 1) >>> 0, flags: SYN | ACK, options, window });

const echo = (syn: Segment) => stamps(syn)?.readUInt32BE(0) ?? 0;

interface Answer {
  what: string;
  offer: Uint8Array;
  options: (syn: Segment) => Uint8Array;
  /** The window that the client sees when the real server says 1000. */
  window: number;
  /** The window that the real server sees when the client says 500, which is 32,000 bytes. */
  clientWindow: number;
  sack: boolean;
}

const answers: Answer[] = [
  {
    what: 'all options, the scale that the client was offered',
    offer: all,
    options: (syn) => Buffer.concat([mss(1460), sackPermitted, timestamps(5, echo(syn)), wscale(7)]),
    ...{ window: 1000, clientWindow: 500, sack: true },
  },
  {
    what: 'a larger scale',
    offer: all,
    options: (syn) => Buffer.concat([mss(1460), sackPermitted, timestamps(5, echo(syn)), wscale(9)]),
    ...{ window: 4000, clientWindow: 500, sack: true },
  },
  {
    what: 'a smaller scale, a small MSS',
    offer: all,
    options: (syn) => Buffer.concat([mss(536), sackPermitted, timestamps(5, echo(syn)), wscale(5)]),
    ...{ window: 250, clientWindow: 500, sack: true },
  },
  {
    what: 'no scale',
    offer: all,
    options: (syn) => Buffer.concat([mss(1460), sackPermitted, timestamps(5, echo(syn))]),
    ...{ window: 7, clientWindow: 32_000, sack: true },
  },
  {
    what: 'no SACK',
    offer: withoutStamps,
    options: () => Buffer.concat([mss(1460), wscale(7)]),
    ...{ window: 1000, clientWindow: 500, sack: false },
  },
  {
    what: 'nothing, to a client that offers nothing',
    offer: Buffer.alloc(0),
    options: () => Buffer.alloc(0),
    ...{ window: 1000, clientWindow: 500, sack: false },
  },
];

for (const { name, port } of methods) {
  for (const { what, offer, options: reply, window, clientWindow, sack } of answers)
    test(`${name}: the real server answers ${what}`, async () => {
      const { one, syn, options } = await begin(port, offer);
      const cookie = (one.ack - 1) >>> 0;
      synAck(syn, reply(syn));
      const third = await eventually('the ACK', () => told().find(({ flags }) => (flags & (SYN | ACK)) === ACK));
      assert.equal(third.seq, (syn.seq + 1) >>> 0);
      assert.equal(third.ack, (serverIsn + 1) >>> 0);
      const update = await one.expect('the window update', (segment) => !isSynAck(segment));
      assert.deepEqual([update.seq, update.ack], [(cookie + 1) >>> 0, one.seq]);

      // A segment of the real server's: number, timestamps, window.
      const stamped = stamps(third);
      const later = stamped ? timestamps(6, stamped.readUInt32BE(0)) : Buffer.alloc(0);
      raw.capture.clear();
      answer(syn, {
        ...{ seq: (serverIsn + 1) >>> 0, ack: third.seq, flags: ACK },
        ...{ options: later, window: 1000 },
      });
      const got = await one.expect('it', () => true);
      assert.deepEqual([got.seq, got.ack, got.window], [(cookie + 1) >>> 0, one.seq, window]);
      const stamp = stamps(got);
      assert.equal(stamp !== undefined, stamps(syn) !== undefined);
      if (stamp) {
        assert.ok(stamp.readUInt32BE(0) > options.readUInt32BE(options.length - 4) >>> 0, 'time goes on');
        assert.equal(stamp.readUInt32BE(4), 1001);
      }

      // A segment of the client's, with a SACK block.
      server.capture.clear();
      const block = Buffer.alloc(8);
      block.writeUInt32BE((cookie + 101) >>> 0, 0);
      block.writeUInt32BE((cookie + 201) >>> 0, 4);
      const sent = Buffer.concat([options, Buffer.from([1, 1]), option(5, ...block)]);
      one.send(PSH | ACK, { options: sent, window: 500, payload: Buffer.from('data'), ack: (cookie + 1) >>> 0 });
      const data = await eventually('the data', () => told().find(({ payload }) => payload.toString() === 'data'));
      assert.deepEqual([data.seq, data.ack, data.window], [third.seq, third.ack, clientWindow]);
      const seen = value(data, 5);
      if (sack) {
        assert.equal(seen?.readUInt32BE(0), (serverIsn + 101) >>> 0);
        assert.equal(seen?.readUInt32BE(4), (serverIsn + 201) >>> 0);
      } else if (offer.length > 0) {
        assert.equal(seen, undefined);
      }
      one.send(RST);
    });

  test(`${name}: a real server without the timestamps that the client was promised: both ends are reset`, async () => {
    const grown = await rig.counted(async () => {
      const { one, syn } = await begin(port, all);
      synAck(syn, Buffer.concat([mss(1460), sackPermitted, wscale(7)]));
      const reset = await one.expect('RST', isReset);
      assert.equal(reset.seq, one.ack);
      const other = await eventually('RST', () => told().find(isReset));
      assert.equal(other.seq, (syn.seq + 1) >>> 0);
    });
    assert.equal(grown.synproxy_rs_mismatch, 1);
  });

  test(`${name}: a SYN that is lost is sent again, and data that was held comes with the answer`, async () => {
    const { one, syn, options } = await begin(port, withoutStamps);
    one.send(PSH | ACK, { options, payload: Buffer.from('held ') });
    one.send(PSH | ACK, { options, payload: Buffer.from('and more') });
    const again = await eventually('another', () => told().filter(({ flags }) => (flags & SYN) !== 0)[1], 8000);
    assert.equal(again.seq, syn.seq);
    assert.deepEqual(again.optionBytes, syn.optionBytes);
    synAck(again, Buffer.concat([mss(1460), sackPermitted, wscale(scaleOffered)]));
    const data = await eventually('the data', () => told().find(({ payload }) => payload.length > 0));
    assert.equal(data.payload.toString(), 'held and more');
    assert.equal(data.seq, (syn.seq + 1) >>> 0);
    one.send(RST);
  });

  test(`${name}: ${held} bytes of a client are held until its real server answers, the rest it sends again`, async () => {
    const { one, syn, options } = await begin(port, withoutStamps);
    const bytes = Buffer.from(Array.from({ length: held + 100 }, (_, index) => 97 + (index % 23)));
    const rest = bytes.subarray(held);
    for (let at = 0; at < held; at += 1024) one.send(PSH | ACK, { options, payload: bytes.subarray(at, at + 1024) });
    const counter = () => extStats(rig.balancer).synproxy_synsend_qlen ?? 0;
    const before = counter();
    const seq = one.seq;
    one.send(PSH | ACK, { options, payload: rest });
    await eventually('a segment that is not held', () => counter() === before + 1);
    synAck(syn, Buffer.concat([mss(1460), sackPermitted, wscale(scaleOffered)]));
    const payloads = () => told().flatMap(({ payload }) => (payload.length > 0 ? [payload] : []));
    await eventually('the data', () => Buffer.concat(payloads()).equals(bytes.subarray(0, held)));
    one.send(PSH | ACK, { options, seq, payload: rest });
    await eventually('the rest', () => Buffer.concat(payloads()).equals(bytes));
    one.send(RST, { seq: (seq + rest.length) >>> 0 });
  });

  test(`${name}: segments that do not answer the SYN are not forwarded`, async () => {
    const { one, syn } = await begin(port, withoutStamps);
    raw.capture.clear();
    server.capture.clear();
    const right = (syn.seq + 1) >>> 0;
    const seq = serverIsn;
    answer(syn, { seq, ack: 0, flags: RST });
    answer(syn, { seq, ack: (right + 1) >>> 0, flags: RST | ACK });
    answer(syn, { seq, ack: 0, flags: SYN });
    answer(syn, { seq, ack: right, flags: ACK });
    // An old socket's ACK: it is reset, and the SYN said again.
    answer(syn, { seq, ack: (right + 77) >>> 0, flags: ACK });
    const reset = await eventually('RST', () => told().find(isReset));
    assert.equal(reset.seq, (right + 77) >>> 0);
    assert.deepEqual(one.received(), []);
    const again = await eventually('SYN', () => told().find(({ flags }) => (flags & SYN) !== 0));
    synAck(again, Buffer.concat([mss(1460), wscale(scaleOffered)]));
    await one.expect('the window update', ({ window }) => window > 0);
    one.send(RST);
  });
}
