// SPDX-License-Identifier: MIT
// The secret of FULLNAT's sequence numbers: with the same secret, numbers continue by the clock.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { destConfig, fullnatRig, ip4, type Rig, run, setVs, unloadIpVs } from './rig.ts';
import { closeAll, closed, dial, listen } from './tcp.ts';
import { Capture, eventually } from './wire.ts';

const port = 80;
/** One address, one port: every connection to the real server has the same tuple. */
const localPort = 20_000;
const nsPerTick = 64;
const second = 1e9 / nsPerTick;
const SYN = 2;

let rig: Rig;
let leg: Capture;

before(async () => {
  rig = await fullnatRig({ port, laddrs: 1 });
  leg = new Capture(rig.rs1, 'eth0');
  setVs(rig.balancer, { fullnat_lport_min: localPort, fullnat_lport_max: localPort });
  await listen(rig.rs1, port, (socket) => socket.resume());
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const setSecret = (secret: string) => rig.balancer.run(['lvsadm', '--secret', '-'], { input: secret });

/** Reloads the modules and configures the service again, without a secret. */
async function reload(): Promise<void> {
  await rig.ipvs.flush();
  unloadIpVs();
  run('modprobe', 'ip_vs');
  setVs(rig.balancer, { fullnat_lport_min: localPort, fullnat_lport_max: localPort });
  await rig.ipvs.addService(rig.key);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(laddr));
  await rig.ipvs.addDestination(rig.key, destConfig(rig.rs1Address, port));
}

/** Opens a connection: the sequence number of its SYN at the real server, and the time in ms. */
async function initialNumber(): Promise<{ seq: number; at: number }> {
  leg.clear();
  const at = Date.now();
  const { socket } = await dial(rig.client, rig.vip, port);
  const syn = await eventually('the SYN', () =>
    leg.segments.find(({ flags, destinationPort }) => (flags & 0x12) === SYN && destinationPort === port),
  );
  assert.deepEqual([syn.source, syn.sourcePort], [rig.laddrs[0], localPort]);
  socket.end();
  await closed(socket);
  return { seq: syn.seq, at };
}

/** Ticks between the second number and the first one advanced by the clock. */
function distance(first: { seq: number; at: number }, next: { seq: number; at: number }): number {
  const expected = ((next.at - first.at) * 1e6) / nsPerTick;
  const off = (((next.seq - first.seq - expected) % 2 ** 32) + 2 ** 32) % 2 ** 32;
  return Math.min(off, 2 ** 32 - off);
}

test('sequence numbers to the real server grow across a reload of the modules with the same secret', async () => {
  setSecret('000102030405060708090a0b0c0d0e0f\n');
  const first = await initialNumber();
  await reload();
  setSecret('000102030405060708090a0b0c0d0e0f\n');
  const next = await initialNumber();
  assert.ok(distance(first, next) < second, `${distance(first, next) / second} s of growth off`);

  const others: number[] = [];
  for (const digit of ['a', 'b']) {
    await reload();
    setSecret(digit.repeat(32));
    others.push(distance(first, await initialNumber()));
  }
  assert.ok(
    others.some((off) => off > second),
    `with other secrets ${others.join(', ')} ticks off`,
  );
});

test('a secret has 16 bytes, and setting it prints nothing', async () => {
  await assert.rejects(rig.ipvs.setSecret(new Uint8Array(15)), UsageError);
  await rig.ipvs.setSecret(new Uint8Array(16));
  const { stdout, stderr } = setSecret('0123456789abcdef');
  assert.deepEqual([stdout, stderr], ['', '']);
  assert.ok((await rig.ipvs.features()).has('SECRET'));
});
