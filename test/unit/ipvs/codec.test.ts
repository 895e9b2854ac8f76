// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  destinationAttributes,
  readDestination,
  readInfo,
  readLocalAddress,
  readService,
  serviceAttributes,
} from '../../../src/ipvs/codec.ts';
import { COMMAND, commandWithStats, INFO } from '../../../src/ipvs/tables.ts';
import type { Defence, SynProxy } from '../../../src/ipvs/types.ts';
import { AttributeReader, decodeTable, encodeTable, MessageWriter } from '../../../src/netlink/index.ts';
import { attr, be16, message, nest, text, u8, u16, u32, u64, zeros } from '../../support/netlink-bytes.ts';

const ADDRESS = new Uint8Array([192, 0, 2, 1]);
const key = { family: 2, protocol: 6, address: ADDRESS, port: 443, fwmark: 0 } as const;
const config = { ...key, scheduler: 'sh', flags: 0x11, timeout: 360, netmask: 0xffffff00, peName: '' };
const dest = {
  family: 2,
  address: new Uint8Array([10, 0, 0, 3]),
  port: 8080,
  method: 5,
  weight: 7,
  upperThreshold: 100,
  lowerThreshold: 50,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
} as const;

const hex = (bytes: readonly number[] | Uint8Array) => Buffer.from(bytes).toString('hex');
const encoded = (attributes: Parameters<typeof encodeTable<typeof COMMAND>>[2]) => {
  const writer = new MessageWriter().begin(20, 5);
  encodeTable(COMMAND, writer, attributes);
  return hex(writer.finish());
};
const decoded = (...parts: number[][]) => {
  const bytes = Buffer.from(parts.flat());
  return decodeTable(commandWithStats(), new AttributeReader(bytes, 0, bytes.length));
};

test('a service and a FULLNAT destination, byte for byte', () => {
  const service = nest(
    1,
    attr(1, u16(2)),
    attr(2, u16(6)),
    attr(3, [192, 0, 2, 1], zeros(12)),
    attr(4, be16(443)),
    attr(6, text('sh'), [0]),
    attr(7, u32(0x11), u32(0xffffffff)),
    attr(8, u32(360)),
    attr(9, [255, 255, 255, 0]),
  );
  const server = nest(
    2,
    attr(11, u16(2)),
    attr(1, [10, 0, 0, 3], zeros(12)),
    attr(2, be16(8080)),
    attr(3, u32(5)),
    attr(4, u32(7)),
    attr(13, u8(0)),
    attr(14, be16(0)),
    attr(15, u16(0)),
    attr(5, u32(100)),
    attr(6, u32(50)),
  );
  assert.equal(
    encoded({ service: serviceAttributes(config), dest: destinationAttributes(dest) }),
    hex(message(20, 5, 0, service, server)),
  );
});

test('a fwmark service is identified by family and mark; an IPv6 one has a prefix length', () => {
  const service = serviceAttributes({ ...config, family: 10, fwmark: 7, netmask: 64 }, 0x8000);
  assert.equal(
    encoded({ service }),
    hex(
      message(
        20,
        5,
        0,
        nest(
          1,
          attr(1, u16(10)),
          attr(5, u32(7)),
          attr(6, text('sh'), [0]),
          attr(7, u32(0x11), u32(0x8000)),
          attr(8, u32(360)),
          attr(9, u32(64)),
        ),
      ),
    ),
  );
});

test('a service from the kernel', () => {
  const service = readService(
    decoded(
      nest(
        1,
        attr(1, u16(2)),
        attr(2, u16(17)),
        attr(3, [192, 0, 2, 1], zeros(12)),
        attr(4, be16(53)),
        attr(6, text('rr'), [0]),
        attr(7, u32(0x8006), u32(0xffffffff)),
        attr(8, u32(0)),
        attr(9, [255, 255, 255, 255]),
        attr(12, ...[1n, 2n, 3n, 4n, 2n ** 64n - 1n, 6n, 7n, 8n, 9n, 10n].map((value, i) => attr(i + 1, u64(value)))),
        attr(33, u32(4)),
        attr(36, u16(5000)),
        attr(37, u16(65535)),
      ),
    ),
  );
  assert.deepEqual(service, {
    family: 2,
    protocol: 17,
    address: ADDRESS,
    port: 53,
    fwmark: 0,
    scheduler: 'rr',
    flags: 0x8006,
    timeout: 0,
    netmask: 0xffffffff,
    peName: '',
    portMin: 5000,
    portMax: 65535,
    synProxy: undefined,
    defence: undefined,
    numLocalAddresses: 4,
    stats: {
      connections: 1n,
      inPackets: 2n,
      outPackets: 3n,
      inBytes: 4n,
      outBytes: 2n ** 64n - 1n,
      connectionRate: 6n,
      inPacketRate: 7n,
      outPacketRate: 8n,
      inByteRate: 9n,
      outByteRate: 10n,
    },
  });
});

test('SYN proxy of a service: only what is given is sent, and all of it is read', () => {
  const key = { family: 2, protocol: 6, address: ADDRESS, port: 443, fwmark: 0 } as const;
  const head = [attr(1, u16(2)), attr(2, u16(6)), attr(3, [192, 0, 2, 1], zeros(12)), attr(4, be16(443))];
  const tail = [attr(6, text('sh'), [0]), attr(7, u32(0x11), u32(0xffffffff)), attr(8, u32(360))];
  const mask = attr(9, [255, 255, 255, 0]);
  const service = (synProxy: SynProxy) => encoded({ service: serviceAttributes({ ...config, ...key, synProxy }) });
  const bytes = (...settings: number[][]) =>
    hex(message(20, 5, 0, nest(1, ...head, ...tail, mask, nest(34, ...settings))));
  assert.equal(service({ enabled: false }), bytes(attr(1, u8(0))));
  const all = { mss: 1400, windowScale: 255, sack: false, timestamps: true, window: 0 };
  const settings = [
    attr(1, u8(1)),
    attr(2, u16(1400)),
    attr(3, u8(255)),
    attr(4, u8(0)),
    attr(5, u8(1)),
    attr(6, u16(0)),
  ];
  assert.equal(service({ enabled: true, ...all }), bytes(...settings));
  const read = readService(decoded(nest(1, ...head, ...tail, mask, nest(34, ...settings))));
  assert.deepEqual(read?.synProxy, { enabled: true, ...all });
  assert.equal(readService(decoded(nest(1, ...head, ...tail, mask)))?.synProxy, undefined);
});

test('defence of a service: flags, rate and burst are sent as one, and read', () => {
  const defences: [Defence, number][] = [
    [{ dropStrays: true, dropFragments: false, synRate: 0, synBurst: 1 }, 1],
    [{ dropStrays: false, dropFragments: true, synRate: 5000, synBurst: 500 }, 2],
    [{ dropStrays: true, dropFragments: true, synRate: 1_000_000, synBurst: 1 }, 3],
  ];
  for (const [defence, flags] of defences) {
    const nested = nest(35, attr(1, u32(flags)), attr(2, u32(defence.synRate)), attr(3, u32(defence.synBurst)));
    assert.ok(encoded({ service: serviceAttributes({ ...config, defence }) }).endsWith(hex(nested)));
    assert.deepEqual(readService(decoded(nest(1, attr(1, u16(2)), nested)))?.defence, defence);
  }
  assert.equal(readService(decoded(nest(1, attr(1, u16(2)))))?.defence, undefined);
});

test('a destination without a family has that of its service', () => {
  const read = readDestination(
    decoded(nest(2, attr(1, [10, 0, 0, 3], zeros(12)), attr(2, be16(8080)), attr(3, u32(0x105)), attr(7, u32(9)))),
    2,
  );
  assert.equal(read?.method, 5);
  assert.equal(read.family, 2);
  assert.deepEqual(read.address, dest.address);
  assert.equal(read.activeConnections, 9);
});

test('a local address from the kernel', () => {
  const read = readLocalAddress(
    decoded(
      nest(
        7,
        attr(1, [10, 1, 0, 1], zeros(12)),
        attr(2, u64(3n)),
        attr(3, u32(7)),
        attr(32, u16(2)),
        attr(33, u32(11)),
        attr(34, u32(60536)),
        attr(35, u64(1n)),
        attr(37, u32(1)),
      ),
    ),
    2,
  );
  assert.deepEqual(read, {
    family: 2,
    address: new Uint8Array([10, 1, 0, 1]),
    conflicts: 3n,
    connections: 7,
    portsInUse: 11,
    portsTotal: 60536,
    exhausted: 1n,
    draining: true,
  });
});

test('features are a bitmap; a stock kernel has none', () => {
  const info = (...parts: number[][]) => {
    const bytes = Buffer.from(parts.flat());
    return readInfo(decodeTable(INFO, new AttributeReader(bytes, 0, bytes.length)));
  };
  const stock = info(attr(1, u32(0x010201)), attr(2, u32(4096)));
  assert.deepEqual([...stock.features], []);
  assert.equal(stock.generation, undefined);
  const ours = info(attr(1, u32(0x010201)), attr(2, u32(4096)), attr(32, u32(0b101), u32(1)), attr(34, text('x'), [0]));
  assert.deepEqual([...ours.features], ['FULLNAT', 'LADDR_DRAIN']);
  assert.equal(ours.buildId, 'x');
});

test('secrets of cookies and their fingerprints', () => {
  const cookieSecret = new Uint8Array(16).fill(7);
  assert.equal(
    encoded({ cookieSecret, secretFlags: 1 }),
    hex(message(20, 5, 0, attr(37, [...cookieSecret]), attr(38, u32(1)))),
  );
  const fingerprints = (...parts: number[][]) => {
    const bytes = Buffer.from(parts.flat());
    return readInfo(decodeTable(INFO, new AttributeReader(bytes, 0, bytes.length))).cookieKeys;
  };
  const version = attr(1, u32(0x010201));
  assert.deepEqual(fingerprints(version), []);
  assert.deepEqual(fingerprints(version, attr(37, u32(0x89abcdef), u32(1))), [0x89abcdef, 1]);
});
