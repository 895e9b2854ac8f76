// SPDX-License-Identifier: MIT
// Counters of FULLNAT that no other test covers: connections reused from each state, and a lost client address.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { IP_VS_SVC_F_PERSISTENT } from '../../../src/ipvs/index.ts';
import { ACK, FIN, mss, PSH, RST, SYN } from './packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from './rig.ts';
import { closeAll, listen } from './tcp.ts';
import { eventually, type RawFlow, RawHost } from './wire.ts';

/** A persistent service: in others, finished connections are scheduled again, not reused. */
const port = 81;

let rig: Rig;
let client: RawHost;
let nextPort = 21_000;
const served = new Map<string, Socket>();

before(async () => {
  rig = await fullnatRig();
  const service = serviceConfig(rig.vip, port, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 300 });
  await rig.ipvs.addService(service);
  for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(service, ip4(laddr));
  await rig.ipvs.addDestination(service, destConfig(rig.rs1Address, port));
  client = new RawHost(rig.client, 'eth0', '10.1.0.3');
  const accept = (socket: Socket) => {
    served.set(`${socket.remoteAddress}:${socket.remotePort}`, socket);
    socket.on('data', (data) => socket.write(data));
  };
  await listen(rig.rs1, port, accept, { allowHalfOpen: true });
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const state = (one: RawFlow) => rig.connections().find((each) => each.client === one.name)?.state;

async function open(from: number): Promise<{ one: RawFlow; server: Socket }> {
  const one = client.flow(rig.vip, port, from);
  client.capture.clear();
  served.delete(one.name);
  await one.handshake(mss(1460));
  one.send(PSH | ACK, { payload: Buffer.from('hello') });
  await one.expect('the echo', ({ payload }) => payload.toString() === 'hello');
  one.send(ACK);
  return { one, server: await eventually('the server’s socket', () => served.get(one.name)) };
}

/** Removes the real server's socket without a RST. */
async function lose(server: Socket): Promise<void> {
  const rule = 'type filter hook output priority 0\ntcp flags & rst == rst drop';
  rig.rs1.run(['nft', '-f', '-'], { input: `table ip lost {\nchain out {\n${rule}\n}\n}\n` });
  server.resetAndDestroy();
  await eventually('the socket is gone', () => server.destroyed);
  rig.rs1.run(['nft', 'delete', 'table', 'ip', 'lost']);
}

async function serverCloses(one: RawFlow, server: Socket): Promise<void> {
  client.capture.clear();
  server.end();
  await one.expect('FIN', ({ flags }) => (flags & FIN) !== 0);
}

const ends: { counter: string; from: string; end: (one: RawFlow, server: Socket) => Promise<unknown> | undefined }[] = [
  {
    counter: 'fullnat_conn_reused_close',
    from: 'CLOSE',
    end: (one) => {
      one.send(RST | ACK);
      return undefined;
    },
  },
  {
    counter: 'fullnat_conn_reused_timewait',
    from: 'TIME_WAIT',
    end: async (one, server) => {
      await serverCloses(one, server);
      one.send(FIN | ACK);
    },
  },
  {
    counter: 'fullnat_conn_reused_finwait',
    from: 'FIN_WAIT',
    end: async (one, server) => {
      await serverCloses(one, server);
      one.send(ACK);
      await lose(server);
    },
  },
  {
    counter: 'fullnat_conn_reused_closewait',
    from: 'CLOSE_WAIT',
    end: async (one, server) => {
      one.send(FIN | ACK);
      await eventually('CLOSE_WAIT', () => state(one) === 'CLOSE_WAIT');
      await lose(server);
    },
  },
  { counter: 'fullnat_conn_reused_estab', from: 'ESTABLISHED', end: (_, server) => lose(server) },
];

for (const { counter, from, end } of ends) {
  test(`${counter}: a connection in ${from} is reused, and the real server gets the client's address`, async () => {
    nextPort += 1;
    const { one, server } = await open(nextPort);
    await end(one, server);
    await eventually(from, () => state(one) === from);
    let second: RawFlow | undefined;
    const counts = await rig.counted(async () => {
      second = (await open(nextPort)).one;
    });
    assert.equal(state(one), 'ESTABLISHED');
    const reused = Object.entries(counts).filter(([name]) => name.startsWith('fullnat_conn_reused'));
    assert.deepEqual(Object.fromEntries(reused), { fullnat_conn_reused: 1, [counter]: 1 });
    second?.send(RST | ACK);
  });
}

test('fullnat_toa_lost counts a segment without room for the address and without ACK', async () => {
  const one = client.flow(rig.vip, port, ++nextPort);
  one.send(SYN, { options: mss(1460) });
  await one.expect('SYN-ACK', ({ flags }) => (flags & SYN) !== 0);
  const counts = await rig.counted(async () => {
    one.send(PSH, { payload: Buffer.alloc(1460) });
    await new Promise((done) => setTimeout(done, 200));
  });
  assert.deepEqual([counts.fullnat_toa_lost, counts.fullnat_add_toa_fail_len], [1, 1]);
  one.send(RST | ACK);
});
