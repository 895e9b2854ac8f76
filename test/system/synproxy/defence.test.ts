// SPDX-License-Identifier: MIT
// lab: --uml
// Defence of a service: segments without a connection are dropped, SYNs are limited; other services are not concerned.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { IP_VS_CONN_F_FULLNAT, IP_VS_SVC_F_SYNPROXY, IPVS_CMD_SET_SERVICE } from '../../../src/ipvs/index.ts';
import { GenericNetlink } from '../../../src/netlink/index.ts';
import { ACK, FIN, PSH, RST, type Segment, SYN } from '../fullnat/packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { closeAll, listen } from '../fullnat/tcp.ts';
import { Capture, netnsPath, type RawFlow, RawHost, sleep } from '../fullnat/wire.ts';

const plain = 80;
const proxied = 81;
const other = 82;
const DROP_STRAYS = 1;

let rig: Rig;
let raw: RawHost;
let leg: Capture;
let netlink: GenericNetlink;
let nextPort = 50_000;

before(async () => {
  rig = await fullnatRig({ bare: true });
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  leg = new Capture(rig.rs1, 'eth0');
  netlink = new GenericNetlink({ netns: netnsPath(rig.balancer) });
  for (const port of [plain, proxied, other]) {
    const service = serviceConfig(rig.vip, port, { flags: port === proxied ? IP_VS_SVC_F_SYNPROXY : 0 });
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

function flow(port: number): RawFlow {
  raw.capture.clear();
  leg.clear();
  return raw.flow(rig.vip, port, ++nextPort);
}

const isReset = ({ flags }: Segment) => (flags & RST) !== 0;
const isSynAck = ({ flags }: Segment) => (flags & (SYN | ACK)) === (SYN | ACK);
const hello = (one: RawFlow) => one.expect('the greeting', ({ payload }) => payload.toString() === 'hello ');

/** Segments that begin no connection. */
function strays(port: number): RawFlow {
  const one = flow(port);
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
    await strays(port).expect('RST', isReset);
    await defend(port, DROP_STRAYS, 0, 1);
    const grown = await rig.counted(async () => {
      const one = strays(port);
      // Answers would have come before those to the next ones.
      await strays(other).expect('RST', isReset);
      assert.deepEqual(one.received(), []);
    });
    assert.equal(grown.defence_tcp_drop, port === proxied ? 4 : 5);
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
  // One a second: on no machine does sending 20 SYNs take three seconds.
  await defend(plain, 0, 1, 5);
  const grown = await rig.counted(async () => {
    const flows = syns(plain);
    const [last] = syns(other).slice(-1);
    await last?.expect('SYN-ACK', isSynAck);
    await sleep(50);
    assert.ok(answered(flows) <= 8);
  });
  assert.ok((grown.defence_tcp_drop ?? 0) >= 12);
  await defend(plain, 0, 0, 1);
  const [last] = syns(plain).slice(-1);
  await last?.expect('SYN-ACK', isSynAck);
});

test('only TCP has a defence; unknown flags are refused', async () => {
  await assert.rejects(defend(plain, 2, 0, 1), { errnoName: 'EINVAL' });
  await assert.rejects(defend(plain, 0, 1, 0), { errnoName: 'ERANGE' });
  await assert.rejects(defend(plain, 0, 1_000_001, 1), { errnoName: 'EINVAL' });
  await defend(plain, 0, 1_000_000, 1_000_000);
});
