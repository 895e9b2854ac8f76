// SPDX-License-Identifier: MIT
// The JSON of tables against the published schema, and 64-bit numbers digit for digit.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Ajv as AjvClass } from 'ajv';
import { AF_INET, AF_INET6 } from '../../../../src/base/addresses.ts';
import type { Destination, LocalAddress, Service, Stats } from '../../../../src/ipvs/index.ts';
import { serviceJson } from '../../../../src/ipvsadm/print/json/table.ts';
import { type Json, jsonText } from '../../../../src/ipvsadm/print/json/text.ts';

const { Ajv } = createRequire(import.meta.url)('ajv') as { Ajv: typeof AjvClass };
const schema = JSON.parse(readFileSync(new URL('../../../../docs/lvsadm.schema.json', import.meta.url), 'utf8'));
const valid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);

const MOST = 0xffff_ffff_ffff_ffffn;
const stats: Stats = {
  connections: MOST,
  inPackets: 2n ** 53n + 1n,
  outPackets: 3n,
  inBytes: 4n,
  outBytes: 5n,
  connectionRate: 6n,
  inPacketRate: 7n,
  outPacketRate: 8n,
  inByteRate: 9n,
  outByteRate: 10n,
};
const service: Service = {
  family: AF_INET,
  protocol: 6,
  address: new Uint8Array([192, 0, 2, 1]),
  port: 80,
  fwmark: 0,
  scheduler: 'sh',
  flags: 0x1 | 0x2 | 0x8 | 0x10,
  timeout: 300,
  netmask: 0xffffff00,
  peName: 'sip',
  portMin: 5000,
  portMax: 6000,
  numLocalAddresses: 1,
  stats,
};
const destination: Destination = {
  family: AF_INET6,
  address: new Uint8Array(16).fill(1),
  port: 8080,
  method: 2,
  weight: -1,
  upperThreshold: 0xffffffff,
  lowerThreshold: 1,
  tunnelType: 1,
  tunnelPort: 6080,
  tunnelFlags: 2,
  activeConnections: 1,
  inactiveConnections: 2,
  persistentConnections: 3,
  stats,
};
const localAddress: LocalAddress = {
  family: AF_INET,
  address: new Uint8Array([10, 1, 0, 1]),
  conflicts: MOST,
  connections: 3,
  portsInUse: 3,
  portsTotal: 60000,
  exhausted: 0n,
  draining: true,
};

const document = (services: Json[]) => jsonText({ version: '1.2.1', tableSize: 4096, services });

function check(text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  assert.ok(valid(parsed), JSON.stringify(valid.errors));
  return parsed;
}

test('a table with every kind of entry is valid', () => {
  const marked = {
    ...service,
    fwmark: 7,
    flags: 0,
    family: AF_INET6,
    address: new Uint8Array(16),
    peName: '',
  } as const;
  check(
    document([
      serviceJson({ service, destinations: [destination], localAddresses: [localAddress] }),
      serviceJson({ service: marked, destinations: [{ ...destination, method: 6 }] }),
      ...[0, 1, 3, 4, 5].map((method) => serviceJson({ service, destinations: [{ ...destination, method }] })),
    ]),
  );
});

test('counters keep all 64 bits', () => {
  const text = document([serviceJson({ service, destinations: [], localAddresses: [localAddress] })]);
  assert.match(text, /"stats":\{"connections":18446744073709551615,"inPackets":9007199254740993,/);
  assert.match(text, /"conflicts":18446744073709551615,/);
});

test('the keys of a service', () => {
  const { services } = check(document([serviceJson({ service, destinations: [destination] })])) as {
    services: Record<string, unknown>[];
  };
  const { stats: counted, rates, realServers, ...rest } = services[0] ?? {};
  assert.deepEqual(rest, {
    family: 'ipv4',
    protocol: 'tcp',
    address: '192.0.2.1',
    port: 80,
    scheduler: 'sh',
    schedulerFlags: ['sh-fallback', 'sh-port'],
    persistence: { timeout: 300, netmask: '255.255.255.0' },
    persistenceEngine: 'sip',
    onePacket: false,
    synProxy: false,
    defence: null,
    localPorts: { min: 5000, max: 6000 },
  });
  assert.deepEqual(Object.keys(counted as object), Object.keys(rates as object));
  assert.equal((realServers as { tunnel: { checksum: string } }[])[0]?.tunnel.checksum, 'remote');
});

test('the schema rejects documents without required keys', () => {
  assert.equal(valid({ version: '1.2.1', tableSize: 1, services: [{}] }), false);
  assert.equal(valid({ connections: [{ protocol: 'tcp' }] }), false);
  assert.equal(valid({}), false);
});

test('jsonText equals JSON.stringify, except for 64-bit numbers', () => {
  for (const value of [
    null,
    true,
    'a"\u0000\ud800',
    1.5,
    [],
    {},
    [1, [2]],
    { a: undefined, b: { c: [null] } },
  ] as Json[])
    assert.equal(jsonText(value), JSON.stringify(value));
  assert.equal(jsonText([MOST, -1n]), '[18446744073709551615,-1]');
});
