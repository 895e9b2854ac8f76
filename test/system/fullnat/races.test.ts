// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// Segments of one connection, or of two that want the same tuple, that two CPUs handle at once or that overtake each
// other.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ACK, mss, type Segment, SYN, tcpPacket } from './packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig, setVs } from './rig.ts';
import { closeAll } from './tcp.ts';
import { Capture, eventually, Injector, RawHost } from './wire.ts';

const port = 80;
/** A real server that never answers, and one made of packets. */
const silent = '10.31.4.77';
const rawServer = '10.31.4.99';
const silentPort = 7100;
const rawPort = 7200;
const pairs = process.env.LVSD_COUNTS === 'full' ? 20_000 : 2000;
/** Services with one local port each, and clients that want it. */
const services = process.env.LVSD_COUNTS === 'full' ? 4000 : 400;
const firstService = 20_000;
const owner = '10.1.0.5';
const taker = '10.1.0.6';
const TOA = 254;

const program = join(mkdtempSync(join(tmpdir(), 'twins-')), 'twins');
let rig: Rig;
let client: RawHost;
let server: RawHost;

before(async () => {
  execFileSync('cc', ['-O1', '-pthread', '-o', program, join(import.meta.dirname, 'twins.c')]);
  rig = await fullnatRig({ port });
  rig.inside.ip(`route add blackhole ${silent}/32`);
  client = new RawHost(rig.client, 'eth0', '10.1.0.3');
  server = new RawHost(rig.rs1, 'eth0', rawServer);
  for (const [at, address] of [
    [silentPort, silent],
    [rawPort, rawServer],
  ] as const) {
    const key = serviceConfig(rig.vip, at);
    await rig.ipvs.addService(key);
    for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(key, ip4(laddr));
    await rig.ipvs.addDestination(key, destConfig(address, at));
  }
});

after(async () => {
  client.close();
  server.close();
  closeAll();
  await rig.destroy();
});

test(`${pairs} pairs of SYNs, each on two CPUs at once, never make two connections of one client's port`, () => {
  setVs(rig.balancer, { timeout_synrecv: 600 });
  const before = rig.connections().length;
  rig.router.run([program, '10.1.0.9', '10.1.0.9', rig.vip, String(silentPort), '0', '10000', String(pairs), '0']);
  const clients = rig.connections().map((each) => each.client);
  // The queue between namespaces may drop some.
  assert.ok(clients.length - before > pairs / 2, `${clients.length - before} connections`);
  const twice = clients.filter((each, index) => clients.indexOf(each) !== index);
  assert.deepEqual(twice, []);
  setVs(rig.balancer, { timeout_synrecv: 30 });
});

test('an ACK of the real server that overtakes its SYN-ACK does not remove the client’s address', async () => {
  const flow = client.flow(rig.vip, rawPort, 22_222);
  const seen = (what: string, find: (segment: Segment) => boolean) =>
    eventually(what, () =>
      server.capture.segments.find((each) => !each.outgoing && each.destination === rawServer && find(each)),
    );
  flow.send(SYN, { options: mss(1460) });
  const syn = await seen('the SYN', ({ flags }) => flags === SYN);
  const answer = (flags: number, seq: number) =>
    server.send(
      tcpPacket({
        ...{ source: rawServer, sourcePort: rawPort, destination: syn.source, destinationPort: syn.sourcePort },
        ...{ flags, seq, ack: (syn.seq + 1) >>> 0, window: 64_240 },
      }),
    );
  // A challenge ACK, in answer to a blind SYN (RFC 9293, 3.10.7.4).
  answer(ACK, 5001);
  await flow.expect('the challenge', ({ flags }) => flags === ACK);
  answer(SYN | ACK, 5000);
  await flow.expect('the SYN-ACK', ({ flags }) => flags === (SYN | ACK));
  flow.send(ACK);
  const third = await seen('the last ACK of the handshake', ({ flags, ack }) => flags === ACK && ack === 5001);
  assert.ok(third.options.some(({ kind }) => kind === TOA));
});

test(`${services} times, a client opens its connection again while another one takes the tuple: never both`, async () => {
  setVs(rig.balancer, { fullnat_lport_max: 5000, fullnat_exhaust_drop: 1, timeout_close: 600, timeout_synrecv: 600 });
  const ports = Array.from({ length: services }, (_, index) => firstService + index);
  // With persistence, an ended connection is used again for the same client instead of a new one.
  const lines = ports.flatMap((at) => [
    `-A -t ${rig.vip}:${at} -s rr -p 300`,
    `-P -t ${rig.vip}:${at} -z ${rig.laddrs[0]}`,
    `-a -t ${rig.vip}:${at} -r ${rig.rs1Address}:${at} -b`,
  ]);
  rig.balancer.run(['lvsadm', '-R'], { input: `${lines.join('\n')}\n`, timeout: 120_000 });

  // No socket of the real server has these ports: its resets end the owner's connections, and their tuples may be
  // taken.
  rig.client.ip(`addr add ${owner}/32 dev eth0`, `addr add ${taker}/32 dev eth0`);
  const injector = new Injector(rig.client);
  const over = () => rig.connections().filter((each) => each.client.startsWith(`${owner}:`) && each.state === 'CLOSE');
  for (const [index, at] of ports.entries()) {
    const fields = { source: owner, sourcePort: 10_000 + index, destination: rig.vip, destinationPort: at };
    injector.send(tcpPacket({ ...fields, seq: index * 1000, flags: SYN, options: mss(1460) }));
    if (index % 50 === 49) await new Promise((done) => setImmediate(done));
  }
  injector.close();
  await eventually('the end of all connections', () => over().length >= services * 0.98, 60_000);

  // From now on it is silent.
  const silence = 'chain c { type filter hook ingress device eth0 priority 0; ip protocol tcp drop; }';
  rig.rs1.run(['nft', '-f', '-'], { input: `table netdev silence {\n${silence}\n}\n` });
  const seen = new Capture(rig.rs1, 'eth0');
  const grown = await rig.counted(async () => {
    const words = [owner, taker, rig.vip, firstService, 1, 10_000, services, 12_000].map(String);
    await rig.router.exec([program, ...words], { timeout: 120_000 });
  });
  const syns = new Map<number, number>();
  for (const { outgoing, flags, destinationPort } of seen.segments) {
    if (!outgoing && flags === SYN) syns.set(destinationPort, (syns.get(destinationPort) ?? 0) + 1);
  }
  seen.close();
  const both = [...syns].filter(([, count]) => count > 1);
  console.log(`${syns.size} SYNs, ${grown.fullnat_takeover} tuples taken, ${both.length} by both`);
  assert.deepEqual(both, []);
  // The queue between namespaces may drop some.
  assert.ok(syns.size > services / 2, `${syns.size} of ${services} tuples had a SYN`);
  assert.ok((grown.fullnat_takeover ?? 0) > services / 100, 'some are taken');
  assert.ok((grown.fullnat_exhausted ?? 0) > services / 100, 'others are opened again first');
});
