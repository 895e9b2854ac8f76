// SPDX-License-Identifier: MIT
// full: --uml
// SYN floods on pools of local ports: the cost of a port when few or none are left, and the effect on honest clients.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import type { ServiceConfig } from '../../../src/ipvs/index.ts';
import { mss, SYN, tcpPacket } from './packets.ts';
import { destConfig, extStats, fullnatRig, ip4, type Rig, serviceConfig, setVs } from './rig.ts';
import { closeAll, closed, DialError, type Dialed, dial, listen } from './tcp.ts';
import { eventually, Injector, sleep } from './wire.ts';

const port = 80;
/** Services whose real servers never answer, so that their connections stay in SYN_RECV. */
const silent = '10.31.4.77';
const otherSilent = '10.31.4.78';
const flooded = 7100;
const quiet = 7200;

let rig: Rig;
let injector: Injector;
const added: ServiceConfig[] = [];

before(async () => {
  rig = await fullnatRig({ port });
  for (const each of [silent, otherSilent]) rig.inside.ip(`route add blackhole ${each}/32`);
  injector = new Injector(rig.client);
  await listen(rig.rs1, port, (socket) => socket.write('hello'));
});

afterEach(async () => {
  for (const key of added.splice(0)) await rig.ipvs.deleteService(key);
  setVs(rig.balancer, { fullnat_client_limit: 0, fullnat_exhaust_drop: 0, timeout_synrecv: 30 });
  setVs(rig.balancer, { fullnat_lport_max: 65_535 });
});

after(async () => {
  injector.close();
  closeAll();
  await rig.destroy();
});

/** A service with one local address of so many ports for each real server. */
async function addService(at: number, server: string, ports: number): Promise<ServiceConfig> {
  const key = serviceConfig(rig.vip, at);
  setVs(rig.balancer, { fullnat_lport_max: 4999 + ports });
  await rig.ipvs.addService(key);
  added.push(key);
  await rig.ipvs.addLocalAddress(key, ip4(rig.laddrs[0] ?? ''));
  await rig.ipvs.addDestination(key, destConfig(server, at === flooded || at === quiet ? 7003 : port));
  return key;
}

let sources = 0;
/** SYNs of clients that do not exist, each from another address and port. */
function syns(to: number, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    sources++;
    const source = `10.1.${64 + ((sources >> 8) & 63)}.${1 + (sources & 127)}`;
    const fields = { source, sourcePort: 1024 + (sources % 60_000), seq: sources, flags: SYN, options: mss(1460) };
    return tcpPacket({ ...fields, destination: rig.vip, destinationPort: to });
  });
}

/** Sends packets, a few at a time so that the device's queue does not overflow. */
async function flood(packets: Buffer[]): Promise<void> {
  for (let at = 0; at < packets.length; at += 50) {
    for (const packet of packets.slice(at, at + 50)) injector.send(packet);
    await new Promise((done) => setImmediate(done));
  }
}

const stats = () => extStats(rig.balancer);
const grown = (name: string, since: Record<string, number>) => (stats()[name] ?? 0) - (since[name] ?? 0);

/** On a busy machine packets are on their way for a while: waits until no SYN has changed a counter for 300 ms. */
async function settled(): Promise<void> {
  let last = '';
  await eventually(
    'an end of all SYNs',
    async () => {
      const now = ['fullnat_exhausted', 'fullnat_takeover', 'fullnat_port_conflict']
        .map((name) => stats()[name])
        .join();
      if (now === last) return true;
      last = now;
      await sleep(300);
      return false;
    },
    60_000,
  );
}

test('in a pool of 25,000 ports no SYN is rejected while one is free', async () => {
  setVs(rig.balancer, { fullnat_exhaust_drop: 1, timeout_synrecv: 600 });
  const key = await addService(flooded, silent, 25_000);
  const since = stats();
  await flood(syns(flooded, 25_000));
  assert.equal(grown('fullnat_exhausted', since), 0);
  assert.equal(grown('fullnat_takeover', since), 0);
  const [laddr] = await rig.ipvs.localAddresses(key);
  // On a slow machine the last eighth times out about as fast as it arrives.
  assert.ok((laddr?.connections ?? 0) > 21_800, `${laddr?.connections} connections`);
});

test('a rejected SYN probes at most 64 tuples', async () => {
  setVs(rig.balancer, { fullnat_exhaust_drop: 1, timeout_synrecv: 600 });
  await addService(flooded, silent, 1000);
  // Sent within the second after which a handshake may be replaced.
  const packets = [...syns(flooded, 1000), ...syns(flooded, 200)];
  await flood(packets.slice(0, 1000));
  await settled();
  const since = stats();
  await flood(packets.slice(1000));
  await settled();
  assert.equal(grown('fullnat_exhausted', since) + grown('fullnat_takeover', since), 200);
  assert.ok(grown('fullnat_port_conflict', since) <= 64 * 200, `${grown('fullnat_port_conflict', since)} tuples`);
});

test('at a full pool, at most 1000 SYNs a second are answered by a RST', async () => {
  setVs(rig.balancer, { timeout_synrecv: 600 });
  await addService(flooded, silent, 100);
  await flood(syns(flooded, 100));
  const since = stats();
  const start = performance.now();
  await flood(syns(flooded, 6000));
  const seconds = (performance.now() - start) / 1000;
  const answered = grown('fullnat_conn_refused', since);
  console.log(`${answered} of 6000 answered in ${seconds} s`);
  assert.ok(answered > 0 && answered <= 1000 * (Math.floor(seconds) + 2), `${answered} answers in ${seconds} s`);
});

test('a full pool of one service does not affect another service', async () => {
  setVs(rig.balancer, { fullnat_exhaust_drop: 1, timeout_synrecv: 600 });
  await addService(flooded, silent, 200);
  const key = await addService(quiet, otherSilent, 200);
  await flood(syns(flooded, 200));
  await flood(syns(quiet, 190));
  await flood(syns(flooded, 3000));
  const since = stats();
  const mixed = syns(flooded, 500);
  const wanted = syns(quiet, 10);
  for (let i = 0; i < 10; i++) await flood([...mixed.slice(i * 50, i * 50 + 50), ...wanted.slice(i, i + 1)]);
  const [laddr] = await rig.ipvs.localAddresses(key);
  assert.equal(laddr?.exhausted, 0n, 'the other service always found a port');
  assert.ok(grown('fullnat_exhausted', since) + grown('fullnat_takeover', since) > 0);
});

test('abandoned handshakes are replaced by a client, and time out early', async () => {
  const at = 8080;
  setVs(rig.balancer, { timeout_synrecv: 60 });
  const key = await addService(at, rig.rs1Address, 50);
  await flood(syns(at, 50));
  const left = async () => (await rig.ipvs.localAddresses(key))[0]?.connections ?? 0;
  assert.equal(await left(), 50);
  // The real server's second SYN-ACK comes after a second, the third one after three.
  await sleep(2500);
  const since = stats();
  const { socket } = await dial(rig.client, rig.vip, at);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  await eventually('the greeting', () => received === 'hello');
  assert.equal(grown('fullnat_takeover', since), 1);
  for (let tries = 0; tries < 20 && (await left()) > 45; tries++) await sleep(500);
  assert.ok((await left()) <= 45, `${await left()} connections`);
  socket.resetAndDestroy();
  await closed(socket);
});

test('fullnat_client_limit limits the connections of one client, not of another', async () => {
  setVs(rig.balancer, { fullnat_client_limit: 3, timeout_close: 1 });
  rig.client.ip('addr add 10.1.0.9/24 dev eth0');
  const open = await Promise.all([1, 2, 3].map(() => dial(rig.client, rig.vip, port)));
  const since = stats();
  const error = await dial(rig.client, rig.vip, port, { timeout: 3000 }).then(
    () => assert.fail('a fourth connection'),
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof DialError);
  assert.equal(error.code, 'ECONNREFUSED');
  assert.ok(grown('conn_exceeded', since) >= 1);
  open.push(await dial(rig.client, rig.vip, port, { from: '10.1.0.9' }));
  const [first] = open;
  first?.socket.resetAndDestroy();
  const again = async (): Promise<Dialed> => {
    for (let tries = 0; tries < 20; tries++) {
      const dialed = await dial(rig.client, rig.vip, port).catch(() => undefined);
      if (dialed) return dialed;
      await sleep(250);
    }
    assert.fail('a finished connection still counts');
  };
  open.push(await again());
  for (const { socket } of open) socket.resetAndDestroy();
  setVs(rig.balancer, { timeout_close: 3 });
});

test('the connection table has a thousandth of the memory by default', () => {
  const bits = Number(readFileSync('/sys/module/ip_vs/parameters/conn_tab_bits', 'utf8'));
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
  const wanted = Math.min(20, Math.max(12, Math.floor(Math.log2(total / 1024 / 8))));
  // The kernel computes with a little more memory than /proc/meminfo shows.
  assert.ok(bits === wanted || bits === wanted + 1, `${bits} for ${total} bytes`);
});
