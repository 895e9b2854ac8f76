// SPDX-License-Identifier: MIT
// The network of the segment fuzzer: a client, a balancer and a machine that is both real servers, linked without
// routers, since each hop costs time; a service of every kind; and valid changes of the services, as netlink messages.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, Topology, until } from '../../../lab/topology.ts';
import { destinationAttributes, serviceAttributes, serviceKeyAttributes } from '../../../src/ipvs/codec.ts';
import {
  type DestinationConfig,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
  IPPROTO_UDP,
  Ipvs,
  NO_DEFENCE,
  type ServiceConfig,
} from '../../../src/ipvs/index.ts';
import { COMMAND, type CommandAttributes } from '../../../src/ipvs/tables.ts';
import { encodeTable, GenericNetlink, MessageWriter, type Table } from '../../../src/netlink/index.ts';
import type { Random } from '../../support/random.ts';
import { destConfig, ip4, run, serviceConfig } from '../fullnat/rig.ts';
import { netnsPath } from '../fullnat/wire.ts';

export const VIP = '10.99.0.10';
const laddrs = ['10.31.3.101', '10.31.3.102'];
/** Removed and added again while segments flow. */
const spareLaddr = '10.31.3.103';
const servers = ['10.31.3.11', '10.31.3.12'];
/** An address that no machine has. */
const absent = '10.31.3.13';

interface Row {
  service: ServiceConfig;
  method: number;
  servers: string[];
}

const proxied = { flags: IP_VS_SVC_F_SYNPROXY };
const persistent = { flags: IP_VS_SVC_F_PERSISTENT, timeout: 300 };
const row = (port: number, method: number, more: Partial<ServiceConfig> = {}, to = servers): Row => ({
  service: serviceConfig(VIP, port, more),
  method,
  servers: to,
});

/** By port from 8001; honest connections use the first seven (fuzz.h). */
const rows: Row[] = [
  row(8001, IP_VS_CONN_F_FULLNAT),
  row(8002, IP_VS_CONN_F_FULLNAT, { scheduler: 'wrr', ...persistent }),
  row(8003, IP_VS_CONN_F_FULLNAT, { scheduler: 'mh' }),
  row(8004, IP_VS_CONN_F_MASQ, { scheduler: 'wrr' }),
  row(8005, IP_VS_CONN_F_DROUTE),
  row(8006, IP_VS_CONN_F_MASQ, persistent),
  row(8007, IP_VS_CONN_F_FULLNAT, proxied),
  // Few ports, so that they run out and are taken over.
  row(8008, IP_VS_CONN_F_FULLNAT, { portMin: 2000, portMax: 2031 }),
  row(8009, IP_VS_CONN_F_FULLNAT, persistent, [absent]),
  row(8010, IP_VS_CONN_F_FULLNAT, {}, []),
  row(8011, IP_VS_CONN_F_TUNNEL),
  row(8012, IP_VS_CONN_F_MASQ, { scheduler: 'mh', ...persistent, netmask: 0x00ffffff }),
  row(8013, IP_VS_CONN_F_FULLNAT, { scheduler: 'wlc', ...persistent }),
  row(8014, IP_VS_CONN_F_FULLNAT, { scheduler: 'sh' }),
  row(8015, IP_VS_CONN_F_FULLNAT, { ...proxied, portMin: 3000, portMax: 3031 }),
  row(8016, IP_VS_CONN_F_FULLNAT, proxied, [absent]),
  row(8017, IP_VS_CONN_F_FULLNAT, proxied, []),
  row(8018, IP_VS_CONN_F_FULLNAT, { ...persistent, flags: IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_SYNPROXY }),
  row(8019, IP_VS_CONN_F_MASQ, proxied),
];
const udp: Row = { ...row(8001, IP_VS_CONN_F_MASQ), service: serviceConfig(VIP, 8001, { protocol: IPPROTO_UDP }) };

export const services = rows.length;
/** Services that may come and go: no honest connection depends on them. */
const changing = rows.slice(7);
/** SYN proxy of these is switched on and off, and their defence changes. */
const switched = rows.filter(({ service }) => service.flags & IP_VS_SVC_F_SYNPROXY);

const modules = ['ip_vs', ...['rr', 'wrr', 'wlc', 'sh', 'mh', 'lc', 'dh'].map((name) => `ip_vs_${name}`)];

export interface FuzzNetwork {
  topology: Topology;
  balancer: Namespace;
  ipvs: Ipvs;
  destroy: () => Promise<void>;
}

export function loadModules(): void {
  run('modprobe', '-a', ...modules);
}

const loadedModules = () =>
  readFileSync('/proc/modules', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name === 'ip_vs' || name.startsWith('ip_vs_'));

/** Unloads IPVS, upon which the kernel logs each object left in a slab. Removed namespaces hold it for a while. */
export async function unloadModules(): Promise<void> {
  await until(
    'IPVS to be unused',
    () => {
      for (const name of loadedModules().sort().reverse()) spawnSync('rmmod', [name]);
      return loadedModules().length === 0;
    },
    60_000,
  );
}

export async function fuzzNetwork(): Promise<FuzzNetwork> {
  loadModules();
  const topology = new Topology();
  const [client, balancer, server] = (['fuzz-c', 'fuzz-b', 'fuzz-s'] as const).map((name) =>
    topology.namespace(name),
  ) as [Namespace, Namespace, Namespace];
  topology.link(
    { in: client, device: 'eth0', addresses: ['10.1.0.2/24'] },
    { in: balancer, device: 'out0', addresses: ['10.1.0.1/24'] },
  );
  topology.link(
    {
      in: balancer,
      device: 'in0',
      addresses: ['10.31.3.2/24', ...[...laddrs, spareLaddr].map((address) => `${address}/32`), `${VIP}/32`],
    },
    { in: server, device: 'eth0', addresses: servers.map((address) => `${address}/24`) },
  );
  // Direct routing: packets from the real server with the VIP as their source do not pass the balancer.
  topology.link(
    { in: server, device: 'direct', addresses: ['10.1.9.2/24'] },
    { in: client, device: 'direct', addresses: ['10.1.9.1/24'] },
  );
  client.ip('route add default via 10.1.0.1');
  balancer.ip('route add default via 10.1.0.2');
  server.sysctl({ 'net.ipv4.conf.all.arp_ignore': 1, 'net.ipv4.conf.all.arp_announce': 2 });
  server.ip(
    `addr add ${VIP}/32 dev lo`,
    'route add 10.1.0.0/16 via 10.31.3.2',
    'route add default via 10.1.9.1 table 100',
    `rule add from ${VIP} lookup 100`,
  );
  balancer.sysctl({ 'net.ipv4.ip_forward': 1 });
  const ipvs = new Ipvs({ netns: netnsPath(balancer) });
  for (const each of [...rows, udp]) {
    await ipvs.addService(each.service);
    if (each.method === IP_VS_CONN_F_FULLNAT) {
      for (const laddr of laddrs) await ipvs.addLocalAddress(each.service, ip4(laddr));
    }
    for (const to of each.servers) await ipvs.addDestination(each.service, destination(each, to));
  }
  return {
    ...{ topology, balancer, ipvs },
    destroy: async () => {
      ipvs.close();
      await topology.destroy();
    },
  };
}

function destination({ service, method }: Row, to: string, more: Partial<DestinationConfig> = {}): DestinationConfig {
  return destConfig(to, service.port, { method, ...more });
}

/** One valid change; the services of honest connections keep both real servers and two local addresses. */
function change(random: Random): [command: number, CommandAttributes] {
  const each = random.pick(rows);
  const service = serviceKeyAttributes(each.service);
  const laddr = (address: string) => ({ localAddress: { address: ip4(address), family: 2 } });
  if (random.chance(25)) {
    const weight = random.below(3) + 1;
    return [6, { service, dest: destinationAttributes(destination(each, random.pick(servers), { weight })) }];
  }
  if (random.chance(30)) return [random.below(2) + 18, { service, ...laddr(spareLaddr) }];
  if (random.chance(10)) {
    const { service: of } = random.pick(switched);
    const flags = random.chance(70) ? IP_VS_SVC_F_SYNPROXY : 0;
    return [2, { service: serviceAttributes({ ...of, flags }, IP_VS_SVC_F_SYNPROXY) }];
  }
  if (random.chance(10)) {
    const { service: of } = random.pick(switched);
    const defence = { ...NO_DEFENCE, dropStrays: random.chance(50), dropFragments: random.chance(50) };
    return [2, { service: serviceAttributes({ ...of, defence }, 0) }];
  }
  const victim = random.pick(changing);
  const key = serviceKeyAttributes(victim.service);
  const to = random.pick([...servers, absent]);
  const dest = destinationAttributes(
    destination(victim, to, { weight: random.below(3), upperThreshold: random.below(9) }),
  );
  const kinds: [number, CommandAttributes][] = [
    [1, { service: serviceAttributes(victim.service) }],
    [2, { service: serviceAttributes({ ...victim.service, scheduler: random.pick(['rr', 'wrr', 'mh', 'wlc']) }) }],
    [5, { service: key, dest }],
    [5, { service: key, dest }],
    [6, { service: key, dest }],
    [7, { service: key, dest }],
    [18, { service: key, ...laddr(random.pick(laddrs)) }],
    [18, { service: key, ...laddr(random.pick(laddrs)) }],
    [19, { service: key, ...laddr(random.pick(laddrs)) }],
    [16, {}],
  ];
  return random.chance(5) ? [3, { service: key }] : random.pick(kinds);
}

/** Writes changes to a file, for segments.c to send one by one. */
export async function writeChanges(path: string, count: number, random: Random, balancer: Namespace): Promise<void> {
  const netlink = new GenericNetlink({ netns: netnsPath(balancer) });
  const { id, version } = await netlink.family('IPVS');
  netlink.close();
  writeMessages(path, count, () => {
    const [command, attributes] = change(random);
    const writer = new MessageWriter().begin(id, 5);
    encodeTable(COMMAND as Table, writer.genericHeader(command, version), attributes);
    return Buffer.from(writer.finish());
  });
}

/** Writes messages to a file, each after its length, as the C programs here read them. */
export function writeMessages(path: string, count: number, next: () => Buffer): void {
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const message = next();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(message.length);
    parts.push(length, message);
  }
  writeFileSync(path, Buffer.concat(parts));
}

/** Compiles a C program of this folder in the guest. */
export function compile(out: string, ...sources: string[]): void {
  const paths = sources.map((source) => join(import.meta.dirname, source));
  execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', out, ...paths]);
}
