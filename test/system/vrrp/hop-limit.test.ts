// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Adverts over IPv6 that came over a router, or to another address, do not reach the process: the kernel drops them.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Topology, until } from '../../../lab/topology.ts';
import { LvsdNode, MODES } from './pair.ts';

const topology = new Topology();
const [router, sender] = [topology.namespace('router'), topology.namespace('sender')];
const mode = MODES.find(({ name }) => name === 'version 3, IPv6') ?? assert.fail();
const node = new LvsdNode(router, mode, 'fe80::100', 0);
const script = join(mkdtempSync(join(tmpdir(), 'lvsd-hops-')), 'send.py');
const COUNT = 20;

/** Sends adverts with an interval of 0, the last thing that acceptance looks at, so that each one is counted. */
const SEND = `
import socket, struct, sys
count, source, sendings = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)
index = socket.if_nametoindex('eth0')
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
if source: s.bind((source, 0, 0, 0))
advert = struct.pack('>BBBBHH', 0x31, 51, 200, 1, 0, 0) + socket.inet_pton(socket.AF_INET6, 'fe80::100')
for hops, to in zip(sendings[::2], sendings[1::2]):
    for name in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
        s.setsockopt(socket.IPPROTO_IPV6, name, int(hops))
    for _ in range(count): s.sendto(advert, (to, 0, 0, index))
`;

before(async () => {
  topology.link(
    { in: router, device: 'eth0', addresses: ['fd09::1/64'] },
    { in: sender, device: 'eth0', addresses: ['fd09::99/64'] },
  );
  writeFileSync(script, SEND);
  await node.start(150);
  await until('the takeover', async () => (await node.status()).phase === 'master', 60_000);
});
after(async () => {
  await node.end('SIGKILL');
  await topology.destroy();
});

/** Rejected messages, by reason. */
async function rejected(): Promise<Record<string, number>> {
  const entries = Object.entries((await node.status()).counters).filter(([name]) => name.startsWith('rejected: '));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice('rejected: '.length), value]));
}

/** Sends `COUNT` adverts with each hop limit to its destination. */
const send = (source: string, ...sendings: [hops: number, to: string][]) =>
  sender.run(['python3', script, String(COUNT), source, ...sendings.flat().map(String)]);

test('multicast: only adverts to the group with a hop limit of 255 arrive', async () => {
  const text = node.namespace.run(['ip', '-6', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'link']).stdout;
  const own = /inet6 (fe80::(?!100\/)[0-9a-f:]+)\//.exec(text)?.[1] ?? assert.fail(text);
  send('', [254, 'ff02::12'], [255, own], [255, 'ff02::12']);
  await until('those of the link', async () => (await rejected())['interval of 0'] === COUNT);
  assert.deepEqual(await rejected(), { 'interval of 0': COUNT });
});

test('unicast with min_ttl: only adverts with at least this hop limit arrive', async () => {
  node.more = { source: 'fd09::1', peers: [{ address: 'fd09::99', minTtl: 255 }] };
  node.configure(150);
  await until('the start of the instance', async () => (await node.status()).phase === 'master', 60_000);
  send('fd09::99', [254, 'fd09::1'], [255, 'fd09::1']);
  await until('those of the link', async () => (await rejected())['interval of 0'] === COUNT);
  assert.deepEqual(await rejected(), { 'interval of 0': COUNT });
});
