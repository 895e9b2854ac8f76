// SPDX-License-Identifier: MIT
// lab: --uml
// Defence of a service: segments without a connection and fragments are dropped, SYNs are limited; other services are not
// concerned.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import {
  type Defence,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_SVC_F_SYNPROXY,
  IPPROTO_UDP,
  IPVS_CMD_SET_SERVICE,
} from '../../../src/ipvs/index.ts';
import { GenericNetlink } from '../../../src/netlink/index.ts';
import { ACK, FIN, ipPacket, mss, PSH, RST, type Segment, SYN, tcpPacket } from '../fullnat/packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { closeAll, listen } from '../fullnat/tcp.ts';
import { eventually, netnsPath, type RawFlow, RawHost, sleep } from '../fullnat/wire.ts';

const plain = 80;
const proxied = 81;
const other = 82;
const DROP_STRAYS = 1;
const secondVip = '10.99.0.11';

let rig: Rig;
let raw: RawHost;
let netlink: GenericNetlink;
let nextPort = 50_000;
let nextId = 1;

before(async () => {
  rig = await fullnatRig({ bare: true });
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  netlink = new GenericNetlink({ netns: netnsPath(rig.balancer) });
  rig.router.ip(`route add ${secondVip}/32 via 10.2.0.2`);
  rig.balancer.ip(`addr add ${secondVip}/32 dev lo`);
  for (const [vip, port] of [
    ...[plain, proxied, other].map((port) => [rig.vip, port] as const),
    [secondVip, plain] as const,
  ]) {
    const service = serviceConfig(vip, port, { flags: port === proxied ? IP_VS_SVC_F_SYNPROXY : 0 });
    await rig.ipvs.addService(service);
    for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(service, ip4(laddr));
    await rig.ipvs.addDestination(service, destConfig(rig.rs1Address, plain, { method: IP_VS_CONN_F_FULLNAT }));
  }
  await listen(rig.rs1, plain, (socket) => socket.write('hello '));
});

beforeEach(async () => {
  for (const port of [plain, proxied, other]) await defend(port, 0, 0, 1);
});

after(async () => {
  netlink.close();
  closeAll();
  await rig.destroy();
});

/** SET_SERVICE with the attribute of the defence. */
function defend(port: number, flags: number, rate: number, burst: number): Promise<unknown> {
  return netlink.request('IPVS', IPVS_CMD_SET_SERVICE, (writer) => {
    const service = writer.beginNest(1);
    const address = Buffer.alloc(16);
    address.set(ip4(rig.vip));
    writer.u16(1, AF_INET).u16(2, 6).bytes(3, address).be16(4, port);
    writer.string(6, 'rr').bytes(7, Buffer.alloc(8)).u32(8, 0).u32(9, 0xffffffff);
    const nest = writer.beginNest(35);
    writer.u32(1, flags).u32(2, rate).u32(3, burst);
    writer.endNest(nest);
    writer.endNest(service);
  });
}

const none: Defence = { dropStrays: false, dropFragments: false, synRate: 0, synBurst: 1 };

/** The same by the client of netlink. */
const setDefence = (port: number, { dropFragments }: Pick<Defence, 'dropFragments'>) =>
  rig.ipvs.setService({
    ...serviceConfig(rig.vip, port),
    defence: { ...none, dropFragments },
  });

function flow(port: number): RawFlow {
  raw.capture.clear();
  return raw.flow(rig.vip, port, ++nextPort);
}

const isReset = ({ flags }: Segment) => (flags & RST) !== 0;
const isSynAck = ({ flags }: Segment) => (flags & (SYN | ACK)) === (SYN | ACK);
const hello = (one: RawFlow) => one.expect('the greeting', ({ payload }) => payload.toString() === 'hello ');

/** Resets a second that are sent in spite of the defence, and at once. */
const ANSWERS = 100;

/** Sends segments that begin no connection; all but the last two are answered without a defence. */
function strays(port: number): RawFlow {
  const one = raw.flow(rig.vip, port, ++nextPort);
  one.ack = 77;
  one.send(ACK);
  one.send(PSH | ACK, { payload: Buffer.from('data') });
  one.send(FIN | ACK);
  one.send(SYN | ACK);
  one.send(RST);
  return one;
}

for (const port of [plain, proxied])
  test(`segments without a connection, ${port === proxied ? 'with' : 'without'} SYN proxy`, async () => {
    // SYN proxy drops the ACKs of 3 in 256 flows, which may be early.
    const flows = Array.from({ length: 5 }, () => strays(port));
    await eventually('RST', () => flows.some((one) => one.received().some(isReset)));
    await defend(port, DROP_STRAYS, 0, 1);
    const rounds = 100;
    raw.capture.clear();
    const started = performance.now();
    let resets = 0;
    const grown = await rig.counted(async () => {
      const all = Array.from({ length: rounds }, () => strays(port));
      // Answers would have come before those to the next ones.
      await strays(other).expect('RST', isReset);
      const numbers = new Set(all.map(({ from }) => from));
      const answers = raw.capture.segments.filter(
        ({ outgoing, destinationPort }) => !outgoing && numbers.has(destinationPort),
      );
      resets = answers.filter(isReset).length;
      assert.equal(answers.length, resets);
    });
    const seconds = (performance.now() - started) / 1000;
    const handled = (grown.defence_tcp_drop ?? 0) + resets;
    if (port === plain) assert.equal(handled, rounds * 5);
    else {
      // SYN proxy itself drops SYN-ACKs, and 3 of 256 ACKs that may be early.
      assert.equal(grown.synproxy_bad_ack, rounds * 3);
      assert.ok(handled <= rounds * 4 && handled >= rounds * 4 - 20, String(handled));
    }
    assert.ok(resets >= 1 && resets <= ANSWERS * (1 + seconds) + 1, `${resets} resets in ${seconds} s`);
    // Clients with a connection, and those that begin one.
    const one = flow(port);
    await one.handshake();
    await hello(one);
    one.send(FIN | ACK);
    await one.expect('the end', ({ flags }) => (flags & FIN) !== 0);
    one.send(ACK);
  });

test('SYNs beyond the rate are dropped, those of other services are not', async () => {
  const answered = (flows: readonly RawFlow[]) => flows.filter((one) => one.received().some(isSynAck)).length;
  const syns = (port: number) => {
    raw.capture.clear();
    const flows = Array.from({ length: 20 }, () => raw.flow(rig.vip, port, ++nextPort));
    for (const one of flows) one.send(SYN);
    return flows;
  };
  // One a second: sending 40 segments does not take eight seconds.
  await defend(plain, 0, 1, 5);
  const grown = await rig.counted(async () => {
    const flows = syns(plain);
    const [last] = syns(other).slice(-1);
    await last?.expect('SYN-ACK', isSynAck);
    await sleep(50);
    assert.ok(answered(flows) <= 8);
    // SYN-ACKs make connections too.
    for (const one of Array.from({ length: 20 }, () => raw.flow(rig.vip, plain, ++nextPort))) one.send(SYN | ACK);
    const [more] = syns(other).slice(-1);
    await more?.expect('SYN-ACK', isSynAck);
  });
  assert.ok((grown.defence_tcp_drop ?? 0) >= 12 + 12, String(grown.defence_tcp_drop));
  await defend(plain, 0, 0, 1);
  const [last] = syns(plain).slice(-1);
  await last?.expect('SYN-ACK', isSynAck);
});

/** The two fragments of a packet; the second one begins at a multiple of eight bytes. */
function fragments(packet: Buffer): Buffer[] {
  const [header, body] = [packet.subarray(0, 20), packet.subarray(20)];
  const [at, more] = [16, 0x2000];
  const id = ++nextId;
  const fragment = (part: Buffer, offset: number) => {
    const bytes = Buffer.concat([header, part]);
    bytes.writeUInt16BE(bytes.length, 2);
    bytes.writeUInt16BE(id, 4);
    bytes.writeUInt16BE(offset, 6);
    return bytes;
  };
  return [fragment(body.subarray(0, at), more), fragment(body.subarray(at), at / 8)];
}

test('fragments of TCP packets to the address are dropped, and nothing else', async () => {
  const syn = (vip: string, port: number) => {
    const one = raw.flow(vip, port, ++nextPort);
    const fields = { source: raw.address, destination: vip, sourcePort: one.from, destinationPort: port };
    const packet = tcpPacket({ ...fields, seq: one.seq, flags: SYN, payload: Buffer.alloc(0), options: mss(1460) });
    one.seq = (one.seq + 1) >>> 0;
    for (const each of fragments(packet)) raw.send(each);
    return one;
  };
  const datagram = () => {
    const body = Buffer.alloc(40);
    body.writeUInt16BE(nextPort, 0);
    body.writeUInt16BE(9, 2);
    body.writeUInt16BE(body.length, 4);
    const packet = ipPacket({ source: raw.address, destination: rig.vip }, IPPROTO_UDP, body);
    for (const each of fragments(packet)) raw.send(each);
  };
  raw.capture.clear();
  await syn(rig.vip, plain).expect('SYN-ACK', isSynAck);
  await setDefence(plain, { dropFragments: true });
  const grown = await rig.counted(async () => {
    raw.capture.clear();
    const dropped = [syn(rig.vip, plain), syn(rig.vip, other)];
    await syn(secondVip, plain).expect('SYN-ACK', isSynAck);
    datagram();
    await eventually('the refusal of a datagram', () =>
      raw.capture.icmp.some(({ type, code }) => type === 3 && code === 3),
    );
    for (const one of dropped) assert.deepEqual(one.received(), []);
    // Whole packets pass.
    const one = raw.flow(rig.vip, plain, ++nextPort);
    await one.handshake();
    await hello(one);
    one.send(RST);
  });
  assert.equal(grown.defence_ip_frag_drop, 4);
  await setDefence(plain, { dropFragments: false });
  await syn(rig.vip, plain).expect('SYN-ACK', isSynAck);
  // The last of several services that drop them ends it.
  await setDefence(plain, { dropFragments: true });
  const third = { ...serviceConfig(rig.vip, 83), defence: { ...none, dropFragments: true } };
  await rig.ipvs.addService(third);
  await setDefence(plain, { dropFragments: false });
  const still = await rig.counted(async () => {
    const one = syn(rig.vip, plain);
    await syn(secondVip, plain).expect('SYN-ACK', isSynAck);
    assert.deepEqual(one.received(), []);
  });
  assert.equal(still.defence_ip_frag_drop, 2);
  await rig.ipvs.deleteService(third);
  raw.capture.clear();
  await syn(rig.vip, plain).expect('SYN-ACK', isSynAck);
});

test('only TCP has a defence, and IPv4 one against fragments; unknown flags are refused', async () => {
  await assert.rejects(defend(plain, 4, 0, 1), { errnoName: 'EINVAL' });
  const udp = { ...serviceConfig(rig.vip, 53), protocol: IPPROTO_UDP };
  await assert.rejects(rig.ipvs.addService({ ...udp, defence: { ...none, dropStrays: true } }), {
    errnoName: 'EOPNOTSUPP',
  });
  const marked = { ...serviceConfig(rig.vip, 0), fwmark: 7 };
  await assert.rejects(rig.ipvs.addService({ ...marked, defence: { ...none, dropFragments: true } }), {
    errnoName: 'EOPNOTSUPP',
  });
  await assert.rejects(defend(plain, 0, 1, 0), { errnoName: 'ERANGE' });
  await assert.rejects(defend(plain, 0, 1_000_001, 1), { errnoName: 'EINVAL' });
  await defend(plain, 0, 1_000_000, 1_000_000);
});
