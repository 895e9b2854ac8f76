// SPDX-License-Identifier: MIT
// The network of most tests, the demo and the benchmarks; drawn in docs/lab.md.
import type { Namespace } from './namespace.ts';
import { Topology } from './network.ts';

export interface LvsTopology {
  topology: Topology;
  client: Namespace;
  router: Namespace;
  balancer: Namespace;
  inside: Namespace;
  /** The real servers: 10.31.4.2 and 10.31.5.2, each in a subnet of its own, with no route but to the balancer's. */
  rs1: Namespace;
  rs2: Namespace;
  /** The virtual address, on the balancer's loopback. */
  vip: string;
  clientAddress: string;
  rs1Address: string;
  rs2Address: string;
  /** Local addresses for FULLNAT, on the balancer's inside device. */
  laddrs: string[];
  destroy: () => Promise<void>;
}

export interface LvsOptions {
  /** How many local addresses, from 10.31.3.101 up; by default 2. */
  laddrs?: number;
  /** ip_forward on the balancer: plain NAT needs 1, FULLNAT works with 0; by default 1. */
  forward?: boolean;
  /** MTU of every link. */
  mtu?: number;
}

/** Devices are named by what they face: `balancer` has `out0` and `in0`. */
export function lvsTopology(options: LvsOptions = {}): LvsTopology {
  const topology = new Topology();
  const [client, router, balancer, inside, rs1, rs2] = (
    ['client', 'router', 'balancer', 'inside', 'rs1', 'rs2'] as const
  ).map((name) => topology.namespace(name)) as [Namespace, Namespace, Namespace, Namespace, Namespace, Namespace];
  const mtu = options.mtu === undefined ? {} : { mtu: options.mtu };
  const link = (a: Namespace, aDevice: string, aAddress: string, b: Namespace, bDevice: string, bAddress: string) =>
    topology.link(
      { in: a, device: aDevice, addresses: [aAddress] },
      { in: b, device: bDevice, addresses: [bAddress] },
      mtu,
    );
  link(client, 'eth0', '10.1.0.2/24', router, 'client0', '10.1.0.1/24');
  link(router, 'lb0', '10.2.0.1/24', balancer, 'out0', '10.2.0.2/24');
  link(balancer, 'in0', '10.31.3.2/24', inside, 'lb0', '10.31.3.1/24');
  link(inside, 'rs1', '10.31.4.1/24', rs1, 'eth0', '10.31.4.2/24');
  link(inside, 'rs2', '10.31.5.1/24', rs2, 'eth0', '10.31.5.2/24');

  const vip = '10.99.0.10';
  const laddrs = Array.from({ length: options.laddrs ?? 2 }, (_, index) => `10.31.3.${101 + index}`);
  for (const each of [router, inside]) each.sysctl({ 'net.ipv4.ip_forward': 1 });
  balancer.sysctl({ 'net.ipv4.ip_forward': options.forward === false ? 0 : 1 });
  client.ip('route add default via 10.1.0.1');
  router.ip(`route add ${vip}/32 via 10.2.0.2`);
  balancer.ip(
    'route add default via 10.2.0.1',
    'route add 10.31.0.0/16 via 10.31.3.1',
    `addr add ${vip}/32 dev lo`,
    ...laddrs.map((address) => `addr add ${address}/32 dev in0`),
  );
  rs1.ip('route add 10.31.3.0/24 via 10.31.4.1');
  rs2.ip('route add 10.31.3.0/24 via 10.31.5.1');
  return {
    ...{ topology, client, router, balancer, inside, rs1, rs2, vip, laddrs },
    ...{ clientAddress: '10.1.0.2', rs1Address: '10.31.4.2', rs2Address: '10.31.5.2' },
    destroy: () => topology.destroy(),
  };
}
