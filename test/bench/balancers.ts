// SPDX-License-Identifier: MIT
// Balancers that do different things with what they receive, and senders of raw frames on their two sides. They need
// test/bench/segments.c and headroom.c, built, as BENCH_SEGMENTS and BENCH_HEADROOM say.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Namespace, Topology } from '../../lab/topology.ts';

/** Kinds of balancers: drops at once; forwards without IPVS, with an idle service; translates. */
export const modes = ['drop', 'plain', 'idle', 'nat', 'fullnat'] as const;
export type Mode = (typeof modes)[number];
/** Of the bench of SYN proxy: FULLNAT with it; a listener on the balancer itself that answers every SYN with a cookie. */
export type SynMode = Mode | 'proxied' | 'listener';

const vip = '10.99.0.10';
const server = '10.31.4.2';
const laddr = '10.31.3.101';

/** A balancer between two sides, each in a network namespace of its own. */
export interface Site {
  balancer: Namespace;
  outside: Namespace;
  inside: Namespace;
}

/** Runs a command in a namespace. Without a time-out, because the clock jumps while the only CPU waits for the host. */
export const run = (where: Namespace, command: string | string[], input = '') =>
  where.run(command, { input, timeout: 0 }).stdout;

function mac(where: Namespace, device: string): string {
  const [link] = JSON.parse(run(where, ['ip', '-json', 'link', 'show', 'dev', device])) as { address: string }[];
  return link?.address ?? '';
}

/** A drop at a device's ingress. Sockets of AF_PACKET still see what it drops. */
function dropAt(where: Namespace, device: string): void {
  const chain = `chain c { type filter hook ingress device ${device} priority 0; ip protocol tcp counter drop; }`;
  run(where, ['nft', '-f', '-'], `table netdev at-${device} {\n${chain}\n}\n`);
}

/** How many packets the drops of a namespace have counted. */
export function dropped(where: Namespace): number {
  return Number(/packets (\d+)/.exec(run(where, ['nft', 'list', 'ruleset']))?.[1] ?? -1);
}

/**
 * Runs test/bench/headroom.c for the balancer's two devices; resolves once their frames have the headroom of a card's.
 */
export async function giveHeadroom(balancer: Namespace): Promise<ChildProcess> {
  const child = spawn(process.env.BENCH_HEADROOM ?? 'headroom', [balancer.name, 'out0', 'in0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  if (value !== 'ready') throw new Error(`${balancer.name}: no XDP program`);
  return child;
}

/**
 * Each mode has a balancer in a namespace of its own, as hooks and tables of IPVS are per namespace. With `ports` its
 * service has so few local ports, and connections that do not time out.
 */
export function site(topology: Topology, mode: SynMode, ports?: number): Site {
  const name = ports === undefined ? mode : `${mode}-${ports}`;
  const outside = topology.namespace(`out-${name}`);
  const balancer = topology.namespace(`lb-${name}`);
  const inside = topology.namespace(`in-${name}`);
  const end = (where: Namespace, device: string, address: string) => ({ in: where, device, addresses: [address] });
  topology.link(end(outside, 'lb0', '10.2.0.1/24'), end(balancer, 'out0', '10.2.0.2/24'));
  topology.link(end(balancer, 'in0', '10.31.3.2/24'), end(inside, 'lb0', '10.31.3.1/24'));
  run(balancer, 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  balancer.ip(
    'route add default via 10.2.0.1',
    'route add 10.31.0.0/16 via 10.31.3.1',
    `addr add ${vip}/32 dev lo`,
    `addr add ${laddr}/32 dev in0`,
    `neigh replace 10.2.0.1 lladdr ${mac(outside, 'lb0')} dev out0 nud permanent`,
    `neigh replace 10.31.3.1 lladdr ${mac(inside, 'lb0')} dev in0 nud permanent`,
  );
  dropAt(outside, 'lb0');
  dropAt(inside, 'lb0');
  const service = `-A -t ${vip}:80 -s rr`;
  const fullnat = [`-P -t ${vip}:80 -z ${laddr}`, `-a -t ${vip}:80 -r ${server}:80 -b`];
  const lines: Record<SynMode, string[]> = {
    drop: [],
    plain: [],
    idle: [service, `-a -t ${vip}:80 -r ${server}:80 -m`],
    nat: [service, `-a -t ${vip}:80 -r ${server}:80 -m`],
    fullnat: [service, ...fullnat],
    proxied: [`${service} -j enable`, ...fullnat],
    listener: [],
  };
  if (ports !== undefined) {
    run(balancer, `echo ${4999 + ports} > /proc/sys/net/ipv4/vs/fullnat_lport_max`);
    // The clock jumps while the only CPU waits for the host.
    run(balancer, ['lvsadm', '--set', '2000000', '0', '0']);
  }
  if (lines[mode].length > 0) run(balancer, ['lvsadm', '-R'], `${lines[mode].join('\n')}\n`);
  return { balancer, outside, inside };
}

/** A connection through a site, the rounds of segments on it, and further connections beside it. */
export class Connection {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  /** Of one round. */
  private readonly packets: number;

  /** Throws if the connection cannot be opened. */
  static async open(at: Site, mode: SynMode, length: number, packets = 1): Promise<Connection> {
    const opened = new Connection(at, mode, length, packets);
    if ((await opened.line()) !== 'ready') throw new Error(`${mode}: no connection`);
    return opened;
  }

  private constructor(at: Site, mode: SynMode, length: number, packets: number) {
    this.packets = packets;
    const destination = mode === 'drop' || mode === 'plain' || mode === 'idle' ? server : vip;
    this.child = spawn(
      process.env.BENCH_SEGMENTS ?? 'segments',
      [
        ...[at.outside.name, 'lb0', mac(at.balancer, 'out0'), '10.1.0.2', `${destination}:80`],
        ...[at.inside.name, 'lb0', mac(at.balancer, 'in0'), String(packets), String(length), '1'],
        ...(mode === 'proxied' || mode === 'listener' ? [mode] : []),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    if (this.child.stdout === null) throw new Error('no stdout');
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  /** Waits without a timer, whose instructions would be counted. */
  private async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    return done ? '' : value;
  }

  private async measure(command: string): Promise<number> {
    this.child.stdin?.write(`${command}\n`);
    return Number((await this.line()).split(' ')[1]);
  }

  /** Instructions for each packet of one round. */
  async round(direction: string): Promise<number> {
    return (await this.measure(direction)) / this.packets;
  }

  /** Instructions for each of `count` more connections: all their segments, or the SYN alone, from the senders on. */
  async connections(what: 'open' | 'whole' | 'syn' | 'flooded', count: number): Promise<number> {
    return (await this.measure(`${what} ${count}`)) / count;
  }

  close(): void {
    this.child.stdin?.end();
  }
}

/** Makes the balancer of mode `drop` drop on both of its devices, or not, while its connection is opened. */
export function dropAll(balancer: Namespace, on: boolean): void {
  for (const device of ['out0', 'in0']) {
    if (on) dropAt(balancer, device);
    else run(balancer, `nft delete table netdev at-${device} 2>/dev/null || true`);
  }
}
