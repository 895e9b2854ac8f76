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
import { recordFigures } from '../../support/figures.ts';
import { extStats } from '../fullnat/rig.ts';
import { closeAll, listen } from '../fullnat/tcp.ts';
import { eventually, sleep } from '../fullnat/wire.ts';
import { Lvsd } from '../lvsd/daemon.ts';
import { Balancers, methods, realServer, ToaReceiver, vip } from './balancers.ts';
import { clientSets, Matrix, realServerSets } from './matrix.ts';

const dir = mkdtempSync(join(tmpdir(), 'synproxy-'));
const port = 80;
/** How long the kernel accepts cookies of a secret that has been changed, and no third one. */
const oldSecret = 128_000;
const full = process.env.LVSD_COUNTS === 'full';
const handshakes = full ? 2000 : 300;
/** Connections at a time: a slow machine takes longer, and loses none. */
const atATime = 30;
/** Connections between the steps of a change. */
const between = handshakes / 10;

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
const conf = (index: number, laddrs: string[], secret: boolean) => ({
  version: 1,
  ...(secret ? { syn_proxy_secret: secretOf(index) } : {}),
  local_addresses: { inner: { addresses: laddrs } },
  services: {
    web: {
      ...{ address: vip, port, scheduler: 'rr', forward: 'fullnat', local_addresses: 'inner', check: 'none' },
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

test('with one secret, all of them', async () => {
  for (const [index, { laddrs }] of [network.first, network.second].entries()) {
    writeFileSync(secretOf(index), 'a'.repeat(32), { mode: 0o600 });
    await daemons[index]?.reload(conf(index, laddrs, true));
  }
  secretSince = performance.now();
  assert.deepEqual(await runClients(10, 20_000), [10, 0]);
  assert.equal(extStats(network.second.where).synproxy_ok_ack, 10);
  assert.equal(extStats(network.first.where).synproxy_ok_ack, 0);
});

const matrix = new Matrix();

for (const method of methods)
  for (const set of realServerSets)
    test(`${method.name}: ${clientSets.length} sets of clients, real server with ${set.name}: bytes both ways`, async () => {
      await matrix.connect(network, nextPort++, method, set, full ? [network.first, network.second] : [network.second]);
    });

test('tshark decodes all these connections without a remark: options are as promised, and translated', () => {
  const count = methods.length * realServerSets.length * clientSets.length;
  assert.equal(matrix.check(join(dir, 'matrix.pcap')), full ? 2 * count : count);
});

test(`a staged change of the secret in the middle of ${handshakes} handshakes loses none`, async () => {
  network.steer(network.second);
  writeFileSync(next, 'b'.repeat(32), { mode: 0o600 });
  await sleep(Math.max(0, secretSince + oldSecret + 500 - performance.now()));
  // Segments take a while, so that handshakes are on their way at each step.
  network.client.netem('eth0', 'delay 50ms limit 10000');
  served = 0;
  const before = [network.first, network.second].map(({ where }) => extStats(where));
  const all = runClients(handshakes, 60_000);
  all.catch(() => {});
  const fingerprints = async (action?: 'stage' | 'rotate') => {
    const found: string[][] = [];
    for (const [index, daemon] of daemons.entries()) {
      if (action === 'rotate') writeFileSync(secretOf(index), 'b'.repeat(32));
      const file = action === 'stage' ? { file: next } : {};
      found.push((await daemon.client.call('secret', action ? { action, ...file } : {})).fingerprints);
      const reached = served + between;
      if (action) await eventually('more connections', () => served >= reached, 120_000);
    }
    return found;
  };
  await eventually('the first connections', () => served >= between, 120_000);
  const [[old] = [], [same] = []] = await fingerprints();
  assert.equal(old, same);
  const staged = await fingerprints('stage');
  const [[, fresh] = []] = staged;
  assert.notEqual(fresh, undefined);
  assert.deepEqual(staged, [
    [old, fresh],
    [old, fresh],
  ]);
  assert.deepEqual(await fingerprints('rotate'), [[fresh], [fresh]]);
  assert.ok(served < handshakes - between, `${served} connections were served before the last step`);
  assert.deepEqual(await all, [handshakes, 0]);
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
