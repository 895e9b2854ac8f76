// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy between Linux stacks: the matrix of options, over one balancer and over two with one secret, and a staged
// change of the secret while handshakes are on their way.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { completeSynProxy } from '../../../src/ipvs/index.ts';
import { recordFigures } from '../../support/figures.ts';
import { extStats, serviceConfig } from '../fullnat/rig.ts';
import { closeAll, listen } from '../fullnat/tcp.ts';
import { eventually, sleep } from '../fullnat/wire.ts';
import { eventually as eventuallyTrue, Lvsd } from '../lvsd/daemon.ts';
import { type Balancer, Balancers, type Method, methods, realServer, ToaReceiver, vip } from './balancers.ts';
import { clientSets, Matrix, realServerSets, setStack } from './matrix.ts';

const dir = mkdtempSync(join(tmpdir(), 'synproxy-'));
const port = 80;
/** How long the kernel accepts cookies of a secret that has been changed, and no third one. */
const oldSecret = 128_000;
const full = process.env.LVSD_COUNTS === 'full';
const handshakes = full ? 2000 : 150;
/** Connections at a time: a slow machine takes longer, and loses none. */
const atATime = 30;

let network: Balancers;
let daemons: Lvsd[];
let clients: ToaReceiver;
let secretSince = 0;
/** Connections that the real server has answered. */
let served = 0;
let nextPort = 8000;

const secretOf = (index: number) => join(dir, `cookies-${index}.secret`);
const next = join(dir, 'cookies.new');

before(async () => {
  const source = join(import.meta.dirname, 'clients.c');
  execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', join(dir, 'clients'), source]);
  network = new Balancers();
  clients = new ToaReceiver(network.server, 'eth0');
  await listen(network.server, port, (socket) => {
    socket.on('data', (data) => {
      served++;
      socket.end(`${clients.clientOf(socket)} said ${data}`);
    });
  });
  daemons = [network.first, network.second].map(({ where }, index) => new Lvsd(where, `synproxy-${index}`));
});

after(async () => {
  closeAll();
  for (const daemon of daemons ?? []) await daemon.stop();
  await network.destroy();
  rmSync(dir, { recursive: true, force: true });
});

/** The file of a balancer, with the service `web`. */
const conf = (index: number, laddrs: string[], secret: boolean, check: unknown = 'none') => ({
  version: 1,
  ...(secret ? { syn_proxy_secret: secretOf(index) } : {}),
  local_addresses: { inner: { addresses: laddrs } },
  services: {
    web: {
      ...{ address: vip, port, scheduler: 'rr', forward: 'fullnat', local_addresses: 'inner', check },
      syn_proxy: true,
      real_servers: [realServer],
    },
  },
});

/** Runs the clients; resolves with how many were served with the right bytes, and how many got wrong ones. */
async function runClients(count: number, patience: number): Promise<[number, number]> {
  const words = [vip, port, count, 0, patience, atATime].map(String);
  const { stdout, stderr } = await network.client.exec([join(dir, 'clients'), ...words], { timeout: 600_000 });
  if (stderr) console.log(stderr.slice(0, 1000));
  const [good = 0, wrong = 0] = stdout.trim().split(' ').map(Number);
  return [good, wrong];
}

test('two balancers with secrets of their own: no handshake that one begins is completed by the other', async () => {
  for (const [index, { laddrs }] of [network.first, network.second].entries())
    await daemons[index]?.start(conf(index, laddrs, false));
  network.steer(network.second);
  assert.deepEqual(await runClients(10, 5000), [0, 0]);
  assert.equal(extStats(network.second.where).synproxy_ok_ack, 0);
  assert.ok((extStats(network.second.where).synproxy_bad_ack ?? 0) >= 10);
});

/** Runs handshakes, and each of `steps` once so many more of them have been served; none may be lost. */
async function handshakesDuring(count: number, steps: (() => Promise<unknown>)[]): Promise<void> {
  // Segments take a while, so that handshakes are on their way at each step.
  network.client.netem('eth0', 'delay 200ms limit 10000');
  served = 0;
  const all = runClients(count, 120_000);
  all.catch(() => {});
  const between = Math.floor(count / (steps.length + 2));
  for (const [index, step] of steps.entries()) {
    await eventually('more connections', () => served >= (index + 1) * between, 240_000);
    await step();
  }
  assert.ok(served < count - between / 2, `${served} connections were served before the last step`);
  assert.deepEqual(await all, [count, 0]);
  network.client.netem('eth0', undefined);
}

const secret = async (index: number, params: { action?: string; file?: string } = {}) =>
  (await daemons[index]?.client.call('secret', params))?.fingerprints ?? [];

const useSecret = async (index: number, { laddrs }: Balancer, byte: string) => {
  writeFileSync(secretOf(index), byte.repeat(32), { mode: 0o600 });
  return daemons[index]?.reload(conf(index, laddrs, true));
};

test(`a first secret, staged on both and used by one in the middle of ${handshakes} handshakes there: loses none`, async () => {
  network.steer(network.first);
  writeFileSync(next, 'a'.repeat(32), { mode: 0o600 });
  const [old] = await secret(0);
  await handshakesDuring(handshakes, [
    () => secret(0, { action: 'stage', file: next }),
    () => secret(1, { action: 'stage', file: next }),
    () => useSecret(0, network.first, 'a'),
  ]);
  const [now, ...more] = await secret(0);
  assert.deepEqual(more, []);
  assert.notEqual(now, old);
  assert.equal((await secret(1))[1], now);
});

test(`handshakes that one begins and the other completes, which comes to use the secret meanwhile: all ${handshakes} succeed`, async () => {
  network.steer(network.second);
  const before = extStats(network.second.where);
  await handshakesDuring(handshakes, [() => useSecret(1, network.second, 'a')]);
  secretSince = performance.now();
  const [first, second] = [await secret(0), await secret(1)];
  assert.deepEqual(second, first);
  const now = extStats(network.second.where);
  const grown = (name: string) => (now[name] ?? 0) - (before[name] ?? 0);
  const counts = { syns: grown('synproxy_syn_cnt'), good: grown('synproxy_ok_ack'), bad: grown('synproxy_bad_ack') };
  assert.deepEqual(counts, { syns: 0, good: handshakes, bad: 0 });
});

test('settings that the file does not have follow from what checks negotiate', async () => {
  const { ipvs, laddrs } = network.first;
  const key = serviceConfig(vip, port);
  const offered = async () => (await ipvs.service(key)).synProxy;
  assert.deepEqual(await offered(), completeSynProxy({ enabled: true }));
  setStack(network.server, { sack: true, timestamps: false, scale: true }, 32 << 20);
  const check = { type: 'tcp', interval: '500ms', timeout: '500ms' };
  await daemons[0]?.reload(conf(0, laddrs, true, check));
  await eventuallyTrue('what the real server does', async () => (await offered())?.timestamps === false, 60_000);
  const found = { enabled: true, mss: 1460, windowScale: 10, sack: true, timestamps: false, window: 2896 };
  assert.deepEqual(await offered(), found);
  assert.deepEqual(await daemons[0]?.plan(), []);
  // With timestamps this connection would be reset.
  network.steer(network.first);
  assert.deepEqual(await runClients(1, 20_000), [1, 0]);
  network.steer(network.second);
  await daemons[0]?.reload(conf(0, laddrs, true));
  assert.deepEqual(await offered(), completeSynProxy({ enabled: true }));
});

const matrix = new Matrix();

/** Quick runs have one set of real servers with NAT: the one that needs most of the translation. */
const isQuick = ({ toa }: Method, { stack }: (typeof realServerSets)[number]) => toa || !stack.sack;
const cells = methods.flatMap((method) =>
  realServerSets.filter((set) => full || isQuick(method, set)).map((set) => ({ method, set })),
);

for (const { method, set } of cells)
  test(`${method.name}: ${clientSets.length} sets of clients, real server with ${set.name}: bytes both ways`, async () => {
    await matrix.connect(network, nextPort++, method, set, full ? [network.first, network.second] : [network.second]);
  });

test('tshark decodes all these connections without a remark: options are as promised, and translated', () => {
  const count = cells.length * clientSets.length;
  assert.equal(matrix.check(join(dir, 'matrix.pcap')), full ? 2 * count : count);
});

// The kernel accepts the next one two minutes after a change.
if (full)
  test(`a staged change of the secret of both in the middle of ${handshakes} handshakes loses none`, async () => {
    network.steer(network.second);
    writeFileSync(next, 'b'.repeat(32), { mode: 0o600 });
    await sleep(Math.max(0, secretSince + oldSecret + 500 - performance.now()));
    const before = [network.first, network.second].map(({ where }) => extStats(where));
    const [[old] = [], [same] = []] = [await secret(0), await secret(1)];
    assert.equal(old, same);
    const found: string[][] = [];
    const step = (index: number, action: 'stage' | 'rotate') => async () => {
      if (action === 'rotate') writeFileSync(secretOf(index), 'b'.repeat(32));
      found.push(await secret(index, action === 'stage' ? { action, file: next } : { action }));
    };
    await handshakesDuring(handshakes, [step(0, 'stage'), step(1, 'stage'), step(0, 'rotate'), step(1, 'rotate')]);
    const fresh = found[0]?.[1];
    assert.ok(fresh !== undefined && fresh !== old);
    assert.deepEqual(found, [[old, fresh], [old, fresh], [fresh], [fresh]]);
    const [first, second] = [network.first, network.second].map(({ where }, index) => {
      const now = extStats(where);
      const grown = (name: string) => (now[name] ?? 0) - (before[index]?.[name] ?? 0);
      return { syns: grown('synproxy_syn_cnt'), good: grown('synproxy_ok_ack'), bad: grown('synproxy_bad_ack') };
    });
    assert.ok((first?.syns ?? 0) >= handshakes);
    assert.deepEqual([first?.good, first?.bad], [0, 0]);
    assert.deepEqual([second?.syns, second?.good, second?.bad], [0, handshakes, 0]);
    recordFigures('synproxy-rotation', { handshakes, lost: 0 });
  });
