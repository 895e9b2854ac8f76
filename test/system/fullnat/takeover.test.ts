// SPDX-License-Identifier: MIT
// A finished connection loses its tuple to another client, and its own client opens a new one before its entry has
// ended: the client is answered, also in a persistent service.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IP_VS_SVC_F_PERSISTENT } from '../../../src/ipvs/index.ts';
import { ACK, FIN, mss, SYN, tcpPacket } from './packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig, setVs } from './rig.ts';
import { closeAll, listen } from './tcp.ts';
import { eventually, type RawFlow, RawHost, sleep } from './wire.ts';

const port = 80;
const rounds = 4;

let rig: Rig;
let first: RawHost;
let second: RawHost;

before(async () => {
  rig = await fullnatRig({ port, bare: true });
  const service = serviceConfig(rig.vip, port, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 300 });
  // One port for all.
  setVs(rig.balancer, { fullnat_lport_max: 5000, timeout_timewait: 60 });
  await rig.ipvs.addService(service);
  await rig.ipvs.addLocalAddress(service, ip4(rig.laddrs[0] ?? ''));
  await rig.ipvs.addDestination(service, destConfig(rig.rs1Address, port));
  first = new RawHost(rig.client, 'eth0', '10.1.0.3');
  second = new RawHost(rig.client, 'eth0', '10.1.0.4');
  await listen(rig.rs1, port, (socket) => socket.resume());
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const synAck = ({ flags }: { flags: number }) => flags === (SYN | ACK);

/** Closes an open connection from both ends, and clears the capture. */
async function close(flow: RawFlow): Promise<void> {
  flow.send(FIN | ACK);
  await flow.expect('the FIN of the real server', ({ flags }) => (flags & FIN) !== 0);
  flow.send(ACK);
  await sleep(20);
  flow.host.capture.clear();
}

/** A SYN with a number far from the last one. */
function syn(flow: RawFlow): Buffer {
  flow.seq = (flow.seq + 1_000_000) >>> 0;
  return tcpPacket({
    ...{ source: flow.host.address, destination: rig.vip, sourcePort: flow.from, destinationPort: port },
    ...{ seq: flow.seq, flags: SYN, options: mss(1460) },
  });
}

test(`the client of a tuple that has just been taken over is answered, ${rounds} times`, async () => {
  for (let round = 0; round < rounds; round++) {
    const mine = first.flow(rig.vip, port, 43_000 + round);
    const taker = second.flow(rig.vip, port, 44_000 + round);
    await mine.handshake(mss(1460));
    await close(mine);
    // In direct succession: the first takes the tuple, the second matches the connection that has lost it.
    const packets = [syn(taker), syn(mine)];
    const grown = await rig.counted(async () => {
      for (const packet of packets) first.send(packet);
      await taker.expect('the SYN-ACK of the one that took the tuple', synAck);
    });
    assert.equal(grown.fullnat_takeover, 1);
    taker.seq += 1;
    taker.send(ACK);
    for (const time of ['at once', 'to its second SYN', 'to its third SYN']) {
      await eventually(`an answer ${time}, round ${round}`, () => mine.received().length > 0);
      first.capture.clear();
      first.send(syn(mine));
    }
    await close(taker);
    first.capture.clear();
  }
});
