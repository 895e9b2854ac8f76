// SPDX-License-Identifier: MIT
// lab: --uml
// Configuration of SYN proxy: the flag and what changes it, the attribute, refusals, and secrets of cookies.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { type Namespace, Topology } from '../../../lab/topology.ts';
import { AF_INET, AF_INET6, parseIpv6 } from '../../../src/base/addresses.ts';
import {
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_MASQ,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
  IPPROTO_UDP,
  IPVS_CMD_SET_SERVICE,
  Ipvs,
} from '../../../src/ipvs/index.ts';
import { GenericNetlink, type MessageWriter } from '../../../src/netlink/index.ts';
import { destConfig, ip4, run, serviceConfig } from '../fullnat/rig.ts';
import { netnsPath } from '../fullnat/wire.ts';

const vip = '10.99.0.10';
const real = '10.31.4.2';
const network = new Topology();
let where: Namespace;
let ipvs: Ipvs;
let raw: GenericNetlink;

const tcp = serviceConfig(vip, 80);
const proxied = { ...tcp, flags: IP_VS_SVC_F_SYNPROXY };

before(() => {
  if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
  where = network.namespace('lb');
  where.ip(`addr add ${vip}/32 dev lo`);
  ipvs = new Ipvs({ netns: netnsPath(where) });
  raw = new GenericNetlink({ netns: netnsPath(where) });
});

beforeEach(() => ipvs.flush());

after(async () => {
  ipvs.close();
  raw.close();
  await network.destroy();
});

const isOn = async () => ((await ipvs.service(tcp)).flags & IP_VS_SVC_F_SYNPROXY) !== 0;
const refused = (attempt: Promise<unknown>, errnoName: string, says: RegExp) =>
  assert.rejects(attempt, (error: { errnoName?: string; extendedAck?: { message?: string } }) => {
    assert.equal(error.errnoName, errnoName);
    assert.match(error.extendedAck?.message ?? '', says);
    return true;
  });

test('the kernel announces the feature', async () => {
  const features = await ipvs.features();
  assert.ok(features.has('SYNPROXY') && features.has('SYNPROXY_NAT'));
});

test('only the mask of the flag itself changes it on a service that exists', async () => {
  await ipvs.addService(proxied);
  assert.equal(await isOn(), true);
  // Stock tools write all flags, and do not know this one.
  await ipvs.setService({ ...tcp, flags: IP_VS_SVC_F_PERSISTENT, timeout: 60 });
  assert.equal(await isOn(), true);
  assert.equal((await ipvs.service(tcp)).flags & IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_PERSISTENT);
  await ipvs.setService(tcp, IP_VS_SVC_F_SYNPROXY);
  assert.equal(await isOn(), false);
  assert.equal((await ipvs.service(tcp)).flags & IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_PERSISTENT);
  await ipvs.setService(proxied);
  assert.equal(await isOn(), false);
  await ipvs.setService(proxied, IP_VS_SVC_F_SYNPROXY);
  assert.equal(await isOn(), true);
});

test('services that cannot have it are refused', async () => {
  const says = /TCP services of an IPv4 address only/;
  await refused(
    ipvs.addService({ ...serviceConfig(vip, 53), protocol: IPPROTO_UDP, flags: 0x8000 }),
    'EOPNOTSUPP',
    says,
  );
  await refused(ipvs.addService({ ...serviceConfig('0.0.0.0', 0), fwmark: 7, flags: 0x8000 }), 'EOPNOTSUPP', says);
  const address = parseIpv6('2001:db8::1') ?? new Uint8Array(16);
  const six = serviceConfig(vip, 80, { family: AF_INET6, address, netmask: 128, flags: 0x8000 });
  await refused(ipvs.addService(six), 'EOPNOTSUPP', says);
});

test('real servers of another method are refused beside it', async () => {
  const says = /NAT and FULLNAT destinations only/;
  const direct = destConfig(real, 80, { method: IP_VS_CONN_F_DROUTE });
  await ipvs.addService(proxied);
  await refused(ipvs.addDestination(tcp, direct), 'EOPNOTSUPP', says);
  await ipvs.addDestination(tcp, destConfig(real, 80));
  await ipvs.addDestination(tcp, destConfig(real, 81, { method: IP_VS_CONN_F_MASQ }));
  await refused(ipvs.setDestination(tcp, direct), 'EOPNOTSUPP', says);
  await ipvs.flush();
  await ipvs.addService(tcp);
  await ipvs.addDestination(tcp, direct);
  await refused(ipvs.setService(proxied, IP_VS_SVC_F_SYNPROXY), 'EOPNOTSUPP', says);
});

/** SET_SERVICE of the service with a nested attribute 34, byte by byte. */
function setOptions(write: (writer: MessageWriter) => void): Promise<unknown> {
  return raw.request('IPVS', IPVS_CMD_SET_SERVICE, (writer) => {
    const service = writer.beginNest(1);
    const address = Buffer.alloc(16);
    address.set(ip4(vip));
    const flags = Buffer.alloc(8);
    writer.u16(1, AF_INET).u16(2, 6).bytes(3, address).be16(4, 80);
    writer.string(6, 'rr').bytes(7, flags).u32(8, 0).u32(9, 0xffffffff);
    const nest = writer.beginNest(34);
    write(writer);
    writer.endNest(nest);
    writer.endNest(service);
  });
}

test('the attribute switches it and is read strictly', async () => {
  await ipvs.addService(tcp);
  await setOptions((writer) => writer.u8(1, 1));
  assert.equal(await isOn(), true);
  await setOptions((writer) => writer.u16(2, 1400).u8(3, 255).u8(4, 0).u8(5, 1).u16(6, 0));
  assert.equal(await isOn(), true, 'options alone leave the flag');
  await setOptions((writer) => writer.u8(1, 0));
  assert.equal(await isOn(), false);
  for (const [what, write] of [
    ['enable 2', (writer) => writer.u8(1, 2)],
    ['a scale of 15', (writer) => writer.u8(3, 15)],
    ['a tiny MSS', (writer) => writer.u16(2, 100)],
    ['SACK 2', (writer) => writer.u8(4, 2)],
    ['an unknown attribute', (writer) => writer.u8(9, 1)],
    ['a u32 for a u16', (writer) => writer.u32(2, 1400)],
  ] as [string, (writer: MessageWriter) => void][])
    await assert.rejects(setOptions(write), (error: { errnoName?: string }) => {
      assert.match(error.errnoName ?? '', /^(EINVAL|ERANGE)$/, what);
      return true;
    });
});

const keys = async () => (await ipvs.info()).cookieKeys ?? [];

test('secrets of cookies are staged and used; their fingerprints differ', async () => {
  const [random] = await keys();
  assert.ok(random !== undefined);
  const first = Buffer.alloc(16, 1);
  const second = Buffer.alloc(16, 2);
  await ipvs.setCookieSecret(first, { stage: true });
  const [still, staged] = await keys();
  assert.equal(still, random);
  assert.ok(staged !== undefined && staged !== random);
  await ipvs.setCookieSecret(first);
  assert.deepEqual(await keys(), [staged]);
  await ipvs.setCookieSecret(first);
  assert.deepEqual(await keys(), [staged], 'the same again changes nothing');
  await refused(ipvs.setCookieSecret(second, { stage: true }), 'EBUSY', /still accepted/);
  await ipvs.setSecret(second);
  assert.deepEqual(await keys(), [staged], 'the secret of sequence numbers is another one');

  // The same secret has the same fingerprint elsewhere.
  const other = network.namespace('lb2');
  const there = new Ipvs({ netns: netnsPath(other) });
  await there.setCookieSecret(first);
  assert.deepEqual((await there.info()).cookieKeys, [staged]);
  there.close();
});
