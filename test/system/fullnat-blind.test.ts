// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// Segments of a stranger who knows addresses and ports but no sequence number: whatever he sends, the connection
// goes on, both ways.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { IP_VS_SVC_F_PERSISTENT } from '../../src/ipvs/index.ts';
import { ACK, FIN, mss, PSH, RST, SYN, tcpPacket } from './fullnat/packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from './fullnat/rig.ts';
import { closeAll, dial, listen, readAll } from './fullnat/tcp.ts';
import { eventually, Injector, RawHost, sleep } from './fullnat/wire.ts';

const port = 80;
const persistentPort = 81;
const stranger = { seq: 12_345, ack: 0x7000_0000, window: 30_000 };

let rig: Rig;
let injector: Injector;
let raw: RawHost;
/** Sockets at the real server by the client that they report; half-open ones stay open. */
const served = new Map<string, Socket>();

before(async () => {
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

/** A segment as if the connection's client had sent it. */
function spoof({ socket, to }: Open, flags: number, fields: { seq?: number; options?: Uint8Array } = {}): void {
  injector.send(
    tcpPacket({
      ...{ source: socket.localAddress ?? '', destination: rig.vip, flags },
      ...{ sourcePort: socket.localPort ?? 0, destinationPort: to },
      ...{ ...stranger, ...fields },
    }),
  );
}

async function echoes(one: Open, text: string): Promise<void> {
  let said = '';
  const take = (data: Buffer) => {
    said += data.toString();
  };
  one.socket.on('data', take);
  one.socket.write(text);
  await eventually(`the echo of ${text}`, () => said === text || one.error()).catch(() => {});
  one.socket.off('data', take);
  assert.deepEqual([said, one.error()], [text, undefined]);
}

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

test('a client that starts with its old number again is seen by the real server, in a persistent service too', async () => {
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
