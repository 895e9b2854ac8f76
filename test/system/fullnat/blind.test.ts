// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// Blind segments: from an attacker who has addresses and ports but no sequence numbers. Connections survive all of
// them, in both directions.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { IP_VS_SVC_F_PERSISTENT } from '../../../src/ipvs/index.ts';
import { ACK, FIN, mss, option, PSH, RST, SYN, tcpPacket } from './packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from './rig.ts';
import { closeAll, dial, listen, readAll } from './tcp.ts';
import { Capture, eventually, Injector, RawHost, sleep } from './wire.ts';

const port = 80;
const persistentPort = 81;
const forged = { seq: 12_345, ack: 0x7000_0000, window: 30_000 };

/** Number of blind segments. */
const blindSegments = process.env.LVSD_COUNTS === 'full' ? 200_000 : 10_000;
const sender = join(mkdtempSync(join(tmpdir(), 'blind-')), 'blind');

let rig: Rig;
let injector: Injector;
let raw: RawHost;
/** Sockets at the real server by the client's address and port; half-open ones stay open. */
const served = new Map<string, Socket>();

before(async () => {
  execFileSync('cc', ['-O1', '-o', sender, join(import.meta.dirname, 'blind.c')]);
  rig = await fullnatRig({ port });
  const persistent = serviceConfig(rig.vip, persistentPort, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 300 });
  await rig.ipvs.addService(persistent);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(persistent, ip4(laddr));
  await rig.ipvs.addDestination(persistent, destConfig(rig.rs1Address, persistentPort));
  injector = new Injector(rig.client);
  raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  for (const each of [port, persistentPort]) {
    await listen(
      rig.rs1,
      each,
      (socket) => {
        served.set(`${socket.remoteAddress}:${socket.remotePort}`, socket);
        socket.on('data', (data) => socket.write(data));
      },
      { allowHalfOpen: true },
    );
  }
});

after(async () => {
  injector.close();
  closeAll();
  await rig.destroy();
});

interface Open {
  socket: Socket;
  server: Socket;
  name: string;
  to: number;
  error: () => string | undefined;
}

async function open(to: number): Promise<Open> {
  const { socket } = await dial(rig.client, rig.vip, to);
  const name = `${socket.localAddress}:${socket.localPort}`;
  let error: string | undefined;
  socket.on('error', (problem: Error & { code?: string }) => {
    error = problem.code;
  });
  const server = await eventually('the server’s socket', () => served.get(name));
  return { socket, server, name, to, error: () => error };
}

/** Sends a segment with the addresses and ports of the connection's client. */
function spoof({ socket, to }: Open, flags: number, fields: { seq?: number; options?: Uint8Array } = {}): void {
  injector.send(
    tcpPacket({
      ...{ source: socket.localAddress ?? '', destination: rig.vip, flags },
      ...{ sourcePort: socket.localPort ?? 0, destinationPort: to },
      ...{ ...forged, ...fields },
    }),
  );
}

/** Sends a text and expects it back. */
async function echoes(one: Open, text: string): Promise<void> {
  let received = '';
  const take = (data: Buffer) => {
    received += data.toString();
  };
  one.socket.on('data', take);
  one.socket.write(text);
  await eventually(`the echo of ${text}`, () => received === text || one.error()).catch(() => {});
  one.socket.off('data', take);
  assert.deepEqual([received, one.error()], [text, undefined]);
}

test('a SYN without ACK from the real server does not reach a client that waits for a SYN-ACK', async () => {
  const rs = new Capture(rig.rs1, 'eth0');
  const inside = new Injector(rig.rs1);
  const deaf = 'type filter hook input priority 0\ntcp dport 80 drop';
  rig.rs1.run(['nft', '-f', '-'], { input: `table ip deaf {\nchain in {\n${deaf}\n}\n}\n` });
  try {
    const one = raw.flow(rig.vip, port, 41_000);
    one.send(SYN, { options: mss(1460) });
    const syn = await eventually('the SYN', () =>
      rs.segments.find(({ outgoing, flags }) => !outgoing && flags === SYN),
    );
    const answer = (flags: number, fields: { seq: number; ack?: number }) =>
      inside.send(
        tcpPacket({
          ...{ source: syn.destination, destination: syn.source, flags, window: 64_240 },
          ...{ sourcePort: port, destinationPort: syn.sourcePort, ack: 0, ...fields },
        }),
      );
    answer(SYN, { seq: 4_000_000 });
    answer(SYN | ACK, { seq: 5_000_000, ack: syn.seq + 1 });
    await eventually('the SYN-ACK', () => one.received().length > 0 && one.received());
    assert.deepEqual(
      one.received().map(({ flags }) => flags),
      [SYN | ACK],
    );
    one.send(RST);
  } finally {
    rig.rs1.run(['nft', 'delete', 'table', 'ip', 'deaf']);
    inside.close();
    rs.close();
  }
});

for (const to of [port, persistentPort]) {
  const where = to === port ? 'a connection' : 'a connection of a persistent service';

  test(`${where} survives a blind FIN and a blind SYN`, async () => {
    const one = await open(to);
    await echoes(one, 'before');
    spoof(one, FIN | ACK);
    await sleep(100);
    spoof(one, SYN, { seq: 987_654_321, options: mss(1460) });
    await sleep(300);
    for (let i = 0; i < 5; i++) await echoes(one, `after ${i}`);
    one.socket.resetAndDestroy();
  });
}

test('a connection that the client has shut down survives a blind SYN: the answer still comes', async () => {
  const one = await open(port);
  await echoes(one, 'before');
  one.socket.end();
  await eventually('the end of the request', () => one.server.readableEnded);
  spoof(one, SYN, { seq: 987_654_321 });
  await sleep(300);
  const answer = readAll(one.socket);
  one.server.end('the whole answer');
  assert.equal(await answer, 'the whole answer');
  assert.equal(one.error(), undefined);
});

test('a client that starts again with its old sequence number is seen by the real server of a persistent service', async () => {
  const one = raw.flow(rig.vip, persistentPort, 33_333);
  const isn = one.seq;
  await one.handshake(mss(1460));
  one.send(PSH | ACK, { payload: Buffer.from('one') });
  await one.expect('the echo', ({ payload }) => payload.toString() === 'one');
  one.send(ACK);
  const first = await eventually('the server’s socket', () => served.get(one.name));
  served.clear();
  one.send(RST | ACK);
  await eventually('the reset', () => first.destroyed);

  raw.capture.clear();
  one.seq = isn;
  await one.handshake(mss(1460));
  one.send(PSH | ACK, { payload: Buffer.from('two') });
  await one.expect('the second echo', ({ payload }) => payload.toString() === 'two');
  assert.deepEqual([...served.keys()], [one.name]);
  one.send(RST | ACK);
});

const signed = option(19, ...Array.from({ length: 16 }, (_, i) => i));
const kinds: { name: string; flags: number; payload?: number; options?: Uint8Array }[] = [
  { name: 'FIN', flags: FIN | ACK },
  { name: 'RST', flags: RST },
  { name: 'RST with ACK', flags: RST | ACK },
  { name: 'SYN', flags: SYN, options: mss(1460) },
  { name: 'signed SYN', flags: SYN, options: Buffer.concat([signed, Buffer.from([1, 1])]) },
  { name: 'SYN-ACK', flags: SYN | ACK },
  { name: 'SYN with FIN', flags: SYN | FIN },
  { name: 'data', flags: PSH | ACK, payload: 100 },
  { name: 'FIN without ACK', flags: FIN },
];

/** Segments between two exchanges: more would take longer than the time-out of a half-closed connection. */
const AT_ONCE = 10_000;

/** Sends blind segments from the client's router, so that the client's own namespace does not see them. */
function blind(one: Open, { flags, payload = 0, options }: (typeof kinds)[number], count: number, part: number): void {
  const seed = 1 + (one.socket.localPort ?? 0) * 1000 + flags + 100_000_000 * part;
  const numbers = [flags, count, seed, payload, Buffer.from(options ?? []).toString('hex')];
  rig.router.run([
    ...[sender, one.socket.localAddress ?? '', String(one.socket.localPort), rig.vip, String(one.to)],
    ...numbers.map(String),
  ]);
}

const entry = (one: Open) => rig.connections().find(({ client }) => client === one.name);

/** Sends all kinds of blind segments, and calls `talk` after each: the entry keeps its state, its timer goes on. */
async function attacked(one: Open, talk: (text: string) => Promise<void>): Promise<void> {
  const each = Math.ceil(blindSegments / kinds.length);
  const parts = Array.from({ length: Math.ceil(each / AT_ONCE) }, (_, part) => part);
  for (const [kind, part] of kinds.flatMap((kind) => parts.map((part) => [kind, part] as const))) {
    const before = entry(one);
    assert.ok(before, `${kind.name}: no entry`);
    await sleep(1100);
    const counts = await rig.counted(async () => {
      blind(one, kind, Math.min(each - part * AT_ONCE, AT_ONCE), part);
      await sleep(100);
    });
    const now = entry(one);
    assert.equal(now?.state, before.state, kind.name);
    assert.ok((now?.seconds ?? 0) < before.seconds, `${kind.name}: ${before.seconds} s, then ${now?.seconds} s`);
    // A few random numbers may be valid, and the queue between namespaces may drop segments.
    assert.ok((counts.fullnat_seg_ignored ?? 0) > 0, kind.name);
    const others = Object.keys(counts).filter(
      (name) => !/^fullnat_(seg_ignored|signed_refused|conn_refused|add_toa_ok|opt_removed)$/.test(name),
    );
    assert.deepEqual(others, [], kind.name);
    await talk(`${kind.name} ${part}`);
  }
}

test(`an established connection survives ${blindSegments} blind segments`, async () => {
  const one = await open(port);
  await echoes(one, 'before');
  await attacked(one, (text) => echoes(one, text));
  one.socket.end();
  await eventually('the client’s own FIN', () => entry(one)?.state === 'CLOSE_WAIT');
  one.server.end();
  await eventually('the real server’s FIN', () => entry(one)?.state === 'TIME_WAIT');
  assert.equal(one.error(), undefined);
});

test(`a connection of a persistent service survives ${blindSegments} blind segments`, async () => {
  const one = await open(persistentPort);
  await echoes(one, 'before');
  await attacked(one, (text) => echoes(one, text));
  one.socket.resetAndDestroy();
  await eventually('the client’s own RST', () => entry(one)?.state === 'CLOSE');
});

test(`a connection half closed by the client survives ${blindSegments} blind segments`, async () => {
  const one = await open(port);
  await echoes(one, 'before');
  one.socket.end();
  await eventually('CLOSE_WAIT', () => entry(one)?.state === 'CLOSE_WAIT');
  let received = '';
  one.socket.on('data', (data: Buffer) => {
    received += data.toString();
  });
  let wanted = '';
  await attacked(one, async (text) => {
    wanted += text;
    one.server.write(text);
    await eventually(`${text} from the real server`, () => received === wanted);
  });
  one.server.end();
  await eventually('the end', () => one.socket.readableEnded);
  assert.equal(one.error(), undefined);
});

test(`a connection half closed by the real server survives ${blindSegments} blind segments`, async () => {
  const one = await open(port);
  await echoes(one, 'before');
  one.socket.allowHalfOpen = true;
  one.server.end();
  await eventually('FIN_WAIT', () => entry(one)?.state === 'FIN_WAIT');
  let received = '';
  one.server.removeAllListeners('data').on('data', (data) => {
    received += data.toString();
  });
  let wanted = '';
  await attacked(one, async (text) => {
    wanted += text;
    one.socket.write(text);
    await eventually(`${text} at the real server`, () => received === wanted);
  });
  one.socket.end();
  await eventually('TIME_WAIT', () => entry(one)?.state === 'TIME_WAIT');
  assert.equal(one.error(), undefined);
});
