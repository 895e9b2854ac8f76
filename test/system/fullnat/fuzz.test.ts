// SPDX-License-Identifier: MIT
// Random and mutated requests to every command of IPVS: each is answered, and the table works afterwards. The lab fails
// a run whose kernel reports an error.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Namespace, Topology } from '../../../lab/topology.ts';
import { NetlinkError } from '../../../src/base/errors.ts';
import { Ipvs } from '../../../src/ipvs/index.ts';
import { GenericNetlink, type MessageWriter } from '../../../src/netlink/index.ts';
import { destConfig, ip4, kernelLog, run, serviceConfig } from './rig.ts';
import { netnsPath } from './wire.ts';

const messages = process.env.LVSD_COUNTS === 'full' ? 100_000 : 2000;
const seed = Number(process.env.LVSD_SEED ?? Date.now() % 2 ** 31);
const network = new Topology();
let where: Namespace;
let ipvs: Ipvs;
let raw: GenericNetlink;

before(() => {
  if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
  run('modprobe', '-a', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_sh', 'ip_vs_pe_sip');
  where = network.namespace('fuzz');
  const peer = network.namespace('fuzz-peer');
  network.link({ in: where, device: 'in0', addresses: ['10.31.3.2/24'] }, { in: peer, device: 'in0' });
  ipvs = new Ipvs({ netns: netnsPath(where) });
  raw = new GenericNetlink({ netns: netnsPath(where) });
});

after(async () => {
  ipvs.close();
  raw.close();
  await network.destroy();
});

/** Numbers from a seed (mulberry32), so that a run can be repeated. */
function random(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const next = random(seed);
const below = (limit: number) => Math.floor(next() * limit);
const one = <T>(of: readonly T[]): T => of[below(of.length)] as T;
const some = (length: number) => Uint8Array.from({ length }, () => below(256));

type Put = (writer: MessageWriter) => void;
const union = (text: string) => {
  const bytes = Buffer.alloc(16);
  bytes.set(ip4(text));
  return bytes;
};
const u16 =
  (type: number, values: number[]): Put =>
  (writer) =>
    writer.u16(type, one(values));
const u32 =
  (type: number, values: number[]): Put =>
  (writer) =>
    writer.u32(type, one(values));
const strange = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];

/** Valid or nearly valid attributes, with few addresses and ports, so that requests concern existing objects. */
const service: Put[] = [
  u16(1, [2, 2, 2, 10, 0]),
  u16(2, [6, 6, 6, 17, 132, 0]),
  (writer) => writer.bytes(3, union(one(['10.99.0.1', '10.99.0.2', '0.0.0.0']))),
  (writer) => writer.be16(4, one([80, 81, 21, 0])),
  (writer) => {
    if (next() < 0.1) writer.u32(5, one([0, 1, 7]));
  },
  (writer) => writer.string(6, one(['rr', 'wrr', 'sh', 'none'])),
  (writer) => {
    const flags = Buffer.alloc(8);
    flags.writeUInt32LE(one([0, 0, 0, 1, 2, 4, 8, 0x40, 0x8000]), 0);
    flags.writeUInt32LE(one([0xffffffff, 0, 0x8000]), 4);
    writer.bytes(7, flags);
  },
  u32(8, [0, 1, 300, ...strange]),
  u32(9, [0xffffffff, 0xffffff00, 128, ...strange]),
  (writer) => {
    if (next() < 0.2) writer.string(11, one(['sip', '']));
  },
  (writer) => {
    if (next() < 0.3) writer.u16(36, one([0, 1024, 1025, 30_000, 65_535])).u16(37, one([0, 1025, 30_001, 65_535]));
  },
];
const dest: Put[] = [
  (writer) => writer.bytes(1, union(one(['10.31.4.1', '10.31.4.2', '127.0.0.1', '224.0.0.1']))),
  (writer) => writer.be16(2, one([80, 0])),
  u32(3, [0, 1, 2, 3, 4, 5, 5, 5, 6, 7, 0xffffffff]),
  u32(4, [0, 1, 10, ...strange]),
  u32(5, [0, 10, ...strange]),
  u32(6, [0, 5, ...strange]),
  u16(11, [2, 2, 10]),
  (writer) => writer.u8(13, one([0, 1, 2, 3])),
  u16(14, [0, 6080]),
];
const daemon: Put[] = [
  u32(1, [1, 2, 0, 3]),
  (writer) => writer.string(2, one(['in0', 'in0', 'none', ''])),
  u32(3, [0, 1, 255, 256]),
  u16(4, [0, 1, 1472, 65_535]),
];
const laddr: Put[] = [
  (writer) => writer.bytes(1, union(one(['10.31.3.101', '10.31.3.102', '0.0.0.0', '224.0.0.1', '127.0.0.1']))),
  (writer) => {
    if (next() < 0.3) writer.u32(37, one([0, 1, 2]));
  },
  (writer) => {
    if (next() < 0.3) writer.u16(32, one([2, 10]));
  },
];
const nests: Record<number, Put[]> = { 1: service, 2: dest, 3: daemon, 7: laddr };

function garbage(writer: MessageWriter): void {
  writer.bytes(below(45), some(one([0, 1, 2, 3, 4, 7, 8, 16, 17, 64, 300])));
}

function nest(writer: MessageWriter, type: number, depth = 0): void {
  const at = writer.beginNest(type);
  for (const put of nests[type] ?? []) {
    const dice = next();
    if (dice < 0.03) continue;
    if (dice < 0.06) garbage(writer);
    put(writer);
    if (dice > 0.99) put(writer);
  }
  if (depth < 3 && next() < 0.02) nest(writer, one([1, 2, 3, 7]), depth + 1);
  writer.endNest(at);
}

function request(writer: MessageWriter): void {
  const dice = next();
  if (dice < 0.05) {
    for (let i = below(6); i >= 0; i--) garbage(writer);
    return;
  }
  for (const type of [1, 2, 7]) if (next() < 0.9) nest(writer, type);
  if (next() < 0.3) nest(writer, 3);
  if (next() < 0.1) writer.u32(4, one(strange)).u32(5, one(strange)).u32(6, one(strange));
}

/** Commands, those that fill the table more often than those that empty it. */
const commands = [1, 1, 1, 2, 2, 3, 4, 5, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 18, 18, 19, 19, 20];
const dumps = new Set([4, 8, 11, 20]);

test(`${messages} random requests, seed ${seed}`, async () => {
  const log = kernelLog().length;
  const outcomes = new Map<string, number>();
  for (let i = 0; i < messages; i++) {
    const command = next() < 0.005 ? one([0, 17, 21, 31, 32, 40, 255]) : one(commands);
    let outcome = 'done';
    try {
      if (dumps.has(command) && next() < 0.7) await raw.dump('IPVS', command, request, () => 1);
      else await raw.request('IPVS', command, request);
    } catch (error) {
      assert.ok(error instanceof NetlinkError, `request ${i}, command ${command}: ${error}`);
      outcome = error.errnoName;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  console.log(Object.fromEntries(outcomes));
  assert.ok((outcomes.get('done') ?? 0) > messages / 20, 'some of them were valid');
  for (const state of [1, 2]) {
    await ipvs.stopDaemon({ state, interface: 'in0', syncId: 0 }).catch(() => undefined);
  }
  await ipvs.flush();
  const key = serviceConfig('10.99.0.1', 80);
  await ipvs.addService(key);
  await ipvs.addLocalAddress(key, ip4('10.31.3.101'));
  await ipvs.addDestination(key, destConfig('10.31.4.2', 80));
  assert.equal((await ipvs.localAddresses(key)).length, 1);
  await ipvs.flush();
  assert.deepEqual(
    kernelLog()
      .slice(log)
      .filter((line) => /BUG|WARNING|Call Trace|Oops/.test(line)),
    [],
  );
});
