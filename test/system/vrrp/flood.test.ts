// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Two lvsd routers, and a third host that floods them: no false transition, no process that ends, whatever the flood
// consists of. The full run has adverts every 100 ms, for which an emulated CPU beside another VM is too slow at times.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../lab/topology.ts';
import { type LvsdNode, MODES, Pair } from './pair.ts';

const full = process.env.LVSD_COUNTS === 'full';
const mode = MODES.find(({ name }) => name === (full ? 'version 3, 100 ms' : 'version 3')) ?? assert.fail();
const pair = new Pair(mode, 52);
const nodes = [pair.lvsd, pair.other];
const SECONDS = 5;
const sender = pair.topology.namespace('vx52');
const script = join(mkdtempSync(join(tmpdir(), 'lvsd-flood-')), 'flood.py');

/** Messages a second: as many as an emulated CPU handles beside two routers. */
const RATE = 2000;

/** Sends adverts to one MAC address: of another virtual router, or of the own one with a wrong checksum. */
const FLOOD = `
import socket, struct, sys, time
kind, seconds, rate, mac = sys.argv[1:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(('eth0', 0))
def fold(d):
    t = sum(struct.unpack('>%dH' % (len(d) // 2), d))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff
vrid = 52 if kind == 'foreign' else 51
advert = struct.pack('>BBBBHH', 0x31, vrid, 200, 1, 10, 0xbad) + socket.inet_aton('10.9.0.100')
header = struct.pack('>BBHHHBBH', 0x45, 0xc0, 20 + len(advert), 1, 0, 255, 112, 0)
header += socket.inet_aton('10.9.0.99') + socket.inet_aton('224.0.0.18')
header = header[:10] + struct.pack('>H', fold(header)) + header[12:]
frame = bytes.fromhex(mac.replace(':', '')) + bytes.fromhex('020000000099') + b'\\x08\\x00' + header + advert
start, sent, bursts = time.monotonic(), 0, 0
while (passed := time.monotonic() - start) < float(seconds):
    bursts += sent < passed * float(rate)
    while sent < passed * float(rate):
        s.send(frame)
        sent += 1
    time.sleep(0.005)
print(sent, bursts)
`;

before(async () => {
  pair.topology.link({ in: sender, device: 'eth0', addresses: ['10.9.0.99/24'] }, { in: pair.switch, device: 'port9' });
  pair.switch.ip('link set port9 master br0');
  writeFileSync(script, FLOOD);
  await pair.other.start(100);
  await pair.settles(pair.other);
  await pair.lvsd.start(150);
});
beforeEach(() => pair.settles(pair.lvsd));
after(() => pair.destroy());

/** The number of transitions of each node since its start. */
const transitions = () => nodes.map(({ messages }) => messages.filter(({ type }) => type === 'state').length);

/** How often a node's main thread has waited: voluntary_ctxt_switches of proc_pid_status(5). */
function waits({ pid }: LvsdNode): number {
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

/** Floods a node, and returns how many messages were sent, in how many bursts. No router changes its state meanwhile. */
async function flood(kind: 'foreign' | 'malformed', target: LvsdNode): Promise<{ sent: number; bursts: number }> {
  await Promise.all(nodes.map((node) => node.status()));
  const [before, pids] = [transitions(), nodes.map(({ pid }) => pid)];
  const mac = / link\/ether ([0-9a-f:]+) /.exec(target.namespace.run(['ip', '-o', 'link', 'show', 'eth0']).stdout)?.[1];
  const [file = '', ...args] = sender.inside([
    'python3',
    script,
    kind,
    String(SECONDS),
    String(RATE),
    mac ?? assert.fail(),
  ]);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);
  await Promise.all(nodes.map((node) => node.status()));
  assert.deepEqual(transitions(), before, 'no transition');
  assert.deepEqual(
    nodes.map(({ pid }) => pid),
    pids,
  );
  const [sent = 0, bursts = 0] = output.split(' ').map(Number);
  assert.ok(sent > 0.5 * RATE * SECONDS, `${sent} messages`);
  return { sent, bursts };
}

for (const [index, role] of (['master', 'backup'] as const).entries()) {
  const node = nodes[index] ?? assert.fail();

  test(`adverts of other virtual routers do not reach the process of the ${role}`, async () => {
    const per = async <T>(work: () => Promise<T>): Promise<[number, T]> => {
      const [start, before] = [performance.now(), waits(node)];
      const result = await work();
      return [(1000 * (waits(node) - before)) / (performance.now() - start), result];
    };
    const [quiet] = await per(() => sleep(1000 * SECONDS));
    const [flooded, { sent, bursts }] = await per(() => flood('foreign', node));
    console.log(`${sent} in ${bursts} bursts: ${flooded} waits a second, ${quiet} without a flood`);
    // Each burst would end a wait.
    assert.ok(flooded < quiet + (0.25 * bursts) / SECONDS, `${flooded} waits a second, ${quiet} without a flood`);
  });

  test(`malformed adverts to the ${role} are rejected, or dropped when too many wait, and counted`, async () => {
    const { sent } = await flood('malformed', node);
    const counted = async () => {
      const { counters } = await node.status();
      return { rejected: counters['rejected: checksum'] ?? 0, dropped: counters.dropped ?? 0 };
    };
    await until(`${sent} messages to be counted`, async () => {
      const { rejected, dropped } = await counted();
      return rejected > 0 && rejected + dropped > 0.9 * sent;
    });
    console.log(`${sent} sent: ${JSON.stringify(await counted())}`);
    const { lastRejected } = await node.status();
    assert.deepEqual([lastRejected?.reason, lastRejected?.text], ['checksum', 'wrong checksum']);
  });
}
