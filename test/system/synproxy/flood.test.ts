// SPDX-License-Identifier: MIT
// Floods over a small pool of local ports, with real connections beside them: SYNs with and without SYN proxy, and segments
// without a connection, with a defence and without.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from '../../../lab/topology.ts';
import { IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { recordFigures } from '../../support/figures.ts';
import { fullnatRig, type Rig, setVs, within } from '../fullnat/rig.ts';
import { closeAll, listen } from '../fullnat/tcp.ts';

const port = 80;
const full = process.env.LVSD_COUNTS === 'full';
const connections = full ? 300 : 60;
const segments = full ? 100_000 : 20_000;
/** With SYN proxy a shorter flood shows it as well: the connections need only begin in it. */
const fewer = full ? segments : 8000;
const rate = full ? 5000 : 2000;
/** Forged ACKs: a minute of them. */
const forged = 60 * rate;
/**
 * Milliseconds between real connections, and for which each waits: without SYN proxy they all end before the flood. With
 * it they all begin before the flood ends, and have the time of a busy machine.
 */
const interval = full ? 25 : 40;
const patience = full ? 10_000 : 6000;
const proxiedPatience = 90_000;
/**
 * Ports of each of the two local addresses. Without SYN proxy FULLNAT gives the port of a handshake that is a second old to
 * the next SYN, so that a pool bears about as many SYNs a second as it has ports: 4,000 ports take four fifths of 5,000
 * SYNs. A tenth of the ports then shows what a flood does that is beyond the pool. What the pool takes fills the real
 * server's queue of handshakes too: it has no SYN cookies.
 */
const ports = full ? 2000 : 100;
const few = full ? 200 : 100;

let rig: Rig;
let listener: Awaited<ReturnType<typeof listen>> | undefined;
let pool = ports;
let proxied = false;
let defended = false;
const dir = mkdtempSync(join(tmpdir(), 'synproxy-'));
const program = (name: string) => join(dir, name);

before(async () => {
  for (const name of ['flood', 'clients']) {
    const source = join(import.meta.dirname, `${name}.c`);
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', program(name), source]);
  }
  rig = await fullnatRig({ port, laddrs: 2 });
  setPool(ports);
  within(rig.rs1, () => writeFileSync('/proc/sys/net/ipv4/tcp_syncookies', '0'));
  await serve();
});

after(async () => {
  closeAll();
  await rig.destroy();
  rmSync(dir, { recursive: true, force: true });
});

/** Starts the real server, with an empty queue of handshakes. */
async function serve(): Promise<void> {
  listener?.close();
  listener = await listen(rig.rs1, port, (socket) => {
    // With toa, the client's address and port.
    const client = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on('data', (data) => socket.end(`${client} said ${data}`));
  });
}

/** Sets the ports of each local address. */
function setPool(count: number): void {
  pool = count;
  setVs(rig.balancer, { fullnat_lport_min: 5000, fullnat_lport_max: 4999 + count });
}

/** Waits for the end of the handshakes that a flood has left in the table. */
async function handshakesEnd(): Promise<void> {
  setVs(rig.balancer, { timeout_synrecv: 3 });
  while (rig.connections().some(({ state }) => state === 'SYN_RECV')) await sleep(500);
  setVs(rig.balancer, { timeout_synrecv: 30 });
}

interface Outcome {
  /** Real connections that succeeded. */
  served: number;
  /** Connections that the balancer has made. */
  made: number;
  /** By how much the table has grown at most. */
  most: number;
  /** By how many bytes the kernel's slabs have grown at most. */
  slabs: number;
  /** How long the flood lasted. */
  seconds: number;
  /** Packets that were lost on the way to the balancer. */
  lost: number;
}

/** Connections of the service so far, as the kernel sums them every two seconds. */
const made = async () => Number((await rig.ipvs.service(rig.key, { stats: true })).stats?.connections);

/** Runs a flood, and real connections beside it. */
async function flood(kind: string, count = segments): Promise<Outcome> {
  const inClient = ['netns', 'exec', rig.client.name];
  const [slabsBefore, overflowsBefore, madeBefore] = [slabs(), overflows(), await made()];
  const attack = start('ip', ...inClient, program('flood'), kind, rig.vip, String(port), String(count), String(rate));
  const before = rig.connections().length;
  const began = performance.now();
  // The program may take seconds until its first segment: connections before that say nothing.
  if (!proxied) await until('a full pool', () => rig.connections().length - before >= 2 * pool);
  const delay = performance.now() - began;
  const waits = proxied ? proxiedPatience : patience;
  const numbers = [connections, interval, waits, connections].map(String);
  const clients = start('ip', ...inClient, program('clients'), rig.vip, String(port), ...numbers);
  let [most, mostSlabs, running] = [0, 0, true];
  const over = Promise.all([attack, clients]).finally(() => {
    running = false;
  });
  while (running) {
    most = Math.max(most, rig.connections().length - before);
    mostSlabs = Math.max(mostSlabs, slabs() - slabsBefore);
    await Promise.race([over, sleep(500)]);
  }
  const [[sent = 0, milliseconds = 0], [served = 0, wrong = 0]] = (await over) as [number[], number[]];
  assert.equal(sent, count);
  assert.equal(wrong, 0, 'every answer has the right bytes and the address of its client');
  const least = connections * interval + (proxied ? 0 : delay + patience);
  assert.ok(milliseconds > least, 'the flood has lasted longer than the connections');
  // The next flood begins with the sum, too.
  await sleep(2500);
  const outcome = {
    ...{ served, made: (await made()) - madeBefore, most, slabs: mostSlabs, seconds: milliseconds / 1000 },
    lost: overflows() - overflowsBefore,
  };
  const how = `${proxied ? '' : '-unproxied'}${defended ? '-defended' : ''}`;
  const figures = {
    segments: count,
    connections,
    ports: 2 * pool,
    ...outcome,
    rate: Math.round((1000 * sent) / milliseconds),
  };
  recordFigures(`synproxy-flood-${kind}${how}${pool === ports ? '' : `-${2 * pool}-ports`}`, figures);
  console.log(`${kind}${how}: ${JSON.stringify(figures)}`);
  return outcome;
}

/** Runs a program that prints numbers. */
async function start(...[file, ...args]: [string, ...string[]]): Promise<number[]> {
  const { stdout } = await promisify(execFile)(file, args);
  return stdout.trim().split(' ').map(Number);
}

/** Packets that the VM's CPUs had no room for in their queues (net.core.netdev_max_backlog), which no counter of IPVS has. */
const overflows = () =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '', 16), 0);

/** Bytes in slabs that the kernel cannot reclaim: 100,000 connections take some 60 MB. */
const slabs = () => 1024 * Number(/^SUnreclaim: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);

if (full)
  test(`${segments} SYNs from random addresses, without SYN proxy, over ${2 * ports} ports: most fail`, async () => {
    const { served } = await flood('syn');
    assert.ok(served < connections / 2, `${served} of ${connections}`);
    await handshakesEnd();
    await serve();
  });

test(`${segments} SYNs from random addresses, without SYN proxy, over ${2 * few} ports: most fail`, async () => {
  setPool(few);
  const { served } = await flood('syn');
  assert.ok(served < connections / 2, `${served} of ${connections}`);
  await handshakesEnd();
  setPool(ports);
});

test(`${fewer} SYNs from random addresses, with SYN proxy: none of them fails, and nothing is kept`, async () => {
  await rig.ipvs.setService({ ...rig.key, flags: IP_VS_SVC_F_SYNPROXY }, IP_VS_SVC_F_SYNPROXY);
  proxied = true;
  let outcome: Outcome | undefined;
  const grown = await rig.counted(async () => {
    outcome = await flood('syn', fewer);
  });
  assertServed(outcome, grown);
  assert.equal(grown.synproxy_syn_cnt, fewer + connections);
});

/** Checks that real connections beside a flood were served, and that it left nothing. */
function assertServed(outcome: Outcome | undefined, grown: Record<string, number>): asserts outcome is Outcome {
  assert.ok(outcome);
  assert.equal(outcome.served, connections);
  assert.ok(outcome.most <= connections, `${outcome.most} connections in the table`);
  assert.ok(outcome.slabs < 4 << 20, `${outcome.slabs} bytes in slabs`);
  // A forged segment passes by chance once in 2^21.
  assert.ok(outcome.made === connections || outcome.made === connections + 1, `${outcome.made} connections made`);
  // The ACK and the first data of a client may meet on two CPUs: both have the cookie, and one of them makes a connection.
  assert.ok((grown.synproxy_ok_ack ?? 0) >= outcome.made, String(grown.synproxy_ok_ack));
}

if (full)
  test(`${forged} ACKs without a connection in a minute: none makes one, and no real connection fails`, async () => {
    let outcome: Outcome | undefined;
    const grown = await rig.counted(async () => {
      outcome = await flood('ack', forged);
    });
    assertServed(outcome, grown);
    const { synproxy_bad_ack: bad = 0 } = grown;
    assert.ok(bad >= forged - outcome.lost, `${bad}, and ${outcome.lost} lost`);
  });

/** Segments that the SYN proxy drops itself because they may be early: 3 in 256, by chance more. */
const early = (count: number) => (count * 3) / 256 + 6 * Math.sqrt(count / 64);
/** Resets a second that a defence lets pass, and at once. */
const answers = 100;

for (const kind of full ? ['ack', 'rst', 'data'] : ['ack'])
  test(`${fewer} segments of kind ${kind}, which the defence drops: none of the real connections fails`, async () => {
    const defence = { dropStrays: true, dropFragments: false, synRate: 0, synBurst: 1 };
    await rig.ipvs.setService({ ...rig.key, flags: IP_VS_SVC_F_SYNPROXY, defence }, IP_VS_SVC_F_SYNPROXY);
    defended = true;
    let outcome: Outcome | undefined;
    const grown = await rig.counted(async () => {
      outcome = await flood(kind, fewer);
    });
    assertServed(outcome, grown);
    const passed = outcome.lost + (kind === 'rst' ? 0 : early(fewer) + answers * (outcome.seconds + 1));
    const dropped = grown.defence_tcp_drop ?? 0;
    console.log(`${dropped} of ${fewer} dropped, ${outcome.lost} lost`);
    assert.ok(dropped >= fewer - passed, `${dropped} dropped, at most ${passed} may pass`);
    assert.ok(
      (grown.fullnat_conn_refused ?? 0) <= answers * (outcome.seconds + 1),
      `${grown.fullnat_conn_refused} resets`,
    );
  });
