// SPDX-License-Identifier: MIT
// SYN proxy on a long path: throughput with losses, and the first byte of an answer, beside FULLNAT without it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { recordFigures } from '../../support/figures.ts';
import { destConfig, fullnatRig, ip4, type Rig } from '../fullnat/rig.ts';
import { closeAll, closed, dial, listen } from '../fullnat/tcp.ts';
import { Capture } from '../fullnat/wire.ts';

const full = process.env.LVSD_COUNTS === 'full';
const rounds = full ? 9 : 1;
/** Bytes of a response: about 1100 segments, of which one is dropped, or some thousands. */
const length = full ? 5 << 20 : 3 << 19;
/** Milliseconds that a segment takes to the client, and nothing back: the round-trip time. */
const delay = 50;
const port = 80;
const proxiedPort = 81;
const least = 0.95;

let rig: Rig;
let capture: Capture;

before(async () => {
  rig = await fullnatRig({ port });
  const proxied = { ...rig.key, port: proxiedPort, flags: IP_VS_SVC_F_SYNPROXY };
  await rig.ipvs.addService(proxied);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(proxied, ip4(laddr));
  await rig.ipvs.addDestination(proxied, destConfig(rig.rs1Address, port));
  // What is counted and dropped are segments, not bunches of them.
  rig.rs1.offloads('eth0', { tso: false, gso: false });
  rig.router.netem('client0', `delay ${delay}ms limit 10000`);
  capture = new Capture(rig.client, 'eth0');
  await listen(rig.rs1, port, (socket) => {
    socket.on('data', (data) => socket.end(Buffer.alloc(Number(data), 'abcdefghijklmnop')));
  });
});

after(async () => {
  closeAll();
  await rig.destroy();
});

/** The router drops every 1000th segment to the client from now on, counted anew; returns how to stop it. */
function dropSegments(): () => number {
  const rule = `tcp sport { ${port}, ${proxiedPort} } numgen inc mod 1000 == 999 counter drop`;
  const chain = `type filter hook prerouting priority -300\n${rule}`;
  rig.router.run(['nft', '-f', '-'], { input: `table ip losses {\nchain in {\n${chain}\n}\n}\n` });
  return () => {
    const dropped = /packets (\d+)/.exec(rig.router.run('nft list table ip losses').stdout)?.[1];
    rig.router.run('nft delete table ip losses');
    return Number(dropped);
  };
}

interface Response {
  /** Milliseconds from the SYN to the first byte, and to the last. */
  first: number;
  last: number;
  /** The client's port. */
  from: number | undefined;
}

/** A connection with a request for so many bytes, sent at once; throws if they are not right. */
async function request(to: number, bytes: number): Promise<Response> {
  const started = performance.now();
  const { socket } = await dial(rig.client, rig.vip, to);
  socket.write(String(bytes));
  const from = socket.localPort;
  let [first, got] = [0, 0];
  socket.on('data', (data: Buffer) => {
    first ||= performance.now() - started;
    const from = got % 16;
    const expected = Buffer.alloc(data.length + from, 'abcdefghijklmnop').subarray(from);
    assert.ok(data.equals(expected), `bytes from ${got}`);
    got += data.length;
  });
  await closed(socket);
  assert.equal(got, bytes);
  return { first, last: performance.now() - started, from };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

test(`${delay} ms of delay and every 1000th segment lost: all bytes arrive, about as fast as without SYN proxy`, async () => {
  const times: Record<number, number[]> = { [port]: [], [proxiedPort]: [] };
  for (let round = 0; round < rounds; round++)
    for (const to of round % 2 === 0 ? [port, proxiedPort] : [proxiedPort, port]) {
      const stop = dropSegments();
      times[to]?.push((await request(to, length)).last);
      const dropped = stop();
      assert.ok(dropped >= Math.floor(length / 1448 / 1000), `${dropped} segments were dropped`);
    }
  const rate = (to: number) => (length * 8) / 1000 / median(times[to] ?? []);
  const [unproxied, proxied] = [rate(port), rate(proxiedPort)];
  recordFigures('synproxy-throughput', { length, rounds, delay, unproxied, proxied, ratio: proxied / unproxied });
  if (full) assert.ok(proxied >= least * unproxied, `${proxied} and ${unproxied} Mbit/s`);
});

test('the first byte of an answer takes no further round trip', async () => {
  const times: Record<number, number[]> = { [port]: [], [proxiedPort]: [] };
  for (let round = 0; round < rounds; round++)
    for (const to of [port, proxiedPort]) {
      capture.clear();
      const { first, from } = await request(to, 100);
      times[to]?.push(first);
      // Until the answer, the client sends its handshake and the request, each once. The connection before may still end.
      const segments = capture.segments.filter(({ sourcePort, destinationPort }) =>
        [sourcePort, destinationPort].includes(from ?? 0),
      );
      const answer = segments.findIndex(({ outgoing, payload }) => !outgoing && payload.length > 0);
      const before = segments.slice(0, answer).filter(({ outgoing }) => outgoing);
      assert.deepEqual(
        before.map(({ flags, payload }) => [flags & 2, payload.length]),
        [
          [2, 0],
          [0, 0],
          [0, 3],
        ],
      );
    }
  const [unproxied, proxied] = [median(times[port] ?? []), median(times[proxiedPort] ?? [])];
  recordFigures('synproxy-first-byte', { rounds, delay, unproxied, proxied });
  if (full) assert.ok(proxied < unproxied + delay / 2, `${proxied} and ${unproxied} ms`);
});
