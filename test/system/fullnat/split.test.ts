// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// full: --uml
// Super-packets that cannot be translated as a whole are split: those whose segments are too small for the client's
// address, and those in which each segment keeps its own header, as Linux can merge TCP since 6.10 (rx-gro-list).
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import type { Namespace } from '../../../lab/topology.ts';
import { native } from '../../../src/base/native.ts';
import { Random } from '../../support/random.ts';
import { Captures } from './checksums.ts';
import { ACK, mss, PSH, RST, tcpPacket } from './packets.ts';
import { fullnatRig, mergesIntoLists, type Rig } from './rig.ts';
import { closeAll, closed, dial, listen } from './tcp.ts';
import { Capture, eventually, netnsPath, RawHost } from './wire.ts';

const port = 80;
const [AF_PACKET, SOCK_RAW] = [17, 3];
const [SOL_PACKET, PACKET_VNET_HDR] = [263, 15];
const ETH_P_IP = 0x0800;
const TOA = 254;

/** A megabyte of pseudo-random bytes, so that misplaced pieces are detected. */
const random = new Random(1);
const body = Buffer.from(Uint32Array.from({ length: 1 << 18 }, () => random.below(2 ** 32)).buffer);

let rig: Rig;
/** Bytes that the real server has received. */
let uploaded = Buffer.alloc(0);

before(async () => {
  rig = await fullnatRig({ port });
  // 'u': receives an upload; 'd': sends the body.
  await listen(
    rig.rs1,
    port,
    (socket: Socket) => {
      const parts: Buffer[] = [];
      socket.on('data', (data) => {
        if (parts.length === 0 && data[0] === 0x64) socket.end(body);
        parts.push(data);
      });
      socket.on('end', () => {
        const all = Buffer.concat(parts);
        if (all[0] !== 0x75) return;
        uploaded = all.subarray(1);
        socket.end('done');
      });
    },
    { allowHalfOpen: true },
  );
});

after(async () => {
  closeAll();
  await rig.destroy();
});

async function upload(): Promise<void> {
  const { socket } = await dial(rig.client, rig.vip, port);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  socket.write('u');
  socket.end(body);
  await eventually('the end of the upload', () => received === 'done', 60_000);
  socket.destroy();
  assert.ok(uploaded.equals(body), 'every byte of the upload is right');
}

async function download(): Promise<void> {
  const { socket } = await dial(rig.client, rig.vip, port);
  const parts: Buffer[] = [];
  socket.on('data', (data: Buffer) => parts.push(data));
  socket.write('d');
  await closed(socket);
  assert.ok(Buffer.concat(parts).equals(body), 'every byte of the download is right');
}

function macAddress(where: Namespace, device: string): Buffer {
  const [link] = JSON.parse(where.run(['ip', '-j', 'link', 'show', device]).stdout) as { address: string }[];
  return Buffer.from((link?.address ?? '').replaceAll(':', ''), 'hex');
}

/** Sends a TCP packet from a device as a super-packet with segments of `size` bytes of payload. */
function sendSuperPacket(where: Namespace, device: string, to: Buffer, packet: Buffer, size: number): void {
  const socket = new (native().Socket)(AF_PACKET, SOCK_RAW, 0, netnsPath(where));
  const [link] = JSON.parse(where.run(['ip', '-j', 'link', 'show', device]).stdout) as { ifindex: number }[];
  const at = Buffer.alloc(20);
  at.writeUInt16LE(AF_PACKET, 0);
  at.writeUInt16BE(ETH_P_IP, 2);
  at.writeInt32LE(link?.ifindex ?? 0, 4);
  // struct virtio_net_hdr: the checksum is to be completed; TCP over IPv4.
  const header = Buffer.alloc(10);
  const transport = 14 + 20;
  header[0] = 1;
  header[1] = 1;
  header.writeUInt16LE(transport + ((packet[32] ?? 0) >> 4) * 4, 2);
  header.writeUInt16LE(size, 4);
  header.writeUInt16LE(transport, 6);
  header.writeUInt16LE(16, 8);
  const ethernet = Buffer.concat([to, macAddress(where, device), Buffer.from([0x08, 0x00])]);
  const partial = Buffer.from(packet);
  partial.writeUInt16BE(pseudoSum(packet), 36);
  socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1);
  const frame = Buffer.concat([header, ethernet, partial]);
  assert.equal(socket.send(frame, at), frame.length);
  socket.close();
}

/** The sum over TCP's pseudo header, from which a partial checksum starts. */
function pseudoSum(packet: Buffer): number {
  let sum = 6 + packet.length - 20;
  for (let i = 12; i < 20; i += 2) sum += packet.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

test('a super-packet with very small segments is split, and each carries the address', async () => {
  const raw = new RawHost(rig.client, 'eth0', '10.1.0.3');
  const rs = new Capture(rig.rs1, 'eth0');
  try {
    const one = raw.flow(rig.vip, port, 42_000);
    await one.handshake(mss(1460));
    const payload = Buffer.from('uThese are segments of sixteen bytes each, in one super-packet..');
    assert.equal(payload.length, 64);
    const packet = tcpPacket({
      ...{ source: raw.address, destination: rig.vip, sourcePort: one.from, destinationPort: port },
      ...{ seq: one.seq, ack: one.ack, flags: PSH | ACK, payload },
    });
    const grown = await rig.counted(async () => {
      sendSuperPacket(rig.router, 'lb0', macAddress(rig.balancer, 'out0'), packet, 16);
      await eventually('what the real server acknowledges', () =>
        one.received().some(({ ack }) => ack === (one.seq + payload.length) >>> 0),
      );
    });
    assert.equal(grown.fullnat_gso_split, 1);
    const segments = rs.segments.filter((segment) => !segment.outgoing && segment.payload.length > 0);
    assert.deepEqual(
      segments.map((segment) => segment.payload.toString()),
      [0, 16, 32, 48].map((at) => payload.subarray(at, at + 16).toString()),
    );
    const [first] = segments;
    for (const [index, segment] of segments.entries()) {
      assert.equal(segment.seq, ((first?.seq ?? 0) + 16 * index) >>> 0);
      assert.deepEqual(
        segment.options.filter(({ kind }) => kind === TOA).map(({ data }) => data.toString('hex')),
        [`${one.from.toString(16)}0a010003`],
      );
    }
    one.seq = (one.seq + payload.length) >>> 0;
    one.send(RST | ACK);
  } finally {
    raw.close();
    rs.close();
  }
});

test('packets merged with rx-gro-list, in both directions, arrive with every byte and checksum right', async () => {
  const everywhere = [rig.client, rig.router, rig.balancer, rig.inside, rig.rs1];
  const devices = (where: Namespace) =>
    (JSON.parse(where.run(['ip', '-j', 'link', 'show']).stdout) as { ifname: string }[])
      .map(({ ifname }) => ifname)
      .filter((name) => name !== 'lo');
  for (const where of everywhere) {
    const words = where === rig.balancer ? 'tx off gro on rx-gro-list on' : 'tx off tso off gso off gro off';
    for (const device of devices(where)) where.run(['ethtool', '-K', device, ...words.split(' ')]);
  }
  const captures = new Captures();
  const ends = [
    await captures.start('client', rig.client, 'eth0'),
    await captures.start('real server', rig.rs1, 'eth0'),
  ];
  const up = await rig.counted(upload);
  const down = await rig.counted(download);
  for (const end of ends) await end();
  if (mergesIntoLists()) {
    assert.ok((up.fullnat_gso_split ?? 0) > 0, 'segments of the client were merged, and split');
    assert.ok((down.fullnat_gso_split ?? 0) > 0, 'segments of the real server were merged, and split');
  }
  for (const [leg, { segments, bad }] of captures.verify()) {
    assert.ok(segments > 1000, `${leg}: ${segments} segments`);
    assert.deepEqual(bad.slice(0, 5), [], leg);
  }
});
