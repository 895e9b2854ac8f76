// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Two lvsd routers with adverts every 100 ms during disturbances: stopped processes, removed addresses and links,
// malformed messages, split networks, reloads. The time of day of the second one jumps by an hour all the time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { type LvsdNode, MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const full = process.env.LVSD_COUNTS === 'full';
/** Stops of each side, half of them short and half of them long. */
const STOPS = full ? 50 : 2;
const LONG_STOP = full ? 8000 : 3000;
/** Malformed messages, and how many of them in a second. */
const [MALFORMED, RATE] = full ? [20_000, 500] : [600, 100];
const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Transitions of a node since its start, such as `backup>master`. */
const transitions = ({ messages }: LvsdNode): string[] =>
  messages.flatMap((message) => (message.type === 'state' ? [`${message.from}>${message.to}`] : []));

// One pair for all tests: an emulated CPU takes seconds to start a node.
const made = new Pair(FAST, 20);

/** A host that uses the address, and later sends malformed messages. */
const client = made.topology.namespace('vx26');
const dir = mkdtempSync(join(tmpdir(), 'lvsd-disturbances-'));

/** The kernel's timestamps of received messages do not follow. */
const JUMPS = `
const now = Date.now;
let hours = 0;
Date.now = () => now() + 3_600_000 * hours;
setInterval(() => { hours = (hours + 2) % 3 - 1; }, 300).unref();
`;

before(async () => {
  made.topology.link({ in: client, device: 'eth0', addresses: ['10.9.0.99/24'] }, { in: made.switch, device: 'port9' });
  made.switch.ip('link set port9 master br0');
  const jumps = join(dir, 'jumps.cjs');
  writeFileSync(jumps, JUMPS);
  made.other.nodeOptions = ['--require', jumps];
  await made.other.start(100);
  await made.settles(made.other);
  await made.lvsd.start(150);
});
beforeEach(() => made.settles(made.lvsd));
after(() => made.destroy());

/** The number of transitions of both nodes since their start. */
async function counts({ lvsd, other }: Pair): Promise<[number, number]> {
  await Promise.all([lvsd.status(), other.status()]);
  return [transitions(lvsd).length, transitions(other).length];
}

test('a backup that was stopped for seconds does not take over: it first reads the waiting adverts', async () => {
  const [, before] = await counts(made);
  for (let round = 0; round < STOPS; round++) {
    process.kill(made.other.pid, 'SIGSTOP');
    await sleep(round % 2 === 0 ? 500 : LONG_STOP);
    process.kill(made.other.pid, 'SIGCONT');
    await sleep(1000);
  }
  assert.equal((await counts(made))[1], before, transitions(made.other).join(' '));
  assert.ok(made.holds(made.lvsd) && !made.holds(made.other));
});

test('a master that was stopped and replaced takes over again', async () => {
  for (let round = 0; round < (full ? STOPS : 1); round++) {
    const before = transitions(made.other).length;
    process.kill(made.lvsd.pid, 'SIGSTOP');
    await until('the backup to take over', () => made.holds(made.other));
    if (full) await sleep(round % 2 === 0 ? 500 : LONG_STOP);
    process.kill(made.lvsd.pid, 'SIGCONT');
    await made.settles(made.lvsd);
    await counts(made);
    assert.deepEqual(transitions(made.other).slice(before), ['backup>master', 'master>backup']);
  }
});

test('an address that another program removes is added again at once, without a transition', async () => {
  const before = await counts(made);
  made.lvsd.namespace.ip('addr del 10.9.0.100/32 dev eth0');
  await made.settles(made.lvsd);
  assert.deepEqual(await counts(made), before);
  const restored = made.lvsd.messages.filter((one) => one.type === 'event' && one.event === 'address-restored');
  assert.equal(restored.length, 1);
});

test('a device that is deleted and created again is used with its new index', async () => {
  made.lvsd.namespace.ip('link del eth0');
  await until('the backup to take over', () => made.holds(made.other));
  assert.deepEqual((await made.lvsd.status()).faults, ['no device eth0', 'no source address']);
  made.topology.link(
    { in: made.lvsd.namespace, device: 'eth0', addresses: ['10.9.0.1/24'] },
    { in: made.switch, device: 'port0' },
  );
  made.switch.ip('link set port0 master br0');
  await made.settles(made.lvsd);
});

test('both are masters while the network is split, then the one with the higher priority', async () => {
  made.switch.ip('link set port0 nomaster');
  await until('both to be masters', () => made.holds(made.lvsd) && made.holds(made.other));
  made.switch.ip('link set port0 master br0');
  await made.settles(made.lvsd);
});

test('a master that the other one does not hear for a while: afterwards neighbours have its address', async () => {
  const { stdout } = made.lvsd.namespace.run(['ip', '-o', 'link', 'show', 'eth0']);
  const mac = / link\/ether ([0-9a-f:]+) /.exec(stdout)?.[1] ?? assert.fail(stdout);
  // A datagram makes the kernel look for its neighbour.
  client.run(['python3', '-c', `import socket\nsocket.socket(2, 2).sendto(b'', ('${made.virtual}', 9))`]);
  made.switch.ip('link set port1 type bridge_slave mcast_flood off');
  await until('both to be masters', () => made.holds(made.lvsd) && made.holds(made.other));
  made.switch.ip('link set port1 type bridge_slave mcast_flood on');
  await made.settles(made.lvsd);
  const neighbour = () => client.run(['ip', 'neigh', 'show', made.virtual]).stdout;
  await until('the right neighbour', () => neighbour().includes(mac), full ? 1000 : 20_000).catch((error: Error) => {
    throw new Error(`${error.message}: ${neighbour()}instead of ${mac}`);
  });
});

test('200 reloads without a change cause no transition; a lower priority does', async () => {
  const before = await counts(made);
  for (let round = 0; round < 200; round++) {
    made.lvsd.configure(150);
    made.other.configure(100);
    await sleep(10);
  }
  assert.deepEqual(await counts(made), before);
  made.lvsd.configure(50);
  await made.settles(made.other);
  made.lvsd.configure(150);
});

test(`${RATE} malformed messages a second, ${MALFORMED} in all, do not delay the adverts of a master`, async () => {
  const before = await counts(made);
  const script = join(dir, 'send.py');
  writeFileSync(script, SENDER);
  const [file = '', ...args] = client.inside(['python3', script, String(MALFORMED), String(RATE)]);
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(code, 0);
  assert.deepEqual(await counts(made), before, 'no transition on either side');
  for (const node of [made.lvsd, made.other]) {
    const { counters } = await node.status();
    const names = Object.keys(counters).filter((name) => name.startsWith('rejected'));
    assert.ok(names.length >= 4, JSON.stringify(counters));
  }
});

/** Sends messages that lvsd rejects, of eight kinds in turn, and every second time an advert with random changes. */
const SENDER = `
import random, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.9.0.99'))
def fold(d):
    t = sum(struct.unpack('>%dH' % (len(d) // 2), d))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff
group, source = socket.inet_aton('224.0.0.18'), socket.inet_aton('10.9.0.99')
def advert(first=0x31, priority=200, tail=b'', word=10, broken=False):
    body = struct.pack('>BBBBHH', first, 51, priority, 1, word, 0) + socket.inet_aton('10.9.0.100') + tail
    total = fold(source + group + struct.pack('>HH', 112, len(body)) + body) ^ (1 if broken else 0)
    return body[:6] + struct.pack('>H', total) + body[8:]
kinds = [(254, advert()), (255, advert(broken=True)), (255, advert(first=0x21)), (255, advert(first=0x32)),
         (255, advert(tail=b'1234')), (255, advert(word=0)), (255, advert()[:7]), (1, advert(priority=0))]
def mutated():
    data = bytearray(advert(priority=1))
    while bytes(data) == advert(priority=1):
        for _ in range(random.randint(1, 3)): data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data) if random.random() < 0.7 else bytes(data)[:random.randrange(len(data))]
random.seed(51)
for n in range(int(sys.argv[1])):
    ttl, data = kinds[n // 2 % len(kinds)] if n % 2 else (255, mutated())
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    s.sendto(data, ('224.0.0.18', 0))
    time.sleep(1 / int(sys.argv[2]))
`;
