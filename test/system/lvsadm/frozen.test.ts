// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Listings of a table with counters, after its traffic has ended: lvsadm's equal ipvsadm's byte for byte.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../../src/base/native.ts';
import { Random, seed } from '../../support/random.ts';

const FULL = process.env.LVSD_COUNTS === 'full';
const SERVICES = FULL ? 10_000 : 250;
const DATAGRAMS = FULL ? 20_000 : 1000;
const VIP = '192.0.2.200';
const REAL = ['10.0.9.1', '10.0.9.2', '10.0.9.3', '10.0.9.4'];
/** Ports of the TCP services; the UDP services have one port each, from 1 up. */
const TCP_PORTS = [20_001, 20_002, 20_003];
/** Connections outlive the table; they are removed with the namespace. */
const NETNS = 'frozen';
/** The number of real servers of the long service: a prime, for the order below. */
const MANY = 101;
const SCHEDULERS = ['rr', 'wrr', 'wlc', 'sh'];

const random = new Random(seed());
const sockets: Socket[] = [];
const servers: Server[] = [];

function run(program: string, words: string, input = ''): string {
  const options = { encoding: 'utf8', input, maxBuffer: 256 << 20 } as const;
  const { status, stdout, stderr, error } = spawnSync(program, words.split(' '), options);
  if (error) throw error;
  assert.equal(status, 0, `${program} ${words}: ${stderr}`);
  return stdout;
}
const ip = (words: string) => run('ip', words);

function rules(): string {
  const lines: string[] = [];
  const service = (place: string, port: number) => {
    const persistent = random.chance(20) ? ` -p ${60 + random.below(600)}` : '';
    lines.push(`-A ${place} -s ${random.pick(SCHEDULERS)}${persistent}`);
    for (const real of REAL) {
      const upper = random.chance(10) ? ` -x ${1000 + random.below(1000)} -y 10` : '';
      lines.push(`-a ${place} -r ${real}:${port} -m -w ${1 + random.below(100)}${upper}`);
    }
  };
  for (let port = 1; port <= SERVICES; port++) service(`-u ${VIP}:${port}`, port);
  for (const port of TCP_PORTS) service(`-t ${VIP}:${port}`, port);
  // A service with many real servers, unsorted.
  lines.push('-A -f 7 -s wlc');
  for (let i = 0; i < MANY; i++) lines.push(`-a -f 7 -r 10.0.8.${1 + ((i * 37) % MANY)}:80 -m -w ${i}`);
  return `${lines.join('\n')}\n`;
}

async function datagrams(): Promise<void> {
  const senders = [1, 2, 3].map(() => createSocket('udp4'));
  const payload = Buffer.alloc(1400);
  for (let sent = 0; sent < DATAGRAMS; sent++) {
    const sender = random.pick(senders);
    const length = random.below(payload.length);
    const port = 1 + random.below(SERVICES);
    await new Promise<void>((resolve) => sender.send(payload, 0, length, port, VIP, () => resolve()));
  }
  for (const sender of senders) sender.close();
}

/** Five connections to each service; the last one is closed, the others stay open. */
async function connections(): Promise<void> {
  for (const port of TCP_PORTS) {
    for (const host of REAL) {
      const server = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => {}).on('data', (data) => socket.write(data));
      });
      servers.push(server);
      await once(server.listen(port, host), 'listening');
      assert.equal((server.address() as AddressInfo).port, port);
    }
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, VIP);
      sockets.push(socket);
      await once(socket, 'connect');
      socket.write(Buffer.alloc(1 + random.below(100_000)));
      socket.resume();
      if (i === 4) socket.end();
    }
  }
}

before(async () => {
  spawnSync('modprobe', ['ip_vs']);
  ip(`netns add ${NETNS}`);
  native().enterNetns(`/run/netns/${NETNS}`);
  run('ipvsadm', '--set 3600 3600 3600');
  ip('link set lo up');
  for (const address of [VIP, ...REAL]) ip(`address add ${address}/32 dev lo`);
  run('lvsadm', '-R', rules());
  await connections();
  await datagrams();
  await sleep(2000);
});
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  native().enterNetns('/proc/1/ns/net');
  ip(`netns del ${NETNS}`);
});

/** Milliseconds in which rates fall to zero, even on a busy machine. */
const DEADLINE = 180_000;

/** ipvsadm's output, once it is the same before and after lvsadm, so that the table did not change. */
async function unchanging(
  words: string,
  comparable: (text: string) => string,
): Promise<{ theirs: string; ours: string }> {
  for (const start = performance.now(); ; ) {
    const first = comparable(run('ipvsadm', words));
    const ours = comparable(run('lvsadm', words));
    if (comparable(run('ipvsadm', words)) === first) return { theirs: first, ours };
    assert.ok(performance.now() - start < DEADLINE, `the output of ${words} keeps changing`);
    await sleep(1000);
  }
}

const LISTINGS = [
  ...['-Ln', '-Ln --stats', '-Ln --stats --exact', '-Ln --thresholds', '-Ln --persistent-conn', '-Ln --nosort'],
  ...[`-Ln -t ${VIP}:${TCP_PORTS[0]}`, `-Ln --stats -u ${VIP}:1`, '-Sn'],
];
for (const words of LISTINGS)
  test(`${words} of ${SERVICES} services is equal`, async () => {
    const { theirs, ours } = await unchanging(words, (text) => text);
    assert.ok(theirs.split('\n').length > 5);
    assert.ok(ours === theirs, `${words} differs: ${firstDifference(theirs, ours)}`);
  });

test('the counters count every datagram', () => {
  const total = run('ipvsadm', '-Ln --stats --exact')
    .split('\n')
    .filter((line) => line.startsWith('UDP'));
  assert.equal(total.length, SERVICES);
  const packets = total.map((line) => Number(line.split(/\s+/)[3]));
  assert.equal(
    packets.reduce((sum, one) => sum + one, 0),
    DATAGRAMS,
  );
});

// The kernel updates the rates every two seconds, until they are zero.
test('--rate: equal once the rates are zero', async () => {
  const { theirs, ours } = await unchanging('-Ln --rate', (text) => text);
  assert.ok(ours === theirs, firstDifference(theirs, ours));
});

test('-c: every connection is equal, apart from its remaining seconds', async () => {
  const seconds = (text: string) => text.replace(/^(\S+ )\d\d:\d\d /gm, '$1--:-- ');
  for (const words of ['-Lnc', '-Lnc --persistent-conn', '-Lnc --nosort']) {
    const { theirs, ours } = await unchanging(words, seconds);
    assert.ok(theirs.split('\n').length > 100);
    assert.ok(ours === theirs, `${words}: ${firstDifference(theirs, ours)}`);
  }
});

function firstDifference(theirs: string, ours: string): string {
  const lines = ours.split('\n');
  const at = theirs.split('\n').findIndex((line, index) => line !== lines[index]);
  return `line ${at + 1}\n${theirs.split('\n')[at]}\n${lines[at]}`;
}
