// SPDX-License-Identifier: MIT
// After a reload of the modules real servers still have sockets for tuples that the balancer reuses.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { destConfig, extStats, fullnatRig, ip4, type Rig, run, setVs, unloadIpVs } from './rig.ts';
import { closeAll, type Dialed, dial, listen } from './tcp.ts';

const port = 80;
const [idle, fresh] = process.env.LVSD_COUNTS === 'full' ? [1000, 5000] : [200, 1000];
const atOnce = 25;
/** With two addresses more than half of the tuples of new connections have a stale socket. */
const ports = { fullnat_lport_min: 20_000, fullnat_lport_max: 20_000 + 0.8 * idle - 1 };

let rig: Rig;
const open: Socket[] = [];

before(async () => {
  rig = await fullnatRig({ port });
  setVs(rig.balancer, ports);
  // A connection that sends 'k' is kept open, others are answered and closed.
  await listen(rig.rs1, port, (socket) => {
    socket.on('data', (data) => {
      if (data[0] !== 0x6b) socket.end(`${socket.remoteAddress}:${socket.remotePort}`);
    });
  });
});

after(async () => {
  closeAll();
  for (const socket of open) socket.destroy();
  await rig.destroy();
});

async function inTurns(count: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function once({ socket }: Dialed): Promise<void> {
  const me = `${socket.localAddress}:${socket.localPort}`;
  let received = '';
  const ended = new Promise<void>((done) => socket.once('close', () => done()));
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  socket.write('x');
  await ended;
  assert.equal(received, me);
}

/** Reloads the modules and configures the service again. */
async function reloadModules(): Promise<void> {
  await rig.ipvs.flush();
  unloadIpVs();
  run('modprobe', 'ip_vs');
  setVs(rig.balancer, ports);
  await rig.ipvs.addService(rig.key);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(laddr));
  await rig.ipvs.addDestination(rig.key, destConfig(rig.rs1Address, port));
}

test(`modules reloaded with ${idle} connections open, then ${fresh} new ones on the same pool: none fails`, async () => {
  await inTurns(idle, async () => {
    const { socket } = await dial(rig.client, rig.vip, port);
    socket.write('k');
    open.push(socket);
  });
  assert.equal(rig.connections().filter(({ state }) => state === 'ESTABLISHED').length, idle);
  await reloadModules();
  assert.equal(rig.connections().length, 0);
  const stale = rig.rs1.run(`ss -Htn state established '( sport = :${port} )' | wc -l`).stdout.trim();
  assert.equal(Number(stale), idle, 'the real server still has them');

  const times: number[] = [];
  const failures: string[] = [];
  await inTurns(fresh, async () => {
    try {
      const dialed = await dial(rig.client, rig.vip, port);
      times.push(dialed.ms);
      await once(dialed);
    } catch (error) {
      failures.push(String(error));
    }
  });
  assert.deepEqual(failures.slice(0, 5), []);
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(0.99 * times.length)] ?? Number.POSITIVE_INFINITY;
  assert.ok(p99 < 1500, `p99 of the handshake: ${Math.round(p99)} ms`);
  const stats = extStats(rig.balancer);
  console.log(`stale sockets reset: ${stats.fullnat_stale_reset}; p99 of the handshake: ${Math.round(p99)} ms`);
  assert.ok((stats.fullnat_stale_reset ?? 0) > idle / 10, `${stats.fullnat_stale_reset} stale sockets were reset`);
  assert.equal(stats.fullnat_toa_lost, 0);
});
