// SPDX-License-Identifier: MIT
// Messages of rtnetlink, compared with bytes written by hand after linux/if_addr.h.
import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { MalformedError } from '../../../src/base/errors.ts';
import { readAddress, readLink, writeNewAddress, writeOldAddress } from '../../../src/net/rtnetlink.ts';
import { MessageView, MessageWriter } from '../../../src/netlink/index.ts';

const skip = endianness() === 'BE' && 'the bytes are those of a little-endian machine';
const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const V4 = Uint8Array.from([192, 0, 2, 10]);
const V6 = Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]);

/** The payload of a message. */
function written(write: (writer: MessageWriter) => void): string {
  const writer = new MessageWriter();
  write(writer.begin(20, 0));
  return writer.finish().toString('hex', 16);
}

/** A view at a message with that payload. */
function view(payload: Buffer): MessageView {
  const buffer = Buffer.alloc(16 + payload.length);
  buffer.writeUInt32LE(buffer.length, 0);
  buffer.writeUInt16LE(20, 4);
  payload.copy(buffer, 16);
  const message = new MessageView(buffer, 0, buffer.length);
  assert.ok(message.next());
  return message;
}

const place = { index: 3, loopback: false, family: 2, address: V4, prefix: 32 } as const;
const LOCAL_AND_ADDRESS = '0800 0200 c000020a 0800 0100 c000020a';
const PROTO = '0500 0b00 4c000000';

test('requests for IPv4 addresses', { skip }, () => {
  const text = (bytes: string) => hex(bytes).toString('hex');
  assert.equal(
    written((writer) => writeNewAddress(writer, { ...place, purpose: 'virtual' })),
    text(`02 20 00 00 03000000 ${LOCAL_AND_ADDRESS} ${PROTO}`),
  );
  assert.equal(
    written((writer) => writeNewAddress(writer, { ...place, purpose: 'local' })),
    text(`02 20 00 fd 03000000 ${LOCAL_AND_ADDRESS} ${PROTO}`),
  );
  assert.equal(
    written((writer) => writeNewAddress(writer, { ...place, loopback: true, purpose: 'local' })),
    text(`02 20 00 fe 03000000 ${LOCAL_AND_ADDRESS} ${PROTO}`),
  );
  assert.equal(
    written((writer) => writeOldAddress(writer, place)),
    text(`02 20 00 00 03000000 ${LOCAL_AND_ADDRESS}`),
  );
});

test('an IPv6 address has preferred_lft 0, valid_lft forever, NODAD and NOPREFIXROUTE', { skip }, () => {
  const bytes = Buffer.from(V6).toString('hex');
  assert.equal(
    written((writer) => writeNewAddress(writer, { ...place, family: 10, address: V6, prefix: 128, purpose: 'local' })),
    hex(`0a 80 00 00 03000000 1400 0200 ${bytes} 1400 0100 ${bytes}
      1400 0600 00000000 ffffffff 00000000 00000000 0800 0800 02020000 ${PROTO}`).toString('hex'),
  );
});

test('addresses are read: protocol, point-to-point links, secondary and temporary ones', { skip }, () => {
  const header = '02 20 80 00 03000000';
  assert.deepEqual(readAddress(view(hex(`${header} ${LOCAL_AND_ADDRESS} ${PROTO}`))), {
    index: 3,
    family: 2,
    address: V4,
    prefix: 32,
    secondary: false,
    protocol: 76,
    tentative: false,
  });
  assert.equal(readAddress(view(hex(`${header} ${LOCAL_AND_ADDRESS} 0500 0b00 03000000`)))?.protocol, 3);
  assert.equal(readAddress(view(hex(`${header} ${LOCAL_AND_ADDRESS}`)))?.protocol, 0);
  for (const [flags, tentative] of [
    ['40', true],
    ['08', true],
    ['82', false],
  ] as const) {
    const bytes = `${header} ${LOCAL_AND_ADDRESS} 0800 0800 ${flags}000000`;
    assert.equal(readAddress(view(hex(bytes)))?.tentative, tentative);
  }
  const pointToPoint = `${header} 0800 0100 c0000201 0800 0200 c000020a`;
  assert.deepEqual(readAddress(view(hex(pointToPoint)))?.address, V4);
  assert.equal(readAddress(view(hex(`02 18 01 00 03000000 ${LOCAL_AND_ADDRESS}`)))?.secondary, true);
  // IPv6 has another meaning for that bit: a temporary address.
  const temporary = `0a 40 01 00 03000000 1400 0100 ${Buffer.from(V6).toString('hex')}`;
  assert.equal(readAddress(view(hex(temporary)))?.secondary, false);
  assert.equal(readAddress(view(hex(`1c 20 80 00 03000000 ${LOCAL_AND_ADDRESS}`))), undefined);
});

test('a link is read', { skip }, () => {
  const eth0 = hex('00 00 0100 02000000 43100100 00000000 0900 0300 6574683000000000');
  const base = { index: 2, name: 'eth0', loopback: false, up: true, carrier: true };
  assert.deepEqual(readLink(view(eth0)), { ...base, hardwareAddress: new Uint8Array() });
  const unplugged = hex('00 00 0100 02000000 03100000 00000000 0a00 0100 020000000001 0000 0900 0300 6574683000000000');
  const hardwareAddress = Uint8Array.of(2, 0, 0, 0, 0, 1);
  assert.deepEqual(readLink(view(unplugged)), { ...base, carrier: false, hardwareAddress });
  const off = hex('00 00 0100 02000000 02100000 00000000 0900 0300 6574683000000000');
  assert.equal(readLink(view(off)).up, false);
  const lo = hex('00 00 0403 01000000 49000100 00000000 0700 0300 6c6f0000');
  assert.deepEqual(readLink(view(lo)), {
    index: 1,
    name: 'lo',
    loopback: true,
    up: true,
    carrier: true,
    hardwareAddress: new Uint8Array(),
  });
});

test('malformed bytes are a MalformedError', () => {
  for (const [read, bytes] of [
    [readAddress, ''],
    [readAddress, '02 20 80'],
    [readAddress, '02 20 80 00 03000000'],
    [readAddress, '02 20 80 00 03000000 0600 0200 c0000000'],
    [readAddress, '02 20 80 00 03000000 ff00 0200 c0000000'],
    [readLink, '00 00 0403 01000000 49000100'],
    [readLink, '00 00 0403 01000000 49000100 00000000 0300 0300'],
  ] as const)
    assert.throws(() => read(view(hex(bytes))), MalformedError, bytes);
});
