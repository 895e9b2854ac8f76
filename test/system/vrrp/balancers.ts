// SPDX-License-Identifier: MIT
// Two balancers with lvsd, IPVS and VRRP between a client and a real server, each machine in a namespace of its own.
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startNginx } from '../../../lab/nginx.ts';
import { type Namespace, Topology, until } from '../../../lab/topology.ts';
import { type Conf, Lvsd } from '../lvsd/daemon.ts';

export const VIRTUAL = '10.9.0.100';
/** Gateway of the real server with plain NAT. */
const GATEWAY = '10.31.0.254';
export const REAL_SERVER = '10.31.0.10';
const BODY = 1 << 20;

type Forward = 'nat' | 'fullnat' | 'both';

export interface Balancer {
  namespace: Namespace;
  lvsd: Lvsd;
  priority: number;
}

export class Balancers {
  readonly topology = new Topology();
  readonly client: Namespace;
  readonly first: Balancer;
  readonly second: Balancer;
  /** SHA-256 of /body in hex. */
  readonly hash: string;
  /** Its length. */
  readonly bytes = BODY;
  readonly #switches: { outside: Namespace; inside: Namespace };

  readonly #preemptAfter: 'now' | 'synced';

  /** `name` makes folders unique. */
  constructor(name: string, preemptAfter: 'now' | 'synced' = 'now') {
    this.#preemptAfter = preemptAfter;
    const outside = this.topology.namespace('outside');
    const inside = this.topology.namespace('inside');
    this.#switches = { outside, inside };
    this.client = this.topology.namespace('client');
    const server = this.topology.namespace('server');
    this.topology.link({ in: this.client, device: 'eth0', addresses: ['10.9.0.9/24'] }, { in: outside, device: 'c' });
    this.topology.link({ in: server, device: 'eth0', addresses: [`${REAL_SERVER}/24`] }, { in: inside, device: 's' });
    const balancer = (number: 1 | 2): Balancer => {
      const namespace = this.topology.namespace(`lb${number}`);
      const port = `lb${number}`;
      this.topology.link(
        { in: namespace, device: 'eth0', addresses: [`10.9.0.${number}/24`] },
        { in: outside, device: port },
      );
      this.topology.link(
        { in: namespace, device: 'eth1', addresses: [`10.31.0.${number}/24`] },
        { in: inside, device: port },
      );
      namespace.sysctl({ 'net.ipv4.ip_forward': 1 });
      rmSync(`/run/lvsd-${name}${number}`, { recursive: true, force: true });
      return { namespace, lvsd: new Lvsd(namespace, `${name}${number}`), priority: number === 1 ? 150 : 100 };
    };
    this.first = balancer(1);
    this.second = balancer(2);
    this.topology.bridge(outside, 'br0', ['c', 'lb1', 'lb2']);
    this.topology.bridge(inside, 'br0', ['s', 'lb1', 'lb2']);
    server.ip(`route add default via ${GATEWAY}`);
    this.first.namespace.run('modprobe ip_vs');
    const { root } = startNginx(server, { listen: ['80'], server: 'location = /body { limit_rate $arg_rate; }' });
    const body = Buffer.alloc(BODY);
    for (let at = 0; at < BODY; at += 4) body.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
    writeFileSync(join(root, 'body'), body);
    this.hash = createHash('sha256').update(body).digest('hex');
  }

  /**
   * Plain NAT at port 80, whose return traffic goes through the master, and FULLNAT with addresses that follow it: at
   * port 80 too, or at port 81 beside NAT.
   */
  conf({ priority }: Balancer, forward: Forward, change: Conf = {}): Conf {
    const [nat, fullnat] = [forward !== 'fullnat', forward !== 'nat'];
    const pool = { device: 'eth1', follow: 'edge', addresses: ['10.31.0.101-10.31.0.104'] };
    const service = { address: VIRTUAL, real_servers: [`${REAL_SERVER}:80`] };
    const port = forward === 'both' ? 81 : 80;
    return {
      version: 1,
      resync: '2s',
      ...(fullnat ? { local_addresses: { inner: pool } } : {}),
      services: {
        ...(nat ? { web: { ...service, port: 80, forward: 'nat' } } : {}),
        ...(fullnat ? { far: { ...service, port, forward: 'fullnat', local_addresses: 'inner' } } : {}),
      },
      vrrp: {
        edge: {
          interface: 'eth0',
          virtual_router_id: 51,
          advert_interval: '100ms',
          priority,
          preempt: { after: this.#preemptAfter },
          addresses: [`${VIRTUAL}/24`],
          extra_addresses: !nat ? [] : [{ address: `${GATEWAY}/24`, device: 'eth1' }],
        },
      },
      connection_sync: { device: 'eth1', id: 51, follow: 'edge' },
      ...change,
    };
  }

  async start(forward: Forward, change: Conf = {}): Promise<void> {
    for (const one of [this.first, this.second]) await one.lvsd.start(this.conf(one, forward, change));
    await this.settles(this.first);
  }

  holds({ namespace }: Balancer): boolean {
    return namespace.run(['ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0']).stdout.includes(` ${VIRTUAL}/`);
  }

  /** Waits until exactly this balancer has the virtual address. */
  async settles(master: Balancer): Promise<void> {
    const other = master === this.first ? this.second : this.first;
    const name = `lb${master === this.first ? 1 : 2}`;
    await until(`${name} to have the address alone`, () => this.holds(master) && !this.holds(other), 60_000);
  }

  /** Separates a balancer from both networks, as when its machine dies, or joins it again. */
  plug(balancer: Balancer, on: boolean): void {
    const port = balancer === this.first ? 'lb1' : 'lb2';
    for (const each of Object.values(this.#switches)) each.ip(`link set ${port} ${on ? 'up' : 'down'}`);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.first.lvsd.stop(), this.second.lvsd.stop()]);
    await this.topology.destroy();
  }
}
