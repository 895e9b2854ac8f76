// SPDX-License-Identifier: MIT
// Configurations that FULLNAT does not support are rejected with an errno and an extended ACK.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { type Namespace, Topology, until } from '../../../lab/topology.ts';
import { AF_INET, AF_INET6, parseIpv6 } from '../../../src/base/addresses.ts';
import { NetlinkError } from '../../../src/base/errors.ts';
import {
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IPPROTO_UDP,
  IPVS_CMD_DEL_LADDR,
  IPVS_CMD_GET_LADDR,
  IPVS_CMD_NEW_LADDR,
  Ipvs,
  type ServiceConfig,
} from '../../../src/ipvs/index.ts';
import { GenericNetlink, type MessageWriter } from '../../../src/netlink/index.ts';
import { destConfig, getVs, ip4, run, serviceConfig, setVs, within } from './rig.ts';
import { netnsPath } from './wire.ts';

const vip = '10.99.0.10';
const laddr = '10.31.3.101';
const real = '10.31.4.2';

const network = new Topology();
let where: Namespace;
let other: Namespace;
let ipvs: Ipvs;
let raw: GenericNetlink;
const tcp = serviceConfig(vip, 80);

before(() => {
  if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
  run('modprobe', '-a', 'ip_vs_pe_sip', 'ip_vs_rr', 'ip_vs_wrr');
  where = network.namespace('lb');
  other = network.namespace('lb2');
  network.link({ in: where, device: 'in0', addresses: ['10.31.3.2/24'] }, { in: other, device: 'in0' });
  where.ip('addr add 10.31.3.255/32 dev lo', 'addr del 10.31.3.255/32 dev lo', `addr add ${vip}/32 dev lo`);
  ipvs = new Ipvs({ netns: netnsPath(where) });
  raw = new GenericNetlink({ netns: netnsPath(where) });
});

beforeEach(() => ipvs.flush());

after(async () => {
  ipvs.close();
  raw.close();
  await network.destroy();
});

async function refused(attempt: Promise<unknown>, errno: string, sentence: RegExp | undefined): Promise<void> {
  const before = (await ipvs.info()).generation;
  await assert.rejects(attempt, (error: unknown) => {
    assert.ok(error instanceof NetlinkError, String(error));
    assert.equal(error.errnoName, errno);
    if (sentence) assert.match(error.extendedAck.message ?? '', sentence);
    return true;
  });
  assert.equal((await ipvs.info()).generation, before, 'a rejected request changes nothing');
}

const v6 = (text: string) => parseIpv6(text) ?? new Uint8Array(16);
const persistent = { flags: IP_VS_SVC_F_PERSISTENT, timeout: 300 };
const cannot: { name: string; service: ServiceConfig; dest?: ReturnType<typeof destConfig>; says: RegExp }[] = [
  {
    name: 'UDP',
    service: serviceConfig(vip, 53, { protocol: IPPROTO_UDP }),
    says: /FULLNAT supports TCP services only/,
  },
  {
    name: 'IPv6',
    service: serviceConfig(vip, 80, { family: AF_INET6, address: v6('2001:db8::1'), netmask: 128 }),
    dest: destConfig(real, 80, { family: AF_INET6, address: v6('2001:db8:1::2') }),
    says: /FULLNAT supports IPv4 only/,
  },
  {
    name: 'a real server of another family',
    service: tcp,
    dest: destConfig(real, 80, { family: AF_INET6, address: v6('2001:db8:1::2') }),
    says: /another family than its service/,
  },
  {
    name: 'a firewall mark',
    service: serviceConfig('0.0.0.0', 0, { fwmark: 7, protocol: 0 }),
    says: /firewall mark/,
  },
  {
    name: 'one-packet scheduling',
    service: serviceConfig(vip, 80, { flags: IP_VS_SVC_F_ONEPACKET }),
    says: /one-packet/,
  },
  { name: 'FTP', service: serviceConfig(vip, 21), says: /FTP/ },
  { name: 'all ports', service: serviceConfig(vip, 0, persistent), says: /all ports/ },
  {
    name: 'a persistence engine',
    service: serviceConfig(vip, 80, { ...persistent, peName: 'sip' }),
    says: /persistence engines/,
  },
  { name: 'a real server on this host', service: tcp, dest: destConfig(vip, 80), says: /real server on this host/ },
  { name: 'method 6', service: tcp, dest: destConfig(real, 80, { method: 6 }), says: /method is not known/ },
  { name: 'method 7', service: tcp, dest: destConfig(real, 80, { method: 7 }), says: /method is not known/ },
];

for (const { name, service, dest = destConfig(real, 80), says } of cannot) {
  test(`a FULLNAT real server is rejected: ${name}`, async () => {
    await ipvs.addService(service);
    await refused(ipvs.addDestination(service, dest), 'EINVAL', says);
    assert.deepEqual(await ipvs.destinations(service), []);
  });
}

test('a real server cannot become FULLNAT where it could not be added', async () => {
  const udp = serviceConfig(vip, 53, { protocol: IPPROTO_UDP });
  await ipvs.addService(udp);
  await ipvs.addDestination(udp, destConfig(real, 53, { method: IP_VS_CONN_F_MASQ }));
  await refused(ipvs.setDestination(udp, destConfig(real, 53)), 'EINVAL', /TCP services only/);
  assert.equal((await ipvs.destinations(udp))[0]?.method, IP_VS_CONN_F_MASQ);
});

for (const [name, change] of [
  ['one-packet scheduling', { flags: IP_VS_SVC_F_ONEPACKET }],
  ['a persistence engine', { ...persistent, peName: 'sip' }],
] as const) {
  test(`a service with FULLNAT real servers cannot get ${name}`, async () => {
    await ipvs.addService(tcp);
    await ipvs.addDestination(tcp, destConfig(real, 80));
    await refused(ipvs.setService({ ...tcp, ...change }), 'EINVAL', /FULLNAT/);
  });
}

for (const [name, flags, says] of [
  ['an unknown flag', 0x40, /flag of the service is not known/],
  ['another unknown flag', 0x10000, /flag of the service is not known/],
] as const) {
  test(`unknown service flags are rejected: ${name}`, async () => {
    const attempt = (command: number) =>
      raw.request('IPVS', command, (writer) => {
        const nest = writer.beginNest(1);
        serviceNest(writer, 80);
        const words = Buffer.alloc(8);
        words.writeUInt32LE(flags, 0);
        words.writeUInt32LE(0xffffffff, 4);
        writer.string(6, 'rr').bytes(7, words).u32(8, 0).u32(9, 0xffffffff);
        writer.endNest(nest);
      });
    await refused(attempt(1), 'EINVAL', says);
    await ipvs.addService(tcp);
    await refused(attempt(2), 'EINVAL', says);
  });
}

function serviceNest(writer: MessageWriter, port: number): void {
  const address = Buffer.alloc(16);
  address.set(ip4(vip));
  writer.u16(1, AF_INET).u16(2, 6).bytes(3, address).be16(4, port);
}

/** A request for a local address, byte by byte; `nested`: with the NLA_F_NESTED bit, which strict parsing requires. */
function laddrRequest(write: (writer: MessageWriter) => void, nested = true) {
  return (writer: MessageWriter) => {
    const clear = (at: number) => writer.endNest(at);
    const service = writer.beginNest(1);
    serviceNest(writer, 80);
    clear(service);
    if (nested) {
      const at = writer.beginNest(7);
      write(writer);
      writer.endNest(at);
    } else {
      const address = Buffer.alloc(8);
      address.writeUInt16LE(8, 0);
      address.writeUInt16LE(1, 2);
      address.set(ip4(laddr), 4);
      writer.bytes(7, address);
    }
  };
}

test('local addresses: existing, missing and invalid ones', async () => {
  const udp = serviceConfig(vip, 53, { protocol: IPPROTO_UDP });
  await refused(ipvs.addLocalAddress(tcp, ip4(laddr)), 'ESRCH', /Service not found/);
  await assert.rejects(ipvs.localAddresses(tcp), { errnoName: 'ESRCH' });
  await ipvs.addService(tcp);
  await ipvs.addLocalAddress(tcp, ip4(laddr));
  await refused(ipvs.addLocalAddress(tcp, ip4(laddr)), 'EEXIST', /already exists/);
  await refused(ipvs.deleteLocalAddress(tcp, ip4('10.31.3.9')), 'ENOENT', /not found/);
  for (const [text, says] of [
    ['0.0.0.0', /0\.0\.0\.0/],
    ['127.0.0.1', /loopback/],
    ['224.0.0.18', /multicast/],
    ['255.255.255.255', /broadcast/],
  ] as const) {
    await refused(ipvs.addLocalAddress(tcp, ip4(text)), 'EINVAL', says);
  }
  await ipvs.addService(udp);
  await refused(ipvs.addLocalAddress(udp, ip4(laddr)), 'EINVAL', /TCP service/);
  const mark = serviceConfig('0.0.0.0', 0, { fwmark: 7, protocol: 0 });
  await ipvs.addService(mark);
  await refused(ipvs.addLocalAddress(mark, ip4(laddr)), 'EINVAL', /firewall mark/);
  const six = serviceConfig(vip, 80, { family: AF_INET6, address: v6('2001:db8::1'), netmask: 128 });
  await ipvs.addService(six);
  await refused(ipvs.addLocalAddress(six, v6('2001:db8::9')), 'EINVAL', /IPv6/);
  assert.deepEqual(
    (await ipvs.localAddresses(tcp)).map(({ address }) => address.join('.')),
    [laddr],
  );
  assert.equal((await ipvs.service(tcp)).numLocalAddresses, 1);
});

test('requests for local addresses, attribute by attribute', async () => {
  await ipvs.addService(tcp);
  const set = (write: (writer: MessageWriter) => void) => raw.request('IPVS', IPVS_CMD_NEW_LADDR, laddrRequest(write));
  const union = Buffer.alloc(16);
  union.set(ip4(laddr));
  const about = raw.request('IPVS', IPVS_CMD_NEW_LADDR, (writer) => {
    const at = writer.beginNest(1);
    serviceNest(writer, 80);
    writer.endNest(at);
  });
  await refused(about, 'EINVAL', /missing/);
  await refused(
    set(() => {}),
    'EINVAL',
    /missing or too short/,
  );
  await refused(
    set((writer) => writer.bytes(1, new Uint8Array(3))),
    'EINVAL',
    /missing or too short/,
  );
  await refused(
    set((writer) => writer.bytes(1, union).u16(32, AF_INET6)),
    'EINVAL',
    /family of its service/,
  );
  await refused(
    set((writer) => writer.bytes(1, union).u32(37, 2)),
    'EINVAL',
    /flag of the local address/,
  );
  await refused(
    set((writer) => writer.bytes(1, union).u32(37, 1)),
    'EINVAL',
    /cannot be draining/,
  );
  await refused(
    set((writer) => writer.bytes(1, Buffer.alloc(17))),
    'ERANGE',
    undefined,
  ).catch(() =>
    refused(
      set((writer) => writer.bytes(1, Buffer.alloc(17))),
      'EINVAL',
      undefined,
    ),
  );
  // As old programs write it, without the NESTED bit and with four bytes of address; then an unknown attribute.
  await raw.request(
    'IPVS',
    IPVS_CMD_NEW_LADDR,
    laddrRequest(() => {}, false),
  );
  assert.equal((await ipvs.localAddresses(tcp)).length, 1);
  await raw.request(
    'IPVS',
    IPVS_CMD_DEL_LADDR,
    laddrRequest((writer) => writer.bytes(1, union).u32(99, 1)),
  );
  assert.equal((await ipvs.localAddresses(tcp)).length, 0);
  await assert.rejects(
    raw.dump(
      'IPVS',
      IPVS_CMD_GET_LADDR,
      () => {},
      () => undefined,
    ),
    (error: unknown) => error instanceof NetlinkError && ['EINVAL', 'ESRCH'].includes(error.errnoName),
  );
  for (const command of [21, 31, 32, 38]) await refused(raw.request('IPVS', command), 'EOPNOTSUPP', undefined);
});

test('port ranges of a service are validated, changed and removed', async () => {
  const ranged = (portMin?: number, portMax?: number) => ({ ...tcp, portMin, portMax });
  const of = async () => {
    const { portMin, portMax } = await ipvs.service(tcp);
    return [portMin, portMax];
  };
  await refused(ipvs.addService(ranged(1024, 2000)), 'EINVAL', /1025 to 65535/);
  await refused(ipvs.addService(ranged(3000, 2000)), 'EINVAL', /above the last/);
  await refused(ipvs.addService(ranged(3000)), 'EINVAL', /both ends/);
  await refused(
    ipvs.addService(serviceConfig(vip, 53, { protocol: IPPROTO_UDP, portMin: 2000, portMax: 3000 })),
    'EINVAL',
    /TCP service/,
  );
  await ipvs.addService(ranged(2000, 2009));
  assert.deepEqual(await of(), [2000, 2009]);
  await ipvs.addLocalAddress(tcp, ip4(laddr));
  assert.equal((await ipvs.localAddresses(tcp))[0]?.portsTotal, 10);
  await refused(ipvs.setService(ranged(undefined, 2000)), 'EINVAL', /both ends/);
  await ipvs.setService(ranged(1025, 65535));
  assert.deepEqual(await of(), [1025, 65535]);
  await ipvs.setService({ ...tcp, scheduler: 'wrr' });
  assert.deepEqual(await of(), [1025, 65535], 'a change without a range keeps it');
  await ipvs.setService(ranged(0, 0));
  assert.deepEqual(await of(), [undefined, undefined]);
  assert.equal((await ipvs.localAddresses(tcp))[0]?.portsTotal, 65535 - 5000 + 1);
});

test('Debian’s ipvsadm edits services and real servers without touching local addresses', async () => {
  await ipvs.addService({ ...tcp, portMin: 2000, portMax: 3000 });
  await ipvs.addLocalAddress(tcp, ip4(laddr));
  await ipvs.addDestination(tcp, destConfig(real, 80));
  where.run(['ipvsadm', '-E', '-t', `${vip}:80`, '-s', 'wrr', '-p', '60']);
  where.run(['ipvsadm', '-a', '-t', `${vip}:80`, '-r', '10.31.5.2:80', '-m']);
  where.run(['ipvsadm', '-e', '-t', `${vip}:80`, '-r', '10.31.5.2:80', '-m', '-w', '3']);
  where.run(['ipvsadm', '-Z']);
  const service = await ipvs.service(tcp);
  assert.deepEqual([service.scheduler, service.timeout, service.portMin, service.portMax], ['wrr', 60, 2000, 3000]);
  assert.deepEqual(
    (await ipvs.localAddresses(tcp)).map(({ address }) => address.join('.')),
    [laddr],
  );
  assert.deepEqual((await ipvs.destinations(tcp)).map(({ method, weight }) => [method, weight]).sort(), [
    [0, 3],
    [5, 1],
  ]);
});

test('keepalived edits its service without touching its local addresses', async () => {
  const file = '/tmp/keepalived.conf';
  const config = (scheduler: string, weight: number) =>
    `virtual_server ${vip} 80 {\nlvs_sched ${scheduler}\nlvs_method NAT\nprotocol TCP
real_server 10.31.5.2 80 {\nweight ${weight}\n}\n}\n`;
  const settled = (scheduler: string, weight: number) =>
    until(
      `${scheduler}, weight ${weight}`,
      () => {
        const { stdout } = where.run(['ipvsadm', '-Sn']);
        return stdout.includes(`:80 -s ${scheduler}`) && stdout.includes(`10.31.5.2:80 -m -w ${weight}`);
      },
      60_000,
    );
  writeFileSync(file, config('wrr', 2));
  const words = ['-n', '-l', '-C', '-f', file, '-p', '/tmp/keepalived.pid', '-c', '/tmp/keepalived-checkers.pid'];
  const daemon = where.spawn(['keepalived', ...words]);
  try {
    await settled('wrr', 2);
    await ipvs.addLocalAddress(tcp, ip4(laddr));
    await ipvs.setService({ ...(await ipvs.service(tcp)), portMin: 2000, portMax: 3000 });
    await ipvs.addDestination(tcp, destConfig(real, 80));
    writeFileSync(file, config('sh', 3));
    daemon.child.kill('SIGHUP');
    await settled('sh', 3);
    assert.deepEqual(
      (await ipvs.localAddresses(tcp)).map(({ address }) => address.join('.')),
      [laddr],
    );
    const { portMin, portMax } = await ipvs.service(tcp);
    assert.deepEqual([portMin, portMax], [2000, 3000]);
    assert.ok((await ipvs.destinations(tcp)).some(({ method }) => method === IP_VS_CONN_F_FULLNAT));
  } finally {
    await daemon.stop();
  }
});

const ranges: Record<string, { good: number[]; bad: number[] }> = {
  fullnat_lport_min: { good: [1025, 65535], bad: [1024, 65536, -1] },
  fullnat_toa_kind: { good: [200, 254], bad: [199, 255, 8] },
  fullnat_toa_entry: { good: [0, 1], bad: [2, -1] },
  fullnat_mss_adjust_entry: { good: [0, 1], bad: [2] },
  fullnat_timestamp_remove_entry: { good: [0, 1], bad: [2] },
  fullnat_conn_reused_entry: { good: [0, 1], bad: [2] },
  fullnat_exhaust_drop: { good: [0, 1], bad: [2] },
  conn_expire_tcp_rst: { good: [0, 1], bad: [2] },
  timeout_established: { good: [0, 1, 86400], bad: [-1, 2 ** 31 - 1] },
  timeout_synsent: { good: [1, 86400], bad: [0, -1] },
  timeout_timewait: { good: [1, 120], bad: [0] },
};

test('sysctls accept only their documented values, and are per namespace', () => {
  for (const [name, { good, bad }] of Object.entries(ranges)) {
    const [was, there] = [getVs(where, name), getVs(other, name)];
    assert.equal(was, there, name);
    for (const value of good) {
      setVs(where, { [name]: value });
      assert.equal(getVs(where, name), value);
    }
    for (const value of bad)
      assert.throws(() => setVs(where, { [name]: value }), { code: 'EINVAL' }, `${name}=${value}`);
    assert.equal(getVs(other, name), there, name);
    setVs(where, { [name]: was });
  }
  setVs(where, { fullnat_lport_max: 6000 });
  assert.throws(() => setVs(where, { fullnat_lport_min: 6001 }), { code: 'EINVAL' });
  setVs(where, { fullnat_lport_max: 65535 });
});

test('tables and local addresses are per namespace', async () => {
  const there = new Ipvs({ netns: netnsPath(other) });
  try {
    await ipvs.addService(tcp);
    await ipvs.addLocalAddress(tcp, ip4(laddr));
    assert.deepEqual(await there.services(), []);
    await there.addService(tcp);
    assert.deepEqual(await there.localAddresses(tcp), []);
    await there.addLocalAddress(tcp, ip4('10.31.3.102'));
    assert.deepEqual(
      (await ipvs.localAddresses(tcp)).map(({ address }) => address.join('.')),
      [laddr],
    );
    assert.ok(within(other, () => existsSync('/proc/net/ip_vs_ext_stats')));
    await ipvs.flush();
    assert.equal((await there.localAddresses(tcp)).length, 1);
  } finally {
    await there.flush();
    there.close();
  }
});
