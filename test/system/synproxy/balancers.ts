// SPDX-License-Identifier: MIT
// A network with two balancers for one virtual address, and a router that sends SYNs to the first one and all other
// segments to either: a handshake that one begins is completed by the other.
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type Namespace, Topology } from '../../../lab/topology.ts';
import {
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_SVC_F_SYNPROXY,
  Ipvs,
  type ServiceConfig,
  type SynProxy,
} from '../../../src/ipvs/index.ts';
import { destConfig, ip4, run, serviceConfig } from '../fullnat/rig.ts';
import { Capture, netnsPath } from '../fullnat/wire.ts';

/** A forwarding method, and how real servers see clients with it. */
export interface Method {
  name: string;
  flag: number;
  /** Real servers see a local address, and the client's in an option. */
  toa: boolean;
}

/** Those that SYN proxy works with. */
export const methods: Method[] = [
  { name: 'FULLNAT', flag: IP_VS_CONN_F_FULLNAT, toa: true },
  { name: 'NAT', flag: IP_VS_CONN_F_MASQ, toa: false },
];

export const vip = '10.99.0.10';
export const realServer = '10.31.4.2';
export const clientAddress = '10.1.0.2';

export interface Balancer {
  where: Namespace;
  ipvs: Ipvs;
  /** Its address on the router's side. */
  outside: string;
  /** Its address on the real servers' side. */
  insideAddress: string;
  laddrs: string[];
}

export class Balancers {
  readonly topology = new Topology();
  readonly client = this.topology.namespace('client');
  readonly router = this.topology.namespace('router');
  readonly inside = this.topology.namespace('inside');
  readonly server = this.topology.namespace('server');
  /** It gets all SYNs. */
  readonly first: Balancer;
  readonly second: Balancer;

  constructor() {
    if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
    const end = (where: Namespace, device: string, address: string) => ({ in: where, device, addresses: [address] });
    this.topology.link(end(this.client, 'eth0', `${clientAddress}/24`), end(this.router, 'client0', '10.1.0.1/24'));
    this.topology.link(end(this.inside, 'server0', '10.31.4.1/24'), end(this.server, 'eth0', `${realServer}/24`));
    this.client.ip('route add default via 10.1.0.1 rto_min 20s');
    this.server.ip('route add default via 10.31.4.1 rto_min 20s');
    // Neither end sends anything again because the machine is slow.
    for (const each of [this.client, this.server]) each.sysctl({ 'net.ipv4.tcp_early_retrans': 0 });
    for (const each of [this.router, this.inside]) each.sysctl({ 'net.ipv4.ip_forward': 1 });
    this.first = this.#balancer(1);
    this.second = this.#balancer(2);
    // SYNs have a mark and with it a route of their own.
    const rule = `ip daddr ${vip} tcp flags & (syn | ack) == syn meta mark set 1`;
    const chain = `type filter hook prerouting priority -150\n${rule}`;
    this.router.run(['nft', '-f', '-'], { input: `table ip steer {\nchain in {\n${chain}\n}\n}\n` });
    this.router.ip('rule add fwmark 1 lookup 101', `route add ${vip}/32 via ${this.first.outside} table 101`);
    this.steer(this.first);
    for (const [where, device] of [
      [this.client, 'eth0'],
      [this.server, 'eth0'],
    ] as const)
      where.offloads(device, { tso: false, gso: false, tx: false });
  }

  #balancer(number: number): Balancer {
    const where = this.topology.namespace(`lb${number}`);
    const [outside, insideAddress] = [`10.2.${number}.2`, `10.31.${number}.2`];
    const end = (at: Namespace, device: string, address: string) => ({
      in: at,
      device,
      addresses: [`${address}/24`],
    });
    this.topology.link(end(this.router, `lb${number}`, `10.2.${number}.1`), end(where, 'out0', outside));
    this.topology.link(end(where, 'in0', insideAddress), end(this.inside, `lb${number}`, `10.31.${number}.1`));
    const laddrs = [101, 102].map((host) => `10.31.${number}.${host}`);
    where.sysctl({ 'net.ipv4.ip_forward': 1 });
    where.ip(
      `route add default via 10.2.${number}.1`,
      `route add 10.31.4.0/24 via 10.31.${number}.1`,
      `addr add ${vip}/32 dev lo`,
      ...laddrs.map((address) => `addr add ${address}/32 dev in0`),
    );
    return { where, ipvs: new Ipvs({ netns: netnsPath(where) }), outside, insideAddress, laddrs };
  }

  /** Sends segments other than SYNs to a balancer, and packets of real servers to clients. */
  steer(to: Balancer): void {
    this.router.ip(`route replace ${vip}/32 via ${to.outside}`);
    this.inside.ip(`route replace default via ${to.insideAddress}`);
  }

  /** The service on both balancers. */
  async serve(port: number, method: Method, synProxy: Partial<SynProxy> | undefined): Promise<ServiceConfig> {
    const key = serviceConfig(vip, port);
    for (const { ipvs, laddrs } of [this.first, this.second]) {
      await ipvs.addService(
        synProxy ? { ...key, flags: IP_VS_SVC_F_SYNPROXY, synProxy: { enabled: true, ...synProxy } } : key,
      );
      if (method.toa) for (const laddr of laddrs) await ipvs.addLocalAddress(key, ip4(laddr));
      await ipvs.addDestination(key, destConfig(realServer, port, { method: method.flag }));
    }
    return key;
  }

  async destroy(): Promise<void> {
    for (const { ipvs } of [this.first, this.second]) ipvs.close();
    await this.topology.destroy();
  }
}

const TOA = 254;

/** Clients of a real server's connections, from the option of their SYNs: for kernels without the module toa. */
export class ToaReceiver {
  readonly #capture: Capture;
  readonly #clients = new Map<string, string>();

  constructor(where: Namespace, device: string) {
    this.#capture = new Capture(where, device);
  }

  /** Address and port of the client of a connection: what the option says, else its peer. */
  clientOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
    for (const { outgoing, source, sourcePort, options } of this.#capture.segments) {
      const data = options.find(({ kind }) => kind === TOA)?.data;
      if (!outgoing && data?.length === 6)
        this.#clients.set(`${source}:${sourcePort}`, `${data.subarray(2).join('.')}:${data.readUInt16BE(0)}`);
    }
    // Not clear(), which also drops what has arrived since.
    this.#capture.packets.length = 0;
    const peer = `${remoteAddress}:${remotePort}`;
    return this.#clients.get(peer) ?? peer;
  }
}
